"""Compares two to six runs of one kind."""

import asyncio
import time
from dataclasses import asdict, dataclass
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse

from panel.adapters import KINDS
from panel.domain import comparison
from panel.domain.chart import Chart
from panel.domain.snapshot import ID, Snapshot
from panel.views.operation import OperationView
from panel.views.templating import rounded, variables
from panel.web.panel import Panel, PanelDep
from panel.web.respond import page
from panel.web.routes.operation import find
from panel.web.routes.operations import name_of_kind
from panel.web.routes.strategies import content_of_text, kept_strategy

router = APIRouter(prefix="/operations")

MAX_RUNS = 6
LETTERS = "ABCDEF"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(OperationView):
    """One of the compared operations."""

    letter: str


@router.get("/compare")
async def compare(request: Request, panel: PanelDep) -> HTMLResponse:
    """`?id=` for each; what cannot be compared is said in a sentence."""
    ids = list(dict.fromkeys(request.query_params.getlist("id")))
    if not all(map(ID.fullmatch, ids)):
        raise HTTPException(404, "There is no operation with such a name.")
    if not 2 <= len(ids) <= MAX_RUNS:
        verb = "is" if len(ids) < 2 else "are"
        return _refused(request, f"Choose two to six operations; {len(ids) or 'none'} {verb} chosen.")
    observations = [await find(panel, operation_id) for operation_id in ids]
    views = panel.reader.operations(observations)
    runs = [Run(**variables(view), letter=letter) for letter, view in zip(LETTERS, views, strict=False)]
    snapshots: list[Snapshot] = [run.snapshot for run in runs]
    kinds = list(dict.fromkeys(snapshot.kind for snapshot in snapshots))
    if len(kinds) > 1:
        names = " and a ".join(name_of_kind(kind).lower() for kind in kinds)
        return _refused(request, f"Only operations of one kind can be compared, not a {names}.")
    adapter = KINDS.get(kinds[0])
    charts = [adapter.chart(snapshot) if adapter else None for snapshot in snapshots]
    asked = comparison.parameters(snapshots)
    return page(
        request,
        "compare.html",
        runs=runs,
        kind=name_of_kind(kinds[0]),
        differing=[row for row in asked if row.differs],
        same=[row for row in asked if not row.differs],
        results=comparison.results(adapter.measures if adapter else (), snapshots),
        used=comparison.used(snapshots),
        sample=[run.letter for run in runs if comparison.on_sample(run.snapshot)],
        running=[run.letter for run in runs if run.verdict.live],
        curves=_drawn(charts),
        settings=await _settings(panel, snapshots),
        now=time.time(),
    )


async def _settings(panel: Panel, snapshots: list[Snapshot]) -> list[comparison.Row] | None:
    """Where the runs' strategies differ, as they were; None when one of them is not kept."""
    kept = [await kept_strategy(panel, snapshot.id) for snapshot in snapshots]
    texts = [each.text for each in kept if each]
    if len(texts) < len(kept):
        return None
    return comparison.settings([await asyncio.to_thread(content_of_text, text) for text in texts])


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


def _refused(request: Request, message: str) -> HTMLResponse:
    return page(request, "problem.html", status=422, title="Nothing to compare", message=message)
