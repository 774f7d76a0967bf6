"""Streams of server-sent events: for pages, and for programs."""

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import cast

import anyio
from sse_starlette import EventSourceResponse
from starlette.types import Receive, Scope, Send

from panel.live.hub import Mailbox
from panel.live.protocol import Connection


def event_stream(events: AsyncIterator[bytes], box: Mailbox) -> EventSourceResponse:
    """`events` ends once `box` is closed, which a stop of the panel does."""
    return EventSourceResponse(
        events,
        ping=15,
        send_timeout=30,
        shutdown_event=cast(anyio.Event, SimpleNamespace(set=box.close)),  # only its `set` is called
        shutdown_grace_period=2,
    )


class PageStream(EventSourceResponse):
    """A page's stream: `frames` ends once `box` is closed.

    A connection of the panel's own server closes it when the browser leaves and at a stop, and keeps the stream once it
    has begun. Under another server sse-starlette ends it, with four tasks for each stream, and a clock that wakes the
    process twice a second.
    """

    def __init__(
        self, frames: AsyncIterator[bytes], box: Mailbox, connection: Connection | None, timeout: float
    ) -> None:
        stop = cast(anyio.Event, SimpleNamespace(set=box.close))  # only its `set` is called
        super().__init__(frames, ping=0, send_timeout=timeout, shutdown_event=stop, shutdown_grace_period=2)
        self._box, self._connection = box, connection

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._connection is None:
            await super().__call__(scope, receive, send)
            return
        self._connection.carry(self._box)
        await self._stream_response(send)
