"""Stored bars as a file: from the data folder where it can be read, else from the backend piece by piece."""

import secrets
from collections.abc import AsyncIterator
from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import FileResponse, Response, StreamingResponse
from starlette.background import BackgroundTask

from panel.domain.formatting import day
from panel.domain.gaps import DAY, LENGTHS, Candle
from panel.domain.values import moment, utc
from panel.errors import CLIClientError
from panel.web.panel import Panel, PanelDep
from panel.web.routes.data import READ_AT_ONCE, pair
from panel.workflows.import_jobs import missing

router = APIRouter()

MEDIA = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}
HEADER = ",open,high,low,close,volume\n"
MADE_UP = {"sample": "_sample", "mixed": "_partly-sample"}
LAST = 253_402_300_799  # the end of the year 9999, Unix seconds


@router.get("/data/{symbol}/{timeframe}/export")
async def export(
    request: Request,
    panel: PanelDep,
    symbol: str,
    timeframe: str,
    start: str = "",
    end: str = "",
    kind: Annotated[Literal["csv", "parquet"], Query(alias="format")] = "csv",
) -> Response:
    """`start` and `end` are days, both included; without them everything is exported."""
    pair(symbol, timeframe)
    first, last = _day(start, -LAST), _day(end, LAST)
    last += DAY - 1 if end else 0
    period = f"_{start or 'start'}_{end or 'now'}" if start or end else ""
    name = f"{symbol}_{timeframe}{period}{await _said_of(panel, symbol, timeframe)}.{kind}"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    if panel.imports.target is None or missing():
        if kind != "csv":
            raise HTTPException(422, "Parquet takes the data folder and ktrdr-panel[embedded]; CSV needs neither.")
        return _asked(panel, symbol, timeframe, first, last, headers)
    file = panel.imports.place(f"export-{secrets.token_hex(8)}")
    outcome = await panel.imports.export(symbol, timeframe, int(first), int(last), kind, file)
    if not outcome.exported:
        file.unlink(missing_ok=True)
        raise HTTPException(404, outcome.refused or "No bars are stored in this period.")
    return FileResponse(
        file, media_type=MEDIA[kind], headers=headers, background=BackgroundTask(file.unlink, missing_ok=True)
    )  # fmt: skip


async def _said_of(panel: Panel, symbol: str, timeframe: str) -> str:
    """What the file's name says of bars that no market made: only the embedded backend makes any."""
    if panel.settings.backend:
        return ""
    try:
        return MADE_UP.get((await panel.ktrdr.stored_range(symbol, timeframe)).source, "")
    except CLIClientError:  # nothing is stored, or no file that can be read
        return ""


def _asked(panel: Panel, symbol: str, timeframe: str, first: float, last: float, headers: dict[str, str]) -> Response:
    row = panel.inventory.row(symbol, timeframe)
    stored = row.range
    if row.asked_at is None:  # to ask for it takes a POST
        raise HTTPException(409, "What is stored is not known yet. Open the data page, then export it.")
    if not stored.bars or stored.start is None or stored.end is None or stored.start > last or stored.end < first:
        raise HTTPException(404, "No bars are stored in this period.")
    piece = READ_AT_ONCE * max((stored.end - stored.start) / stored.bars, LENGTHS[timeframe])
    first, last = max(first, stored.start), min(last, stored.end)
    rows = _rows(panel, symbol, timeframe, first, last, piece)
    return StreamingResponse(rows, media_type=MEDIA["csv"], headers=headers)


async def _rows(
    panel: Panel, symbol: str, timeframe: str, first: float, last: float, piece: float
) -> AsyncIterator[str]:
    """KTRDR's CSV. A backend that fails in the middle breaks it off: half a file has to look like one."""
    at, newest = first, first - 1
    yield HEADER
    while at <= last:
        until = min(at + piece, last)
        found = await panel.ktrdr.bars(symbol, timeframe, start_date=day(at), end_date=day(until + DAY))
        fresh = [candle for candle in found if newest < candle[0] <= last]
        newest = fresh[-1][0] if fresh else newest
        yield "".join(_line(candle) for candle in fresh)
        at = until + 1


def _line(candle: Candle) -> str:
    opens = utc(candle[0])
    values = ("" if value is None else f"{value:.15g}" for value in candle[1:])
    return f"{opens:%Y-%m-%dT%H:%M:%SZ},{','.join(values)}\n"


def _day(given: str, otherwise: float) -> float:
    if not given:
        return otherwise
    try:
        at = moment(date.fromisoformat(given).isoformat())
    except ValueError:
        at = None
    if at is None:
        raise HTTPException(422, f"“{given[:40]}” is not a date; write it like 2024-01-31.")
    return at
