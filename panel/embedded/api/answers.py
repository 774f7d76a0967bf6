"""The forms of answers and errors that all routes share."""

import time
from datetime import date
from typing import Any

from fastapi import HTTPException

from panel.embedded.backend import Backend
from panel.embedded.ledger import Row


def good(data: Any, **more: Any) -> Row:
    return {"success": True, "data": data, **more}


def error(code: str, message: str, details: Any) -> Row:
    return {"success": False, "error": {"code": code, "message": message, "details": details}}


def period(start_date: str | None, end_date: str | None) -> Row:
    """Both dates as YYYY-MM-DD; 422 when one is no date, is in the future, or they are the wrong way round."""
    days: list[date | None] = []
    for given in (start_date, end_date):
        try:
            days.append(date.fromisoformat(given[:10]) if given else None)
        except ValueError as exc:
            raise HTTPException(422, f"Invalid isoformat string: {given!r:.60}") from exc
    start, end = days
    if start and start > date.today():
        raise HTTPException(422, f"start_date {start} lies in the future")
    if start and end and start >= end:
        raise HTTPException(422, f"start_date {start} must be before end_date {end}")
    return {"start_date": start and start.isoformat(), "end_date": end and end.isoformat()}


def not_now(row: Row, done: str) -> str:
    return f"Operation {row['id']} cannot be {done} (status: {row['status']})"


def uptime(home: Backend) -> float:
    return round(time.monotonic() - home.began, 1)


def all_busy(home: Backend, kind: str) -> HTTPException:
    names = {"training": "training", "data_load": "data load", "backtesting": "backtest", "dummy": "trial run"}
    one = names[kind]
    detail: Row = {"error": f"Another {one} is running; the embedded backend runs one at a time", "worker_type": kind}
    detail |= {"registered_workers": 1, "backend_uptime_seconds": uptime(home)}
    return HTTPException(503, detail | {"hint": "Wait for it to end, or cancel it, then start again."})
