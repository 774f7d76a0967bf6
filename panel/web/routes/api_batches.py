"""Batches in the JSON API: what their form, their list and their pages do, for programs."""

from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse, Response

from panel.domain.audit import Outcome
from panel.domain.batches import MAX_RUNS, Role, RunState
from panel.domain.labels import Shelf
from panel.errors import CLIClientError, InvalidForm
from panel.web import api_batch_schemas as schemas
from panel.web.api_requests import ACTED, PROBLEM, IdempotencyKey, start_key
from panel.web.panel import Panel, PanelDep
from panel.web.recording import note
from panel.web.respond import actor_of, problem
from panel.web.routes.batches import find_board
from panel.web.routes.labels import TOO_LATE

_UNKNOWN: dict[int | str, dict[str, Any]] = {404: PROBLEM | {"description": "There is no such batch."}}
_REFUSED: dict[int | str, dict[str, Any]] = {
    422: PROBLEM | {"description": "Refused; `errors` has a sentence for each field. Nothing was started."}
}

REUSED = "This Idempotency-Key was sent before with another batch."

router = APIRouter(prefix="/api")


@router.get("/batches", operation_id="listBatches", summary="The latest batches")
async def batches(panel: PanelDep, archived: bool = False) -> schemas.BatchList:
    """The newest 50 first; with `archived` those that were put away."""
    found = panel.storage.batches.latest(shelf=Shelf.ARCHIVED if archived else Shelf.SHOWN)
    heads = [schemas.BatchHead(**schemas.head(batch, runs, unfinished)) for batch, runs, unfinished in found]
    return schemas.BatchList(batches=heads)


@router.get("/batches/{key}", operation_id="getBatch", responses=_UNKNOWN, summary="One batch with its leaderboard")
async def batch(panel: PanelDep, key: str) -> schemas.BatchAnswer:
    return _answer(panel, key)


@router.post(
    "/batches/look",
    operation_id="planBatch",
    response_model=schemas.PlanAnswer,
    responses=_REFUSED,
    summary="What a batch would start",
)
async def look(
    panel: PanelDep, asked: schemas.BatchBody, idempotency_key: IdempotencyKey
) -> schemas.PlanAnswer | Response:
    """Nothing is started or written."""
    try:
        planned = await panel.batches.plan(asked.as_form())
    except InvalidForm as exc:
        return _refused(asked, exc)
    seconds, count = panel.batches.seconds(asked.as_form()), len(planned.runs)
    return schemas.PlanAnswer(
        runs=count,
        possible=planned.possible,
        strategies=list(planned.variants),
        seconds=None if seconds is None else seconds * count / max(panel.batches.workers() or 1, 1),
    )


@router.post(
    "/batches",
    operation_id="startBatch",
    response_model=schemas.BatchAnswer,
    status_code=201,
    responses=_REFUSED,
    summary="Start a batch",
)
async def begin(
    request: Request, panel: PanelDep, asked: schemas.BatchBody, idempotency_key: IdempotencyKey
) -> Response:
    """Made once for each key; a repeat gets the batch as it is now. Its runs go through the queue."""
    key, form = start_key(idempotency_key), asked.as_form()
    note(request, subject=asked.strategy_name)
    if (before := panel.storage.batches.batch(key)) is not None:
        if before.shelf is Shelf.DELETED:
            return problem(422, "The batch of this Idempotency-Key was deleted. Use a new key.")
        if before.form != form:
            return problem(422, REUSED)
    try:
        made = await panel.batches.begin(key, form, actor_of(request))
    except InvalidForm as exc:
        note(request, Outcome.REFUSED, detail=str(exc))
        return _refused(asked, exc)
    if (first := panel.storage.batches.batch(key)) is not None and first.form != form:  # both were planned at once
        return problem(422, REUSED)
    return JSONResponse(_answer(panel, made.key).model_dump(mode="json"), 201, {"Location": f"/api/batches/{made.key}"})


@router.post("/batches/{key}/stop", operation_id="stopBatch", responses=ACTED, summary="Stop the rest of a batch")
async def stop(request: Request, panel: PanelDep, key: str, idempotency_key: IdempotencyKey) -> schemas.BatchAnswer:
    """No further run begins, and those that run are cancelled. What has completed stays."""
    note(request, subject=find_board(panel, key).batch.title)
    try:
        await panel.batches.stop(key)
    except CLIClientError as exc:
        raise HTTPException(502, f"Some of its runs could not be cancelled: {exc.message}") from exc
    return _answer(panel, key)


@router.post(
    "/batches/{key}/backtest",
    operation_id="backtestBatch",
    response_model=schemas.BatchAnswer,
    responses=ACTED | _REFUSED,
    summary="Backtest the best of a batch",
)
async def backtest(
    request: Request, panel: PanelDep, key: str, asked: schemas.BacktestBody, idempotency_key: IdempotencyKey
) -> schemas.BatchAnswer | Response:
    """Each model once for each period, whatever the key."""
    view = find_board(panel, key)
    note(request, subject=view.batch.title)
    if asked.start_date >= asked.end_date:
        return problem(422, "The last day has to come after the first.", errors={"end_date": "It has to come after."})
    done = {row.run.number for row in view.rows if row.run.role is Role.TRAINING and row.run.state is RunState.DONE}
    numbers = asked.numbers or [row.run.number for row in view.best]
    if unknown := [number for number in numbers if number not in done]:
        why = f"Of no. {', '.join(map(str, unknown))} there is no training that has completed."
        return problem(422, why, errors={"numbers": why})
    if not numbers:
        raise HTTPException(409, "None of its trainings has a result yet that says which is the best.")
    await panel.batches.backtest_best(key, numbers[:MAX_RUNS], str(asked.start_date), str(asked.end_date))
    return _answer(panel, key)


def _add_put(name: str, shelf: Shelf | None, summary: str, about: str) -> None:
    async def put(request: Request, panel: PanelDep, key: str, idempotency_key: IdempotencyKey) -> Response:
        found = panel.storage.batches.batch(key)
        if found is None:
            raise HTTPException(404, "There is no batch with this key.")
        note(request, subject=found.title)
        if shelf is None:
            if not await panel.batches.put_back(key):
                raise HTTPException(409, TOO_LATE)
        elif not await panel.batches.put(key, shelf):
            raise HTTPException(409, "Some of its runs have not ended. Stop them first.")
        return Response(status_code=204)

    router.post(
        f"/batches/{{key}}/{name}",
        operation_id=f"{name}Batch",
        responses=ACTED,
        status_code=204,
        summary=summary,
        description=about,
    )(put)


_add_put("archive", Shelf.ARCHIVED, "Archive a batch", "It is in no list unless it is asked for.")
_add_put("unarchive", Shelf.SHOWN, "Bring a batch back", "Out of the archive.")
_add_put(
    "delete",
    Shelf.DELETED,
    "Delete a batch",
    "Its runs, models and strategy files stay. It can be undone for a minute.",
)
_add_put(
    "undo", None, "Undo that a batch was put away", "Within a minute after it was archived, brought back or deleted."
)


def _answer(panel: Panel, key: str) -> schemas.BatchAnswer:
    return schemas.answer(find_board(panel, key), len(panel.storage.batches.runs(key)))


def _refused(asked: schemas.BatchBody, exc: InvalidForm) -> Response:
    return problem(422, " ".join(exc.errors.values()), errors=asked.fields_of(exc.errors))
