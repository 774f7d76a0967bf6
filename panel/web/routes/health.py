"""Whether the panel lives, and whether it can do its work: for those who keep it running, and their tools."""

import time

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from panel import __version__
from panel.domain.connection import Line
from panel.monitoring.discovery import EVERY
from panel.monitoring.poller import READ_TIMEOUT
from panel.storage.store import Storage
from panel.web.panel import PanelDep

router = APIRouter()

LATELY = READ_TIMEOUT + 2 * EVERY  # seconds: two rounds, one of which may wait for its whole time-out


@router.get("/healthz")
async def healthz() -> JSONResponse:
    """The process answers. Nothing else is looked at: a silent backend is no reason to restart the panel."""
    return JSONResponse({"status": "ok", "name": "ktrdr-panel", "version": __version__})


@router.get("/readyz")
async def readyz(panel: PanelDep) -> JSONResponse:
    """503 with the reasons while the panel cannot do its work."""
    reasons = [*_of_memory(panel.storage), *_of_line(panel.monitor.line, time.time())]
    return JSONResponse(
        {"status": "not ready" if reasons else "ready", "reasons": reasons}, status_code=503 if reasons else 200
    )


def _of_memory(store: Storage) -> list[str]:
    problem = store.write_problem()
    return [f"The panel's memory cannot be written to: {problem}."] if problem else []


def _of_line(line: Line, now: float) -> list[str]:
    if line.answered_at is None:
        return [f"The backend at {line.address} has not answered yet. {line.message}".strip()]
    if now - line.answered_at > LATELY:
        return [
            f"The backend at {line.address} last answered {now - line.answered_at:.0f} s ago. {line.message}".strip()
        ]
    return []
