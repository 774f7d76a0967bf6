"""Liveness and readiness of the panel, for operators and their tools."""

import asyncio
import sqlite3
import time

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from panel import __version__
from panel.domain.connection import Connection
from panel.domain.memory import damaged
from panel.monitoring.discovery import INTERVAL
from panel.monitoring.poller import READ_TIMEOUT
from panel.monitoring.recorder import Recorder
from panel.storage.store import Storage
from panel.web.panel import PanelDep

router = APIRouter()

MEMORY_TIMEOUT = 5.0  # seconds; a write waits 2 s for another program's lock
ANSWERED_WITHIN = READ_TIMEOUT + 2 * INTERVAL  # seconds: two rounds, one of which may wait for its whole time-out


@router.get("/healthz")
async def healthz() -> JSONResponse:
    """The process answers. Nothing else is checked: a silent backend is no reason to restart the panel."""
    return JSONResponse({"status": "ok", "name": "ktrdr-panel", "version": __version__})


@router.get("/readyz")
async def readyz(panel: PanelDep) -> JSONResponse:
    """503 with the reasons while the panel cannot do its work."""
    reasons = [
        *await _of_memory(panel.storage, panel.monitor.recorder),
        *_of_backend(panel.monitor.connection, time.time()),
    ]
    return JSONResponse(
        {"status": "not ready" if reasons else "ready", "reasons": reasons}, status_code=503 if reasons else 200
    )


async def _of_memory(store: Storage, recorder: Recorder) -> list[str]:
    """Tried after the writes that wait, since those are what fails."""
    try:
        async with asyncio.timeout(MEMORY_TIMEOUT):
            problem = await store.write(Storage.write_problem)
    except TimeoutError:
        problem = f"it takes nothing within {MEMORY_TIMEOUT:g} s"
    except sqlite3.Error as exc:
        problem = str(exc)
    if not problem and damaged(recorder.reason):  # a damaged file may still be written to
        problem = recorder.reason
    return [f"The panel's memory cannot be written to: {problem}."] if problem else []


def _of_backend(connection: Connection, now: float) -> list[str]:
    if connection.answered_at is None:
        return [f"The backend at {connection.address} has not answered yet. {connection.message}".strip()]
    if now - connection.answered_at > ANSWERED_WITHIN:
        since = f"{now - connection.answered_at:.0f} s ago"
        return [f"The backend at {connection.address} last answered {since}. {connection.message}".strip()]
    return []
