"""The way from the panel to the backend, made bad on purpose and good again.

`Line` replaces the network inside one process, in whatever time its loop keeps. `Proxy` is a real TCP proxy between
two sockets. Both speak of faults by the same names.
"""

import asyncio
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from unittest import mock

import httpx

# What may happen to one request. "never": it does not arrive. "lost": it arrives, and its answer does not.
FAULTS = (
    "refused",  # nobody listens
    "never",  # the line breaks on the way there
    "lost",  # the line breaks on the way back
    "reset",  # the same, with a reset
    "half",  # half of the answer, then the end
    "page",  # it arrives, and a proxy's 502 page comes back
    "page-never",  # a proxy's 502 page comes back at once
    "error",  # it arrives and works, and a 500 in the backend's own words comes back
    "missing",  # a proxy that lost its backend answers 404 with a page
    "garbage",  # it arrives, and 200 with something that is no JSON comes back
    "silent",  # it arrives, and no answer ever comes
    "silent-never",  # it does not arrive, and no answer ever comes
    "late",  # it arrives long after whoever sent it has given up
    "slow",  # the answer takes a while
)
ARRIVES = ("lost", "reset", "half", "page", "error", "garbage", "silent", "late", "slow")
PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"
MISSING = b"404 page not found"
ERROR = b'{"detail": "All connection attempts failed"}'
LATE = 40.0  # seconds; a request is given up after thirty


@dataclass
class Fault:
    """`times` requests that fit, or all of them when it is None."""

    what: str
    method: str = ""
    path: str = ""
    times: int | None = 1

    def fits(self, method: str, path: str) -> bool:
        return self.times != 0 and method.startswith(self.method) and path.endswith(self.path)


class Faults:
    """What is wrong now; the first that fits a request happens to it."""

    def __init__(self) -> None:
        self._now: list[Fault] = []
        self.happened: Counter[str] = Counter()

    def add(self, what: str, method: str = "", path: str = "", times: int | None = 1) -> None:
        self._now.append(Fault(what, method, path, times))

    def clear(self) -> None:
        self._now.clear()

    def pick(self, method: str, path: str) -> str:
        for fault in self._now:
            if fault.fits(method, path):
                if fault.times is not None:
                    fault.times -= 1
                self.happened[fault.what] += 1
                return fault.what
        return ""


class Line:
    """Inside one process: stands in for httpx's transport while `with line.laid():`."""

    def __init__(self, app: Any) -> None:
        self.faults = Faults()
        self.latency = 0.05  # seconds, each way
        self.cut = False  # the panel's process is dead: nothing of it leaves any more
        self._backend = httpx.ASGITransport(app, raise_app_exceptions=False)
        self.under_way: set[asyncio.Task[Any]] = set()

    @contextmanager
    def laid(self) -> Iterator[None]:
        async def handle(_: Any, request: httpx.Request) -> httpx.Response:
            return await self._carry(request)

        with mock.patch.object(httpx.AsyncHTTPTransport, "handle_async_request", handle):
            yield

    async def _carry(self, request: httpx.Request) -> httpx.Response:
        if self.cut:
            raise httpx.ConnectError("cut", request=request)
        what = self.faults.pick(request.method, request.url.path)
        timeout = request.extensions["timeout"]["read"]
        if what == "strange":  # no fault of a line
            raise RuntimeError("nobody thought of this")
        if what == "refused":
            raise httpx.ConnectError("refused", request=request)
        await asyncio.sleep(self.latency)
        if self.cut:
            raise httpx.ConnectError("cut", request=request)
        if what == "late":
            task = asyncio.create_task(self._later(request))
            self.under_way.add(task)
            task.add_done_callback(self.under_way.discard)
        response = (
            None if what in ("never", "page-never", "missing", "silent-never", "late") else await self._answer(request)
        )
        await asyncio.sleep(20.0 if what == "slow" else self.latency)
        match what:
            case "never" | "lost" | "reset":
                raise httpx.ReadError("broken", request=request)
            case "half":
                raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")
            case "page" | "page-never":
                return httpx.Response(502, content=PAGE, request=request)
            case "missing":
                return httpx.Response(404, content=MISSING, request=request)
            case "error":
                return httpx.Response(500, content=ERROR, request=request)
            case "garbage":
                return httpx.Response(200, content=b"<html>hello", request=request)
            case "silent" | "silent-never" | "late":
                await asyncio.sleep(timeout)
                raise httpx.ReadTimeout("silent", request=request)
        assert response is not None
        return response

    async def _later(self, request: httpx.Request) -> None:
        await asyncio.sleep(LATE)
        await self._answer(request)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        return await self._backend.handle_async_request(request)


