"""Batches: their form, their list, and the page of each."""

import re
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, Response

from panel.domain.audit import Outcome
from panel.domain.batches import Batch
from panel.domain.labels import Shelf
from panel.domain.requests import FORM_KEY
from panel.errors import CLIClientError, InvalidForm
from panel.files.strategy_settings import settings_of
from panel.files.strategy_yaml import Refused
from panel.views.batches import BoardView, board, varied
from panel.web.panel import Panel, PanelDep
from panel.web.recording import note
from panel.web.respond import actor_of, fragment, page, redirect, refused_status, typed
from panel.web.routes.labels import TOO_LATE
from panel.workflows.batch_form import FIELDS, WAYS
from panel.workflows.batches import FormSpent
from panel.workflows.starting import new_key

router = APIRouter(prefix="/batches")

DELETED = "This form started a batch before, and that batch was deleted since. Send it again to start another."

_SHELVES = {"archive": Shelf.ARCHIVED, "list": Shelf.SHOWN, "delete": Shelf.DELETED}
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


@router.get("")
async def batches(request: Request, panel: PanelDep, archived: str = "", done: str = "") -> HTMLResponse:
    """`archived`: those that were put away; `done`: one that was put away just now, which can be undone."""
    store, shelf = panel.storage.batches, Shelf.ARCHIVED if archived else Shelf.SHOWN
    return page(
        request,
        "batches.html",
        batches=[(*each, varied(each[0])) for each in store.latest(shelf=shelf)],
        archived=bool(archived),
        put_away=store.count(Shelf.ARCHIVED),
        done=store.undoable(done, time.time()) if done else None,
    )


@router.get("/new")
async def new(request: Request, panel: PanelDep) -> HTMLResponse:
    """`?<field>=` fills it in."""
    usual = {"way": "grid", "sample": "12", "train_days": "180", "test_days": "60"}
    return await _form(request, panel, usual | dict(request.query_params), {}, new_key())


@router.post("/look")
async def look(request: Request, panel: PanelDep) -> HTMLResponse:
    """What would be started. A POST, because what is typed is no address; nothing is changed."""
    form = await typed(request)
    try:
        planned, errors = await panel.batches.plan(form), {}
    except InvalidForm as exc:
        planned, errors = None, exc.errors
    return fragment(
        "fragments/batch-plan.html",
        planned=planned,
        errors=errors,
        seconds=panel.batches.seconds(form),
        workers=panel.batches.workers(),
    )


@router.post("")
async def begin(request: Request, panel: PanelDep) -> Response:
    form = await typed(request)
    key = form.get("key", "")
    note(request, subject=form.get("strategy_name", ""))
    if not FORM_KEY.fullmatch(key):
        errors = {"": "This form was out of date. Start again from here."}
        note(request, Outcome.REFUSED, detail=errors[""])
        return await _form(request, panel, form, errors, new_key())
    try:
        values = {name: form.get(name, "") for name in FIELDS}
        batch = await panel.batches.begin_form(key, values, actor_of(request))
    except InvalidForm as exc:
        note(request, Outcome.REFUSED, detail=str(exc))
        return await _form(request, panel, form, exc.errors, key)
    except FormSpent:  # a page from before, come back to
        note(request, Outcome.REFUSED, detail=DELETED)
        return await _form(request, panel, form, {"": DELETED}, new_key())
    return redirect(request, f"/batches/{batch.key}" + (f"?before={key}" if batch.key != key else ""))


@router.get("/{key}")
async def batch(request: Request, panel: PanelDep, key: str, sort: str = "", before: str = "") -> HTMLResponse:
    """`before`: the batch that the same form had started with other values."""
    first = panel.storage.batches.batch(before) if before and before != key else None
    if first is not None and first.shelf is Shelf.DELETED:
        first = None
    view = find_board(panel, key, sort)
    removed = [] if any(row.run.operation_id for row in view.rows) else await panel.batches.removed(key)
    return _page(request, view, sort, before=first, removed=removed)


