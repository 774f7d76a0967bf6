"""A scripted backend: KTRDR's REST contract with answers that a test chooses, counting what reaches it.

It stands at the other end of the wire, as an ASGI app behind httpx's transport or behind a real socket.
Shapes are the real backend's; values are made up.
"""

import asyncio
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from panel.cli.server import Server


def stamp(at: float | None = None) -> str:
    return datetime.fromtimestamp(at or time.time(), UTC).isoformat().replace("+00:00", "Z")


def epochs(count: int) -> list[dict[str, Any]]:
    """A history of `count` epochs that learns."""
    return [
        {
            "epoch": n,
            "train_loss": 1.0 / (n + 1),
            "train_accuracy": 0.5 + n / 100,
            "val_loss": 1.2 / (n + 1),
            "val_accuracy": 0.45 + n / 100,
            "learning_rate": 0.001,
            "duration": 0.3,
            "timestamp": "2026-11-22T12:58:56Z",
        }
        for n in range(count)
    ]


def corrupt(count: int) -> list[Any]:
    """`metrics.epochs` as the real backend grows it: histories and cursors interleaved, `[]` at the end."""
    grown: list[Any] = [[], 0]
    for n in range(1, count + 1):
        grown += [epochs(n), n]
    return [*grown, [], count]


RESULT = {
    "artifacts": {},
    "model_info": {"architecture": "v3_mlp", "parameters_count": 1227},
    "model_path": "models/swing/1h_v4",
    "data_summary": {"symbols": ["EURUSD"], "timeframes": ["1h"], "feature_count": 3, "total_samples": 3118},
    "test_metrics": {"test_loss": 0.666, "test_accuracy": 0.872, "precision": 0.995, "recall": 0.872, "f1_score": 0.93},
    "training_metrics": {
        "history": {
            "train_loss": [0.9, 0.7],
            "val_loss": [1.0, None],
            "train_accuracy": [0.5, 0.6],
            "val_accuracy": [0.4, 0.5],
        },
        "training_time": 1.19,
        "epochs_trained": 2,
        "best_val_accuracy": 0.739,
    },
}


def operation(operation_id: str, kind: str = "training", status: str = "running", **changes: Any) -> dict[str, Any]:
    """The `data` of a detail answer."""
    progress = {"percentage": 0.0, "current_step": None, "steps_completed": 0, "steps_total": 0, "context": {}}
    data: dict[str, Any] = {
        "operation_id": operation_id,
        "parent_operation_id": None,
        "operation_type": kind,
        "status": status,
        "created_at": stamp(),
        "started_at": None,
        "completed_at": None,
        "progress": progress | changes.pop("progress", {}),
        "metadata": {
            "symbol": "EURUSD",
            "timeframe": "1h",
            "mode": kind,
            "start_date": None,
            "end_date": None,
            "parameters": {"strategy_yaml": "name: swing\ndescri", "symbols": ["EURUSD"], "timeframes": ["1h"]},
        },
        "error_message": None,
        "warnings": [],
        "errors": [],
        "result_summary": None,
        "metrics": None,
        "is_backend_local": False,
    }
    return data | changes


# Bars of the range that is answered unless a test chooses its own: hourly, 2023-01-01 to 2025-06-30.
STORED = [1_672_531_200.0 + 3600 * n for n in range(21_864)]


