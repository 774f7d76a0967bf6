"""The HTTP protocol: limits of a connection, and lets SSE frames bypass ASGI.

Limits hold before the app sees anything: the size of a request's head, the time that head and body may take, the
number of connections. A stop ends whatever is still under way.

sse-starlette writes a stream's headers and first frames. Then its request ends, as far as ASGI is concerned, and the
connection keeps the stream: the fan-out writes to the socket, in chunks that are encoded once for all streams. ASGI
costs more than the write does, and a request that waits takes as much memory as all the rest of a stream. Under another
server than uvicorn with this protocol, streams take their frames out of their mailboxes, at several times the cost.
"""

import asyncio
import socket
import struct
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from panel.live.headers import HEADERS
from panel.live.hub import Mailbox

EXTENSION = "ktrdr_panel"
ROOM = 65_536  # bytes the system may hold for a stream; a slow reader should skip readings, not get them late


class TooLarge(Exception):
    """Raised in the parser's callbacks, which make a refusal of it."""


class Connection(HttpToolsProtocol):
    """For uvicorn's `http=`."""

    max_connections = 2000  # newer ones are refused
    head_bytes = 65_536  # of the request line and all headers
    head_seconds = 10.0  # from the connection, or a request's first byte, to the end of its headers
    body_pause = 10.0  # seconds without one byte of a body that has not ended
    body_seconds = 60.0  # for a whole body, and for large ones:
    body_pace = 131_072  # bytes of it a second, beside that
    read_seconds = 30.0  # in which a reader has to take something
    stop_seconds = 2.0  # that an answer under way at a stop may still take

    _carried: Mailbox | None = None  # of the stream that is the answer
    _box: Mailbox | None = None  # the same, once frames go past ASGI
    _streaming: RequestResponseCycle | None = None  # whose answer that is
    _ending: ExitStack | None = None  # what is done when the stream ends that outlived its request
    _timeout = 0.0
    _end: asyncio.TimerHandle | None = None
    _dropped = False
    _head = 0  # bytes of the head that is being read
    _reads = ""  # "head", "body", or "" between two requests
    _limit: asyncio.TimerHandle | None = None  # of what is being read
    _began = _moved = 0.0  # loop's times of the body's beginning and of its last bytes
    _allowed = body_seconds  # for this body
    _task: asyncio.Task[Any] | None = None  # that answers
    _stopping = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        end: socket.socket = transport.get_extra_info("socket")
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # a peer that vanished acknowledges nothing
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(self.read_seconds * 1000))
        if len(self.connections) > self.max_connections:
            self._refuse(503, "Too many connections.")
            return
        self._limit = self.loop.call_later(self.head_seconds, self._late)  # an idle one may not stay either

    # What comes in

    def data_received(self, data: bytes) -> None:
        if not self._reads:
            self._reads, self._head = "head", 0
            if self._limit is None:
                self._limit = self.loop.call_later(self.head_seconds, self._late)
        self._moved = self.loop.time()
        super().data_received(data)
        if self._reads == "head" and not self.transport.is_closing():
            self._head += len(data)  # a header is handed on when it is whole: until then it is only counted here
            if self._head > self.head_bytes:
                self._refuse(431, "The request's headers are too large.")

    def on_message_begin(self) -> None:
        self._reads, self._head = "head", 0
        super().on_message_begin()
        self.scope["extensions"] = {EXTENSION: {"connection": self}}

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._reads != "head":
            return  # a trailer, which nothing here reads
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._head_size() > self.head_bytes:
            raise TooLarge
        self._unlimit()
        self._reads, self._began = "body", self.loop.time()
        self._allowed = self.time_for(self.headers or ())
        self._limit = self.loop.call_later(self.body_pause, self._body_late)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._unlimit()
        self._reads = ""
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        if self._reads == "head" and self._head_size() > self.head_bytes:
            self._refuse(431, "The request's headers are too large.")
        else:
            self._refuse(400, msg)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._reads == "body":  # refused for its headers: the body is not waited for
            self.loop.call_later(1.0, self.transport.close)

    @classmethod
    def time_for(cls, headers: Iterable[tuple[bytes, bytes]]) -> float:
        """Seconds for the body that these headers announce; how large one may be is not decided here."""
        lengths = [
            value for name, value in headers if name == b"content-length" and value.isdigit() and len(value) < 12
        ]
        return cls.body_seconds + (int(lengths[0]) / cls.body_pace if lengths else 0.0)

    def _head_size(self) -> int:
        return len(self.url or b"") + sum(len(name) + len(value) + 4 for name, value in self.headers or ())

    def _late(self) -> None:
        self._limit = None
        if self.flow.read_paused:  # pipelined: it waits for the answers before it
            self._limit = self.loop.call_later(self.head_seconds, self._late)
        elif self._reads:
            self._refuse(408, "The request took too long.")
        else:
            self.transport.close()

    def _body_late(self) -> None:
        now = self.loop.time()
        if not self.flow.read_paused and self._moved + self.body_pause <= now or self._began + self._allowed <= now:
            self._refuse(408, "The request took too long.")
        else:
            self._limit = self.loop.call_later(self._moved + self.body_pause - now, self._body_late)

    def _unlimit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _refuse(self, status: int, reason: str) -> None:
        """Answer, unless an answer has begun, and close. The app sees a disconnect."""
        self._unlimit()
        between = self._reads != "body" and (self.cycle is None or self.cycle.response_complete)
        if between or (self.cycle is not None and not self.cycle.response_started):
            body = f"{reason}\n".encode()
            kind = {"content-type": "text/plain; charset=utf-8", "content-length": str(len(body))}
            headers = kind | {"connection": "close", "cache-control": "no-store"} | HEADERS
            head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            self.transport.write(STATUS_LINE[status] + f"{head}\r\n".encode() + body)
        self.transport.close()

    # A stop

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        super()._start_asgi_task(cycle, partial(self._serve, cycle, app))

    async def _serve(self, cycle: RequestResponseCycle, app: Any, scope: Any, receive: Any, send: Any) -> None:
        self._task = asyncio.current_task()
        try:
            await app(scope, receive, send)
        except asyncio.CancelledError:
            if not self._stopping:
                raise
            cycle.disconnected = True  # or the server would report that nothing was answered
            self.transport.abort()
        finally:
            self._task = None

    def shutdown(self) -> None:
        """The server stops: a stream ends now, a request that is not complete too, any other answer when it is
        complete, and after `stop_seconds` in any case."""
        self._stopping = True
        if self._carried is not None:
            self._carried.close()
        self.end()
        if self._reads == "body":
            self.transport.close()
        super().shutdown()
        self.loop.call_later(self.stop_seconds, self._give_up)

    def _give_up(self) -> None:
        if self._task is not None:
            self._task.cancel()
        elif not self.transport.is_closing():
            self.transport.close()

    # A stream

    def carry(self, box: Mailbox) -> None:
        """The answer takes what is in this mailbox, which is closed when the browser leaves, and at a stop."""
        self._carried = box
        if self._stopping or self.transport.is_closing():
            box.close()

    def attach(self, box: Mailbox, timeout: float) -> bool:
        """Empty this mailbox from now on, whenever the socket takes something. The answer must have begun;
        False when it is not one that can be written to. A reader that takes nothing for `timeout` seconds is
        cut off."""
        if not self.cycle.chunked_encoding or self.transport.is_closing():
            return False
        self._box, self._timeout, self._streaming = box, timeout, self.cycle
        end: socket.socket = self.transport.get_extra_info("socket")
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ROOM)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # a peer that vanished acknowledges nothing
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(timeout * 1000))
        if self.flow.write_paused:
            self.pause_writing()
        else:
            box.open(self.transport.write)
        return True

    def keep(self, ending: ExitStack) -> None:
        """Go on with the stream that is attached when its request has ended. `ending` is closed when the stream is."""
        assert self._streaming is not None  # noqa: S101
        self._streaming.disconnected = True  # for ASGI nothing follows, not even the end
        self._ending = ending
        if self._stopping or self.transport.is_closing():
            self.end()

    def last_with(self, ends: set[Callable[[], None]], seconds: float | None) -> None:
        """End a kept stream after so many seconds. Until its end, `ends` holds what ends it sooner."""
        if self._ending is not None:
            ends.add(self.end)
            self._ending.callback(ends.discard, self.end)
            if seconds is not None:
                self._ending.callback(self.loop.call_later(seconds, self.end).cancel)

    def end(self) -> None:
        """End a stream that is kept."""
        ending, cycle, self._ending = self._ending, self._streaming, None
        if ending is None or cycle is None:
            return
        ending.close()
        if self.transport.is_closing():
            return
        self.transport.write(b"0\r\n\r\n")
        cycle.response_complete = True
        if self._stopping or not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def detach(self) -> bool:
        """The stream is over; returns whether its reader had to be cut off."""
        self._hold()
        if self._box is not None and self.flow.write_paused:
            self._cut()  # its last bytes would keep a stop waiting
        self._box = self._carried = self._streaming = None
        return self._dropped

    def pause_writing(self) -> None:
        super().pause_writing()
        self._hold()
        self._end = self.loop.call_later(self.read_seconds if self._box is None else self._timeout, self._drop)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._hold()
        if self._box is not None:
            self._box.open(self.transport.write)

    def connection_lost(self, exc: Exception | None) -> None:
        self._hold()
        self._unlimit()
        self._dropped |= isinstance(exc, TimeoutError)
        super().connection_lost(exc)
        if self._carried is not None:
            self._carried.close()
        self.end()

    def _hold(self) -> None:
        if self._box is not None:
            self._box.hold()
        if self._end is not None:
            self._end.cancel()
            self._end = None

    def _drop(self) -> None:
        self._dropped = True
        self._cut()

    def _cut(self) -> None:
        """At once, with a reset: what waits in the reader's system is thrown away."""
        end: socket.socket = self.transport.get_extra_info("socket")
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()