@router.post("/{key}/stop")
async def stop(request: Request, panel: PanelDep, key: str) -> Response:
    note(request, subject=find_board(panel, key).batch.title)
    try:
        await panel.batches.stop(key)
    except CLIClientError as exc:
        raise HTTPException(502, f"Some of its runs could not be cancelled: {exc.message}") from exc
    return redirect(request, f"/batches/{key}")


@router.post("/{key}/backtest")
async def backtest(request: Request, panel: PanelDep, key: str) -> Response:
    """Backtest the best ones on days of the reader's choice."""
    view, given = find_board(panel, key), await typed(request)
    note(request, subject=view.batch.title)
    start, end = given.get("start_date", ""), given.get("end_date", "")
    wrong = [name for name in ("start_date", "end_date") if not _DAY.fullmatch(given.get(name, ""))]
    if wrong or start >= end:
        error = "Give the first and the last day; the last one has to come after the first."
        note(request, Outcome.REFUSED, detail=error)
        return _page(request, view, error=error, typed=given, wrong=wrong or ["end_date"])
    await panel.batches.backtest_best(key, [row.run.number for row in view.best], start, end)
    return redirect(request, f"/batches/{key}")


@router.post("/{key}/put")
async def put(request: Request, panel: PanelDep, key: str) -> Response:
    """Archive it, bring it back, or delete it; its runs stay in the list of runs."""
    shelf = _SHELVES.get((await typed(request)).get("where", ""))
    view = find_board(panel, key)
    note(request, subject=view.batch.title)
    if shelf is None:
        raise HTTPException(422, "This is nothing that can be done with a batch.")
    if not await panel.batches.put(key, shelf):
        raise HTTPException(409, "Some of its runs have not ended. Stop them first.")
    return redirect(request, f"/batches?done={key}")


@router.post("/{key}/undo")
async def undo(request: Request, panel: PanelDep, key: str) -> Response:
    if not await panel.batches.put_back(key):
        raise HTTPException(409, TOO_LATE)
    note(request, subject=find_board(panel, key).batch.title)
    return redirect(request, f"/batches/{key}")


def _page(
    request: Request,
    view: BoardView,
    sort: str = "",
    *,
    error: str = "",
    typed: Mapping[str, str] | None = None,
    wrong: Sequence[str] = (),
    before: Batch | None = None,
    removed: Sequence[str] = (),
) -> HTMLResponse:
    """`error`: why nothing was backtested; `typed`: the days that were given, and `wrong` those at fault."""
    proposed = {"start_date": view.unseen_from, "end_date": datetime.now(UTC).date().isoformat()}
    return page(
        request,
        "batch.html",
        view,
        stream=f"batch-{view.batch.key}",
        status=refused_status(request) if error else 200,
        sort=sort,
        error=error,
        typed=proposed if typed is None else typed,
        wrong=wrong,
        before=before,
        removed=removed,
    )


def find_board(panel: Panel, key: str, sort: str = "") -> BoardView:
    """A batch and all of its runs. Raises HTTPException 404."""
    found = panel.storage.batches.batch(key)
    if found is None or found.shelf is Shelf.DELETED:
        raise HTTPException(404, "There is no batch with this key.")
    runs = panel.storage.batches.runs(key)
    known = [panel.monitor.known(run.operation_id, epochs=False) for run in runs if run.operation_id]
    views = {each.snapshot.id: panel.reader.operation(each) for each in known if each is not None}
    return board(found, runs, views, sort)


async def _form(
    request: Request, panel: Panel, given: Mapping[str, str], errors: Mapping[str, str], key: str
) -> HTMLResponse:
    values = {name: given.get(name, "") for name in FIELDS}
    try:
        strategies, silent = await panel.catalogue.strategies(), ""
    except CLIClientError as exc:
        strategies, silent = [], exc.message
    text = await panel.batches.text_of(values["strategy_name"])
    try:
        settings = settings_of(text) if text else []
    except Refused:
        settings = []
    return page(
        request,
        "batch-new.html",
        status=refused_status(request) if errors else 200,
        values=values,
        errors=errors,
        key=key,
        ways=WAYS,
        strategies=[each for each in strategies if not each.problem],
        silent=silent,
        settings=[each for each in settings if each.number],
        readable=text is not None,
        no_variants=panel.library.trouble(),
    )
