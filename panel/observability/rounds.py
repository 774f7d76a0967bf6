"""Rounds of background loops, at the same moments: to wake up once for all of them costs less than once for each."""

import asyncio


def pause(seconds: float) -> float:
    """Seconds until the event loop's clock is a multiple of `seconds`."""
    rest = seconds - asyncio.get_running_loop().time() % seconds
    return rest if rest > 0.001 else rest + seconds  # a timer may come a moment early


async def until_next(seconds: float) -> None:
    """Sleep so long."""
    await asyncio.sleep(pause(seconds))
