"""The strategies, with their last runs and their best models."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from panel.domain.history import OperationQuery
from panel.domain.strategies import Strategy
from panel.errors import CLIClientError
from panel.views.artifacts import StrategyRow, best_models
from panel.views.operation import OperationView
from panel.web.panel import Panel, PanelDep
from panel.web.respond import page
from panel.web.routes.models import trainings

router = APIRouter()


@router.get("/strategies")
async def strategies(request: Request, panel: PanelDep) -> HTMLResponse:
    try:
        listed, problem = await panel.catalogue.strategies(), ""
    except CLIClientError as exc:
        listed, problem = [], exc.message
    best = best_models(trainings(panel))
    rows = [StrategyRow(each, _last_runs(panel, each), best.get(each.name) or best.get(each.title)) for each in listed]
    return page(request, "strategies.html", rows=rows, problem=problem)


def _last_runs(panel: Panel, strategy: Strategy) -> list[OperationView]:
    """A training that others started carries the name inside the file, not the file's."""
    names = dict.fromkeys(name for name in (strategy.name, strategy.title) if name)
    queries = [OperationQuery(strategy=name, limit=3) for name in names]
    found = [observation for query in queries for observation in panel.storage.memory.page(query)]
    found.sort(key=lambda observation: -(observation.snapshot.created_at or observation.changed_at))
    return [panel.reader.operation(observation) for observation in found[:3]]
