"""Home: what wants attention, what runs, what ended lately."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from panel.web.panel import PanelDep
from panel.web.respond import page

router = APIRouter()


@router.get("/")
async def home(request: Request, panel: PanelDep) -> HTMLResponse:
    return page(request, "home.html", panel.reader.home(), stream="home")
