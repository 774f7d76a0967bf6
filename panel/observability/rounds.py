"""Aligns the rounds of background loops, so that the process wakes up once for all of them."""

import asyncio


def pause(seconds: float) -> float:
    """Seconds until the event loop's clock is a multiple of `seconds`."""
    rest = seconds - asyncio.get_running_loop().time() % seconds
    return rest if rest > 0.001 else rest + seconds  # a timer may come a moment early


async def until_next(seconds: float) -> None:
    """Sleep so long."""
    await asyncio.sleep(pause(seconds))
