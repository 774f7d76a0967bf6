"""The part of the JSON API that acts: starts of every kind, the queue, cancel and resume. Each request carries an
`Idempotency-Key`, which no page on the internet can make a browser send."""

import asyncio
from typing import Any, Literal

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from panel.adapters import KINDS, Kind
from panel.domain.requests import Entry, ResumeState
from panel.errors import CLIClientError
from panel.web import api_schemas as schemas
from panel.web.api_requests import IdempotencyKey, StartBody, as_form, body_of, same_request, start_key
from panel.web.panel import Panel, PanelDep
from panel.web.recording import note_entries, note_start
from panel.web.respond import actor, problem
from panel.web.routes.operation import find
from panel.workflows import submit as submitted
from panel.workflows.resuming import BUSY, out_of_question

AS_PROBLEM = "application/problem+json"
_PROBLEM = {"model": schemas.Problem, "content": {AS_PROBLEM: {}}}
_STARTED: dict[int | str, dict[str, Any]] = {
    201: {"model": schemas.StartAnswer, "description": "It has started."},
    202: {
        "model": schemas.StartAnswer,
        "description": "It is queued, or it is not known yet whether it started.",
    },
    409: _PROBLEM | {"description": "It needs a confirmation: `confirm` names it."},
    422: _PROBLEM | {"description": "Refused; `errors` has a sentence for each field."},
    502: _PROBLEM | {"description": "The backend could not be asked. Nothing was started: use a new key to try again."},
}
_ACTED: dict[int | str, dict[str, Any]] = {
    404: _PROBLEM | {"description": "Neither the panel nor the backend knows it."},
    409: _PROBLEM | {"description": "It cannot be done now; `detail` says why."},
    502: _PROBLEM | {"description": "The backend could not be asked."},
}

router = APIRouter(prefix="/api")


def _add_start(kind: type[Kind]) -> None:
    body = body_of(kind)

    async def start(request: Request, panel: PanelDep, asked: StartBody, idempotency_key: IdempotencyKey) -> Response:
        given = as_form(kind, asked)
        values, key = await panel.submit.values(kind, given), start_key(idempotency_key)
        before = _sent_before(panel, key)
        if before is not None and not (before[0] == kind.kind and same_request(before[1], values, given)):
            return problem(422, "This Idempotency-Key was sent before with another start.")
        result = await panel.submit.submit(
            kind.kind, values, key, actor(request), confirmations=asked.confirm, wait=asked.queue
        )
        note_start(request, kind.kind, values, result)
        return _answer(result)

    start.__annotations__["asked"] = body
    router.post(
        f"/start/{kind.kind}",
        operation_id=f"start{body.__name__.removeprefix('Start')}",
        response_model=None,
        status_code=201,
        responses=_STARTED,
        summary=kind.action,
        description=f"{kind.summary} What is left out comes from the strategy or the backend.",
    )(start)


for _kind in KINDS.values():
    _add_start(_kind)


def _sent_before(panel: Panel, key: str) -> tuple[str, dict[str, str]] | None:
    """The kind and form that this key was sent with."""
    if (entry := panel.queue.entry(key)) is not None:
        return entry.kind, entry.form
    start = panel.storage.start(key)
    return (start.kind, start.form) if start is not None else None


def _answer(result: submitted.SubmitResult) -> Response:
    match result:
        case submitted.Started(operation_id):
            answer = schemas.StartAnswer(state="started", operation_id=operation_id)
            return _told(answer, 201, {"Location": f"/api/operations/{operation_id}"})
        case submitted.Queued(entry):
            told = schemas.StartAnswer(state="queued", queue_key=entry.key, message="It waits in the queue.")
            return _told(told, 202)
        case submitted.Unconfirmed(start):
            return _told(schemas.StartAnswer(state="unconfirmed", message=start.message), 202)
        case submitted.NeedsConfirmation(which, why):
            return problem(409, why, confirm=which)
        case submitted.NotSent(message):
            return problem(502, f"{message} Nothing was started.")
        case submitted.Invalid(errors) | submitted.Refused(_, errors):
            return problem(422, submitted.message_of(result), errors=errors)


@router.get("/queue", operation_id="listQueue", summary="What waits or is being started")
async def queue(panel: PanelDep) -> schemas.Queue:
    """In the order in which they start, as far as they need the same thing: the first first."""
    entries = panel.queue.open()
    begins = panel.reader.begins(entries)
    loads = [entry for entry in entries if entry.kind == "data_load"]
    return schemas.Queue(
        loads=[schemas.queued(load, place) for place, load in enumerate(loads, 1)],
        entries=[schemas.entry(entry, place, begins.get(entry.key)) for place, entry in enumerate(entries, 1)],
    )


