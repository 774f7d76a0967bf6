"""A stream of server-sent events for programs, over plain ASGI."""

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import cast

import anyio
from sse_starlette import EventSourceResponse

from panel.live.hub import Mailbox


def event_stream(events: AsyncIterator[bytes], box: Mailbox) -> EventSourceResponse:
    """`events` ends once `box` is closed, which a stop of the panel does."""
    return EventSourceResponse(
        events,
        ping=15,
        send_timeout=30,
        shutdown_event=cast(anyio.Event, SimpleNamespace(set=box.close)),  # only its `set` is called
        shutdown_grace_period=2,
    )
