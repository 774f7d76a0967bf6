"""Compares two to six runs of one kind: those that were chosen, or of more the best."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse

from panel.adapters import KINDS
from panel.domain import comparison
from panel.domain.chart import Chart
from panel.domain.comparable import unlike
from panel.domain.formatting import many
from panel.domain.history import OperationQuery
from panel.domain.observation import Observation
from panel.domain.results import Measure
from panel.domain.snapshot import ID, Snapshot
from panel.domain.strategy_content import Content
from panel.views.operation import OperationView
from panel.views.templating import rounded, variables
from panel.web.panel import Panel, PanelDep
from panel.web.respond import page, problem_page
from panel.web.routes.labels import list_address
from panel.web.routes.operation import find
from panel.web.routes.operations import asked as asked_list
from panel.web.routes.operations import name_of_kind
from panel.web.routes.strategies import content_of_text, kept_strategy
from panel.workflows.bulk import MAX_CHOSEN

router = APIRouter(prefix="/operations")

MAX_RUNS = 6
LETTERS = "ABCDEF"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(OperationView):
    """One of the compared operations."""

    letter: str


@dataclass(frozen=True, slots=True)
class Picked:
    """`summary`: which of the chosen they are, "" when they are all of them; `kinds`: of the chosen, where they are of
    several, with how many there are of each."""

    observations: list[Observation]
    summary: str = ""
    kinds: tuple[tuple[str, int], ...] = ()


@router.get("/compare")
async def compare(request: Request, panel: PanelDep) -> HTMLResponse:
    """`?id=` for each, or `all` and the list's address as `back`; what cannot be compared is named in a sentence."""
    ids = list(dict.fromkeys(request.query_params.getlist("id")))
    back, every = list_address(request.query_params.get("back", "")), request.query_params.get("all")
    if not all(map(ID.fullmatch, ids)):
        raise HTTPException(404, "There is no operation with such a name.")
    if len(ids) > MAX_CHOSEN:
        return _refused(request, f"At most {MAX_CHOSEN} operations can be chosen; {len(ids)} are.")
    if every:
        picked = _best_matches(panel, asked_list(dict(parse_qsl(back.partition("?")[2]))).wanted)
    elif len(ids) > MAX_RUNS:
        picked = _best(await panel.bulk.runs(ids))
    else:
        picked = _all([await find(panel, operation_id) for operation_id in ids])
    observations = picked.observations
    if picked.kinds:
        names = " and ".join(many(count, name_of_kind(kind).lower()) for kind, count in picked.kinds)
        ways = _each_kind(back, picked.kinds) if every else ()
        return _refused(request, f"Only operations of one kind can be compared, and these are {names}.", ways)
    if len(observations) < 2:
        return _refused(request, f"Choose two or more operations; {len(observations) or 'none'} is chosen.")
    if every or len(ids) > MAX_RUNS:  # those of a list have no curves
        observations = [await find(panel, each.snapshot.id) for each in observations]
    views = panel.reader.operations(observations)
    runs = [Run(**variables(view), letter=letter) for letter, view in zip(LETTERS, views, strict=False)]
    snapshots: list[Snapshot] = [run.snapshot for run in runs]
    kind = snapshots[0].kind
    adapter = KINDS.get(kind)
    asked, contents = comparison.parameters(snapshots), await _contents(panel, snapshots)
    known = [content for content in contents if content]
    return page(
        request,
        "compare.html",
        runs=runs,
        kind=name_of_kind(kind),
        picked=picked.summary,
        back=back,
        differing=[row for row in asked if row.differs],
        same=[row for row in asked if not row.differs],
        results=comparison.results(adapter.measures if adapter else (), snapshots, contents),
        unlike=unlike(snapshots, contents),
        used=comparison.used(snapshots),
        sample=[run.letter for run in runs if comparison.on_sample(run.snapshot)],
        running=[run.letter for run in runs if run.verdict.live],
        curves=_drawn([adapter.chart(snapshot) if adapter else None for snapshot in snapshots]),
        settings=comparison.settings(known) if len(known) == len(contents) else None,
        now=time.time(),
    )


async def _contents(panel: Panel, snapshots: list[Snapshot]) -> list[Content | None]:
    """What the strategy of each said when it was started; None for one that is not kept."""
    kept = [await kept_strategy(panel, snapshot.id) for snapshot in snapshots]
    return [await asyncio.to_thread(content_of_text, each.text) if each else None for each in kept]


