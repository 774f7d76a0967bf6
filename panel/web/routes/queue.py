"""The queue of starts, and plans that load and then train."""

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, Response

from panel.adapters import DataLoadOperationAdapter, TrainingOperationAdapter
from panel.domain.audit import Outcome
from panel.domain.requests import FORM_KEY, PlanState
from panel.errors import CLIClientError, InvalidForm
from panel.web.panel import Panel, PanelDep
from panel.web.recording import note, note_entries
from panel.web.respond import actor_of, by_htmx, fragment, page, problem_page, redirect, typed
from panel.workflows.load_remedies import why_no_load

router = APIRouter()

MAX_PLANNED = 12  # loads of one plan
MAX_REMOVED = 1000  # entries that one request removes


@router.get("/queue")
async def queue(request: Request, panel: PanelDep, part: int = 1) -> HTMLResponse:
    view = panel.reader.entries(part)
    return page(request, "queue.html", view, stream="queue" if view.page == 1 else "line")


@router.post("/queue/{key}/cancel")
async def cancel_entry(request: Request, panel: PanelDep, key: str) -> Response:
    return await _cancelled(request, panel, [key])


@router.post("/queue-cancel")
async def cancel_entries(request: Request, panel: PanelDep) -> Response:
    """The chosen entries, or with `all` every waiting one."""
    form = await request.form(max_files=0, max_fields=MAX_REMOVED + 5)
    keys = [str(key) for key in form.getlist("key")]
    if form.get("all"):
        keys = [entry.key for entry in panel.queue.open() if entry.waiting]
    return await _cancelled(request, panel, keys)


@router.post("/queue/{key}/hold")
async def hold(request: Request, panel: PanelDep, key: str) -> Response:
    note_entries(request, [panel.queue.entry(key)])
    await panel.queue.hold(key, True)
    return _done(request)


@router.post("/queue/{key}/release")
async def release(request: Request, panel: PanelDep, key: str) -> Response:
    note_entries(request, [panel.queue.entry(key)])
    await panel.queue.hold(key, False)
    return _done(request)


@router.post("/queue/{key}/move")
async def move(request: Request, panel: PanelDep, key: str) -> Response:
    """`where`: up, down or top."""
    where = (await typed(request)).get("where", "")
    if where not in ("up", "down", "top"):
        raise HTTPException(422, "An entry can be moved up, down or to the top.")
    note_entries(request, [panel.queue.entry(key)])
    await panel.queue.move(key, where)
    return _done(request)


@router.post("/loads/{key}/cancel")
async def cancel_load(request: Request, panel: PanelDep, key: str) -> Response:
    """From the data page."""
    return await _cancelled(request, panel, [key], "/data")


@router.post("/plans")
async def make_plan(request: Request, panel: PanelDep) -> Response:
    """Load what is missing, then train: `load` fields name the pairs, the others are the training's form."""
    form = await request.form(max_files=0, max_fields=60)
    given = await typed(request)
    values = {field.name: given.get(field.name, "") for field in TrainingOperationAdapter.fields}
    key = given.get("key", "")
    pairs = [str(pair).split(" ") for pair in form.getlist("load")][:MAX_PLANNED]
    if not FORM_KEY.fullmatch(key) or not pairs:
        return _trouble(request, "This plan was out of date. Start again from the form.")
    try:
        TrainingOperationAdapter.from_form(values)
        loads = [dict(zip(("symbol", "timeframe", "mode", "start_date"), pair, strict=False)) for pair in pairs]
        for load in loads:
            DataLoadOperationAdapter.from_form(load)
            if panel.reader.embedded and (why := await why_no_load(panel.catalogue, load)):
                return _trouble(request, why)
        await panel.plans.add(key, values, loads, actor_of(request))
    except InvalidForm as exc:
        return _trouble(request, " ".join(exc.errors.values()))
    except CLIClientError as exc:
        return _trouble(request, exc.message)
    note(request, subject=values["strategy_name"], detail=f"after {len(loads)} loads")
    return redirect(request, f"/plans/{key}")


@router.get("/plans/{key}")
async def plan(request: Request, panel: PanelDep, key: str) -> Response:
    view = panel.reader.plan(key)
    if view is None:
        raise HTTPException(404, "There is no such plan.")
    if view.plan.state is PlanState.STARTED:
        return redirect(request, f"/operations/{view.plan.operation_id}")
    return page(request, "plan.html", view, stream=f"plan-{key}")


@router.post("/plans/{key}/cancel")
async def cancel_plan(request: Request, panel: PanelDep, key: str) -> Response:
    try:
        await panel.plans.cancel(key)
    except CLIClientError as exc:
        raise HTTPException(502, f"A load of the plan was not cancelled: {exc.message}") from exc
    return redirect(request, f"/plans/{key}")


async def _cancelled(request: Request, panel: Panel, keys: list[str], back: str = "/queue") -> Response:
    """Each of them, also after one that could not be cancelled."""
    problem = ""
    note_entries(request, map(panel.queue.entry, keys))
    try:
        await panel.queue.cancel_all(keys)
    except CLIClientError as exc:
        problem = exc.message
    note(request, Outcome.REFUSED if problem else Outcome.DONE, detail=problem)
    what = "The cancel was not accepted"
    if problem and by_htmx(request):
        return fragment("fragments/trouble.html", what=what, message=problem)
    return problem_page(request, 502, what, problem) if problem else _done(request, back)


def _done(request: Request, back: str = "/queue") -> Response:
    """A page that listens to its stream needs no other answer."""
    return Response(status_code=204) if by_htmx(request) else redirect(request, back)


def _trouble(request: Request, message: str) -> Response:
    note(request, Outcome.REFUSED, detail=message)
    if by_htmx(request):
        return fragment("fragments/trouble.html", what="No plan was made", message=message)
    raise HTTPException(422, message)
