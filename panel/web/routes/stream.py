"""One server-sent-event stream for each open page."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import ExitStack, suppress

from fastapi import APIRouter, HTTPException, Request
from sse_starlette import EventSourceResponse

from panel.domain.snapshot import ID
from panel.errors import CLIClientError
from panel.live.hub import Mailbox, heartbeat
from panel.live.protocol import EXTENSION, Connection
from panel.live.rows import row_topic
from panel.views.listing import chosen
from panel.web.event_stream import PageStream
from panel.web.panel import Panel, PanelDep

router = APIRouter()

RETRY, RETRY_BRIEF = b"retry: 300\n", b"retry: 1500\n"  # milliseconds until a browser reconnects, once a stream ended
BRIEF = "panel-brief"  # a request's header
ROWS = 60  # of one list that a stream updates


@router.get("/stream/operations")
async def rows(request: Request, panel: PanelDep) -> EventSourceResponse:
    """For a list of operations: the rows that are on it, named by `?id=` and drawn with its `?columns=`, and that
    something came or went."""
    ids = list(dict.fromkeys(request.query_params.getlist("id")))[:ROWS]
    if not all(map(ID.fullmatch, ids)):
        raise HTTPException(404)
    columns = chosen(request.query_params.get("columns", "")[:1000].split(","))
    return follow(request, panel, "line", "listing", *(row_topic(operation_id, columns) for operation_id in ids))


@router.get("/stream")
@router.get("/stream/{page}")
async def stream(request: Request, panel: PanelDep, page: str = "line") -> EventSourceResponse:
    """`/stream` for any page, or for `home`, `stored`, `workers`, `queue`, an operation's id, `plan-<key>` or
    `batch-<key>`. It never answers 503: while the backend is silent, the stream shows that."""
    if not ID.fullmatch(page):
        raise HTTPException(404)
    if page in ("line", "home", "stored", "workers", "queue"):
        return follow(request, panel, *dict.fromkeys(("line", page)))
    if page.startswith("plan-"):
        return follow(request, panel, "line", "plans", f"plan:{page[5:]}")
    if page.startswith("batch-"):
        return follow(request, panel, "line", f"batch:{page[6:]}")
    return follow(request, panel, "line", f"op:{page}")


def follow(request: Request, panel: Panel, *topics: str) -> EventSourceResponse:
    """The answer that streams these topics, first their current state and then each change. A page whose browser
    has no connection to spare wants it BRIEF: as it is, and no more. It asks again and again."""
    connection: Connection | None = request.scope.get("extensions", {}).get(EXTENSION, {}).get("connection")
    box = Mailbox()
    # A generator, because only that is closed when the browser leaves.
    frames = _frames(panel, topics, box, connection, BRIEF in request.headers)
    return PageStream(frames, box, connection, panel.hub.reader_timeout)


async def _frames(
    panel: Panel, topics: tuple[str, ...], box: Mailbox, connection: Connection | None, brief: bool
) -> AsyncIterator[bytes]:
    for topic in topics:
        try:
            panel.publisher.prepare(topic)
        except sqlite3.Error as exc:  # system health shows it
            panel.monitor.recorder.failed(exc)
    with ExitStack() as ending:
        ending.callback(_left, panel, topics, connection)
        ending.enter_context(panel.hub.open(box, *topics))
        operation_id = topics[-1].removeprefix("op:") if topics[-1].startswith("op:") else None
        if operation_id or topics[-1] == "home":
            panel.monitor.wake(operation_id)
        box.put("beat", (RETRY_BRIEF if brief else RETRY) + heartbeat())
        yield await box.take()
        if brief:
            return
        attached = connection is not None and connection.attach(box, panel.hub.reader_timeout)
        if operation_id:
            with suppress(CLIClientError):  # system health shows that the backend is silent
                await panel.monitor.look(operation_id)
        if connection is not None and attached:
            connection.keep(ending.pop_all())
            return
        while frames := await box.take():
            yield frames


def _left(panel: Panel, topics: tuple[str, ...], connection: Connection | None) -> None:
    if connection is not None and connection.detach():
        panel.hub.dropped += 1
    for topic in topics:
        panel.publisher.closed(topic)
