"""One server-sent-event stream for each open page."""

from collections.abc import AsyncIterator
from contextlib import suppress
from types import SimpleNamespace
from typing import cast

import anyio
from fastapi import APIRouter, HTTPException, Request
from sse_starlette import EventSourceResponse

from panel.errors import CLIClientError
from panel.fanout import Mailbox
from panel.operations import ID
from panel.web.live import Live, heartbeat

router = APIRouter()

SEND_TIMEOUT = 30.0  # seconds that a reader may take no byte before its stream is dropped
ROWS = 60  # of one list that a stream tells of


@router.get("/stream/operations")
async def rows(request: Request) -> EventSourceResponse:
    """For a list of operations: the rows that are on it, named by `?id=`, and that something came or went."""
    ids = list(dict.fromkeys(request.query_params.getlist("id")))[:ROWS]
    if not all(map(ID.fullmatch, ids)):
        raise HTTPException(404)
    return _stream(request, ("line", "listing", *(f"row:{operation_id}" for operation_id in ids)))


@router.get("/stream")
@router.get("/stream/{page}")
async def stream(request: Request, page: str = "line") -> EventSourceResponse:
    """`/stream` for any page, or for `home`, `stored`, `workers`, an operation's id or `plan-<key>`. It never says
    503: while the backend is silent, that is what the stream tells."""
    if not ID.fullmatch(page):
        raise HTTPException(404)
    usual = f"plan:{page[5:]}" if page.startswith("plan-") else f"op:{page}"
    own = page in ("home", "stored", "workers")
    return _stream(request, ("line",) if page == "line" else ("line", page if own else usual))


def _stream(request: Request, topics: tuple[str, ...]) -> EventSourceResponse:
    live: Live = request.app.state.live
    box = Mailbox()
    return EventSourceResponse(
        _frames(live, topics, box),  # a generator, because only that is closed when the browser leaves
        ping=0,
        send_timeout=SEND_TIMEOUT,
        shutdown_event=cast(anyio.Event, SimpleNamespace(set=box.close)),  # only its `set` is called
        shutdown_grace_period=2,
    )


async def _frames(live: Live, topics: tuple[str, ...], box: Mailbox) -> AsyncIterator[bytes]:
    for topic in topics:
        live.prepare(topic)
    try:
        with live.fanout.open(box, *topics):
            if topics[-1] == "home":
                live.relay.wake()
            yield b"retry: 1000\n\n" + heartbeat() + await box.take()  # the line's state is always there
            if topics[-1].startswith("op:"):
                with suppress(CLIClientError):  # the line tells that the backend is silent
                    await live.relay.look(topics[-1].removeprefix("op:"))
            while frames := await box.take():
                yield frames
    finally:
        for topic in topics:
            live.left(topic)
