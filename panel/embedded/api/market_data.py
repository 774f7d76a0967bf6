"""Symbols, timeframes and stored bars; data loads."""

from datetime import date
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from panel.embedded import market
from panel.embedded.api.answers import all_busy, error, good, period
from panel.embedded.backend import Backend, Busy
from panel.embedded.bars import SYMBOL, Bars, Stored
from panel.embedded.ledger import Row
from panel.embedded.timeframes import TIMEFRAMES


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

    def stored(symbol: str, timeframe: str) -> Stored | None:
        try:
            return bars.stored(symbol, timeframe)
        except ValueError as exc:
            raise HTTPException(500, str(exc)) from exc

    @api.get("/symbols")
    def symbols() -> Row:
        there = bars.all()
        rows = []
        for symbol in sorted({*there, *market.INSTRUMENTS}):
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
            rows.append(row | {"source": market.NAME if known else "own"})
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
        told = {"symbol": body.symbol, "timeframe": body.timeframe, "point_count": found.bars, "source": found.source}
        return good(told | {"start_date": _time(found.start), "end_date": _time(found.end)}, error=None)

    @api.get("/data/info")
    def info() -> Row:
        there = bars.all()
        told = {"data_directory": str(bars.folder), "total_symbols": len(there), "available_symbols": list(there)}
        return good(told | {"timeframes_available": list(TIMEFRAMES), "data_source": market.NAME}, error=None)

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
        frame = bars.read(symbol, timeframe) if there else None
        if there is None or frame is None:
            return good({"dates": [], "ohlcv": [], "points": None, "metadata": metadata}, error=None)
        frame = frame.loc[moments[0] : moments[1]]
        shown = frame.tail(limit) if limit else frame
        metadata = {"symbol": symbol, "timeframe": timeframe, "source": there.source, "points": len(shown)}
        metadata |= {"start_date": there.start.isoformat(), "end_date": there.end.isoformat()}
        metadata |= {"point_count": there.bars, "limited": len(shown) < len(frame), "original_points": len(frame)}
        values = (
            shown[market.COLUMNS].astype(object).where(np.isfinite(shown[market.COLUMNS]), None).to_numpy().tolist()
        )
        dates = shown.index.strftime("%Y-%m-%dT%H:%M:%S").tolist()
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


def _time(moment: pd.Timestamp) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _moment(given: str | None) -> pd.Timestamp | None:
    if not given:
        return None
    moment = pd.Timestamp(date.fromisoformat(given)) if len(given) == 10 else pd.Timestamp(given)
    return moment.tz_localize("UTC") if moment.tz is None else moment.tz_convert("UTC")
