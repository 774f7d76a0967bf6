"""A whole panel on a socket, for tests that use it as a browser would."""

import asyncio
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom
from typing import Any

import httpx

from panel.app import create_app
from panel.live.hub import Hub
from panel.live.protocol import Connection
from panel.settings import Settings
from tests.support.parts import panel_of
from tests.support.scripted import served

OWN_PAGE = {"sec-fetch-site": "same-origin"}
# For lines that are not encrypted: httpx reads all authorities' certificates otherwise, 25 ms for each client.
PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
COMMAND = [sys.executable, "-c", "from panel.cli.main import main; main()"]


def free_port() -> int:
    """Where nobody listens. Not one of those that the system chooses from 32768 on: a connection of anybody could have it
    before the panel that is just being started."""
    while True:
        port = SystemRandom().randrange(20_000, 32_000)  # tests may have seeded the other generator
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Inside:
    """The panel's app with its loop at hand, for what only its own process can tell or cause."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.sent: Counter[str] = Counter()  # ASGI messages for each path

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self._loop = asyncio.get_running_loop()

        async def counted(message: Any) -> None:
            self.sent[scope.get("path", "")] += 1
            await send(message)

        await self._app(scope, receive, counted)

    def call(self, function: Callable[..., Any], *given: Any) -> Any:
        """Call it in the panel's loop, in one turn."""

        async def run() -> Any:
            return function(*given)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(60)

    def write_all(self) -> None:
        """Wait until everything is on disk that was handed over to be written."""

        async def run() -> None:
            await asyncio.sleep(0)  # tasks that were just made hand over theirs
            await self.panel.storage.write(lambda store: None)

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(60)

    @property
    def panel(self) -> Any:
        return panel_of(self._app)

    @property
    def fanout(self) -> Hub:
        hub: Hub = self.panel.hub
        return hub

    def tasks(self) -> int:
        return len(asyncio.all_tasks(self._loop))


@dataclass
class Panel:
    address: str
    settings: Settings
    inside: Any = None

    def get(self, path: str, **more: Any) -> httpx.Response:
        return httpx.get(self.address + path, timeout=120, verify=PLAIN, **more)

    def post(self, path: str, data: dict[str, str] | None = None, **more: Any) -> httpx.Response:
        return httpx.post(self.address + path, data=data or {}, headers=OWN_PAGE | more, timeout=120, verify=PLAIN)

    def read(self, *operation_ids: str) -> None:
        """Have the panel read these operations whole, and write them down: a page waits for the backend only shortly."""
        end, monitor = time.monotonic() + 120, self.inside.panel.monitor
        for operation_id in operation_ids:
            self.get(f"/operations/{operation_id}")
            while not (known := self.inside.call(monitor.known, operation_id)) or not known.snapshot.full:
                assert time.monotonic() < end, operation_id
                time.sleep(0.02)
        self.inside.write_all()

    def until(self, path: str, reached: Callable[[str], bool], timeout: float = 120) -> str:
        """The page as soon as it is as wished."""
        end = time.monotonic() + timeout
        while not reached(text := self.get(path).text):
            assert time.monotonic() < end, text
            time.sleep(0.05)
        return text


@contextmanager
def panel(folder: Path, backend: str = "", port: int = 0, http: Any = Connection, **settings: Any) -> Iterator[Panel]:
    """Over the backend at this address; over the embedded one without."""
    made = Settings.from_environ({}, backend=backend, port=port or free_port(), data_folder=folder, **settings)
    inside = Inside(create_app(made))
    with served(inside, made.port, http=http) as address:
        yield Panel(address, made, inside)


