"""The models that the backend lists, each with the training that made it."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from panel.domain.history import OperationQuery
from panel.domain.models import with_makers
from panel.domain.observation import Observation
from panel.errors import CLIClientError
from panel.views.artifacts import ModelRow, model_path
from panel.web.panel import Panel, PanelDep
from panel.web.respond import page

router = APIRouter()

T = TypeVar("T")
REMEMBERED = 300  # trainings among which a model's is looked for


@router.get("/models")
async def all_models(request: Request, panel: PanelDep) -> HTMLResponse:
    models, problem = await listed(panel.ktrdr.models)
    rows = [ModelRow(model, maker) for model, maker in with_makers(models, trainings(panel))]
    return page(request, "models.html", rows=rows, problem=problem)


async def listed(ask: Callable[[], Awaitable[list[T]]]) -> tuple[list[T], str]:
    """(the backend's list, why there is none)."""
    try:
        return await ask(), ""
    except CLIClientError as exc:
        return [], exc.message


def trainings(panel: Panel) -> list[Observation]:
    """Those that left a model, the latest first. Of one that the backend lost track of only that model's time is
    known."""
    wanted = OperationQuery(kind="training", sort="ended", limit=REMEMBERED)
    return [each for each in panel.storage.memory.page(wanted) if model_path(each) or each.model_at]