class Proxy:
    """Between sockets, in a thread: `address` leads to `target` (host and port)."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.faults = Faults()
        self.pace: int | None = None  # bytes per second of every answer
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port = 0
        self.accept()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def accept(self) -> None:
        """Listen (again)."""
        if self._server is None:
            self._do(self._listen())

    def refuse(self) -> None:
        """Nobody listens any more, and what was open is gone."""
        self._do(self._close())

    def good(self) -> None:
        """Everything is as it should be; what hung is cut."""
        self.faults.clear()
        self.pace = None
        self._do(self._cut())
        self.accept()

    def close(self) -> None:
        self._do(self._close())
        self._do(self._settle())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()

    def _do(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            for listening in self._server.sockets:
                self._loop.remove_reader(listening.fileno())
            await asyncio.sleep(0.01)  # asyncio never closes what it is just accepting when its server closes
            self._server.close()
            self._server = None
        await self._cut()

    async def _cut(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    async def _settle(self) -> None:
        await asyncio.sleep(0.05)  # what was just being accepted is there now
        await self._cut()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0.01)  # and what was aborted is closed

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            with suppress(OSError, EOFError, asyncio.LimitOverrunError):
                if self._server is not None:
                    await self._one(reader, writer)
        finally:
            self._open.discard(writer)
            writer.transport.abort() if self._server is None else writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request on each connection: the next fault may be for the next one."""
        head = await reader.readuntil(b"\r\n\r\n")
        line, *headers = head.decode("latin-1").split("\r\n")
        method, path, _ = line.split(" ")
        named = {name.lower(): value.strip() for name, _, value in (header.partition(":") for header in headers)}
        body = await reader.readexactly(int(named.get("content-length", 0)))
        kept = [header for header in headers if header and not header.lower().startswith("connection:")]
        request = "\r\n".join([line, *kept, "Connection: close", "", ""]).encode("latin-1") + body
        what = self.faults.pick(method, path.partition("?")[0])
        if what == "late":
            asyncio.get_running_loop().call_later(LATE, lambda: asyncio.ensure_future(self._through(request)))
        answer = (
            b""
            if what in ("refused", "never", "page-never", "missing", "silent-never", "late")
            else await self._through(request)
        )
        match what:
            case "refused" | "reset":
                on, none = 1, 0
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", on, none))
            case "never" | "lost":
                pass
            case "half":
                writer.write(answer[: len(answer) * 2 // 3])
            case "page" | "page-never":
                writer.write(_answered(b"502 Bad Gateway", b"text/html", PAGE))
            case "missing":
                writer.write(_answered(b"404 Not Found", b"text/plain", MISSING))
            case "error":
                writer.write(_answered(b"500 Internal Server Error", b"application/json", ERROR))
            case "garbage":
                writer.write(_answered(b"200 OK", b"application/json", b"\xff\xfe<html>hello"))
            case "silent" | "silent-never" | "late":
                await reader.read()  # until the other side gives up, or this one is cut
            case _:
                if what == "slow":
                    await asyncio.sleep(2.0)
                await self._paced(writer, answer)
        await writer.drain()

    async def _paced(self, writer: asyncio.StreamWriter, answer: bytes) -> None:
        if self.pace is None:
            writer.write(answer)
            return
        self.faults.happened["paced"] += 1
        step = max(self.pace // 10, 1)
        for at in range(0, len(answer), step):
            writer.write(answer[at : at + step])
            await writer.drain()
            await asyncio.sleep(0.1)

    async def _through(self, request: bytes) -> bytes:
        """To the backend and back; b"" when it is not there."""
        try:
            reader, writer = await asyncio.open_connection(*self.target)
        except OSError:
            return b""
        try:
            writer.write(request)
            return await reader.read()
        except OSError:
            return b""
        finally:
            writer.transport.abort()  # all was read, or nobody waits for it any more


def _answered(status: bytes, kind: bytes, body: bytes) -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (
        status,
        kind,
        len(body),
        body,
    )


@contextmanager
def proxied(port: int) -> Iterator[Proxy]:
    """A proxy in front of a port of this machine."""
    proxy = Proxy(("127.0.0.1", port))
    try:
        yield proxy
    finally:
        proxy.close()


def until(reached: Any, timeout: float = 120.0, pause: float = 0.05) -> float:
    """Wait until it is so; returns how long that took."""
    began = time.monotonic()
    while not reached():
        assert time.monotonic() < began + timeout, "it did not come to that"
        time.sleep(pause)
    return time.monotonic() - began
