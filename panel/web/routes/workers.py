"""The workers, and an immediate round of reading the backend."""

import time

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from panel.web.auth.login import own_path
from panel.web.panel import PanelDep
from panel.web.respond import by_htmx, fragment, page, redirect

router = APIRouter()


@router.get("/workers")
async def workers(request: Request, panel: PanelDep) -> HTMLResponse:
    return page(request, "workers.html", panel.reader.workers(), stream="workers")


@router.post("/look-now")
async def look_now(request: Request, panel: PanelDep) -> Response:
    """Ask the backend soon, without waiting for the usual round."""
    panel.monitor.wake()
    if by_htmx(request):
        return fragment("fragments/asked.html", now=time.time())
    form = await request.form()
    return redirect(request, own_path(str(form.get("back", ""))))