@contextmanager
def panel_process(
    folder: Path, backend: str = "", port: int = 0, **more: str
) -> Iterator[tuple[Panel, subprocess.Popen[bytes]]]:
    """The same in a process of its own, which a test may stop or kill. Its output is in `folder`/log, and
    `more` are further variables of its environment."""
    settings = Settings.from_environ({}, backend=backend, port=port or free_port(), data_folder=folder)
    variables = {
        "PATH": os.environ["PATH"],
        "KTRDR_PANEL_DATA_DIR": str(folder),
        "KTRDR_PANEL_PORT": str(settings.port),
        "KTRDR_API_CLIENT_BASE_URL": backend,
    } | more
    with (
        (folder / "log").open("ab") as log,
        subprocess.Popen([*COMMAND, "serve"], env=variables, stdout=log, stderr=log) as process,
    ):
        here = Panel(f"http://127.0.0.1:{settings.port}", settings)
        try:
            while process.poll() is None:
                with suppress(httpx.TransportError):
                    here.get("/")
                    break
                time.sleep(0.05)
            assert process.poll() is None, (folder / "log").read_text()
            yield here, process
        finally:
            process.terminate()


class Stream:
    """One page's stream, read as a browser reads it: partials land in `places`, events in `events`."""

    def __init__(self, response: httpx.Response) -> None:
        self._chunks = response.iter_raw()
        self._rest = b""
        self.places: dict[str, str] = {}
        self.events: list[tuple[str, str]] = []
        self.observation: list[str] = []

    def until(self, reached: Callable[["Stream"], bool], timeout: float = 120) -> "Stream":
        """Read on until it is as wished."""
        end = time.monotonic() + timeout
        while not reached(self):
            assert time.monotonic() < end, self.places
            self._rest += next(self._chunks)
            while b"\n\n" in self._rest:
                event, _, self._rest = self._rest.partition(b"\n\n")
                self._take(event.decode())
        return self

    def _take(self, event: str) -> None:
        lines = event.split("\n")
        name = "".join(line.removeprefix("event: ") for line in lines if line.startswith("event: "))
        data = "\n".join(line.removeprefix("data: ") for line in lines if line.startswith("data: "))
        if name:
            self.events.append((name, data))
        elif data.startswith("<hx-partial"):
            place = data.partition('hx-target="#')[2].partition('"')[0]
            self.places[place] = data
            self.observation.append(data)

    def curves(self) -> Any:
        received = [data for name, data in self.events if name == "curves"]
        return json.loads(received[-1]) if received else None

    def epochs(self) -> list[int]:
        """The epochs of the curves that came last."""
        return (self.curves() or {}).get("x", [])


@contextmanager
def stream(panel: Panel, page: str, timeout: float = 120) -> Iterator[Stream]:
    with (
        httpx.Client(timeout=timeout, verify=PLAIN) as client,
        client.stream("GET", f"{panel.address}/stream/{page}") as response,
    ):
        assert response.status_code == 200
        yield Stream(response)


class RawReader:
    """A stream's socket itself, which may take nothing, or go away without a word."""

    def __init__(
        self, panel: Panel, page: str, *, room: int = 0, head: str = "", tls: ssl.SSLContext | None = None
    ) -> None:
        self.end = socket.socket()
        self.end.settimeout(120)
        if room:
            self.end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        self.end.connect(("127.0.0.1", panel.settings.port))
        if tls:
            self.end = tls.wrap_socket(self.end, server_hostname="localhost")
        request = f"GET /stream/{page} HTTP/1.1\r\nHost: 127.0.0.1:{panel.settings.port}\r\n{head}\r\n"
        self.end.sendall(request.encode())
        self.got = bytearray()

    def until(self, wanted: bytes, timeout: float = 120) -> "RawReader":
        end = time.monotonic() + timeout
        looked = 0  # up to here it is not in what came
        while wanted not in self.got[looked:]:
            assert time.monotonic() < end, self.got[-2000:]
            looked = max(len(self.got) - len(wanted), 0)
            more = self.end.recv(65536)
            assert more, self.got[-2000:]
            self.got += more
        return self

    def reset(self) -> None:
        """Leave at once: the panel's system is told so, but in the rudest way."""
        self.end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.end.close()

    def __enter__(self) -> "RawReader":
        return self

    def __exit__(self, *_: Any) -> None:
        self.end.close()
