"""Stored market data: the map, the queue of loads, plans, and candles."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import JSONResponse, Response

from panel.adapters import KINDS
from panel.backend.ktrdr import Ktrdr
from panel.domain.formatting import day
from panel.domain.gaps import DAY, LENGTHS, Candle
from panel.domain.values import utc
from panel.errors import CLIClientError, InvalidForm
from panel.live.publisher import Publisher
from panel.views.charts import thin
from panel.web.respond import by_htmx, fragment, go, page
from panel.web.routes.start import typed

router = APIRouter()

Moment = Annotated[float, Query(ge=0, le=1e11, allow_inf_nan=False)]  # Unix seconds

READ_AT_ONCE = 20_000  # bars of one question: under two megabytes
READ_IN_ALL = 200_000  # bars of one drawing, about
NEWEST = 1500  # bars that are drawn at first
MAX_PLANNED = 12  # loads of one plan


@router.get("/data")
async def stored(request: Request) -> Response:
    """What is stored. The page itself asks for a fresh look, with a POST."""
    live: Publisher = request.app.state.live
    return page(request, "data.html", stream="stored", **live.stored())


@router.post("/data/look")
async def look(request: Request) -> Response:
    live: Publisher = request.app.state.live
    live.survey.look(again=bool((await typed(request)).get("again")))
    return Response(status_code=204) if by_htmx(request) else go(request, "/data")


@router.get("/data/{symbol}/{timeframe}")
async def chart(request: Request, symbol: str, timeframe: str) -> Response:
    live: Publisher = request.app.state.live
    row = live.survey.row(*_pair(symbol, timeframe))
    ktrdr: Ktrdr = request.app.state.ktrdr
    bars, problem = list[Candle](), ""
    try:
        bars = await ktrdr.bars(symbol, timeframe, limit=200)
    except CLIClientError as exc:
        problem = exc.message
    return page(request, "chart.html", symbol=symbol, timeframe=timeframe, row=row, bars=bars[::-1], problem=problem)


@router.get("/data/{symbol}/{timeframe}/bars")
async def bars(request: Request, symbol: str, timeframe: str, start: Moment = 0.0, end: Moment = 0.0) -> Response:
    """Candles between two times (Unix seconds), or the newest. `each`: how many bars one stands for; `gaps`:
    the holes among them, as pairs of times; `start`: from when on, later than asked when there are too many."""
    live: Publisher = request.app.state.live
    ktrdr: Ktrdr = request.app.state.ktrdr
    row = live.survey.row(*_pair(symbol, timeframe))
    try:
        if start and end > start:
            length = LENGTHS[timeframe]
            whole = (row.range.end or 0.0) - (row.range.start or 0.0)
            each_takes = max(whole / row.range.bars, length) if row.range.bars else length  # nights and weekends too
            start = max(start, end - READ_IN_ALL * each_takes)
            found = await _between(ktrdr, symbol, timeframe, start, end, READ_AT_ONCE * each_takes)
        else:
            found = await ktrdr.bars(symbol, timeframe, limit=NEWEST)
    except CLIClientError as exc:
        return JSONResponse({"message": exc.message}, 502)
    drawn, each = thin(found)
    first, last = (found[0][0], found[-1][0]) if found else (0.0, 0.0)
    holes = [[gap.start, gap.end] for gap in row.gaps or () if first < gap.end <= last]
    told = {"candles": drawn, "each": each, "bars": len(found), "length": LENGTHS[timeframe], "gaps": holes}
    return JSONResponse(told | {"start": start})


async def _between(ktrdr: Ktrdr, symbol: str, timeframe: str, start: float, end: float, piece: float) -> list[Candle]:
    """The bars of the period, asked for in pieces of so many seconds."""
    at, found = start, list[Candle]()
    while at < end:
        until = min(at + piece, end)
        part = await ktrdr.bars(symbol, timeframe, start_date=_day(at), end_date=_day(until + DAY))
        found += [candle for candle in part if not found or candle[0] > found[-1][0]]
        at = until
    return found


@router.post("/loads/{key}/cancel")
async def cancel_load(request: Request, key: str) -> Response:
    live: Publisher = request.app.state.live
    try:
        await live.loads.cancel(key)
    except CLIClientError as exc:
        if by_htmx(request):
            return fragment("fragments/trouble.html", what="The cancel was not accepted", message=exc.message)
    return Response(status_code=204) if by_htmx(request) else go(request, "/data")


@router.post("/plans")
async def make_plan(request: Request) -> Response:
    """Load what is missing, then train: `load` fields name the pairs, the others are the training's form."""
    live: Publisher = request.app.state.live
    form = await request.form(max_files=0, max_fields=60)
    given = await typed(request)
    values = {field.name: given.get(field.name, "") for field in KINDS["training"].fields}
    key = given.get("key", "")
    pairs = [str(pair).split(" ") for pair in form.getlist("load")][:MAX_PLANNED]
    if not 16 <= len(key) <= 64 or not pairs:
        return _trouble(request, "This plan was out of date. Start again from the form.")
    try:
        KINDS["training"].from_form(values)
        loads = [dict(zip(("symbol", "timeframe", "mode", "start_date"), pair, strict=False)) for pair in pairs]
        for load in loads:
            KINDS["data_load"].from_form(load)
    except InvalidForm as exc:
        return _trouble(request, " ".join(exc.errors.values()))
    live.loads.plan(key, values, loads)
    return go(request, f"/plans/{key}")


@router.get("/plans/{key}")
async def plan(request: Request, key: str) -> Response:
    live: Publisher = request.app.state.live
    found = request.app.state.store.plan(key)
    if found is None:
        raise HTTPException(404, "There is no such plan.")
    if found.state == "started":
        return go(request, f"/operations/{found.operation_id}")
    return page(request, "plan.html", stream=f"plan-{key}", **live.plan(key))


@router.post("/plans/{key}/cancel")
async def cancel_plan(request: Request, key: str) -> Response:
    live: Publisher = request.app.state.live
    try:
        await live.loads.cancel_plan(key)
    except CLIClientError as exc:
        raise HTTPException(502, f"A load of the plan was not cancelled: {exc.message}") from exc
    return go(request, f"/plans/{key}")


def _trouble(request: Request, message: str) -> Response:
    if by_htmx(request):
        return fragment("fragments/trouble.html", what="No plan was made", message=message)
    raise HTTPException(422, message)


def _pair(symbol: str, timeframe: str) -> tuple[str, str]:
    try:
        KINDS["data_load"].from_form({"symbol": symbol, "timeframe": timeframe, "mode": "tail"})
    except InvalidForm as exc:
        raise HTTPException(404, "There is no such symbol and timeframe.") from exc
    return symbol, timeframe


def _day(at: float) -> str:
    """Days only: the backend takes no times here."""
    if utc(at) is None:
        raise HTTPException(422, "That is not a time.")
    return day(at)
