"""JSON of one thing -> its domain value. Pure.

A decoder raises ValueError, or returns None, for what is no such thing.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from panel.backend.decoding import (
    MAX_EPOCH,
    bounded,
    count,
    each,
    items,
    line,
    operation_id,
    plain,
    seconds,
    text,
)
from panel.domain.agents import ResearchStatus
from panel.domain.checkpoints import Checkpoint
from panel.domain.models import Model
from panel.domain.results import averaged
from panel.domain.snapshot import Epoch, Snapshot, Status
from panel.domain.values import mapping, moment
from panel.domain.workers import Worker

MAX_EPOCHS = 5000
MAX_WORKERS = 200
SMALL = 2000  # values in parameters or context

ASKED = ("start_date", "end_date", "model_path", "initial_capital", "commission", "slippage")  # of a backtest
_EPOCH = re.compile(r"Epoch (\d{1,9})/(\d{1,9})( · Batch )?")
_STATUSES = {status.value: status for status in Status}


def snapshot_of(answer: Any, read_at: float) -> Snapshot:
    """From the body of `GET /operations/{id}` (or its `data`). Raises ValueError when it names no id."""
    data = mapping(answer)
    data = mapping(data.get("data")) or data
    named = operation_id(data.get("operation_id"))
    if not named:
        raise ValueError("no operation in this answer")
    return _snapshot(named, plain(data), read_at)


def reading_of(named: str, data: Any, read_at: float) -> tuple[Snapshot, dict[str, Any]]:
    """From the backend's answer about this operation, bounded."""
    bounds = mapping(plain(data))
    return _snapshot(named, bounds, read_at), bounds


def _known_name(name: Any) -> str:
    """KTRDR writes "N/A" where there is none, as for a trial run."""
    written = line(name)
    return "" if written == "N/A" else written


def summary_of(item: Any, read_at: float) -> Snapshot:
    """From an entry of `GET /operations`. Raises ValueError when it names no id."""
    data = mapping(item)
    progress = {"percentage": data.get("progress_percentage"), "current_step": data.get("current_step")}
    data = data | {"progress": progress, "metadata": {"symbol": data.get("symbol")}}
    found = snapshot_of({name: value for name, value in data.items() if name != "data"}, read_at)
    took = seconds(data.get("duration_seconds"))
    ended = found.created_at + took if found.status.finished and found.created_at and took is not None else None
    return replace(found, completed_at=found.completed_at or ended, full=False)


def worker_of(item: Any) -> Worker | None:
    """From an entry of `GET /workers`; None for what names no worker."""
    data = mapping(item)
    if not (worker_id := line(data.get("worker_id"), 200)):
        return None
    capabilities = mapping(data.get("capabilities"))
    gpu = capabilities.get("gpu_type") or capabilities.get("gpu")
    return Worker(
        worker_id,
        line(data.get("worker_type"), 100),
        line(data.get("status"), 100),
        operation_id(data.get("current_operation_id")),
        moment(data.get("last_healthy_at")),
        ("yes" if gpu else "no") if isinstance(gpu, bool) else line(gpu, 100),
        count(data.get("health_check_failures")) or 0,
        line(data.get("endpoint_url"), 200),
    )


def workers_of(answer: Any) -> tuple[Worker, ...]:
    """`GET /workers` is a bare array."""
    return tuple(each(worker_of, answer, MAX_WORKERS))


def model_of(item: Any) -> Model | None:
    """From an entry of `GET /models`. KTRDR leaves ids and names empty, and may say no path."""
    if not isinstance(item, dict):
        return None
    data = mapping(plain(item, SMALL))
    path = line(data.get("model_path")) or line(data.get("path"))
    strategy = line(data.get("model_name")) or path.rstrip("/").rpartition("/")[0].rpartition("/")[2]
    about = {"data_summary": data.get("data_summary"), "test_metrics": data}
    found = Model.from_result(path, strategy, about, moment(data.get("created_at")))
    symbol, timeframe = found.symbol or line(data.get("symbol"), 100), line(data.get("timeframe"), 100)
    # A list that names no model gives 0.0 for every accuracy: that is not one.
    accuracy = found.accuracy if path or found.accuracy else None
    return replace(found, symbol=symbol, timeframe=found.timeframe or timeframe, accuracy=accuracy)


