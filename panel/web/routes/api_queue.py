"""The queue in the JSON API."""

from collections.abc import Awaitable, Callable
from typing import Literal

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from panel.domain.kinds import traits_of
from panel.errors import CLIClientError
from panel.web import api_schemas as schemas
from panel.web.api_requests import ACTED, IdempotencyKey, start_key
from panel.web.panel import Panel, PanelDep
from panel.web.recording import note_entries

router = APIRouter(prefix="/api")


class Move(BaseModel):
    where: Literal["up", "down", "top"] = Field(description="Among the entries that wait.")


@router.get("/queue", operation_id="listQueue", summary="What waits or is being started")
async def queue(panel: PanelDep) -> schemas.Queue:
    """In the order in which they start, as far as they need the same thing: the first first."""
    entries = panel.queue.open()
    begins = panel.reader.begins(entries)
    loads = [entry for entry in entries if traits_of(entry.kind).loads]
    return schemas.Queue(
        loads=[schemas.queued(load, place) for place, load in enumerate(loads, 1)],
        entries=[schemas.entry(entry, place, begins.get(entry.key)) for place, entry in enumerate(entries, 1)],
    )


@router.post(
    "/queue/{key}/move", operation_id="moveQueued", responses=ACTED, status_code=204, summary="Move a waiting entry"
)
async def move(request: Request, panel: PanelDep, key: str, asked: Move, idempotency_key: IdempotencyKey) -> Response:
    return await _acted(request, panel, key, lambda: panel.queue.move(key, asked.where, start_key(idempotency_key)))


def _add_act(name: str, summary: str, about: str, act: Callable[[Panel, str], Awaitable[None]]) -> None:
    async def acted(request: Request, panel: PanelDep, key: str, idempotency_key: IdempotencyKey) -> Response:
        return await _acted(request, panel, key, lambda: act(panel, key))

    router.post(
        f"/queue/{{key}}/{name}",
        operation_id=f"{name}Queued",
        responses=ACTED,
        status_code=204,
        summary=summary,
        description=about,
    )(acted)


_add_act("hold", "Hold a waiting entry", "It does not start before it is released.", lambda p, k: p.queue.hold(k, True))
_add_act("release", "Release a held entry", "It may start again.", lambda p, k: p.queue.hold(k, False))
_add_act(
    "cancel",
    "Cancel a queued start",
    "It leaves the queue; if it runs already, its operation is cancelled.",
    lambda panel, key: panel.queue.cancel(key),
)


async def _acted(request: Request, panel: Panel, key: str, act: Callable[[], Awaitable[None]]) -> Response:
    if (entry := panel.queue.entry(key)) is None:
        raise HTTPException(404, "There is no such entry in the queue.")
    note_entries(request, [entry])
    try:
        await act()
    except CLIClientError as exc:
        raise HTTPException(409 if exc.status_code is not None else 502, exc.message) from exc
    return Response(status_code=204)
