"""Measures stalls of the event loop: what any page or stream then waited, besides its own work.

A timer that comes late has found a stall. Each wakes the process up, which costs a tenth of a millisecond: so there are
many only while requests are answered, and after readings of the backend.
"""

import asyncio
from collections import deque

from panel.observability.rounds import IDLE, pause

INTERVAL = 0.025  # seconds between looks; a stall is measured to within as much
LINGER = 1.0  # seconds of looks after a request's last message
WINDOW = 60.0  # seconds
COUNTED = (0.05, 0.25, 1.0)  # seconds; stalls longer than these are counted


class StallMonitor:
    """Start with `run` in a task. One timer; a stall is how late it comes."""

    def __init__(self) -> None:
        self.longest = 0.0  # seconds, since the start
        self.counts = dict.fromkeys(COUNTED, 0)  # seconds -> stalls longer than that, since the start
        self._slots: deque[tuple[float, float]] = deque()  # (loop's time, seconds): of this minute, falling
        self._timer: asyncio.TimerHandle | None = None  # while it runs
        self._due = self._until = 0.0  # loop's time of the next look; of the last one of those that follow closely
        self._requests = 0  # that have no answer yet

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        self._look_at(loop.time() + INTERVAL)
        try:
            await loop.create_future()
        finally:
            assert self._timer is not None  # noqa: S101  it was made above
            self._timer.cancel()
            self._timer = None

    def _look_at(self, due: float) -> None:
        self._due = due
        self._timer = asyncio.get_running_loop().call_at(due, self._look)

    def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        self.note(now, now - self._due)
        closely = self._requests or now < self._until
        self._look_at(now + INTERVAL if closely else now + pause(IDLE))  # when other loops have their rounds

    def wake(self, seconds: float = INTERVAL) -> None:
        """Check at short intervals for this number of seconds: the event loop gets work."""
        if self._timer is None:
            return
        now = asyncio.get_running_loop().time()
        self._until = max(self._until, now + seconds)
        if self._due > now + INTERVAL:
            self._timer.cancel()
            self._look_at(now + INTERVAL)

    def begins(self) -> None:
        """A request has come: look closely until it `answers`."""
        self._requests += 1
        self.wake()

    def answers(self) -> None:
        self._requests -= 1

    def note(self, now: float, late: float) -> None:
        """The timer came so late. What is shorter than a later stall need not be kept."""
        self.longest = max(self.longest, late)
        if late > COUNTED[0]:
            for limit in COUNTED:
                self.counts[limit] += late > limit
        while self._slots and self._slots[-1][1] <= late:
            self._slots.pop()
        self._slots.append((now, late))
        while self._slots[0][0] < now - WINDOW:
            self._slots.popleft()

    def of_last_minute(self) -> float:
        """Seconds of the longest stall in the last minute."""
        return self._slots[0][1] if self._slots else 0.0
