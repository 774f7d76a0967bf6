"""Data loads as a page submits them and a backend ends them."""

import asyncio

from tests.support.pages import KEY
from tests.support.scripted import Backend, operation, stamp

LOAD = {"symbol": "EURUSD", "timeframe": "1h", "mode": "tail"}


def load(here, key: str = KEY, **more: str):
    return here.post("/start/data_load", {"key": key, **LOAD, **more})


def started(backend: Backend) -> list[dict]:
    return [body for hit, body in backend.bodies if hit == "POST /data/acquire/download"]


def ends(backend: Backend, number: int = 1, status: str = "completed", **more) -> None:
    """The load with this number ends."""
    name = [name for name in backend.operations if "data_load" in name][number - 1]
    result = {"mode": "tail", "gaps_filled": 1, "rows_downloaded": 362} if status == "completed" else None
    backend.operations[name] = operation(name, "data_load", status, result_summary=result, completed_at=stamp()) | more


def slowly(backend: Backend, path: str):
    """The backend begins what it is asked for, and answers half a second later."""

    async def play(request):
        await asyncio.sleep(0.5)
        return backend.usual("POST", path, await request.json())

    backend.answers[f"POST {path}"] = play


def deletes(backend: Backend) -> int:
    return sum(count for hit, count in backend.hits.items() if hit.startswith("DELETE"))
