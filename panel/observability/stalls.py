"""How long the event loop stood still: what any page or stream then waited, besides its own work."""

import asyncio
from collections import deque

EVERY = 0.025  # seconds between looks; a stall is measured to within as much
WINDOW = 60.0  # seconds
COUNTED = (0.05, 0.25, 1.0)  # seconds; stalls longer than these are counted


class StallMonitor:
    """Start with `run` in a task. One timer; a stall is how late it comes."""

    def __init__(self) -> None:
        self.longest = 0.0  # seconds, since the start
        self.counts = dict.fromkeys(COUNTED, 0)  # seconds -> stalls longer than that, since the start
        self._slots: deque[tuple[float, float]] = deque()  # (loop's time, seconds): of this minute, falling

    async def run(self) -> None:
        """Until cancelled."""
        clock = asyncio.get_running_loop().time
        due = clock() + EVERY
        while True:
            await asyncio.sleep(due - clock())
            now = clock()
            self.note(now, now - due)
            due = now + EVERY

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