def checkpoint_of(item: Any) -> Checkpoint | None:
    """From `GET /checkpoints` or, with a whole `state`, `GET /checkpoints/{id}`."""
    data = mapping(item)
    state = mapping(data.get("state_summary")) or mapping(data.get("state"))
    named = operation_id(data.get("operation_id"))
    if not named:
        return None
    return Checkpoint(
        named,
        line(data.get("checkpoint_type"), 100),
        moment(data.get("created_at")),
        count(state.get("epoch"), MAX_EPOCH),
        bounded(state.get("train_loss")),
        bounded(state.get("val_loss")),
        count(data.get("artifacts_size_bytes")),
    )


def _snapshot(named: str, data: dict[str, Any], read_at: float) -> Snapshot:
    progress, metadata = mapping(data.get("progress")), mapping(data.get("metadata"))
    parameters = mapping(metadata.get("parameters"))
    reported = line(data.get("status"), 100)
    summary = data.get("result_summary")
    result = _honest(summary) if isinstance(summary, dict) else None
    status = _STATUSES.get(reported, Status.UNKNOWN)
    percentage = bounded(progress.get("percentage"))
    epochs = _final_epochs(result) or _live_epochs(data.get("metrics"))
    completed, total, reached = _steps(progress, epochs)
    kind = line(data.get("operation_type"), 100) or "unknown"
    return Snapshot(
        id=named,
        kind=kind,
        status=status,
        backend_status=reported,
        read_at=read_at,
        percentage=100.0 if status is Status.COMPLETED else min(max(percentage or 0.0, reached, 0.0), 100.0),
        unclear=percentage is None,
        step=_without_emoji(line(progress.get("current_step"))),
        steps_completed=completed,
        steps_total=total,
        created_at=moment(data.get("created_at")),
        started_at=moment(data.get("started_at")),
        completed_at=moment(data.get("completed_at")),
        symbol=_joined(parameters.get("symbols")) or _known_name(metadata.get("symbol")),
        timeframe=_joined(parameters.get("timeframes")) or _known_name(metadata.get("timeframe")),
        strategy=line(parameters.get("strategy_name"))
        or _name_in_yaml(parameters.get("strategy_yaml"))
        or _name_in_path(mapping(result).get("model_path")),
        parameters=_parameters(kind, metadata, parameters, result),
        context=mapping(plain(mapping(progress.get("context")), SMALL)),
        error=text(data.get("error_message")),
        result=result,
        epochs=epochs,
    )


def _honest(result: dict[str, Any]) -> dict[str, Any]:
    """Without a recall that is the accuracy under another name."""
    test = mapping(result.get("test_metrics"))
    if not averaged(test) or "recall" not in test:
        return result
    return result | {"test_metrics": {name: value for name, value in test.items() if name != "recall"}}


def _steps(progress: dict[str, Any], epochs: tuple[Epoch, ...]) -> tuple[int | None, int | None, float]:
    """(completed, total, per cent named in the step's text). The history is right where the backend's own count of a
    training's steps runs ahead, as it does for some strategies. After a resume its count, percentage and history
    restart or do not change, and only the step ("Epoch 712/3000 · Batch 30/68") goes on from the checkpoint. A count
    beyond its total is ignored."""
    completed, total = count(progress.get("steps_completed")), count(progress.get("steps_total")) or None
    current = _EPOCH.match(line(progress.get("current_step")))
    epoch, of = (int(current[1]) - bool(current[3]), int(current[2])) if current else (0, 0)
    if completed is not None and completed < epoch <= of and of == total:
        return epoch, total, 100.0 * epoch / of
    if epochs:
        completed = len(epochs)
    beyond = completed is not None and total is not None and completed > total
    return (None, None, 0.0) if beyond else (completed, total, 0.0)


