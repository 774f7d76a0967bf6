"""A panel asked without a socket: exactly these header lines, thousands of times a second.

It runs only while it is asked, so nothing of its own reaches the backend in between. The backend is on a socket.
"""

import asyncio
import contextlib
import json
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode

from panel.app import create_app
from panel.settings import Settings

Headers = list[tuple[str, str]]


@dataclass
class Answer:
    status: int = 0
    lines: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    error: Exception | None = None

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def header(self, name: str) -> str:
        """All lines of this name, joined; "" without one."""
        return ", ".join(value for of, value in self.lines if of == name)

    def cookie(self, name: str) -> str:
        found = [line.partition("=")[2].partition(";")[0] for of, line in self.lines if of == "set-cookie"]
        return found[-1] if found else ""


class Inside:
    """`app` is what uvicorn would be given."""

    def __init__(self, app: Any, settings: Settings, runner: asyncio.Runner) -> None:
        self.app, self.settings, self.runner = app, settings, runner
        self.host = f"127.0.0.1:{settings.port}"

    def get(self, path: str, *headers: tuple[str, str], address: str = "127.0.0.1") -> Answer:
        return self.ask("GET", path, [("host", self.host), *headers], address=address)

    def post(self, path: str, form: dict[str, str], *headers: tuple[str, str], address: str = "127.0.0.1") -> Answer:
        """From one of the panel's own pages."""
        body = urlencode(form).encode()
        own = [
            ("host", self.host),
            ("sec-fetch-site", "same-origin"),
            ("content-type", "application/x-www-form-urlencoded"),
            ("content-length", str(len(body))),
        ]
        return self.ask("POST", path, [*own, *headers], body, address)

    def api(
        self, method: str, path: str, body: object = None, key: str = "some-key-1", *headers: tuple[str, str]
    ) -> tuple[int, Any]:
        """A program asks; the answer's status and JSON."""
        sent = json.dumps(body).encode() if body is not None else b""
        own = [("host", self.host), ("content-type", "application/json"), ("content-length", str(len(sent)))]
        answer = self.ask(method, path, [*own, ("idempotency-key", key), *headers], sent)
        return answer.status, json.loads(answer.body) if answer.body else None

    def ask(
        self,
        method: str,
        path: str,
        headers: Headers,
        body: bytes = b"",
        address: str = "127.0.0.1",
        scheme: str = "http",
    ) -> Answer:
        return self.runner.run(self.asked(method, path, headers, body, address, scheme))

    async def asked(
        self,
        method: str,
        path: str,
        headers: Headers,
        body: bytes = b"",
        address: str = "127.0.0.1",
        scheme: str = "http",
    ) -> Answer:
        """One request. A stream is left after its first piece."""
        answer, left, sent = Answer(), asyncio.Event(), [body]
        raw, _, query = path.partition("?")

        async def receive() -> dict[str, Any]:
            if sent:
                return {"type": "http.request", "body": sent.pop(), "more_body": False}
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                assert not answer.status, "answered twice"
                answer.status = message["status"]
                answer.lines = [(name.decode().lower(), value.decode()) for name, value in message["headers"]]
            else:
                answer.body += message.get("body", b"")
                if not message.get("more_body") or "event-stream" in answer.header("content-type"):
                    left.set()

        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": scheme,
            "path": unquote(raw),
            "raw_path": raw.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode("utf-8")) for name, value in headers],
            "client": (address, 50000),
            "server": ("127.0.0.1", self.settings.port),
        }
        try:
            await self.app(scope, receive, send)
        except Exception as exc:
            if not answer.status:
                raise
            answer.error = exc  # uvicorn writes it to the log
        return answer


class _Loop(asyncio.SelectorEventLoop):
    """Closes at its end the connections that httpcore 1.0 leaves to the garbage collector: those that the backend had
    closed, when it is cancelled in the very turn in which it puts them away."""

    def __init__(self) -> None:
        super().__init__()
        self._made: weakref.WeakSet[asyncio.Transport] = weakref.WeakSet()

    def _make_socket_transport(self, *args: Any, **more: Any) -> asyncio.Transport:
        made = super()._make_socket_transport(*args, **more)
        self._made.add(made)
        return made

    async def close_connections(self) -> None:
        for each in list(self._made):
            each.abort()
        for _ in range(3):  # the turns in which sockets are closed
            await asyncio.sleep(0)


@contextmanager
def inside(folder: Path, backend: str, **settings: Any) -> Iterator[Inside]:
    made = Settings.from_environ({}, backend=backend, data_folder=folder, **settings)
    app = create_app(made)
    loop = _Loop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        sent: asyncio.Queue[str] = asyncio.Queue()

        async def send(message: dict[str, Any]) -> None:
            sent.put_nowait(message["type"])

        async def begin() -> asyncio.Task[None]:
            task = asyncio.create_task(app({"type": "lifespan", "state": {}}, messages.get, send))
            messages.put_nowait({"type": "lifespan.startup"})
            assert await sent.get() == "lifespan.startup.complete"
            return task

        async def end() -> None:
            await asyncio.sleep(0.05)  # what fell due while the loop stood still comes first
            messages.put_nowait({"type": "lifespan.shutdown"})
            with contextlib.suppress(asyncio.CancelledError):
                await task
            # sse-starlette's own watcher belongs to no app, and ends with the loop.
            left = [
                each for each in asyncio.all_tasks() - {asyncio.current_task()} if "_shutdown_watcher" not in repr(each)
            ]
            assert not left, f"the panel has stopped, and these go on: {left}"
            await loop.close_connections()

        task = runner.run(begin())
        yield Inside(app, made, runner)
        runner.run(end())
