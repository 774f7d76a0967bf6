"""A panel that is started, used, stopped and killed inside one process, in whatever time its loop keeps."""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from panel.app import create_app
from panel.settings import Settings
from tests.support.inside import Answer, Inside
from tests.support.parts import panel_of
from tests.support.virtual import virtual_time
from tests.support.wires import Line


class Life:
    """One life of the panel's process."""

    def __init__(self, runner: asyncio.Runner, line: Line, settings: Settings) -> None:
        self.runner, self.line = runner, line
        line.cut = False
        self.app = create_app(settings)
        self.routed = self.app  # without what stands around it
        while not hasattr(self.routed, "routes"):
            self.routed = self.routed._app
        self.inside = Inside(self.app, settings, runner)
        self.requests: list[asyncio.Task[Answer]] = []
        self.streams: dict[str, dict[str, str]] = {}  # page -> place -> what an open page shows there
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._began: asyncio.Queue[str] = asyncio.Queue()
        self._task = runner.run(self._begin())

    async def _begin(self) -> "asyncio.Task[None]":
        async def send(message: dict[str, Any]) -> None:
            self._began.put_nowait(message["type"])

        task = asyncio.create_task(self.app({"type": "lifespan", "state": {}}, self._messages.get, send))
        self._messages.put_nowait({"type": "lifespan.startup"})
        assert await self._began.get() == "lifespan.startup.complete"
        return task

    def post(self, path: str, form: dict[str, str], times: int, wait: float) -> "list[asyncio.Task[Answer]]":
        """Press the button so often at once, and let so much time pass. Returns the requests, answered or not."""

        async def press() -> "list[asyncio.Task[Answer]]":
            made = [asyncio.create_task(self.inside.asked(*posted(path, form, self.inside.host))) for _ in range(times)]
            self.requests += made
            await asyncio.sleep(wait)
            return made

        return self.runner.run(press())

    def open(self, page: str) -> None:
        """Have this page's stream open, and keep what it brings, as a browser does: by place, or by the event's name."""
        if page in self.streams:
            return
        places = self.streams[page] = {}
        path, _, query = page.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": f"/stream/{path}",
            "raw_path": f"/stream/{path}".encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(b"host", self.inside.host.encode())],
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", self.inside.settings.port),
        }

        async def send(message: dict[str, Any]) -> None:
            for event in message.get("body", b"").decode().split("\n\n"):
                data = "\n".join(line[6:] for line in event.split("\n") if line.startswith("data: "))
                places.update((line[7:], data) for line in event.split("\n") if line.startswith("event: "))
                for part in data.split("<hx-partial ")[1:]:
                    places[part.partition('hx-target="#')[2].partition('"')[0]] = part

        async def begin() -> None:
            asyncio.create_task(self.app(scope, asyncio.Event().wait, send))  # noqa: RUF006
            await asyncio.sleep(0.1)

        self.runner.run(begin())

    def answers(self) -> list[Answer]:
        """Of the requests that have been answered since the last time."""
        done = [task for task in self.requests if task.done()]
        self.requests = [task for task in self.requests if not task.done()]
        return [task.result() for task in done if not task.cancelled()]

    def stop(self, turns: int = 0) -> None:
        """As TERM does. So many turns of the loop later everything that waits for a change is woken."""

        async def end() -> None:
            for task in self.requests:
                task.cancel()
            self._messages.put_nowait({"type": "lifespan.shutdown"})
            for _ in range(turns):
                await asyncio.sleep(0)
            panel_of(self.app).queue.wake()
            panel_of(self.app).monitor.wake()
            async with asyncio.timeout(60):
                await self._task

        self.runner.run(end())

    def kill(self) -> None:
        """As KILL does: from now on nothing of it writes or sends."""
        self.line.cut = True
        panel_of(self.app).storage.close()

        async def end() -> None:
            for _ in range(20):
                left = asyncio.all_tasks() - {asyncio.current_task()} - self.line.under_way
                if not left:
                    return
                for task in left:
                    task.cancel()
                done, left = await asyncio.wait(left, timeout=0.01)
                for task in done:
                    task.cancelled() or task.exception()  # nobody else asks what a killed one died of
            raise AssertionError(f"still alive: {left}")

        self.runner.run(end())


@contextmanager
def living(backend: Any, **more: Any) -> Iterator[Life]:
    """A panel in virtual time over this scripted backend."""
    with virtual_time() as runner, tempfile.TemporaryDirectory() as folder:
        line = Line(backend.app)
        with line.laid():
            settings = Settings.from_environ({}, backend="http://backend/api/v1", data_folder=Path(folder), **more)
            life = Life(runner, line, settings)
            try:
                yield life
            finally:
                life.kill()


def posted(path: str, form: dict[str, str], host: str) -> tuple[str, str, list[tuple[str, str]], bytes]:
    body = urlencode(form).encode()
    headers = [
        ("host", host),
        ("sec-fetch-site", "same-origin"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("content-length", str(len(body))),
    ]
    return "POST", path, headers, body
