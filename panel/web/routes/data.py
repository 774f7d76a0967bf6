"""Stored market data: the map of it, and candles."""

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import JSONResponse, Response

from panel.adapters import DataLoadOperationAdapter
from panel.backend.ktrdr import Ktrdr
from panel.backend.market_data import Candles
from panel.domain.formatting import day
from panel.domain.gaps import DAY, LENGTHS, Candle, Row
from panel.domain.values import utc
from panel.errors import CLIClientError, InvalidForm
from panel.views.charts import MAX_CANDLES, thin
from panel.web.panel import Panel, PanelDep
from panel.web.respond import by_htmx, page, redirect, typed
from panel.workflows.import_jobs import missing
from panel.workflows.imports import MAX_UPLOAD

router = APIRouter()

Moment = Annotated[float, Query(ge=0, le=1e11, allow_inf_nan=False)]  # Unix seconds

READ_AT_ONCE = 20_000  # bars of one request: under two megabytes
READ_IN_ALL = 200_000  # bars of one drawing, about
MAX_BAD = 1000  # bars that are marked in one drawing
NEWEST = 1500  # bars that are drawn at first


@router.get("/data")
async def stored(request: Request, panel: PanelDep) -> Response:
    """What is stored. The page itself asks for a fresh look, with a POST."""
    return page(request, "data.html", panel.reader.stored(), panel.reader.queue(), stream="stored", **_drop())


@router.post("/data/look")
async def look(request: Request, panel: PanelDep) -> Response:
    panel.inventory.look(again=bool((await typed(request)).get("again")))
    return Response(status_code=204) if by_htmx(request) else redirect(request, "/data")


@router.get("/data/{symbol}/{timeframe}")
async def chart(request: Request, panel: PanelDep, symbol: str, timeframe: str) -> Response:
    row = panel.inventory.row(*pair(symbol, timeframe))
    bars, bad, problem = list[Candle](), dict[float, str](), ""
    try:
        bars, bad = await panel.ktrdr.marked_bars(symbol, timeframe, limit=200)
    except CLIClientError as exc:
        problem = exc.message
    return page(
        request,
        "chart.html",
        symbol=symbol,
        timeframe=timeframe,
        row=row,
        file=next((each for each in panel.inventory.files if each.holds(symbol, timeframe)), None),
        bars=bars[::-1],
        bad=bad,
        problem=problem,
        parquet=panel.imports.target is not None and not missing(),
        **_drop(),
    )


@router.get("/data/{symbol}/{timeframe}/bars")
async def bars(panel: PanelDep, symbol: str, timeframe: str, start: Moment = 0.0, end: Moment = 0.0) -> Response:
    """Candles between two times (Unix seconds), or the newest. `each`: how many bars one combines; `gaps`:
    the holes among them, as pairs of times; `start`: from when on, later than asked when there are too many; `bad`:
    bars that cannot be true, as pairs of time and reason."""
    row = panel.inventory.row(*pair(symbol, timeframe))
    try:
        if start and end > start:
            start, shown = await _drawn(panel, row, start, end)
        else:
            found, bad = await panel.ktrdr.marked_bars(symbol, timeframe, limit=NEWEST)
            shown = Candles(found, 1, len(found), bad)
    except CLIClientError as exc:
        return JSONResponse({"message": exc.message}, 502)
    first, last = (shown.candles[0][0], shown.candles[-1][0]) if shown.candles else (0.0, 0.0)
    holes = [[gap.start, gap.end] for gap in row.gaps or () if first < gap.end <= last]
    answer = {"candles": shown.candles, "each": shown.each, "bars": shown.bars, "length": LENGTHS[timeframe]}
    answer |= {"gaps": holes, "bad": [[at, reason] for at, reason in sorted(shown.bad.items())[-MAX_BAD:]]}
    return JSONResponse(answer | {"start": start})


def _drop() -> dict[str, Any]:
    """Of the form that takes files which are dropped on the page."""
    return {"can_import": not missing(), "most": MAX_UPLOAD >> 20}


async def _drawn(panel: Panel, row: Row, start: float, end: float) -> tuple[float, Candles]:
    """The first time with candles, and the candles. The embedded backend thins any number of bars."""
    symbol, timeframe = row.pair
    if not panel.settings.backend:
        return start, await panel.ktrdr.candles(symbol, timeframe, start, end, MAX_CANDLES)
    length = LENGTHS[timeframe]
    whole = (row.range.end or 0.0) - (row.range.start or 0.0)
    each_takes = max(whole / row.range.bars, length) if row.range.bars else length  # nights and weekends too
    start = max(start, end - READ_IN_ALL * each_takes)
    found, bad = await _between(panel.ktrdr, symbol, timeframe, start, end, READ_AT_ONCE * each_takes)
    drawn, each = thin(found)
    return start, Candles(drawn, each, len(found), bad)


async def _between(
    ktrdr: Ktrdr, symbol: str, timeframe: str, start: float, end: float, piece: float
) -> tuple[list[Candle], dict[float, str]]:
    """The bars of the period, read in pieces of a bounded length, and the faults of some."""
    at, found, bad = start, list[Candle](), dict[float, str]()
    while at < end:
        until = min(at + piece, end)
        part, faults = await ktrdr.marked_bars(symbol, timeframe, start_date=_day(at), end_date=_day(until + DAY))
        found += [candle for candle in part if not found or candle[0] > found[-1][0]]
        bad |= faults
        at = until
    return found, bad


def pair(symbol: str, timeframe: str) -> tuple[str, str]:
    try:
        DataLoadOperationAdapter.from_form({"symbol": symbol, "timeframe": timeframe, "mode": "tail"})
    except InvalidForm as exc:
        raise HTTPException(404, "There is no such symbol and timeframe.") from exc
    return symbol, timeframe


def _day(at: float) -> str:
    """Days only: the backend takes no times here."""
    if utc(at) is None:
        raise HTTPException(422, "That is not a time.")
    return day(at)
