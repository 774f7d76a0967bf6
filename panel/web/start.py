"""Forms that start something, and what became of a start that was not answered."""

import asyncio
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from panel.adapters import KINDS, OperationAdapter
from panel.adapters.base import TIMEFRAMES
from panel.catalogue import Catalogue, Range, Strategy
from panel.errors import CLIClientError, InvalidForm
from panel.operations import ID
from panel.starting import Starting, new_key
from panel.store import Start
from panel.web.live import Live
from panel.web.respond import by_htmx, fragment, go, page

router = APIRouter()

MAX_CHECKED = 12  # pairs of symbol and timeframe whose data is looked up for one form


@router.get("/start/{kind}")
async def form(request: Request, kind: str) -> Response:
    """An empty form, or one filled in from an earlier operation (`?again=<id>`) or from `?<field>=`."""
    adapter = _adapter(kind)
    values = {field.name: field.default for field in adapter.fields}
    again = request.query_params.get("again", "")
    if ID.fullmatch(again):
        start, seen = request.app.state.store.start_of(again), request.app.state.live.relay.known(again)
        if start is not None:
            values |= start.form
        elif seen is not None:
            values |= _as_typed(adapter, seen.snapshot.parameters | {"strategy_name": seen.snapshot.strategy})
    values |= {k: v for k, v in request.query_params.items() if k in values}
    return await _form(request, adapter, values, {}, new_key())


@router.post("/start/{kind}")
async def submit(request: Request, kind: str) -> Response:
    adapter = _adapter(kind)
    typed = await _typed(request)
    values = {field.name: typed.get(field.name, "") for field in adapter.fields}
    key = typed.get("key", "")
    if not 16 <= len(key) <= 64:
        return await _form(
            request, adapter, values, {"": "This form was out of date. Start again from here."}, new_key()
        )
    try:
        made = adapter.from_form(values)
    except InvalidForm as exc:
        return await _form(request, adapter, values, exc.errors, key)
    starting: Starting = request.app.state.starting
    start = await starting.submit(key, made, values)
    if typed.get("inline") and by_htmx(request):
        return await _in_place(request, start)
    match start.state:
        case "started":
            return go(request, f"/operations/{start.operation_id}")
        case "refused":
            return await _form(request, adapter, values, _blame(adapter, start.message), new_key())
        case "unsent":
            message = f"{start.message} Nothing was started; what you typed is still here."
            return await _form(request, adapter, values, {"": message}, new_key(), status=502)
    return go(request, f"/starts/{key}")


async def _in_place(request: Request, start: Start) -> Response:
    """A start from a button inside another form: that page stays, and looks again."""
    if start.state == "started" and start.operation_id:
        await request.app.state.live.relay.look(start.operation_id)
        return Response(status_code=204, headers={"HX-Trigger": "look"})
    what = "Not confirmed" if start.state in ("sending", "unconfirmed") else "Not started"
    return fragment("fragments/trouble.html", what=what, message=start.message)


@router.post("/start/training/look")
async def look(request: Request) -> Response:
    """What is known of the chosen strategy and of the data it needs. A POST, because the backend's own
    checks are: nothing here changes anything."""
    typed = await _typed(request)
    return fragment("fragments/preflight.html", **await _preflight(request, typed))


@router.get("/starts/{key}")
async def unconfirmed(request: Request, key: str) -> Response:
    start = request.app.state.store.start(key)
    if start is None:
        raise HTTPException(404, "Nothing was started with this key.")
    if start.state == "started":
        return go(request, f"/operations/{start.operation_id}")
    return page(request, "unconfirmed.html", start=start, kind=KINDS[start.kind].title)


@router.post("/starts/{key}/check")
async def check_again(request: Request, key: str) -> Response:
    start = await request.app.state.starting.check_again(key)
    if start is None:
        raise HTTPException(404, "Nothing was started with this key.")
    return go(request, f"/operations/{start.operation_id}" if start.state == "started" else f"/starts/{key}")


