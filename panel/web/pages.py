"""Home, and one operation."""

import json
import time

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse

from panel.errors import CLIClientError
from panel.operations import ID
from panel.verdict import Evidence
from panel.web.chart import curves_of
from panel.web.details import changes_of, timeline_of
from panel.web.live import Live
from panel.web.respond import page

router = APIRouter()


@router.get("/")
async def home(request: Request) -> HTMLResponse:
    live: Live = request.app.state.live
    return page(request, "home.html", stream="home", **live.home())


@router.get("/operations/{operation_id}")
async def operation(request: Request, operation_id: str) -> HTMLResponse:
    live: Live = request.app.state.live
    seen = await find(request, operation_id)
    await live.resumable(seen)
    now = time.time()
    verdict, store = live.relay.verdict(seen), request.app.state.store
    view = live.whole(seen, verdict, now) | timeline_of(store, seen, verdict, now)
    view["changes"] = changes_of(store, seen)
    answer = live.relay.answer(operation_id)
    shown = {name: value for name, value in (answer or {}).items() if name != "metrics"}
    raw = json.dumps(shown, indent=2, ensure_ascii=False, default=str) if answer else ""
    curves = json.dumps(curves_of(seen.snapshot))
    return page(request, "operation.html", stream=operation_id, curves=curves, raw=raw, **view)


async def find(request: Request, operation_id: str) -> Evidence:
    """What is known of the operation; 404 when nobody knows it, 502 when the backend cannot be asked."""
    if not ID.fullmatch(operation_id):
        raise HTTPException(404, "There is no operation with such a name.")
    try:
        live: Live = request.app.state.live
        seen = await live.relay.look(operation_id)
    except CLIClientError as exc:
        raise HTTPException(502, f"The panel does not know this operation, and could not ask: {exc.message}") from exc
    if seen is None:
        raise HTTPException(404, "Neither the panel nor the backend knows this operation.")
    return seen
