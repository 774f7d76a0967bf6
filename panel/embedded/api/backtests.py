"""Backtests of trained models."""

import math
from datetime import date
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, Field, field_validator

from panel.embedded import record, strategy
from panel.embedded.api.answers import all_busy, good
from panel.embedded.backend import Backend, Busy
from panel.embedded.bars import SYMBOL
from panel.embedded.ledger import Row
from panel.embedded.timeframes import TIMEFRAMES

NO_RECORD = "No record of this backtest's trades is kept."


class Backtest(BaseModel):
    strategy_name: str
    start_date: str
    end_date: str
    symbol: str | None = None
    timeframe: str | None = None
    initial_capital: float = 100_000.0
    commission: float = Field(0.001, ge=0, lt=1)  # share of each fill's value
    slippage: float = Field(0.0005, ge=0, lt=1)
    model_path: str | None = None
    leave_out_bad_bars: bool = False  # KTRDR ignores it

    @field_validator("strategy_name")
    @classmethod
    def named(cls, given: str) -> str:
        if not given.strip():
            raise ValueError("Field cannot be empty")
        return given

    @field_validator("start_date", "end_date")
    @classmethod
    def day(cls, given: str) -> str:
        try:
            return date.fromisoformat(given[:10]).isoformat()
        except ValueError:
            raise ValueError(f"Invalid date format. Use YYYY-MM-DD: {given[:40]}") from None

    @field_validator("initial_capital")
    @classmethod
    def positive(cls, given: float) -> float:
        if not 0 < given < math.inf:
            raise ValueError("Initial capital must be positive")
        return given


def routes(home: Backend) -> APIRouter:
    api = APIRouter()

    @api.post("/backtests/start")
    def start(body: Backtest) -> Row:
        found = strategy.find(body.strategy_name, home.strategy_folders)
        data = found.plan.data if found and found.plan else None
        symbol = (body.symbol or (data.symbols[0] if data and data.symbols else "")).upper()
        timeframes = list(data.timeframes) if data else []
        timeframe = body.timeframe or (found.plan.base(timeframes) if timeframes and found and found.plan else "")
        if not symbol or not timeframe:
            raise HTTPException(400, "Symbol and timeframe must be provided or defined in strategy config")
        if not SYMBOL.fullmatch(symbol):
            raise HTTPException(422, f"Invalid symbol: {symbol[:20]}")
        if timeframe not in TIMEFRAMES:
            raise HTTPException(422, f"Invalid timeframe: {timeframe[:20]}")
        if body.start_date >= body.end_date:
            raise HTTPException(422, f"start_date {body.start_date} must be before end_date {body.end_date}")
        costs = {"initial_capital": body.initial_capital, "commission": body.commission, "slippage": body.slippage}
        request = {"strategy_name": body.strategy_name, "symbol": symbol, "timeframe": timeframe, **costs}
        request |= {"start_date": body.start_date, "end_date": body.end_date, "model_path": body.model_path}
        request |= {"leave_out_bad_bars": body.leave_out_bad_bars}
        metadata: Row = {"symbol": symbol, "timeframe": timeframe, "mode": "backtesting"}
        metadata |= {name: f"{request[name]}T00:00:00" for name in ("start_date", "end_date")}
        parameters = {"strategy_name": body.strategy_name, "model_path": body.model_path, **costs}
        metadata["parameters"] = parameters | {"worker_id": "embedded-backtesting"}
        try:
            operation_id = home.launch("backtesting", metadata, request)
        except Busy:
            raise all_busy(home, "backtesting") from None
        answer = {"success": True, "operation_id": operation_id, "status": "started", "symbol": symbol}
        message = f"Backtest started for {symbol} {timeframe}"
        return answer | {"message": message, "timeframe": timeframe, "mode": "embedded"}

    def kept(operation_id: str) -> Path:
        if home.ledger.operation(operation_id) is None:
            raise HTTPException(404, f"Operation not found: {operation_id}")
        return record.file(home.folder, operation_id)

    @api.get("/operations/{operation_id}/trades")
    def trades(operation_id: str) -> Row:
        try:
            return good(record.trades(kept(operation_id)))
        except record.NotRecorded:
            raise HTTPException(404, NO_RECORD) from None

    @api.get("/operations/{operation_id}/bars")
    def bars(
        operation_id: str,
        at: Annotated[float | None, Query(ge=0, le=1e11, allow_inf_nan=False)] = None,
        count: Annotated[int, Query(ge=1, le=record.BARS)] = 500,
    ) -> Row:
        """`at`: Unix seconds; without it the newest bars."""
        try:
            return good(record.bars(kept(operation_id), at, count))
        except record.NotRecorded:
            raise HTTPException(404, NO_RECORD) from None

    return api
