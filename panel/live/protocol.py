"""The server's end of a connection, where a stream's frames go past everything that answers are made of.

sse-starlette keeps the stream: it sends the headers and the first frames, notices when the browser leaves and
ends everything at a stop. What comes in between is written to the socket by the fan-out, in chunks that are
encoded once for all streams: ASGI costs more than the write does. Under another server than uvicorn with this
protocol, streams take their frames out of their mailboxes, and cost several times as much.
"""

import asyncio
import socket
import struct

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from panel.live.hub import Mailbox

EXTENSION = "ktrdr_panel"
ROOM = 65_536  # bytes the system may hold for a stream; a slow reader should skip readings, not get them late


class Connection(HttpToolsProtocol):
    """For uvicorn's `http=`."""

    _box: Mailbox | None = None
    _patience = 0.0
    _end: asyncio.TimerHandle | None = None
    _dropped = False

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {EXTENSION: {"connection": self}}

    def attach(self, box: Mailbox, patience: float) -> bool:
        """Empty this mailbox from now on, whenever the socket takes something. The answer must have begun;
        False when it is not one that can be written to. A reader that takes nothing for `patience` seconds is
        cut off."""
        if not self.cycle.chunked_encoding or self.transport.is_closing():
            return False
        self._box, self._patience = box, patience
        end: socket.socket = self.transport.get_extra_info("socket")
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ROOM)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # a peer that vanished acknowledges nothing
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(patience * 1000))
        if self.flow.write_paused:
            self.pause_writing()
        else:
            box.open(self.transport.write)
        return True

    def detach(self) -> bool:
        """The stream is over; returns whether its reader had to be cut off."""
        self._hold()
        if self._box is not None and self.flow.write_paused:
            self._cut()  # its last bytes would keep a stop waiting
        self._box = None
        return self._dropped

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._box is not None:
            self._hold()
            self._end = self.loop.call_later(self._patience, self._drop)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._box is not None:
            self._hold()
            self._box.open(self.transport.write)

    def shutdown(self) -> None:
        """The server stops: a stream ends now, any other answer when it is complete."""
        if self._box is not None:
            self._box.close()
        super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        self._hold()
        self._dropped |= isinstance(exc, TimeoutError)
        super().connection_lost(exc)

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
        """At once, and so that the reader's system is told: what waits there for it is thrown away."""
        end: socket.socket = self.transport.get_extra_info("socket")
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()