def _without_emoji(step: str) -> str:
    """Without the emoji that data loads put into their steps: ⚡ ✅ 💾."""
    return " ".join("".join(" " if unicodedata.category(char) == "So" else char for char in step).split())


def _live_epochs(metrics: Any) -> tuple[Epoch, ...]:
    """`metrics.epochs` interleaves whole histories and cursors; the longest history is the current one."""
    histories = [part for part in items(mapping(metrics).get("epochs"), MAX_EPOCHS) if isinstance(part, list)]
    found = []
    for place, item in enumerate(max(histories, key=len, default=[])[:MAX_EPOCHS]):
        if isinstance(item, dict):
            epoch = item.get("epoch")
            at = place if epoch is None else count(epoch, MAX_EPOCH)
            if at is not None:  # an epoch without a number cannot be drawn
                found.append(_epoch(at, item.get))
    return tuple(found)


def research_of(answer: Any) -> ResearchStatus:
    """Of GET /agent/status."""
    status = mapping(answer)
    budget, capacity, workers = (mapping(status.get(name)) for name in ("budget", "capacity", "workers"))
    return ResearchStatus(
        left=bounded(budget.get("remaining")),
        daily=bounded(budget.get("daily_limit")),
        active=count(capacity.get("active")),
        places=count(capacity.get("limit")),
        designers=count(mapping(workers.get("agent_design")).get("total")),
        assessors=count(mapping(workers.get("agent_assessment")).get("total")),
    )


def _final_epochs(result: dict[str, Any] | None) -> tuple[Epoch, ...]:
    history = mapping(mapping(mapping(result).get("training_metrics")).get("history"))
    lists = {name: values for name, values in history.items() if isinstance(values, list)}
    length = min(max((len(values) for values in lists.values()), default=0), MAX_EPOCHS)

    def at(place: int) -> Callable[[str], Any]:
        return lambda name: lists[name][place] if len(lists.get(name, ())) > place else None

    return tuple(_epoch(place, at(place)) for place in range(length))


def _epoch(place: int, get: Callable[[str], Any]) -> Epoch:
    names = ("train_loss", "val_loss", "train_accuracy", "val_accuracy")
    return Epoch(place, *(bounded(get(name)) for name in names))


def _parameters(
    kind: str, metadata: dict[str, Any], parameters: dict[str, Any], result: dict[str, Any] | None
) -> dict[str, Any]:
    """A backtest's period and costs are in its result too. A mode that only says its kind again is none."""
    kept = {name: value for name, value in list(parameters.items())[:100] if value not in (None, "", [])}
    config = mapping((result or {}).get("config"))
    for place, names in ((metadata, ("mode", "start_date", "end_date")), (config, ASKED)):
        kept |= {name: place[name] for name in names if place.get(name) not in (None, "", []) and name not in kept}
    if kept.get("mode") == kind:
        del kept["mode"]
    return mapping(plain(kept, SMALL))


def _name_in_yaml(yaml: Any) -> str:
    """A training does not carry its strategy's name, but the beginning of its YAML."""
    match = re.search(r"^name:\s*['\"]?([^'\"\n#]+)", yaml, re.MULTILINE) if isinstance(yaml, str) else None
    return match[1].strip()[:200] if match else ""


def _name_in_path(path: Any) -> str:
    """A model's path is models/<strategy>/<timeframe>_v<n>; a YAML that begins with comments may name none."""
    folders = path.rstrip("/").split("/") if isinstance(path, str) else []
    return line(folders[-2], 200) if len(folders) > 2 and folders[-3] == "models" else ""


def _joined(value: Any) -> str:
    return ", ".join(line(item, 100) for item in items(value, 20))
