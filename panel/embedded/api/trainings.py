"""Trainings, their checkpoints and models."""

import json
from pathlib import Path

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, Field

from panel.embedded import strategy
from panel.embedded.api.answers import all_busy, good, period
from panel.embedded.backend import ID, Backend, Busy, Taken
from panel.embedded.bars import SYMBOL
from panel.embedded.ledger import Row
from panel.embedded.timeframes import TIMEFRAMES


class Training(BaseModel):
    strategy_name: str = Field(min_length=1)
    symbols: list[str] | None = None
    timeframes: list[str] | None = None
    start_date: str | None = None
    end_date: str | None = None
    task_id: str | None = Field(None, pattern=f"^{ID.pattern}$")
    detailed_analytics: bool = False
    leave_out_bad_bars: bool = False  # KTRDR ignores it


def routes(home: Backend) -> APIRouter:
    api = APIRouter()

    @api.post("/trainings/start")
    def start(body: Training) -> Row:
        found = strategy.find(body.strategy_name, home.strategy_folders)
        if found is None:
            searched = ", ".join(str(folder / f"{body.strategy_name[:100]}.yaml") for folder in home.strategy_folders)
            raise HTTPException(400, f"Strategy file not found: {body.strategy_name[:100]}.yaml (searched: {searched})")
        if found.plan is None or not found.trainable:
            raise HTTPException(400, _refusal(found))
        symbols = [symbol.upper() for symbol in body.symbols or found.plan.data.symbols]
        timeframes = list(body.timeframes or found.plan.data.timeframes)
        for timeframe in timeframes:
            if timeframe not in TIMEFRAMES:
                raise HTTPException(422, f"Invalid timeframe: {timeframe[:20]}")
        for symbol in symbols:
            if not SYMBOL.fullmatch(symbol):
                raise HTTPException(422, f"Invalid symbol: {symbol[:20]}")
        bounds = period(body.start_date, body.end_date)
        request = {"strategy_name": found.stem, "symbols": symbols, "timeframes": timeframes, **bounds}
        request |= {"detailed_analytics": body.detailed_analytics, "leave_out_bad_bars": body.leave_out_bad_bars}
        metadata = {"symbol": symbols[0], "timeframe": timeframes[0], "mode": "training", **bounds}
        more = {"strategy_yaml": found.text[:100], "worker_id": "embedded-training"}
        folders = [str(folder) for folder in home.strategy_folders]
        try:
            operation_id = home.launch(
                "training", metadata | {"parameters": request | more}, request | {"folders": folders}, body.task_id
            )
        except Busy:
            raise all_busy(home, "training") from None
        except Taken:
            raise HTTPException(409, f"There is already an operation {body.task_id}") from None
        answer = {"success": True, "task_id": operation_id, "status": "training_started", "strategy_name": found.stem}
        message = f"Neural network training started for {', '.join(symbols)} using {found.stem} strategy"
        return answer | {
            "message": message,
            "symbols": symbols,
            "timeframes": timeframes,
            "estimated_duration_minutes": 1,
        }

    @api.get("/trainings/{operation_id}/performance")
    def performance(operation_id: str) -> Row:
        operation = home.operation(operation_id)
        if operation is None or operation["type"] != "training":
            raise HTTPException(404, f"Training task {operation_id} not found")
        if operation["status"] != "completed":
            status = operation["status"]
            raise HTTPException(404, f"Training task {operation_id} is not completed (status: {status})")
        answer = {name: operation["result"][name] for name in ("training_metrics", "test_metrics", "model_info")}
        return {"success": True, "task_id": operation_id, "status": "completed", **answer}

    @api.get("/checkpoints")
    def checkpoints() -> Row:
        rows = [_checkpoint(row) for row in home.ledger.checkpoints()]
        return good(rows, total_count=len(rows))

    @api.get("/checkpoints/stats")
    def checkpoint_stats() -> Row:
        rows = home.ledger.checkpoints()
        total = {"total_checkpoints": len(rows), "total_size_bytes": sum(row["size"] for row in rows)}
        return {"success": True, **total, "oldest_checkpoint": rows[-1]["created_at"] if rows else None}

    def saved(operation_id: str) -> Row:
        rows = home.ledger.checkpoints(operation_id)
        if not rows:
            raise HTTPException(404, f"Checkpoint not found: {operation_id}")
        return rows[0]

    @api.get("/checkpoints/{operation_id}")
    def checkpoint(operation_id: str) -> Row:
        row = saved(operation_id)
        answer = {"operation_id": operation_id, "checkpoint_type": row["type"], "created_at": row["created_at"]}
        return good(answer | {"state": row["state"], "artifacts_size_bytes": row["size"]})

    @api.delete("/checkpoints/{operation_id}")
    def drop_checkpoint(operation_id: str) -> Row:
        saved(operation_id)
        home.ledger.drop_checkpoint(operation_id)
        (home.folder / "checkpoints" / f"{operation_id}.npz").unlink(missing_ok=True)
        return {"success": True, "message": f"Checkpoint deleted: {operation_id}"}

    @api.get("/models")
    def models() -> Row:
        found = (_model(path) for path in sorted(home.folder.glob("models/*/*/model.json")))
        return {"success": True, "models": [model for model in found if model is not None]}

    return api


def _refusal(found: strategy.Strategy) -> Row:
    """Why a training cannot start, before anything runs."""
    if found.valid:
        code = "STRATEGY-NeedsKtrdr" if found.needs_ktrdr else "STRATEGY-CannotTrain"
        refusal: Row = {"message": found.problem, "error_code": code, "context": {"strategy_name": found.stem}}
        way = "Start it at a KTRDR, or change its file." if found.needs_ktrdr else "Change the strategy's file."
        return refusal | {"suggestion": way}
    issues = [issue.as_dict() for issue in found.issues if issue.severity == "error"]
    errors = [{name: issue[name] for name in ("category", "message", "details")} for issue in issues]
    refusal = {"message": f"Strategy validation failed: {len(errors)} error(s) found"}
    refusal |= {"error_code": "STRATEGY-ValidationFailed", "details": {"errors": errors}}
    refusal |= {"context": {"strategy_name": found.stem, "error_count": len(errors)}}
    return refusal | {"suggestion": "Correct the strategy's file, then validate it again."}


def _checkpoint(row: Row) -> Row:
    answer = {"operation_id": row["operation_id"], "checkpoint_type": row["type"], "created_at": row["created_at"]}
    return answer | {"state_summary": row["state"], "artifacts_size_bytes": row["size"]}


def _model(file: Path) -> Row | None:
    """None for a file that is not one of this backend's: one bad file must not hide the others."""
    try:
        about = json.loads(file.read_text("utf-8"))
        return _described(file, about, about["data_summary"], about["training_metrics"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def _described(file: Path, about: Row, used: Row, training: Row) -> Row:
    answer = {"model_id": f"{file.parts[-3]}/{file.parts[-2]}", "model_name": file.parts[-3]}
    answer |= {"symbol": used["symbols"][0], "timeframe": used["timeframes"][0], "created_at": about["created_at"]}
    answer |= {"training_accuracy": training["final_train_accuracy"], "model_path": "/".join(file.parts[-4:-1])}
    answer |= {name: about["test_metrics"].get(name) for name in ("test_accuracy", "baseline_accuracy")}
    return answer | {"description": "", "data_summary": used}