class Move(BaseModel):
    where: Literal["up", "down", "top"] = Field(description="Among the entries that wait.")


@router.post(
    "/queue/{key}/move", operation_id="moveQueued", responses=_ACTED, status_code=204, summary="Move a waiting entry"
)
async def move(request: Request, panel: PanelDep, key: str, asked: Move, idempotency_key: IdempotencyKey) -> Response:
    note_entries(request, [_known(panel, key)])
    await panel.queue.move(key, asked.where, start_key(idempotency_key))
    return Response(status_code=204)


@router.post(
    "/queue/{key}/hold", operation_id="holdQueued", responses=_ACTED, status_code=204, summary="Hold a waiting entry"
)
async def hold(request: Request, panel: PanelDep, key: str, idempotency_key: IdempotencyKey) -> Response:
    """It does not start before it is released."""
    note_entries(request, [_known(panel, key)])
    await panel.queue.hold(key, True)
    return Response(status_code=204)


@router.post(
    "/queue/{key}/release",
    operation_id="releaseQueued",
    responses=_ACTED,
    status_code=204,
    summary="Release a held entry",
)
async def release(request: Request, panel: PanelDep, key: str, idempotency_key: IdempotencyKey) -> Response:
    note_entries(request, [_known(panel, key)])
    await panel.queue.hold(key, False)
    return Response(status_code=204)


@router.post(
    "/queue/{key}/cancel",
    operation_id="cancelQueued",
    responses=_ACTED,
    status_code=204,
    summary="Cancel a queued start",
)
async def cancel_queued(request: Request, panel: PanelDep, key: str, idempotency_key: IdempotencyKey) -> Response:
    """It leaves the queue; if it runs already, its operation is cancelled."""
    note_entries(request, [_known(panel, key)])
    try:
        await panel.queue.cancel(key)
    except CLIClientError as exc:
        return _trouble(exc)
    return Response(status_code=204)


@router.post(
    "/operations/{operation_id}/cancel",
    operation_id="cancelOperation",
    responses=_ACTED,
    status_code=202,
    summary="Cancel an operation",
)
async def cancel(
    request: Request, panel: PanelDep, operation_id: str, idempotency_key: IdempotencyKey
) -> schemas.Operation:
    """Returns the operation as it is now: `cancel` says how far that has come, and its events tell the end."""
    observation = await find(panel, operation_id)
    if not panel.monitor.verdict(observation).live:
        raise HTTPException(409, "It has already ended.")
    try:
        await panel.commands.cancel(operation_id, actor(request))
    except CLIClientError as exc:
        raise HTTPException(409 if exc.status_code is not None else 502, exc.message) from exc
    observation = panel.monitor.known(operation_id) or observation
    return schemas.operation(observation, panel.monitor.verdict(observation), panel.storage.labels.of(operation_id))


@router.post(
    "/operations/{operation_id}/resume",
    operation_id="resumeOperation",
    responses=_ACTED,
    status_code=202,
    summary="Resume a training from its checkpoint",
)
async def resume(
    request: Request, panel: PanelDep, operation_id: str, idempotency_key: IdempotencyKey
) -> schemas.Operation:
    """Waits up to half a minute for a free worker. It is sent once for each end of the training."""
    observation = await find(panel, operation_id)
    if hopeless := out_of_question(observation, panel.monitor.verdict(observation)):
        raise HTTPException(409, hopeless)
    attempt = panel.resume.begin(operation_id, actor(request))
    if attempt.task is not None:
        await asyncio.wait([attempt.task], timeout=2 * BUSY)
    if attempt.state is ResumeState.REFUSED:
        raise HTTPException(409, attempt.message)
    observation = panel.monitor.known(operation_id) or observation
    return schemas.operation(observation, panel.monitor.verdict(observation), panel.storage.labels.of(operation_id))


def _known(panel: Panel, key: str) -> Entry:
    if (entry := panel.queue.entry(key)) is None:
        raise HTTPException(404, "There is no such entry in the queue.")
    return entry


def _told(answer: schemas.StartAnswer, status: int, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse(answer.model_dump(), status, headers)


def _trouble(exc: CLIClientError) -> Response:
    return problem(409 if exc.status_code is not None else 502, exc.message)
