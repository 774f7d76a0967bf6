"""When one operation is read again: soon while its values change under somebody's eyes, more rarely otherwise."""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field

FASTEST = 1.0  # seconds between two readings of one operation: the backend's own values are that old
WATCHED = 2.5  # seconds between readings of an operation that hardly changes, while somebody watches
UNWATCHED = 5.0  # seconds, while no page watches: its end should still be known soon


@dataclass(slots=True)
class Pace:
    """Of one operation."""

    wake: asyncio.Event = field(default_factory=asyncio.Event)
    asked_at: float = 0.0  # monotonic
    unchanged: int = 0  # readings in a row that said nothing new

    async def pause(self, watched: bool) -> None:
        """Wait for the next reading: 1 s while values change under somebody's eyes, longer when they do not, and longer
        still without viewers. Being woken shortens it, though never below FASTEST."""
        wait = min(FASTEST * (1 + self.unchanged * 0.25), WATCHED) if watched else UNWATCHED
        self.wake.clear()
        with contextlib.suppress(asyncio.TimeoutError):  # the built-in one; the backend client's is another
            async with asyncio.timeout(wait):  # not `wait_for`: Python 3.11's may swallow a cancel
                await self.wake.wait()
        rest = self.asked_at + FASTEST - time.monotonic()
        if rest > 0:
            await asyncio.sleep(rest)
        self.asked_at = time.monotonic()
