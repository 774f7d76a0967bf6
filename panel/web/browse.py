"""Pages to look things up: workers."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from panel.web.live import Live
from panel.web.login import own_path
from panel.web.respond import by_htmx, fragment, go, page

router = APIRouter()


@router.get("/workers")
async def workers(request: Request) -> HTMLResponse:
    live: Live = request.app.state.live
    return page(request, "workers.html", stream="workers", **live.workers())


@router.post("/look-now")
async def look_now(request: Request) -> Response:
    """Have the backend asked soon, for whoever does not want to wait for the usual round."""
    live: Live = request.app.state.live
    live.relay.wake()
    if by_htmx(request):
        return fragment("fragments/asked.html", **live.line())
    form = await request.form()
    return go(request, own_path(str(form.get("back", ""))))