def _drawn(charts: list[Chart | None]) -> dict[str, Any]:
    """What the page's script draws; {} when no run has a curve."""
    first = next((chart for chart in charts if chart), None)
    if first is None:
        return {}
    plots = [
        asdict(overlay) | {"curves": [curve and rounded(curve) for curve in overlay.curves]}
        for overlay in comparison.overlays(charts)
    ]
    return {
        "each": first.each,
        "times": first.times,
        "letters": LETTERS[: len(charts)],
        "x": [chart.x if chart else () for chart in charts],
        "plots": plots,
    }


def _all(observations: list[Observation]) -> Picked:
    return Picked(observations, kinds=_several([each.snapshot.kind for each in observations]))


def _best(observations: list[Observation]) -> Picked:
    """Of more than can be compared."""
    if kinds := _several([each.snapshot.kind for each in observations]):
        return Picked(observations, kinds=kinds)
    kind = observations[0].snapshot.kind if observations else ""
    for measure in _decisive(kind):
        best = comparison.best_first(measure, observations)[:MAX_RUNS]
        if _has(measure, best):
            return Picked(best, _summary(kind, len(observations), measure))
    newest = sorted(observations, key=lambda each: each.snapshot.created_at or each.changed_at, reverse=True)
    return Picked(newest[:MAX_RUNS], _summary(kind, len(observations)))


def _best_matches(panel: Panel, wanted: OperationQuery) -> Picked:
    """Of all that a list matches, on every page."""
    memory = panel.storage.memory
    known = [wanted.kind] if wanted.kind else memory.names()[0]
    counted = [(kind, memory.count(replace(wanted, kind=kind))) for kind in known]
    kinds = tuple((kind, count) for kind, count in counted if count)
    if len(kinds) != 1:
        return Picked([], kinds=kinds)
    kind, count = kinds[0]
    measures = KINDS[kind].measures if kind in KINDS else ()
    query = replace(wanted, kind=kind, limit=MAX_RUNS, offset=0)
    if by_list := next((each for each in measures if each.key == wanted.sort), None):
        return Picked(memory.page(query), _summary(kind, count, by_list, first=True))
    for measure in _decisive(kind):
        best = memory.page(replace(query, sort=measure.key, ascending=measure.better == "low"))
        if _has(measure, best):
            return Picked(best, _summary(kind, count, measure))
    return Picked(memory.page(replace(query, sort="created", ascending=False)), _summary(kind, count))


def _decisive(kind: str) -> list[Measure]:
    """What runs of this kind are ranked by unless chosen: the lead over what needs no skill, and where
    that is unknown, the first of its measures."""
    measures = [each for each in KINDS[kind].measures if each.better in ("high", "low")] if kind in KINDS else []
    return [each for each in measures if each.over] + measures[:1]


def _has(measure: Measure, best: Sequence[Observation]) -> bool:
    return bool(best) and comparison.measured(measure, best[0].snapshot) is not None


def _summary(kind: str, count: int, measure: Measure | None = None, *, first: bool = False) -> str:
    """Which of how many are compared; "" when it is all of them."""
    if count <= MAX_RUNS:
        return ""
    of = f"of {many(count, name_of_kind(kind).lower())}"
    if measure is None:
        return f"These are the newest {MAX_RUNS} {of}. More cannot be compared at once."
    rank = f"the first {MAX_RUNS} {of} in the list’s order" if first else f"the best {MAX_RUNS} {of}"
    by = f"{measure.label[0].lower()}{measure.label[1:]}"
    return f"These are {rank}, by {'lead ' if measure.over else ''}{by}. More cannot be compared at once."


def _several(kinds: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """How many there are of each kind; () when there is one kind alone."""
    counted = {kind: kinds.count(kind) for kind in kinds}
    return tuple(counted.items()) if len(counted) > 1 else ()


def _each_kind(back: str, kinds: Sequence[tuple[str, int]]) -> tuple[tuple[str, str], ...]:
    """Where each kind of these is compared alone: address and words."""
    asked = asked_list(dict(parse_qsl(back.partition("?")[2])))
    return tuple(
        (
            f"/operations/compare?{urlencode({'all': '1', 'back': asked.address(kind=kind)})}",
            f"Compare the {many(count, name_of_kind(kind).lower())}",
        )
        for kind, count in kinds
        if count > 1
    )


def _refused(request: Request, message: str, ways: Sequence[tuple[str, str]] = ()) -> HTMLResponse:
    return problem_page(request, 422, "Nothing to compare", message, ways=ways)
