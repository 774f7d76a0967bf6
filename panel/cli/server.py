"""uvicorn's server without its tick, which wakes the process ten times a second to see whether it has to stop."""

import asyncio
from contextlib import suppress
from types import FrameType

import uvicorn

from panel.observability.rounds import pause

INTERVAL = 1.0  # seconds between two looks at the clock, for the header Date


class Server(uvicorn.Server):
    """uvicorn's, told of a signal instead of looking for one."""

    _signalled: asyncio.Event | None = None
    _loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        self._loop, self._signalled = asyncio.get_running_loop(), asyncio.Event()
        while not await self.on_tick(0):  # 0: with the second's work
            with suppress(asyncio.TimeoutError):
                async with asyncio.timeout(pause(INTERVAL)):
                    await self._signalled.wait()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        if self._loop is not None and self._signalled is not None:
            self._loop.call_soon_threadsafe(self._signalled.set)
