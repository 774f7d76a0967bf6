"""uvicorn's server without its tick, which wakes the process ten times a second: to see whether it has to stop, and for
the time in the header Date."""

import asyncio
import time
from email.utils import formatdate
from types import FrameType

import uvicorn
from uvicorn.server import ServerState

Headers = list[tuple[bytes, bytes]]


class Server(uvicorn.Server):
    """uvicorn's server, notified of a signal instead of polling for one."""

    _signalled: asyncio.Event | None = None
    _loop: asyncio.AbstractEventLoop | None = None

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.server_state = State(config)

    async def main_loop(self) -> None:
        self._loop, self._signalled = asyncio.get_running_loop(), asyncio.Event()
        while not self.should_exit:
            await self._signalled.wait()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        if self._loop is not None and self._signalled is not None:
            self._loop.call_soon_threadsafe(self._signalled.set)


class State(ServerState):
    """What connections share. Headers of every answer are made when one is asked for."""

    def __init__(self, config: uvicorn.Config) -> None:
        self._config = config
        self._made: tuple[int, Headers] = (0, [])  # in which second
        super().__init__()

    @property
    def default_headers(self) -> Headers:
        now = int(time.time())
        if self._made[0] != now:
            date = [(b"date", formatdate(now, usegmt=True).encode())] if self._config.date_header else []
            self._made = now, date + self._config.encoded_headers
        return self._made[1]

    @default_headers.setter
    def default_headers(self, _: Headers) -> None:
        """uvicorn sets the empty list that it begins with."""
