"""The models that the backend lists, each with the training that made it and its backtests."""

from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from panel.adapters import BacktestingOperationAdapter, TrainingOperationAdapter
from panel.domain.history import OperationQuery
from panel.domain.labels import ModelLabel
from panel.domain.models import model_key, replaced, with_makers
from panel.domain.observation import Observation
from panel.errors import CLIClientError
from panel.views.artifacts import ModelRow, found_models, model_path, own_backtests, tried_model
from panel.views.operation import OperationView
from panel.web.panel import Panel, PanelDep
from panel.web.respond import page

router = APIRouter()

T = TypeVar("T")
REMEMBERED = 300  # trainings and backtests among which a model's are looked for


@router.get("/models")
async def all_models(request: Request, panel: PanelDep) -> HTMLResponse:
    """Without those that are retired, unless `?retired=1`. `q`: words that all have to occur; `sort`: "accuracy", or
    the latest first."""
    rows, problem = await model_rows(panel)
    given = {name: request.query_params.get(name, "")[:200] for name in ("q", "sort", "retired")}
    wanted = given["retired"] == "1"
    there = [row for row in rows if row.label.retired == wanted]
    return page(
        request,
        "models.html",
        rows=found_models(there, given["q"], given["sort"]),
        every=len(there),
        given=given,
        retired=sum(row.label.retired for row in rows),
        only_retired=wanted,
        problem=problem,
    )


async def model_rows(panel: Panel) -> tuple[list[ModelRow], str]:
    """(models, why there are none)."""
    models, problem = await listed(panel.ktrdr.models)
    labels, tried = panel.storage.labels.of_models(), _backtests(panel)
    made = trainings(panel)
    others, rows = replaced(each.snapshot for each in made), []
    for model, maker in with_makers(models, made):
        backtests = own_backtests(tried.get(model.key, ()), maker, others)
        rows.append(ModelRow(model, maker, labels.get(model.key, ModelLabel()), backtests))
    return rows, problem


async def listed(ask: Callable[[], Awaitable[list[T]]]) -> tuple[list[T], str]:
    """(the backend's list, or why there is none)."""
    try:
        return await ask(), ""
    except CLIClientError as exc:
        return [], exc.message


def trainings(panel: Panel) -> list[Observation]:
    """Those that left a model, the latest first. Of one that the backend lost track of only that model's time is
    known."""
    wanted = OperationQuery(kind=TrainingOperationAdapter.kind, archived=None, sort="ended", limit=REMEMBERED)
    return [each for each in panel.storage.memory.page(wanted) if model_path(each) or each.model_at]


def _backtests(panel: Panel) -> dict[str, list[OperationView]]:
    """Backtests by the key of their model, the latest first."""
    wanted = OperationQuery(kind=BacktestingOperationAdapter.kind, archived=None, sort="ended", limit=REMEMBERED)
    observations = panel.storage.memory.page(wanted)
    starts = panel.storage.starts_of([observation.snapshot.id for observation in observations])
    found: defaultdict[str, list[OperationView]] = defaultdict(list)
    for view in panel.reader.operations(observations):
        start = starts.get(view.snapshot.id)
        if path := tried_model(view.snapshot, start.form if start else {}):
            found[model_key(path)].append(view)
    return found
