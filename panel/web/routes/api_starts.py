"""Starts of every kind over the JSON API, cancel and resume. Each request carries an
`Idempotency-Key`, which no page on the internet can make a browser send."""

import asyncio
import time
from typing import Any, Literal

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse, Response

from panel.adapters import KINDS, Kind
from panel.domain.observation import Observation
from panel.domain.requests import EntryState, ResumeState
from panel.domain.state import State
from panel.domain.verdict import cancel_under_way
from panel.errors import AlreadyEnded, CLIClientError
from panel.web import api_schemas as schemas
from panel.web.api_requests import ACTED, PROBLEM, IdempotencyKey, StartBody, as_form, body_of, same_request, start_key
from panel.web.panel import Panel, PanelDep
from panel.web.recording import note_start
from panel.web.respond import actor_of, problem
from panel.web.routes.operation import described, find
from panel.workflows import submit as submitted
from panel.workflows.resuming import BUSY, not_resumable

_STARTED: dict[int | str, dict[str, Any]] = {
    201: {"model": schemas.StartAnswer, "description": "It has started."},
    202: {
        "model": schemas.StartAnswer,
        "description": "It is queued, or it is not known yet whether it started.",
    },
    409: PROBLEM
    | {
        "description": "It needs a confirmation: `confirm` names it. Without `confirm`: what this key asked for was"
        " taken out of the queue, or marked as not started, and a new key is needed."
    },
    422: PROBLEM | {"description": "Refused; `errors` has a sentence for each field."},
    502: PROBLEM | {"description": "The backend could not be asked. Nothing was started: use a new key to try again."},
}

REUSED = "This Idempotency-Key was sent before with another start."

router = APIRouter(prefix="/api")


def _add_start(kind: type[Kind]) -> None:
    body = body_of(kind)

    async def start(request: Request, panel: PanelDep, asked: StartBody, idempotency_key: IdempotencyKey) -> Response:
        given = as_form(kind, asked)
        values, key = await panel.submit.values(kind, given), start_key(idempotency_key)

        def reused() -> bool:
            before = _sent_before(panel, key)
            return before is not None and not (before[0] == kind.kind and same_request(kind, before[1], values, given))

        if reused():
            return problem(422, REUSED)
        result = await panel.submit.submit(
            kind.kind, values, key, actor_of(request), confirmations=asked.confirm, wait=asked.queue
        )
        if reused():  # another was checked at the same time, and came first: the result is that one's
            return problem(422, REUSED)
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
            return _response(answer, 201, {"Location": f"/api/operations/{operation_id}"})
        case submitted.Queued(entry):
            sent = entry.state is EntryState.UNCONFIRMED
            starting = entry.state is EntryState.STARTING
            message = "It is being started." if starting else entry.message if sent else "It waits in the queue."
            state: Literal["queued", "unconfirmed"] = "unconfirmed" if sent else "queued"
            return _response(schemas.StartAnswer(state=state, queue_key=entry.key, message=message), 202)
        case submitted.Withdrawn(message):
            return problem(409, f"{message} Use a new key.")
        case submitted.Unconfirmed(start) if not result.open:
            return problem(409, "It was marked as not started. Use a new key.")
        case submitted.Unconfirmed(start):
            return _response(schemas.StartAnswer(state="unconfirmed", message=start.message), 202)
        case submitted.NeedsConfirmation(which, why):
            return problem(409, why, confirm=which)
        case submitted.NotSent(message):
            return problem(502, f"{message} Nothing was started.")
        case submitted.Invalid(errors) | submitted.Refused(errors=errors):
            raw = result.raw if isinstance(result, submitted.Refused) else ""
            return problem(422, submitted.message_of(result), errors=errors, backend_said=raw)


@router.post(
    "/operations/{operation_id}/cancel",
    operation_id="cancelOperation",
    responses=ACTED,
    status_code=202,
    summary="Cancel an operation",
)
async def cancel(
    request: Request, panel: PanelDep, operation_id: str, idempotency_key: IdempotencyKey
) -> schemas.Operation:
    """Returns the operation as it is now: `cancel` is its progress, and its events report the end. So it does, whatever
    the key, for what is being cancelled or was cancelled already; 409 means that it ended in another way. A cancel
    that takes unusually long, as the verdict's advice says, is sent again."""
    observation = await find(panel, operation_id)
    if cancel_under_way(observation, time.time()) or _cancelled(panel, observation):
        return described(panel, observation)
    if not panel.monitor.verdict(observation).live:
        raise HTTPException(409, "It has already ended.")
    try:
        await panel.commands.cancel(operation_id, actor_of(request))
    except CLIClientError as exc:
        seen = panel.monitor.known(operation_id)
        if isinstance(exc, AlreadyEnded) and seen is not None and _cancelled(panel, seen):  # elsewhere, in between
            return described(panel, seen)
        raise HTTPException(409 if exc.status_code is not None else 502, exc.message) from exc
    return described(panel, panel.monitor.known(operation_id) or observation)


@router.post(
    "/operations/{operation_id}/resume",
    operation_id="resumeOperation",
    responses=ACTED,
    status_code=202,
    summary="Resume a training from its checkpoint",
)
async def resume(
    request: Request, panel: PanelDep, operation_id: str, idempotency_key: IdempotencyKey
) -> schemas.Operation:
    """Waits up to half a minute for a free worker. It is sent once for each end of the training, whatever the key;
    while a training that was resumed here goes on, a repeat gets it as it is now."""
    observation = await find(panel, operation_id)
    verdict = panel.monitor.verdict(observation)
    if verdict.live and any(asked.what == "resume" for asked in panel.storage.memory.requests(operation_id)):
        return described(panel, observation)
    if reason := not_resumable(observation, verdict):
        raise HTTPException(409, reason)
    attempt = panel.resume.begin(operation_id, actor_of(request))
    if attempt.task is not None:
        await asyncio.wait([attempt.task], timeout=2 * BUSY)
    if attempt.state is ResumeState.REFUSED:
        raise HTTPException(409, attempt.message)
    return described(panel, panel.monitor.known(operation_id) or observation)


def _cancelled(panel: Panel, observation: Observation) -> bool:
    return panel.monitor.verdict(observation).state in (State.CANCELLED, State.STRAY)


def _response(answer: schemas.StartAnswer, status: int, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse(answer.model_dump(), status, headers)
