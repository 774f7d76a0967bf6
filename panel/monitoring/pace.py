"""When one operation is read again: soon while its values change and it is watched, else more rarely."""

import asyncio
import time
from dataclasses import dataclass, field

from panel.observability.rounds import until_set

FASTEST = 1.0  # seconds between two readings of one operation: the backend's own values are that old
FIRST = 0.3  # seconds between readings of what was just started, until it has made progress
FIRST_FOR = 4.0  # seconds for which that goes on
WATCHED = 2.5  # seconds between readings of an operation that hardly changes, or while only other pages are open
LONGEST_QUIET = 30.0  # seconds for which a backend's Retry-After is heeded
TURN = 2.0  # seconds that a turn lasts, of more operations than pollers: a crowd costs 25 requests a second
WATCHED_TURN = 20  # readings in a row of one whose own page is open
SPARED = 2.0  # times as long as the last answer took the backend is left alone: those of a long training are large
LONGEST_SPARED = 10.0  # seconds
UNWATCHED = 5.0  # seconds, while no page is open: its end should still be known soon
UNKNOWN_FOR = 5.0  # seconds for which the backend has to say that it does not know it: one such answer may be a slip


@dataclass(slots=True)
class Pace:
    """Of one operation."""

    wake: asyncio.Event = field(default_factory=asyncio.Event)
    asked_at: float = 0.0  # monotonic
    unchanged: int = 0  # readings in a row without a change
    born_at: float = field(default_factory=time.monotonic)
    readings: int = 0  # of this turn
    took: float = 0.0  # seconds until the last answer
    asked_for: float = 0.0  # seconds of quiet that the backend's last answer asked for (Retry-After)

    unknown_since: float | None = None  # the backend says that it does not know it, monotonic

    def unknown(self) -> bool:
        """After such an answer: whether it is to be believed."""
        now = time.monotonic()
        self.unknown_since = self.unknown_since or now
        return now - self.unknown_since >= UNKNOWN_FOR

    def turn_ends(self, readers: int) -> bool:
        """After each reading while others wait for a poller; `readers` of the operation's own page."""
        self.readings += 1
        return not readers or self.readings >= WATCHED_TURN

    async def pause(self, watched: bool, new: bool = False, anyone: bool = False) -> None:
        """Wait for the next reading: 1 s while values change and it is watched, longer when they do not or when
        only other pages are open (`anyone`), which announce its end, and longer still without any. Being woken
        shortens it, though never below FASTEST. `new`: it was just started and has made no progress yet, which
        a person who has pressed a button waits for."""
        eager = new and time.monotonic() < self.born_at + FIRST_FOR  # its page opens, and wakes this, in a moment
        fastest = min(FIRST, FASTEST) if eager else FASTEST
        rarely = WATCHED if anyone else UNWATCHED
        wait = min(fastest * (1 + self.unchanged * 0.25), WATCHED) if watched else rarely
        wait = max(wait, min(self.took * SPARED, LONGEST_SPARED))
        self.wake.clear()
        await until_set(self.wake, wait)
        quiet, self.asked_for = min(self.asked_for, LONGEST_QUIET), 0.0
        rest = self.asked_at + max(fastest, quiet) - time.monotonic()
        if rest > 0:
            await asyncio.sleep(rest)
        self.asked_at = time.monotonic()
