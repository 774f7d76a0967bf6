"""All changes as one stream that a program can resume where it was."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Query
from sse_starlette import EventSourceResponse

from panel.live.hub import Mailbox, frame
from panel.web.event_stream import event_stream
from panel.web.panel import Panel, PanelDep
from panel.web.routes.operation import described

PART = 50  # changes that are read at once, between two yields to the event loop

router = APIRouter(prefix="/api")

_DESCRIBED: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
        "description": "Events `operation`, the data of each an Operation, its id the cursor after it; and one `ready`"
        " when everything until now was sent.",
    }
}


@router.get(
    "/events",
    operation_id="watchAll",
    response_class=EventSourceResponse,
    responses=_DESCRIBED,
    summary="Every operation, as it changes",
)
async def events(
    panel: PanelDep,
    cursor: Annotated[
        int | None,
        Query(ge=0, lt=2**62, description="The id of the last event that was read; 0 for all from the start."),
    ] = None,
    last_event_id: Annotated[str, Header(description="The same, as browsers send it.")] = "",
) -> EventSourceResponse:
    """Without a cursor it begins now. An operation that changed several times meanwhile is sent once, as it is now: no
    end is missed, however long a program was away."""
    if last_event_id:
        if not (last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) < 19):
            raise HTTPException(422, "This Last-Event-ID is none that came from here.")
        cursor = int(last_event_id)
    box = Mailbox()
    return event_stream(_events(panel, cursor, box), box)


async def _events(panel: Panel, cursor: int | None, box: Mailbox) -> AsyncIterator[bytes]:
    memory = panel.storage.memory
    with panel.hub.open(box, "api:changes"):
        last = memory.last_change() if cursor is None else min(cursor, memory.last_change())
        ready = False
        while True:
            while changed := memory.changed_since(last, PART):
                for last, observation in changed:
                    yield _frame(last, described(panel, observation).model_dump_json(), "operation")
            if not ready:
                ready = True
                yield _frame(last, "{}", "ready")
            if not await box.take():
                return


def _frame(number: int, data: str, event: str) -> bytes:
    return b"id: %d\n" % number + frame(data, event)
