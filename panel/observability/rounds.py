"""Waits of background loops. Their rounds are aligned, so that the process wakes up once for all of them."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

IDLE = 5.0  # seconds between rounds of a loop that has nothing to do


def pause(seconds: float) -> float:
    """Seconds until the event loop's clock is a multiple of `seconds`."""
    rest = seconds - asyncio.get_running_loop().time() % seconds
    return rest if rest > 0.001 else rest + seconds  # a timer may come a moment early


async def until_next(seconds: float) -> None:
    """Sleep until the clock is a multiple of `seconds`."""
    await asyncio.sleep(pause(seconds))


async def cancel_all(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel the tasks and wait for their ends."""
    left = list(tasks)
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


async def until_set(event: asyncio.Event, seconds: float | None) -> None:
    """Wait for the event, at most so long; None is for ever."""
    with suppress(asyncio.TimeoutError):  # the built-in one, unlike the client's
        async with asyncio.timeout(seconds):  # not `wait_for`: Python 3.11's may swallow a cancel
            await event.wait()
