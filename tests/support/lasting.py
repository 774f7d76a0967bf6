"""A backend whose operations go on by the clock, whoever asks, and that survives being restarted.

It counts what it begins. Like the real one it leaves things out of its list: a running training or backtest until
somebody has asked for it, a load that has ended, and everything after a restart. Run as a program
(`python -m tests.lasting FILE PORT`) it keeps its operations in a file, so that it may be killed at any moment.
"""

import itertools
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import uvicorn
from starlette.responses import JSONResponse, Response

from tests.support.scripted import RESULT, Backend, operation, percent, stamp

KIND_OF = {
    "/trainings/start": "training",
    "/data/acquire/download": "data_load",
    "/backtests/start": "backtesting",
    "/dummy/start": "dummy",
}
LOADED = {"mode": "tail", "gaps_filled": 1, "rows_downloaded": 362}
OWN = ("data_load", "dummy")  # kinds that run in the backend's own process, and die with it


class Lasting(Backend):
    """`lasts` is how long an operation of each kind takes, in seconds."""

    def __init__(self, file: Path | None = None, lasts: float = 8.0) -> None:
        super().__init__()
        self.file = file
        self.lasts = {"training": lasts, "data_load": lasts, "backtesting": lasts, "dummy": lasts}
        self.rows: dict[str, dict[str, Any]] = {}
        self.arrived: list[tuple[str, dict[str, Any]]] = []  # kind and body of every start that reached it
        self.together: list[list[str]] = []  # loads that ran when another began
        self.shown: set[str] = set()
        self._serial = itertools.count(1)
        self.served_since = time.time()
        if file is not None and file.exists():
            self.rows = json.loads(file.read_text())
            self.restart()

    # What happens to it

    def restart(self) -> None:
        """The process was killed: its list is empty, and what ran in it is over."""
        self.shown.clear()
        self.served_since = time.time()
        for row in self.rows.values():
            if row["kind"] in OWN and self.active(row):
                row |= {"ended": time.time(), "status": "failed", "error": "Backend was restarted"}
        self._save()

    def forget(self) -> None:
        """Its database is gone as well."""
        self.rows.clear()
        self.shown.clear()
        self._save()

    def active(self, row: dict[str, Any]) -> bool:
        return row["status"] == "running" and time.time() < row["created"] + row["lasts"]

    def status(self, row: dict[str, Any]) -> str:
        return row["status"] if row["status"] != "running" or self.active(row) else row["becomes"]

    # What it answers

    def usual(self, method: str, path: str, body: dict[str, Any]) -> Response:
        if method == "POST" and path in KIND_OF:
            return self._begin(KIND_OF[path], body)
        if method == "GET" and path == "/workers":
            return JSONResponse(self._workers())
        return super().usual(method, path, body)

    def detail(self, operation_id: str) -> dict[str, Any] | None:
        row = self.rows.get(operation_id)
        if row is None:
            return None
        self.shown.add(operation_id)
        status = self.status(row)
        share = min((time.time() - row["created"]) / row["lasts"], 1.0) * 100
        body = row["body"]
        symbol = body.get("symbol") or (body.get("symbols") or ["EURUSD"])[0]
        about = {"symbol": symbol, "timeframe": body.get("timeframe") or "1h", "mode": row["kind"], "parameters": body}
        result = {"training": RESULT, "data_load": LOADED}.get(row["kind"], {})
        return operation(
            operation_id,
            row["kind"],
            status,
            created_at=stamp(row["created"]),
            completed_at=None if status == "running" else stamp(row["ended"] or row["created"] + row["lasts"]),
            progress=percent(share if status in ("running", "completed") else 0.0, f"At {share:.0f}"),
            metadata=about,
            error_message=row["error"],
            result_summary=result if status == "completed" else None,
        )

    def listed(self, asked: dict[str, str]) -> Response:
        shown = [
            {
                "operation_id": operation_id,
                "operation_type": row["kind"],
                "status": self.status(row),
                "created_at": stamp(row["created"]),
                "progress_percentage": 50.0,
                "current_step": None,
                "symbol": (self.rows[operation_id]["body"].get("symbol") or "EURUSD"),
                "duration_seconds": None,
            }
            for operation_id, row in self.rows.items()
            if (operation_id in self.shown or (row["kind"] in OWN and self.active(row)))
            and asked.get("operation_type", row["kind"]) == row["kind"]
            and (not asked.get("active_only") or self.active(row))
        ]
        shown.sort(key=lambda item: item["created_at"], reverse=True)
        return JSONResponse({"success": True, "data": shown[: int(asked.get("limit", 10))]})

    async def _answer(self, request: Any) -> Response:
        if request.method == "GET" and request.path_params["path"] == "operations":
            self.hits["GET /operations"] += 1
            if "GET /operations" not in self.answers:
                return self.listed(dict(request.query_params))
        return await super()._answer(request)

    def _workers(self) -> list[dict[str, Any]]:
        """They are asked every ten seconds what they do; after a restart they come back half a minute later."""
        seen_at = time.time() // 10 * 10
        if time.time() < self.served_since + 25 and self.rows:
            return []
        spare = [
            {"worker_id": f"spare-{kind}", "worker_type": kind, "status": "available", "current_operation_id": None}
            | dict.fromkeys(("last_healthy_at", "last_health_check"), stamp(seen_at))
            for kind in ("training", "backtesting")
        ]
        busy = [name for name, row in self.rows.items() if row["kind"] not in OWN and self.active(row)]
        return spare + [
            {
                "worker_id": f"worker-{name}",
                "worker_type": self.rows[name]["kind"],
                "status": "busy",
                "current_operation_id": name if self.rows[name]["created"] <= seen_at else None,
                "last_healthy_at": stamp(seen_at),
                "last_health_check": stamp(seen_at),
            }
            for name in busy
        ]

    def _begin(self, kind: str, body: dict[str, Any]) -> Response:
        self.arrived.append((kind, body))
        if self.file is not None:
            with self.file.with_suffix(".arrived").open("a") as log:
                log.write(json.dumps([kind, body]) + "\n")
        if body.get("strategy_name") == "nope":
            return JSONResponse({"detail": "Strategy file not found: nope.yaml"}, 400)
        running = [name for name, row in self.rows.items() if row["kind"] == "data_load" and self.active(row)]
        if kind == "data_load" and running:
            self.together.append(running)
        new = body.get("task_id") or f"op_{kind}_{time.time():.0f}_{os.getpid()}_{next(self._serial):06x}"
        becomes = "failed" if body.get("strategy_name") == "broken" else "completed"
        self.rows[new] = {
            "kind": kind,
            "body": body,
            "created": time.time(),
            "lasts": self.lasts[kind],
            "becomes": becomes,
            "status": "running",
            "ended": None,
            "error": "It did not learn" if becomes == "failed" else None,
        }
        self._save()
        if kind == "training":
            return JSONResponse({"success": True, "task_id": new, "status": "training_started"})
        if kind == "dummy":
            return JSONResponse({"success": True, "data": {"operation_id": new, "status": "started"}})
        return JSONResponse({"success": True, "operation_id": new, "status": "started"})

    def _cancel(self, operation_id: str) -> Response:
        row = self.rows.get(operation_id)
        if row is None:
            return JSONResponse({"detail": f"Operation not found: {operation_id}"}, 404)
        if not self.active(row):
            state = self.status(row).upper()
            text = f"Operation {operation_id} cannot be cancelled (status: OperationStatus.{state})"
            return JSONResponse({"detail": text}, 400)
        row |= {"status": "cancelled", "ended": time.time(), "error": "Operation cancelled by user"}
        self._save()
        answer = {"success": True, "operation_id": operation_id, "status": "cancelled", "task_cancelled": True}
        return JSONResponse({"success": True, "data": answer | {"remote_cancelled": True, "children_cancelled": []}})

    def _save(self) -> None:
        """Before the answer leaves; whole or not at all."""
        if self.file is not None:
            part = self.file.with_suffix(".part")
            part.write_text(json.dumps(self.rows))
            part.replace(self.file)


def arrived(file: Path) -> list[tuple[str, dict[str, Any]]]:
    """Every start that reached a backend of this file, in all its lives."""
    log = file.with_suffix(".arrived")
    lines = log.read_text().split("\n")[:-1] if log.exists() else []
    return [(kind, body) for kind, body in map(json.loads, lines)]


if __name__ == "__main__":
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 8.0
    uvicorn.run(Lasting(Path(sys.argv[1]), seconds).app, host="127.0.0.1", port=int(sys.argv[2]), log_level="error")
