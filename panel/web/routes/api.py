"""The part of the JSON API that reads: what the pages show, for scripts and agents, behind the same guard."""

import asyncio
import json
import math
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import lru_cache
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from fastapi.openapi.utils import get_openapi
from sse_starlette import EventSourceResponse
from starlette.responses import Response

from panel import __version__
from panel.accounts.file import Role
from panel.domain.history import OperationQuery
from panel.domain.observation import Observation
from panel.domain.state import State
from panel.live.hub import Mailbox, frame
from panel.views.addresses import root
from panel.web import api_schemas as schemas
from panel.web.api_requests import AS_PROBLEM, PROBLEM, Moment, Search
from panel.web.auth.roles import rule_of
from panel.web.event_stream import event_stream
from panel.web.panel import Panel, PanelDep
from panel.web.routes import (
    api_access,
    api_batches,
    api_bulk,
    api_events,
    api_labels,
    api_queue,
    api_schedules,
    api_starts,
    audit,
)
from panel.web.routes.operation import described, described_in_full, find

_NOT_FOUND: dict[int | str, dict[str, Any]] = {
    404: PROBLEM | {"description": "Neither the panel nor the backend knows it."},
    502: PROBLEM | {"description": "The panel does not know it, and the backend cannot be asked."},
}
_PROBLEM_CONTENT = {AS_PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_CURSOR = re.compile(r"(-?\d{1,12}(?:\.\d{1,9})?(?:e-\d{1,2})?)_(\d{1,6})")

PARTS = (api_events, api_starts, api_queue, api_batches, api_schedules, api_bulk, api_labels, api_access)

_TO_ALL = {
    "401": "The panel has users or a password, and neither a token nor the password was sent as a bearer token.",
    "421": "The panel does not answer to that host name.",
    "422": "A parameter is not as it should be.",
    "429": "Too many wrong passwords came from this address; `Retry-After` says for how many seconds to wait.",
}
_UNSAID = {"description": "Validation Error"}  # FastAPI's own, which the panel does not answer with
_NO_KEY, _VIEWER = "no Idempotency-Key was sent", "the token is a viewer's and this is for operators"

router = APIRouter(prefix="/api")


@router.get("/operations", operation_id="listOperations", summary="Operations, the newest first")
async def operations(
    panel: PanelDep,
    kind: Annotated[str, Query(description="Only of this kind.")] = "",
    state: Annotated[list[State] | None, Query(description="Only in one of these states.")] = None,
    strategy: Annotated[str, Query(description="Only of this strategy.")] = "",
    symbol: Annotated[str, Query(description="Only of this symbol.")] = "",
    q: Annotated[Search, Query()] = "",
    since: Annotated[Moment | None, Query(description="Only begun since then; UTC when no zone is given.")] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="How many at most.")] = 50,
    cursor: Annotated[str, Query(description="`next` of the part before.")] = "",
) -> schemas.Operations:
    """Everything that the panel ever saw, also what the backend has forgotten. Paging is not disturbed by what is
    started meanwhile."""
    wanted = OperationQuery(
        kind=kind,
        states=tuple(state or ()),
        strategy=strategy,
        symbol=symbol,
        since=None if since is None else since.timestamp(),
        search=q,
        archived=None,
    )
    total = panel.storage.memory.count(wanted)
    until, passed = _place(cursor)
    found, left = panel.storage.memory.find(replace(wanted, until=until, offset=passed, limit=limit))
    return schemas.Operations(
        operations=[described(panel, observation) for observation in found],
        total=total,
        next=_cursor(found, until, passed) if left > passed + len(found) else None,
    )


@router.get("/operations/{operation_id}", operation_id="getOperation", responses=_NOT_FOUND, summary="One operation")
async def operation(
    panel: PanelDep,
    operation_id: str,
    epochs: Annotated[bool, Query(description="With its losses and accuracies for each epoch.")] = False,
) -> schemas.Details:
    """What the panel knows of it; the backend is asked only when that is little."""
    return described_in_full(panel, await find(panel, operation_id), epochs=epochs)