def _bars(openings: list[float], start: str, end: str, limit: int) -> bytes:
    """The answer with those between two days."""
    stamps = [datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S") for at in openings]
    dates = [at for at in stamps if start <= at <= end][-limit:]
    data = {"dates": dates, "ohlcv": [[1.0, 1.2, 0.9, 1.1, 5.0] for _ in dates], "points": None, "metadata": {}}
    return json.dumps({"success": True, "data": data}, separators=(",", ":")).encode()


@cache
def _usual_bars(start: str, end: str, limit: int) -> bytes:
    """Those of STORED: nearly every panel asks for them."""
    return _bars(STORED, start, end, limit)


class Backend:
    """`operations` maps an id to the detail's data, or to a function of the number of readings so far.
    `answers` maps "METHOD /path" to (status, body) or a function of the request, before anything else."""

    def __init__(self) -> None:
        self.operations: dict[str, Any] = {}
        self.answers: dict[str, Any] = {}
        self.strategies = [
            {
                "name": "swing",
                "description": "Buys oversold, sells overbought.",
                "symbol": "EURUSD",
                "timeframe": "1h",
                "indicators": [{"name": "rsi"}],
            }
        ]
        self.workers: list[dict[str, Any]] = []
        self.agent: dict[str, Any] = {}  # what is told of KTRDR's agent; {}: this one has none
        self.bars: dict[tuple[str, str], list[float]] = {}  # what is stored: (symbol, timeframe) -> openings
        self.hits: Counter[str] = Counter()
        self.bodies: list[tuple[str, Any]] = []
        self.readings: Counter[str] = Counter()
        self._numbers = itertools.count(1)
        every = ["GET", "POST", "PUT", "DELETE", "PATCH"]
        self.app = Starlette(routes=[Route("/api/v1/{path:path}", self._answer, methods=every)])

    def judge(self, name: str) -> dict[str, Any]:
        """The answer to the check of a strategy's file."""
        return {"success": True, "valid": True, "strategy_name": name, "issues": []}

    def detail(self, operation_id: str) -> dict[str, Any] | None:
        known = self.operations.get(operation_id)
        if callable(known):
            self.readings[operation_id] += 1
            return known(self.readings[operation_id])
        return known

    async def _answer(self, request: Request) -> Response:
        path = "/" + request.path_params["path"]
        hit = f"{request.method} {path}"
        self.hits[hit] += 1
        body = await request.body()
        if request.method != "GET":
            self.bodies.append((hit, json.loads(body) if body else None))
        if hit in self.answers:
            answer = self.answers[hit]
            if callable(answer):
                answer = answer(request)
            if asyncio.iscoroutine(answer):
                answer = await answer
            return answer if isinstance(answer, Response) else JSONResponse(answer[1], answer[0])
        if path.startswith("/data/") and request.method == "GET":
            return self._stored(*path.split("/")[2:4], dict(request.query_params))
        return self.usual(request.method, path, json.loads(body) if body else {})

    def _stored(self, symbol: str, timeframe: str, asked: dict[str, str]) -> Response:
        bounds = asked.get("start_date", "0000"), asked.get("end_date", "9999"), int(asked.get("limit", 100_000))
        if not self.bars and "start_date" in asked:
            return Response(_usual_bars(*bounds), media_type="application/json")
        return Response(_bars(self.bars.get((symbol, timeframe), []), *bounds), media_type="application/json")

    def usual(self, method: str, path: str, body: dict[str, Any]) -> Response:
        match method, path.split("/")[1:]:
            case "GET", ["health"]:
                return JSONResponse({"status": "ok", "version": "scripted"})
            case "GET", ["strategies", ""]:
                return JSONResponse({"success": True, "strategies": self.strategies})
            case "POST", ["strategies", "validate", name]:
                return JSONResponse(self.judge(name))
            case "GET", ["strategies", name, "features"]:
                return JSONResponse({"success": True, "strategy_name": name, "features": [], "count": 3})
            case "GET", ["symbols"]:
                symbols = sorted({symbol for symbol, _ in self.bars})
                return JSONResponse(
                    {
                        "success": True,
                        "data": [
                            {"symbol": symbol, "available_timeframes": [tf for of, tf in self.bars if of == symbol]}
                            for symbol in symbols
                        ],
                    }
                )
            case "POST", ["data", "range"] if self.bars:
                stored = self.bars.get((body["symbol"], body["timeframe"]))
                if not stored:
                    return JSONResponse({"detail": f"Data not found for {body['symbol']} ({body['timeframe']})"}, 404)
                found = {"start_date": stamp(stored[0]), "end_date": stamp(stored[-1]), "point_count": len(stored)}
                return JSONResponse({"success": True, "data": found | body})
            case "POST", ["data", "range"]:
                data = {"start_date": "2023-01-01T00:00:00", "end_date": "2025-06-30T00:00:00", "point_count": 10945}
                return JSONResponse({"success": True, "data": data | body})
            case "POST", ["trainings", "start"]:
                new = body.get("task_id") or f"op_training_20261122_120000_{next(self._numbers):08x}"
                self.operations.setdefault(new, operation(new))
                return JSONResponse({"success": True, "task_id": new, "status": "training_started"})
            case "POST", ["data", "acquire", "download"]:
                new = f"op_data_load_20261122_120000_{next(self._numbers):08x}"
                about = {name: body.get(name) for name in ("symbol", "timeframe", "mode")} | {"parameters": body}
                self.operations[new] = operation(new, "data_load", metadata=about)
                return JSONResponse({"success": True, "operation_id": new, "status": "started"})
            case "POST", ["backtests", "start"]:
                new = f"op_backtesting_20261122_120000_{next(self._numbers):08x}"
                self.operations[new] = operation(new, "backtesting")
                return JSONResponse({"success": True, "operation_id": new, "status": "started"})
            case "GET", ["agent", "status"] if self.agent:
                return JSONResponse(self.agent)
            case "POST", ["agent", "trigger"] if self.agent:
                new = f"op_agent_research_20261122_120000_{next(self._numbers):08x}"
                about = {"symbol": "", "timeframe": "", "mode": "", "parameters": {"phase": "idle"} | body}
                self.operations[new] = operation(new, "agent_research", metadata=about)
                return JSONResponse({"triggered": True, "operation_id": new, "message": "Research cycle started"}, 202)
            case "POST", ["dummy", "start"]:
                new = f"op_dummy_20261122_120000_{next(self._numbers):08x}"
                self.operations[new] = operation(new, "dummy")
                return JSONResponse({"success": True, "data": {"operation_id": new, "status": "started"}})
            case "GET", ["operations"]:
                return JSONResponse({"success": True, "data": [], "total_count": 0, "active_count": 0})
            case "GET", ["workers"]:
                return JSONResponse(self.workers)
            case "GET", ["operations", operation_id]:
                detail = self.detail(operation_id)
                if detail is None:
                    return JSONResponse({"detail": f"Operation not found: {operation_id}"}, 404)
                return JSONResponse({"success": True, "data": detail})
            case "DELETE", ["operations", operation_id]:
                return self._cancel(operation_id)
        return JSONResponse({"detail": "Not Found"}, 404)

    def _cancel(self, operation_id: str) -> Response:
        known = self.operations.get(operation_id)
        if known is None:
            return JSONResponse({"detail": f"Operation not found: {operation_id}"}, 404)
        if isinstance(known, dict) and known["status"] in ("completed", "failed", "cancelled"):
            text = f"Operation {operation_id} cannot be cancelled (status: OperationStatus.{known['status'].upper()})"
            return JSONResponse({"detail": text}, 400)
        kind = known["operation_type"] if isinstance(known, dict) else "training"
        self.operations[operation_id] = operation(
            operation_id, kind, "cancelled", error_message="Operation cancelled by user", completed_at=stamp()
        )
        answer = {"success": True, "operation_id": operation_id, "status": "cancelled", "task_cancelled": False}
        return JSONResponse({"success": True, "data": answer | {"remote_cancelled": True, "children_cancelled": []}})


class _Served(Server):
    """The panel's server without what is slow in uvicorn's end: looks every tenth of a second."""

    def end(self) -> None:
        """From another thread."""
        self.should_exit = True
        if self._loop is not None and self._signalled is not None:
            with suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._signalled.set)

    async def shutdown(self, sockets: Any = None) -> None:
        for server in self.servers:
            server.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(self.config.timeout_graceful_shutdown):
                while self.server_state.connections or self.server_state.tasks:
                    for connection in list(self.server_state.connections):  # also one that was accepted just now
                        connection.shutdown()
                    await asyncio.sleep(0.002)
        for task in self.server_state.tasks:
            task.cancel()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        while self.server_state.connections:  # noqa: ASYNC110
            await asyncio.sleep(0.002)
        await self.lifespan.shutdown()


@contextmanager
def served(app: Any, port: int = 0, **more: Any) -> Iterator[str]:
    """The app behind a real uvicorn on a port of its own, in a thread; yields its address."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, log_level="error", lifespan="on", timeout_graceful_shutdown=2, **more
    )
    server = _Served(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("the server did not start")
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.end()
        thread.join(60)


def percent(at: float, step: str = "", **more: Any) -> dict[str, Any]:
    return {"percentage": at, "current_step": step or None, **more}