async def _form(
    request: Request,
    adapter: type[OperationAdapter],
    values: dict[str, str],
    errors: dict[str, str],
    key: str,
    status: int = 0,
) -> Response:
    catalogue: Catalogue = request.app.state.catalogue
    strategies: list[Strategy] = []
    silent = ""
    if any(field.name == "strategy_name" for field in adapter.fields):
        try:
            strategies = await catalogue.strategies()
        except CLIClientError as exc:
            silent = exc.message
    return page(
        request,
        f"kinds/{adapter.kind}.html",
        status or (422 if errors else 200),
        adapter=adapter,
        fields={field.name: field for field in adapter.fields},
        values=values,
        errors=errors,
        key=key,
        strategies=strategies,
        silent=silent,
        timeframes=TIMEFRAMES,
    )


async def _preflight(request: Request, typed: dict[str, str]) -> dict[str, Any]:
    catalogue: Catalogue = request.app.state.catalogue
    live: Live = request.app.state.live
    name = typed.get("strategy_name", "").strip()
    nothing: dict[str, Any] = {"strategy": None, "check": None, "ranges": [], "silent": "", "embedded": live.embedded}
    if not name:
        return nothing
    try:
        listed = {strategy.name: strategy for strategy in await catalogue.strategies()}
        strategy = listed.get(name, Strategy(name))
        symbols = _listed(typed.get("symbols", "").upper()) or strategy.symbols
        timeframes = _listed(typed.get("timeframes", "")) or strategy.timeframes
        pairs = [(symbol, timeframe) for symbol in symbols for timeframe in timeframes][:MAX_CHECKED]
        check, ranges = await asyncio.gather(
            catalogue.check(name), asyncio.gather(*(catalogue.range(s, t) for s, t in pairs))
        )
    except CLIClientError as exc:
        return nothing | {"silent": exc.message}
    return nothing | {"strategy": strategy, "check": check, "ranges": [_loadable(live, found) for found in ranges]}


def _loadable(live: Live, found: Range) -> dict[str, Any]:
    """A range, and the load of it that is under way, if there is one."""
    loading = None
    for seen in live.relay.running():
        snapshot = seen.snapshot
        if (snapshot.kind, snapshot.symbol, snapshot.timeframe) == ("data_load", found.symbol, found.timeframe):
            loading = snapshot
            live.relay.wake(snapshot.id)  # somebody watches it here
    return {"range": found, "loading": loading, "key": new_key()}


def _blame(adapter: type[OperationAdapter], message: str) -> dict[str, str]:
    """The backend's refusal beside the field it is about, where that can be told."""
    shown = message.partition(" (searched:")[0]
    for word, name in (("trategy", "strategy_name"), ("symbol", "symbol"), ("isoformat", "start_date")):
        if word in message and any(field.name == name for field in adapter.fields):
            return {name: shown}
    return {"": shown}


def _as_typed(adapter: type[OperationAdapter], parameters: dict[str, Any]) -> dict[str, str]:
    """The parameters of an operation as somebody would have typed them."""
    typed = {}
    for field in adapter.fields:
        value = parameters.get(field.name)
        if isinstance(value, list):
            typed[field.name] = ", ".join(str(item) for item in value)
        elif isinstance(value, bool):
            typed[field.name] = "1" if value else ""
        elif value is not None:
            typed[field.name] = str(value)[:10] if field.type == "date" else str(value)
    return typed


def _adapter(kind: str) -> type[OperationAdapter]:
    if kind not in KINDS:
        raise HTTPException(404, "There is nothing of this kind to start.")
    return KINDS[kind]


def _listed(typed: str) -> tuple[str, ...]:
    return tuple(item for item in typed.replace(",", " ").replace(";", " ").split() if len(item) <= 20)[:20]


async def _typed(request: Request) -> dict[str, str]:
    form = await request.form(max_files=0, max_fields=50)
    return {name: value for name, value in form.items() if isinstance(value, str)}