@router.get(
    "/operations/{operation_id}/events",
    operation_id="watchOperation",
    response_class=EventSourceResponse,
    responses=_NOT_FOUND
    | {
        200: {
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
            "description": "Events `operation`, then one `end`; the data of each is an Operation.",
        }
    },
    summary="One operation, as it changes",
)
async def events(panel: PanelDep, operation_id: str) -> EventSourceResponse:
    """First its present state, then each change. When it has ended, an event `end` comes and the stream closes."""
    await find(panel, operation_id)
    box = Mailbox()
    return event_stream(_events(panel, operation_id, box), box)


@router.get("/line", operation_id="getLine", summary="The line to the backend")
async def line(panel: PanelDep) -> schemas.Line:
    """Whether the backend answers, and its workers as they were last listed."""
    return schemas.line(panel.monitor.connection, panel.monitor.worker_list.workers)


@router.get("/openapi.json", include_in_schema=False)
async def openapi() -> Response:
    return Response(await asyncio.to_thread(_written, root()), media_type="application/json")


@lru_cache(maxsize=4)
def _written(below: str) -> bytes:
    """The description of an API below this path. It takes a quarter of a second."""
    described = schema() | ({"servers": [{"url": below}]} if below else {})
    return json.dumps(described, separators=(",", ":")).encode()


def schema() -> dict[str, Any]:
    """This API, described as OpenAPI."""
    about = "Everything that ktrdr-panel knows and does, for scripts and agents."
    parts = (router, *(part.router for part in PARTS), audit.api_router)
    routes = [route for part in parts for route in part.routes]
    described = get_openapi(title="ktrdr-panel", version=__version__, description=about, routes=routes)
    ways = [(m, path, way["responses"]) for path, ways in described["paths"].items() for m, way in ways.items()]
    for method, path, answers in ways:
        for answer in answers.values():
            if AS_PROBLEM in (content := answer.get("content", {})):  # a model is put under the usual answer's type
                (usual,) = content.keys() - {AS_PROBLEM}
                content[AS_PROBLEM] = content.pop(usual)
        for status, why in (_TO_ALL | _forbidden(method.upper(), path)).items():
            if answers.get(status, _UNSAID)["description"] == _UNSAID["description"]:
                answers[status] = {"description": why, "content": _PROBLEM_CONTENT}
    return described


def _forbidden(method: str, path: str) -> dict[str, str]:
    """Why a request is answered with 403, as the guard and the table of roles have it."""
    rule = rule_of(method, path)
    viewers = rule is not None and rule[0].allows(Role.VIEWER)
    whys = [why for why, applies in ((_NO_KEY, method == "POST"), (_VIEWER, not viewers)) if applies]
    text = ", or ".join(whys)
    return {"403": f"{text[0].upper()}{text[1:]}."} if text else {}


async def _events(panel: Panel, operation_id: str, box: Mailbox) -> AsyncIterator[bytes]:
    sent = None
    with panel.hub.open(box, f"api:{operation_id}"):
        panel.monitor.wake(operation_id)
        while True:
            observation = panel.monitor.known(operation_id)
            if observation is None:  # dropped from the memory meanwhile
                return
            shown = described(panel, observation)
            content = shown.model_copy(update={"read_at": None})  # a reading that says nothing new is none
            if content != sent:
                sent = content
                yield frame(shown.model_dump_json(), "operation")
            if not shown.live:
                yield frame(shown.model_dump_json(), "end")
                return
            if not await box.take():
                return


def _place(cursor: str) -> tuple[float | None, int]:
    """Where a part begins: operations begun before this, and how many of them are passed over."""
    if not cursor:
        return None, 0
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise HTTPException(422, "This cursor is none that came from here.")
    return math.nextafter(float(found[1]), math.inf), int(found[2])


def _cursor(found: list[Observation], until: float | None, passed: int) -> str:
    """The start of the last one, and how many with the same start were listed."""
    times = [observation.snapshot.created_at or observation.changed_at for observation in found]
    same = sum(time == times[-1] for time in times)
    if until is not None and math.nextafter(times[-1], math.inf) == until:
        same += passed
    return f"{times[-1]!r}_{same}"
