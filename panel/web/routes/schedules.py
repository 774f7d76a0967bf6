"""Starts that are repeated by the clock."""

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from panel.adapters import KINDS, Kind
from panel.domain.schedules import DAYS
from panel.domain.snapshot import ID
from panel.errors import InvalidForm
from panel.views.schedules import schedule_views
from panel.web.panel import Panel, PanelDep
from panel.web.respond import actor, go, page
from panel.workflows.starting import new_key
from panel.workflows.submit import asked_before

router = APIRouter()


@router.get("/schedules")
async def schedules(request: Request, panel: PanelDep) -> Response:
    store = panel.storage
    runs = {each.key: store.schedules.last_run(each.key) for each in store.schedules.all()}
    entries = {run.entry: store.queue.entry(run.entry) for run in runs.values() if run is not None and run.entry}
    kinds = [kind for kind in KINDS.values() if kind.fields and kind.kind in panel.offers.kinds]
    return page(request, "schedules.html", schedules=schedule_views(store.schedules.all(), runs, entries), kinds=kinds)


@router.get("/schedules/new")
async def form(request: Request, panel: PanelDep, kind: str = "data_load", again: str = "") -> Response:
    """`again`: an operation that is to be repeated."""
    adapter = _adapter(kind)
    values = {field.name: field.default for field in adapter.fields}
    if ID.fullmatch(again):
        values |= asked_before(adapter, panel.storage.start_of(again), panel.monitor.known(again))
    values |= {name: value for name, value in request.query_params.items() if name in values}
    return _form(request, panel, adapter, values, {"at": "18:30", "zone": "UTC"}, list(range(5)), {}, new_key())


@router.post("/schedules")
async def add(request: Request, panel: PanelDep) -> Response:
    given = await request.form(max_files=0, max_fields=60)
    typed = {name: value for name, value in given.items() if isinstance(value, str)}
    adapter, key = _adapter(typed.get("kind", "")), typed.get("key", "")
    if not 16 <= len(key) <= 40:
        raise HTTPException(422, "This form was out of date. Open it again.")
    values = await panel.submit.values(adapter, typed)
    days = sorted({int(day) for day in given.getlist("day") if day in tuple("0123456")})
    when = {name: typed.get(name, "").strip() for name in ("at", "zone")}
    try:
        await panel.schedules.add(key, adapter.kind, values, days, when["at"], when["zone"], actor(request))
    except InvalidForm as exc:
        return _form(request, panel, adapter, values, when, days, exc.errors, key)
    return go(request, "/schedules")


@router.post("/schedules/{key}/switch")
async def switch(request: Request, panel: PanelDep, key: str) -> Response:
    schedule = panel.storage.schedules.get(key)
    if schedule is None:
        raise HTTPException(404, "There is no such schedule.")
    given = await request.form(max_files=0, max_fields=5)
    await panel.schedules.switch(key, given.get("on") == "1")
    return go(request, "/schedules")


@router.post("/schedules/{key}/delete")
async def delete(request: Request, panel: PanelDep, key: str) -> Response:
    await panel.schedules.delete(key)
    return go(request, "/schedules")


def _adapter(kind: str) -> type[Kind]:
    adapter = KINDS.get(kind)
    if adapter is None or not adapter.fields:
        raise HTTPException(404, "There is no such kind of start to repeat.")
    return adapter


def _form(
    request: Request,
    panel: Panel,
    adapter: type[Kind],
    values: dict[str, str],
    when: dict[str, str],
    chosen: list[int],
    errors: dict[str, str],
    key: str,
) -> Response:
    return page(
        request,
        "schedule-new.html",
        adapter=adapter,
        values=values,
        when=when,
        chosen=chosen,
        days=DAYS,
        errors=errors,
        key=key,
        fresh=not errors,
        status=422 if errors else 200,
    )
