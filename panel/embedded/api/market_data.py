"""Symbols, timeframes and stored bars; data loads."""

import math
from datetime import date
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from panel.embedded import market
from panel.embedded.api import data_files
from panel.embedded.api.answers import all_busy, error, good, period
from panel.embedded.backend import Backend, Busy
from panel.embedded.bars import SYMBOL, Bars, Stored, Unusable
from panel.embedded.ledger import Row
from panel.embedded.timeframes import TIMEFRAMES
from panel.files import faults
from panel.files.values import Bars as Arrays


class Download(BaseModel):
    symbol: str = Field(pattern=f"^{SYMBOL.pattern}$")
    timeframe: Literal[tuple(TIMEFRAMES)]  # type: ignore[valid-type]
    mode: Literal["tail", "backfill", "full"]
    start_date: str | None = None
    end_date: str | None = None


class RangeRequest(BaseModel):
    symbol: str
    timeframe: str


def routes(home: Backend) -> APIRouter:
    api = APIRouter()
    bars = Bars(home.folder / "data")
    api.include_router(data_files.routes(home, bars))

    def stored(symbol: str, timeframe: str) -> Stored | None:
        try:
            return bars.stored(symbol, timeframe)
        except Unusable as exc:
            raise HTTPException(422, str(exc)) from exc

    @api.get("/symbols")
    def symbols() -> Row:
        there, rows = bars.all(), []
        problems = [entry for entry in bars.files.entries() if entry.problem]
        for symbol in sorted(
            {*there, *market.INSTRUMENTS, *(e.symbol for e in problems if SYMBOL.fullmatch(e.symbol))}
        ):
            known = market.INSTRUMENTS.get(symbol)
            row: Row = {
                "symbol": symbol,
                "name": known.name if known else symbol,
                "type": known.type if known else "unknown",
            }
            row |= {
                "exchange": known.exchange if known else "unknown",
                "currency": known.currency if known else "unknown",
            }
            row |= {"available_timeframes": there.get(symbol, []), "trading_hours": known.hours if known else None}
            mine = [data_files.entry_row(bars, entry) for entry in problems if entry.symbol == symbol]
            rows.append(row | {"source": market.NAME if known else "own", "problems": mine})
        return good(rows, error=None)

    @api.get("/timeframes")
    def timeframes() -> Row:
        rows = [{"id": id, "name": name, "description": text} for id, (name, text, _) in TIMEFRAMES.items()]
        return good(rows, error=None)

    @api.post("/data/range")
    def data_range(body: RangeRequest) -> Any:
        if body.timeframe not in TIMEFRAMES:
            message = f"Failed to get date range for {body.symbol[:40]} ({body.timeframe[:10]})"
            details = {"symbol": body.symbol[:40], "timeframe": body.timeframe[:10], "error": "unknown timeframe"}
            return JSONResponse(error("DATA-RangeError", message, details), 400)
        found = stored(body.symbol, body.timeframe) if SYMBOL.fullmatch(body.symbol) else None
        if found is None:
            raise HTTPException(404, f"Data not found for {body.symbol[:40]} ({body.timeframe})")
        answer = {"symbol": body.symbol, "timeframe": body.timeframe, "point_count": found.bars, "source": found.source}
        return good(answer | {"start_date": _time(found.start), "end_date": _time(found.end)}, error=None)

    @api.get("/data/info")
    def info() -> Row:
        there = bars.all()
        answer = {"data_directory": str(bars.folder), "total_symbols": len(there), "available_symbols": list(there)}
        return good(answer | {"timeframes_available": list(TIMEFRAMES), "data_source": market.NAME}, error=None)

    @api.get("/data/{symbol}/{timeframe}")
    def data(
        symbol: str,
        timeframe: str,
        start_date: str | None = None,
        end_date: str | None = None,
        limit: Annotated[int | None, Query(ge=1, le=100_000)] = None,
    ) -> Any:
        moments: list[pd.Timestamp | None] = []
        for name, given in (("start_date", start_date), ("end_date", end_date)):
            try:
                moments.append(_moment(given))
            except ValueError:
                message = f"Invalid {name} format. Use YYYY-MM-DD"
                return JSONResponse(error("DATA-InvalidDate", message, {name: given}), 400)
        symbol = symbol.upper()
        there = stored(symbol, timeframe) if SYMBOL.fullmatch(symbol) and timeframe in TIMEFRAMES else None
        metadata: Row = {"symbol": symbol, "timeframe": timeframe, "start": "", "end": "", "points": 0}
        if there is None:
            return good({"dates": [], "ohlcv": [], "points": None, "metadata": metadata}, error=None)
        start, end = (None if moment is None else math.floor(moment.timestamp()) for moment in moments)
        found = bars.files.bars(symbol, timeframe, start, end)
        shown = found.take(slice(-limit if limit else 0, None)) if found is not None else None
        count, total = (0, 0) if shown is None or found is None else (len(shown), len(found))
        metadata = {"symbol": symbol, "timeframe": timeframe, "source": there.source, "points": count}
        metadata |= {"start_date": there.start.isoformat(), "end_date": there.end.isoformat()}
        metadata |= {"point_count": there.bars, "limited": count < total, "original_points": total}
        metadata |= {"bad_bars": _bad(shown)}
        dates, values = _rows(shown)
        return good({"dates": dates, "ohlcv": values, "points": None, "metadata": metadata}, error=None)

    @api.post("/data/acquire/download")
    def download(body: Download) -> Row:
        symbol, bounds = body.symbol.upper(), period(body.start_date, body.end_date)
        request = {"symbol": symbol, "timeframe": body.timeframe, "mode": body.mode, **bounds}
        metadata = {"symbol": symbol, "timeframe": body.timeframe, "mode": body.mode, **bounds, "parameters": request}
        try:
            operation_id = home.launch("data_load", metadata, request)
        except Busy:
            raise all_busy(home, "data_load") from None
        message = f"Started {body.mode} download for {symbol} {body.timeframe}"
        return {"success": True, "operation_id": operation_id, "status": "started", "message": message}

    return api


def _rows(bars: Arrays | None) -> tuple[list[str], list[list[float | None]]]:
    """Openings and prices of the answer; what is no finite number is null."""
    if bars is None:
        return [], []
    dates: list[str] = np.datetime_as_string(bars.times.astype("datetime64[s]")).tolist()
    values = np.column_stack([getattr(bars, name) for name in market.COLUMNS])
    if np.isfinite(values).all():
        return dates, values.tolist()
    whole = values.astype(object)
    whole[~np.isfinite(values)] = None
    return dates, whole.tolist()


def _bad(bars: Arrays | None) -> Row:
    """Opening -> the bar's fault, of the bars that are shown."""
    if bars is None:
        return {}
    which = np.flatnonzero(bars.fault)[: data_files.MAX_BAD]
    return {str(bars.times[at].astype("datetime64[s]")): faults.KINDS[int(bars.fault[at])][1] for at in which}


def _time(moment: pd.Timestamp) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _moment(given: str | None) -> pd.Timestamp | None:
    if not given:
        return None
    moment = pd.Timestamp(date.fromisoformat(given)) if len(given) == 10 else pd.Timestamp(given)
    return moment.tz_localize("UTC") if moment.tz is None else moment.tz_convert("UTC")
