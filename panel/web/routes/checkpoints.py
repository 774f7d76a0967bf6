"""The checkpoints that the backend lists, each with its operation and what speaks against it."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from panel.domain.checkpoints import REASONS, doubt
from panel.views.artifacts import CheckpointRow
from panel.web.panel import PanelDep
from panel.web.respond import page
from panel.web.routes.models import listed

router = APIRouter()


@router.get("/checkpoints")
async def all_checkpoints(request: Request, panel: PanelDep) -> HTMLResponse:
    checkpoints, problem = await listed(panel.ktrdr.checkpoints)
    rows = []
    for checkpoint in checkpoints:
        observation = panel.monitor.known(checkpoint.operation_id)
        view = panel.reader.operation(observation) if observation else None
        rows.append(CheckpointRow(checkpoint, view, doubt(checkpoint, observation)))
    return page(request, "checkpoints.html", rows=rows, problem=problem, reasons=REASONS)
