"""Starts and batches that are repeated by the clock."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from panel.adapters import KINDS, DataLoadOperationAdapter, Kind
from panel.domain.labels import Shelf
from panel.domain.requests import FORM_KEY
from panel.domain.schedules import BATCH, DAYS, Schedule
from panel.domain.snapshot import ID
from panel.domain.strategies import Strategy
from panel.errors import CLIClientError, InvalidForm
from panel.views.schedules import schedule_views
from panel.web.panel import Panel, PanelDep
from panel.web.respond import actor_of, page, redirect, refused_status
from panel.workflows.batch_form import FIELDS, WAYS
from panel.workflows.schedules import FormReused
from panel.workflows.starting import new_key
from panel.workflows.submit import asked_before

ASKED_FOR = 2.0  # seconds that the list waits for what the backend says of strategies

SAVED_BEFORE = (
    "This form was saved before, with other values, and that schedule is in the list. Save it again to add another."
)
DELETED = "This form was saved before, and that schedule was deleted since. Save it again to add another."

router = APIRouter(prefix="/schedules")


@dataclass(frozen=True, slots=True)
class Typed:
    """A form as it was typed. `kind`: of an operation, or BATCH."""

    kind: str
    values: Mapping[str, str]
    at: str = "18:30"
    zone: str = "UTC"
    days: tuple[int, ...] = (0, 1, 2, 3, 4)
    errors: Mapping[str, str] = field(default_factory=dict)


@router.get("")
async def schedules(request: Request, panel: PanelDep) -> Response:
    store = panel.storage
    every = store.schedules.all()
    runs = {each.key: store.schedules.last_run(each.key) for each in every}
    named = [run.entry for run in runs.values() if run is not None and run.entry]
    entries = {key: store.queue.entry(key) for key in named}
    made = [
        key
        for key in named
        if entries[key] is None and (batch := store.batches.batch(key)) is not None and batch.shelf is not Shelf.DELETED
    ]
    batches = {key: sum(run.open for run in store.batches.runs(key)) for key in made}
    kinds = [kind for kind in KINDS.values() if kind.fields and kind.kind in panel.offers.kinds]
    views = schedule_views(every, runs, entries, batches, await _gone(panel, every))
    return page(request, "schedules.html", schedules=views, kinds=kinds)


@router.get("/new")
async def form(
    request: Request, panel: PanelDep, kind: str = DataLoadOperationAdapter.kind, again: str = "", batch: str = ""
) -> Response:
    """`again`: an operation, or `batch`: a batch, that is to be repeated."""
    if kind == BATCH:
        found = panel.storage.batches.batch(batch)
        if found is None or found.shelf is Shelf.DELETED:
            raise HTTPException(404, "There is no batch with this key.")
        return await _form(request, panel, Typed(BATCH, found.form), new_key())
    adapter = _adapter(kind)
    values = {field.name: field.default for field in adapter.fields}
    if ID.fullmatch(again):
        values |= asked_before(adapter, panel.storage.start_of(again), panel.monitor.known(again))
    values |= {name: value for name, value in request.query_params.items() if name in values}
    return await _form(request, panel, Typed(kind, values), new_key())


@router.post("")
async def add(request: Request, panel: PanelDep) -> Response:
    given = await request.form(max_files=0, max_fields=60)
    key = str(given.get("key", ""))
    typed = await _typed(request, panel, str(given.get("kind", "")))
    if not FORM_KEY.fullmatch(key):
        raise HTTPException(422, "This form was out of date. Open it again.")
    try:
        await panel.schedules.add(key, typed.kind, typed.values, typed.days, typed.at, typed.zone, actor_of(request))
    except InvalidForm as exc:
        return await _form(request, panel, replace(typed, errors=exc.errors), key)
    except FormReused as exc:  # a page from before, come back to
        errors = {"": DELETED if exc.deleted else SAVED_BEFORE}
        return await _form(request, panel, replace(typed, errors=errors), new_key())
    return redirect(request, "/schedules")


@router.get("/{key}/edit")
async def edit_form(request: Request, panel: PanelDep, key: str) -> Response:
    schedule = known(panel, key)
    typed = Typed(schedule.kind, schedule.form, schedule.at, schedule.zone, tuple(sorted(schedule.days)))
    return await _form(request, panel, typed, key, editing=True)


@router.post("/{key}/edit")
async def edit(request: Request, panel: PanelDep, key: str) -> Response:
    typed = await _typed(request, panel, known(panel, key).kind)
    try:
        await panel.schedules.change(key, typed.values, typed.days, typed.at, typed.zone)
    except InvalidForm as exc:
        return await _form(request, panel, replace(typed, errors=exc.errors), key, editing=True)
    return redirect(request, "/schedules")


@router.post("/{key}/switch")
async def switch(request: Request, panel: PanelDep, key: str) -> Response:
    known(panel, key)
    given = await request.form(max_files=0, max_fields=5)
    await panel.schedules.switch(key, given.get("on") == "1")
    return redirect(request, "/schedules")


@router.post("/{key}/delete")
async def delete(request: Request, panel: PanelDep, key: str) -> Response:
    await panel.schedules.delete(key)
    return redirect(request, "/schedules")


def known(panel: Panel, key: str) -> Schedule:
    schedule = panel.storage.schedules.get(key)
    if schedule is None:
        raise HTTPException(404, "There is no such schedule.")
    return schedule


def _adapter(kind: str) -> type[Kind]:
    adapter = KINDS.get(kind)
    if adapter is None or not adapter.fields:
        raise HTTPException(404, "There is no such kind of start to repeat.")
    return adapter


async def _typed(request: Request, panel: Panel, kind: str) -> Typed:
    given = await request.form(max_files=0, max_fields=60)
    texts = {name: value for name, value in given.items() if isinstance(value, str)}
    if kind == BATCH:
        values = {name: texts[name] for name in FIELDS if texts.get(name)}
    else:
        values = await panel.submit.values(_adapter(kind), texts)
    days = tuple(sorted({int(day) for day in given.getlist("day") if day in tuple("0123456")}))
    return Typed(kind, values, texts.get("at", "").strip(), texts.get("zone", "").strip(), days)


async def _gone(panel: Panel, schedules: list[Schedule]) -> set[str]:
    """The strategies of these that do not exist any more. The page does not wait for a slow backend."""
    names = list({name for each in schedules if (name := each.form.get("strategy_name", "").strip())})
    if panel.monitor.connection.failing_since is not None:
        return set()
    try:
        async with asyncio.timeout(ASKED_FOR):
            gone = await asyncio.gather(*(panel.catalogue.lacks(name) for name in names))
    except TimeoutError:
        return set()
    return {name for name, missing in zip(names, gone, strict=True) if missing}


async def _form(request: Request, panel: Panel, typed: Typed, key: str, *, editing: bool = False) -> Response:
    strategies: list[Strategy] = []
    if "strategy_name" in typed.values:
        with suppress(CLIClientError):
            strategies = await panel.catalogue.strategies()
    return page(
        request,
        "schedule-new.html",
        adapter=KINDS.get(typed.kind),
        typed=typed,
        values=typed.values,
        errors=typed.errors,
        days=DAYS,
        ways=dict(WAYS),
        strategies=[each.name for each in strategies if not each.problem],
        key=key,
        editing=editing,
        fresh=not typed.errors and not editing,
        status=refused_status(request) if typed.errors else 200,
    )
