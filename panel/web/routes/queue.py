"""Loads that wait or run, and plans that load and then train."""

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from panel.adapters import KINDS
from panel.domain.audit import Outcome
from panel.domain.requests import PlanState
from panel.errors import CLIClientError, InvalidForm
from panel.web.panel import PanelDep
from panel.web.recording import note
from panel.web.respond import by_htmx, fragment, go, page, typed

router = APIRouter()

MAX_PLANNED = 12  # loads of one plan


@router.post("/loads/{key}/cancel")
async def cancel_load(request: Request, panel: PanelDep, key: str) -> Response:
    try:
        await panel.queue.cancel(key)
    except CLIClientError as exc:
        note(request, Outcome.REFUSED, detail=exc.message)
        if by_htmx(request):
            return fragment("fragments/trouble.html", what="The cancel was not accepted", message=exc.message)
    return Response(status_code=204) if by_htmx(request) else go(request, "/data")


@router.post("/plans")
async def make_plan(request: Request, panel: PanelDep) -> Response:
    """Load what is missing, then train: `load` fields name the pairs, the others are the training's form."""
    form = await request.form(max_files=0, max_fields=60)
    given = await typed(request)
    values = {field.name: given.get(field.name, "") for field in KINDS["training"].fields}
    key = given.get("key", "")
    pairs = [str(pair).split(" ") for pair in form.getlist("load")][:MAX_PLANNED]
    if not 16 <= len(key) <= 64 or not pairs:
        return _trouble(request, "This plan was out of date. Start again from the form.")
    try:
        KINDS["training"].from_form(values)
        loads = [dict(zip(("symbol", "timeframe", "mode", "start_date"), pair, strict=False)) for pair in pairs]
        for load in loads:
            KINDS["data_load"].from_form(load)
    except InvalidForm as exc:
        return _trouble(request, " ".join(exc.errors.values()))
    note(request, subject=values["strategy_name"], detail=f"after {len(loads)} loads")
    panel.queue.plan(key, values, loads)
    return go(request, f"/plans/{key}")


@router.get("/plans/{key}")
async def plan(request: Request, panel: PanelDep, key: str) -> Response:
    view = panel.reader.plan(key)
    if view is None:
        raise HTTPException(404, "There is no such plan.")
    if view.plan.state is PlanState.STARTED:
        return go(request, f"/operations/{view.plan.operation_id}")
    return page(request, "plan.html", view, stream=f"plan-{key}")


@router.post("/plans/{key}/cancel")
async def cancel_plan(request: Request, panel: PanelDep, key: str) -> Response:
    try:
        await panel.queue.cancel_plan(key)
    except CLIClientError as exc:
        raise HTTPException(502, f"A load of the plan was not cancelled: {exc.message}") from exc
    return go(request, f"/plans/{key}")


def _trouble(request: Request, message: str) -> Response:
    note(request, Outcome.REFUSED, detail=message)
    if by_htmx(request):
        return fragment("fragments/trouble.html", what="No plan was made", message=message)
    raise HTTPException(422, message)
