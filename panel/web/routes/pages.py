"""Home, and one operation."""

import json
import time

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse

from panel.domain.snapshot import ID
from panel.domain.verdict import Observation
from panel.errors import CLIClientError
from panel.live.publisher import Publisher
from panel.views.charts import curves_of
from panel.views.operation import changes_of, timeline_of
from panel.web.respond import page

router = APIRouter()


@router.get("/")
async def home(request: Request) -> HTMLResponse:
    live: Publisher = request.app.state.live
    return page(request, "home.html", stream="home", **live.home())


@router.get("/operations/{operation_id}")
async def operation(request: Request, operation_id: str) -> HTMLResponse:
    live: Publisher = request.app.state.live
    observation = await find(request, operation_id)
    await live.resumable(observation)
    now = time.time()
    verdict, store = live.relay.verdict(observation), request.app.state.store
    view = live.whole(observation, verdict, now) | timeline_of(store, observation, verdict, now)
    view["changes"] = changes_of(store, observation)
    answer = live.relay.answer(operation_id)
    shown = {name: value for name, value in (answer or {}).items() if name != "metrics"}
    raw = json.dumps(shown, indent=2, ensure_ascii=False, default=str) if answer else ""
    curves = json.dumps(curves_of(observation.snapshot))
    return page(request, "operation.html", stream=operation_id, curves=curves, raw=raw, **view)


async def find(request: Request, operation_id: str) -> Observation:
    """What is known of the operation; 404 when nobody knows it, 502 when the backend cannot be asked."""
    if not ID.fullmatch(operation_id):
        raise HTTPException(404, "There is no operation with such a name.")
    try:
        live: Publisher = request.app.state.live
        observation = await live.relay.look(operation_id)
    except CLIClientError as exc:
        raise HTTPException(502, f"The panel does not know this operation, and could not ask: {exc.message}") from exc
    if observation is None:
        raise HTTPException(404, "Neither the panel nor the backend knows this operation.")
    return observation
