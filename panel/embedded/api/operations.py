"""Operations: read, cancelled, resumed; health and workers."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Body, HTTPException, Query
from pydantic import BaseModel

from panel.embedded import market
from panel.embedded.api.answers import all_busy, good, not_now
from panel.embedded.backend import Backend, Busy, Taken
from panel.embedded.ledger import ACTIVE, Row, stamp

Status = Literal["pending", "resuming", "running", "completed", "failed", "cancelled"]
Kind = Literal["data_load", "training", "backtesting", "indicator_compute", "fuzzy_analysis", "dummy"]


class Reason(BaseModel):
    reason: str | None = None
    force: bool = False


def routes(home: Backend) -> APIRouter:
    api = APIRouter()

    def known(operation_id: str) -> Row:
        operation = home.operation(operation_id)
        if operation is None:
            raise HTTPException(404, f"Operation not found: {operation_id}")
        return operation

    @api.get("/health")
    def health() -> Row:
        detector = {"running": True, "potential_orphans_count": 0, "last_check": None}
        return {"status": "ok", "version": "embedded", "data_source": market.NAME, "orphan_detector": detector}

    @api.get("/operations")
    def operations(
        status: Status | None = None,
        operation_type: Kind | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 10,
        offset: Annotated[int, Query(ge=0)] = 0,
        active_only: bool = False,
    ) -> Row:
        active = home.ledger.operations({"status": ACTIVE}, 100, 0)[0]
        free = [home.sweep(kind) for kind in {row["type"] for row in active}]
        if any(free):
            active = home.ledger.operations({"status": ACTIVE}, 100, 0)[0]
        where = {"type": operation_type, "status": status or (ACTIVE if active_only else None)}
        rows, total = home.ledger.operations(where, limit, offset)
        return good([_summary(row) for row in rows], total_count=total, active_count=len(active))

    @api.get("/operations/{operation_id}")
    def operation(operation_id: str) -> Row:
        return good(_detail(known(operation_id)))

    @api.delete("/operations/{operation_id}")
    def cancel(operation_id: str, body: Annotated[Reason | None, Body()] = None) -> Row:
        before = known(operation_id)
        if before["status"] not in ACTIVE:
            raise HTTPException(400, not_now(before, "cancelled"))
        reason = (body and body.reason) or "Operation cancelled by user"
        after = home.cancel(operation_id, reason) or before
        if after["status"] in ("completed", "failed"):
            raise HTTPException(400, not_now(after, "cancelled"))
        done = after["status"] == "cancelled"
        answer = {"success": True, "operation_id": operation_id, "status": after["status"]}
        answer |= {"cancelled_at": after["completed_at"], "cancellation_reason": reason, "children_cancelled": []}
        # Answered before it is done: the process looks four times a second, except while it saves a file.
        return good(answer | {"task_cancelled": True, "remote_cancelled": done})

    @api.post("/operations/{operation_id}/resume")
    def resume(operation_id: str) -> Row:
        operation = known(operation_id)
        if operation["status"] in (*ACTIVE, "completed"):
            raise HTTPException(409, f"Operation {operation_id} is already {operation['status']}")
        checkpoints = home.ledger.checkpoints(operation_id)
        if not checkpoints:
            raise HTTPException(404, f"No checkpoint for operation {operation_id}")
        try:
            home.resume(operation_id)
        except Busy:
            raise all_busy(home, "training") from None
        except Taken:
            raise HTTPException(409, f"Operation {operation_id} is already {known(operation_id)['status']}") from None
        last = checkpoints[0]
        origin = {"checkpoint_type": last["type"], "created_at": last["created_at"], "epoch": last["state"]["epoch"]}
        return good({"operation_id": operation_id, "status": "resuming", "resumed_from": origin})

    @api.post("/operations/{operation_id}/retry")
    def retry(operation_id: str) -> Row:
        operation = known(operation_id)
        if operation["status"] != "failed":
            raise HTTPException(400, not_now(operation, "retried"))
        try:
            again = home.launch(operation["type"], operation["metadata"], operation["request"])
        except Busy:
            raise all_busy(home, operation["type"]) from None
        return good(_detail(known(again)))

    @api.get("/operations/{operation_id}/results")
    def results(operation_id: str) -> Row:
        operation = known(operation_id)
        if operation["status"] not in ("completed", "failed"):
            raise HTTPException(400, f"Operation not finished (status: {operation['status']})")
        answer = {"operation_id": operation_id, "operation_type": operation["type"], "status": operation["status"]}
        return {"success": True, **answer, "results": operation["result"] or {}}

    @api.get("/operations/{operation_id}/metrics")
    def metrics(operation_id: str) -> Row:
        operation = known(operation_id)
        answer = {"operation_id": operation_id, "operation_type": operation["type"]}
        return good(answer | {"metrics": [operation["epochs"], len(operation["epochs"])]})

    @api.get("/operations/{operation_id}/children")
    def children(operation_id: str) -> Row:
        known(operation_id)
        return good([], total_count=0, active_count=0)

    @api.get("/workers")
    def workers(
        worker_type: Literal["backtesting", "training", "cpu_training", "gpu_host"] | None = None,
        status: str | None = None,
    ) -> list[Row]:
        found = [_worker(home, kind) for kind in ("training", "backtesting") if worker_type in (None, kind)]
        return [worker for worker in found if status in (None, worker["status"])]

    @api.post("/workers/prepare")
    def prepare() -> Row:
        """Not of KTRDR: a start may follow soon."""
        home.processes.prepare()
        return good({})

    @api.post("/dummy/start")
    def dummy() -> Row:
        try:
            operation_id = home.launch("dummy", {"mode": "dummy", "parameters": {}}, {})
        except Busy:
            raise all_busy(home, "dummy") from None
        answer = {"operation_id": operation_id, "status": "started", "message": "Trial operation started"}
        return good(answer, error=None)

    return api


def _worker(home: Backend, kind: str) -> Row:
    active = home.ledger.operations({"type": kind, "status": ACTIVE}, 1, 0)[0]
    busy, now = not home.sweep(kind), stamp()
    worker: Row = {"worker_id": f"embedded-{kind}", "worker_type": kind, "endpoint_url": "embedded"}
    worker |= {"status": "busy" if busy else "available", "capabilities": {"gpu": False}, "metadata": {}}
    worker |= {"current_operation_id": active[0]["id"] if busy and active else None}
    return worker | {"last_health_check": now, "last_healthy_at": now, "health_check_failures": 0}


def _summary(row: Row) -> Row:
    answer = {"operation_id": row["id"], "operation_type": row["type"], "status": row["status"]}
    answer |= {"created_at": row["created_at"], "progress_percentage": row["percentage"], "current_step": row["step"]}
    return answer | {"symbol": row["metadata"].get("symbol"), "duration_seconds": _duration(row)}


def _duration(row: Row) -> float | None:
    if not row["started_at"]:
        return None
    end = datetime.fromisoformat(row["completed_at"] or stamp())
    return round((end - datetime.fromisoformat(row["started_at"])).total_seconds(), 2)


def _detail(row: Row) -> Row:
    progress = {"percentage": row["percentage"], "current_step": row["step"], "steps_completed": row["steps_completed"]}
    progress |= {"steps_total": row["steps_total"], "items_processed": row["items"], "items_total": None}
    answer = {"operation_id": row["id"], "parent_operation_id": None, "operation_type": row["type"]}
    answer |= {name: row[name] for name in ("status", "created_at", "started_at", "completed_at", "metadata")}
    answer |= {"progress": progress | {"current_item": None, "context": row["context"]}, "error_message": row["error"]}
    answer |= {"warnings": [], "errors": [], "result_summary": row["result"], "is_backend_local": True}
    return answer | {"metrics": {"epochs": [row["epochs"], len(row["epochs"])]} if row["epochs"] else None}
