"""What is measured, for Prometheus."""

from fastapi import APIRouter, Response
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from panel.web.panel import PanelDep

router = APIRouter()


@router.get("/metrics")
async def metrics(panel: PanelDep) -> Response:
    return Response(generate_latest(panel.metrics.registry), headers={"content-type": CONTENT_TYPE_LATEST})
