"""Hours in milliseconds: an event loop, and the process's clocks, that leap to the next thing that is due.

Whatever sleeps or waits for a time-out does so in this time. Only the clock is not real.
"""

import asyncio
import selectors
import time
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

BEGAN = 1_800_000_000.0


class Clock:
    def __init__(self) -> None:
        self.elapsed = 1000.0

    def time(self) -> float:
        return BEGAN + self.elapsed

    def monotonic(self) -> float:
        return self.elapsed


class _Leaping(selectors.DefaultSelector):
    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.threads = 0  # calls that run in threads now
        self.leaps = 0  # waits for a moment, after each of which a real process would have been woken up

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.threads:  # what they do takes real time, and none of this one
            return super().select(0.01 if timeout else timeout)
        ready = super().select(0.0 if timeout is not None else None)
        if not ready and timeout:
            self._clock.elapsed += timeout
            self.leaps += 1
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, clock: Clock) -> None:
        self._leaping = _Leaping(clock)
        super().__init__(self._leaping)
        self._virtual = clock

    def time(self) -> float:
        return self._virtual.elapsed

    def run_in_executor(self, *args):
        call = super().run_in_executor(*args)  # raises once its threads were shut down
        self._leaping.threads += 1
        call.add_done_callback(self._ended)
        return call

    @property
    def leaps(self) -> int:
        return self._leaping.leaps

    def _ended(self, _) -> None:
        self._leaping.threads -= 1


@contextmanager
def virtual_time() -> Iterator[asyncio.Runner]:
    """A runner in whose loop, and around which, time is virtual."""
    clock = Clock()
    with (
        mock.patch.object(time, "time", clock.time),
        mock.patch.object(time, "monotonic", clock.monotonic),
        asyncio.Runner(loop_factory=lambda: _Loop(clock)) as runner,
    ):
        yield runner


@contextmanager
def clock_set(seconds: float) -> Iterator[None]:
    """The machine's clock is set on by so many seconds, or back, and put right again: only the wall clock notices."""
    before = time.time
    with mock.patch.object(time, "time", lambda: before() + seconds):
        yield
