"""One reading of one operation, as plain values that cannot be wrong in type. Pure.

This is the boundary at which everything the backend sends is normalised: whatever it puts into a field,
a `Snapshot` holds a finite number, a string of bounded length, or None. Rooms above never look at the
backend's JSON again, except to show it raw.
"""

import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

MAX_TEXT = 2000  # characters of any one string that is kept
MAX_EPOCHS = 5000
INSIDE = frozenset({"data_load", "dummy"})  # kinds that run inside the backend itself, not on a worker

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,254}")


class Status(StrEnum):
    """States the backend names, and UNKNOWN for any other word: which is never an end."""

    PENDING = "pending"
    RUNNING = "running"
    RESUMING = "resuming"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"

    @property
    def finished(self) -> bool:
        return self in (Status.COMPLETED, Status.FAILED, Status.CANCELLED)


_STATUSES = {status.value: status for status in Status}


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the training data. Losses are null in a run that went to NaN; accuracies are 0–1."""

    number: int
    train_loss: float | None
    val_loss: float | None
    train_accuracy: float | None
    val_accuracy: float | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the backend said about one operation at `read_at` (Unix seconds)."""

    id: str
    kind: str
    status: Status
    said: str  # the status word as it came
    read_at: float
    percentage: float = 0.0  # 0–100, clamped; goes backwards when the backend's does
    step: str = ""
    steps_completed: int | None = None
    steps_total: int | None = None
    created_at: float | None = None
    started_at: float | None = None
    completed_at: float | None = None
    symbol: str = ""
    timeframe: str = ""
    strategy: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    result: dict[str, Any] | None = None
    epochs: tuple[Epoch, ...] = ()
    full: bool = True  # False: only the few fields of a list entry are known
    settled: bool = False  # a doubtful "failed" was watched for long enough to be believed

    @classmethod
    def from_json(cls, answer: Any, read_at: float) -> "Snapshot":
        """From the body of `GET /operations/{id}` (or its `data`). Raises ValueError when it names no id."""
        data = _dict(answer)
        if isinstance(data.get("data"), dict):
            data = data["data"]
        operation_id = data.get("operation_id")
        if not isinstance(operation_id, str) or not ID.fullmatch(operation_id):
            raise ValueError("no operation in this answer")
        progress, metadata = _dict(data.get("progress")), _dict(data.get("metadata"))
        parameters = _dict(metadata.get("parameters"))
        said = text(data.get("status"))
        result = data.get("result_summary") if isinstance(data.get("result_summary"), dict) else None
        status = _STATUSES.get(said, Status.UNKNOWN)
        epochs = _final_epochs(result) or _live_epochs(data.get("metrics"))
        completed, total = _steps(progress, epochs)
        return cls(
            id=operation_id,
            kind=text(data.get("operation_type")) or "unknown",
            status=status,
            said=said,
            read_at=read_at,
            percentage=100.0
            if status is Status.COMPLETED
            else min(max(number(progress.get("percentage")) or 0.0, 0.0), 100.0),
            step=_unadorned(text(progress.get("current_step"))),
            steps_completed=completed,
            steps_total=total,
            created_at=moment(data.get("created_at")),
            started_at=moment(data.get("started_at")),
            completed_at=moment(data.get("completed_at")),
            symbol=_first(parameters.get("symbols")) or text(metadata.get("symbol")),
            timeframe=_first(parameters.get("timeframes")) or text(metadata.get("timeframe")),
            strategy=text(parameters.get("strategy_name")) or _name_in_yaml(parameters.get("strategy_yaml")),
            parameters=_parameters(metadata, parameters),
            context=_dict(progress.get("context")),
            error=text(data.get("error_message")),
            result=result,
            epochs=epochs,
        )

    @classmethod
    def from_summary(cls, item: Any, read_at: float) -> "Snapshot":
        """From an entry of `GET /operations`. Raises ValueError when it names no id."""
        data = _dict(item)
        progress = {"percentage": data.get("progress_percentage"), "current_step": data.get("current_step")}
        data = data | {"progress": progress, "metadata": {"symbol": data.get("symbol")}}
        told = cls.from_json(data, read_at)
        took = number(data.get("duration_seconds"))
        ended = told.created_at + took if told.status.finished and told.created_at and took is not None else None
        return replace(told, completed_at=told.completed_at or ended, full=False)

    @classmethod
    def promised(cls, operation_id: str, kind: str, form: Mapping[str, str], at: float) -> "Snapshot":
        """What is known of an operation that was started with this form, before its first reading."""
        return cls(
            operation_id,
            kind,
            Status.PENDING,
            "",
            at,
            created_at=at,
            symbol=form.get("symbol", "").strip().upper(),
            timeframe=form.get("timeframe", "").strip(),
            strategy=form.get("strategy_name", "").strip(),
            parameters={name: value for name, value in form.items() if value},
            full=False,
        )

    @property
    def finished(self) -> bool:
        """The backend calls it an end, and it may be believed."""
        return self.status.finished and not self.provisional

    @property
    def provisional(self) -> bool:
        """ "Failed" that is often not an end: the backend gives up on work that runs for more than 60 s
        in its own process, while the work goes on and completes."""
        return self.unclaimed and self.kind in INSIDE and not self.settled

    @property
    def unclaimed(self) -> bool:
        """Marked failed because the backend found no worker with it, and without a result."""
        return self.status is Status.FAILED and "no worker claimed it" in self.error and not self.result

    @property
    def succeeded(self) -> bool:
        """Completed; or marked failed with a full result in place, which a backend restarted in
        mid-training does to a training that succeeded."""
        return self.status is Status.COMPLETED or (self.status is Status.FAILED and bool(self.measured))

    @property
    def worker_id(self) -> str:
        """The worker that does it, where the backend names one; loads run inside the backend itself."""
        return text(self.parameters.get("worker_id"))

    @property
    def measured(self) -> dict[str, Any]:
        """The result's test metrics (training) or metrics (backtest); {} when there are none."""
        result = self.result or {}
        return _dict(result.get("test_metrics")) or _dict(result.get("metrics"))


def number(value: Any) -> float | None:
    """A finite float, or None for anything else (booleans, strings, NaN, integers beyond a float)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        as_float = float(value)
    except OverflowError:
        return None
    return as_float if math.isfinite(as_float) else None


def text(value: Any) -> str:
    """A string of at most MAX_TEXT characters; "" for anything that is not a string or a number."""
    if isinstance(value, str):
        return value[:MAX_TEXT]
    return str(value) if number(value) is not None else ""


def items(value: Any) -> list[Any]:
    """A list, [] for anything else."""
    return value if isinstance(value, list) else []


def moment(value: Any) -> float | None:
    """ISO 8601 -> Unix seconds. The backend writes `…Z`, `+00:00` and no zone at all; all are UTC. None also for
    a year that could not be written as a date again after some reckoning."""
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
        at = (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return at if 100 < parsed.year < 9000 else None


def _steps(progress: dict[str, Any], epochs: tuple["Epoch", ...]) -> tuple[int | None, int | None]:
    """(completed, total). The history counts what is done: the backend's own count of a training's steps runs ahead
    of it for some strategies. A count beyond its total, or below 0, is none."""
    completed, total = _whole(progress.get("steps_completed")), _whole(progress.get("steps_total"))
    total = total if total and total > 0 else None
    if epochs and total:
        completed = len(epochs)
    if completed is not None and (completed < 0 or (total is not None and completed > total)):
        return None, None
    return completed, total


def _unadorned(step: str) -> str:
    """Without the pictures that data loads put into their steps: ⚡ ✅ 💾."""
    return " ".join("".join(" " if unicodedata.category(char) == "So" else char for char in step).split())


def _live_epochs(metrics: Any) -> tuple[Epoch, ...]:
    """`metrics.epochs` interleaves whole histories and cursors; the longest history is the current one."""
    epochs = _dict(metrics).get("epochs")
    if not isinstance(epochs, list):
        return ()
    longest = max((part for part in epochs if isinstance(part, list)), key=len, default=[])
    found = []
    for place, item in enumerate(longest[:MAX_EPOCHS]):
        if isinstance(item, dict):
            at = _whole(item.get("epoch"))
            found.append(_epoch(place if at is None else at, item.get))
    return tuple(found)


def _final_epochs(result: dict[str, Any] | None) -> tuple[Epoch, ...]:
    history = _dict(_dict(_dict(result).get("training_metrics")).get("history"))
    lists = {name: values for name, values in history.items() if isinstance(values, list)}
    length = min(max((len(values) for values in lists.values()), default=0), MAX_EPOCHS)

    def at(place: int) -> Any:
        return lambda name: lists[name][place] if len(lists.get(name, ())) > place else None

    return tuple(_epoch(place, at(place)) for place in range(length))


def _epoch(place: int, get: Any) -> Epoch:
    names = ("train_loss", "val_loss", "train_accuracy", "val_accuracy")
    return Epoch(place, *(number(get(name)) for name in names))


def _parameters(metadata: dict[str, Any], parameters: dict[str, Any]) -> dict[str, Any]:
    kept = {text(k)[:100]: v for k, v in list(parameters.items())[:100] if v not in (None, "", [])}
    for name in ("mode", "start_date", "end_date"):
        if metadata.get(name) and name not in kept:
            kept[name] = metadata[name]
    return kept


def _name_in_yaml(yaml: Any) -> str:
    """A training does not carry its strategy's name, but the beginning of its YAML."""
    match = re.search(r"^name:\s*['\"]?([^'\"\n#]+)", yaml, re.MULTILINE) if isinstance(yaml, str) else None
    return match[1].strip()[:200] if match else ""


def _first(value: Any) -> str:
    return ", ".join(text(item) for item in value[:20]) if isinstance(value, list) else ""


def _whole(value: Any) -> int | None:
    as_float = number(value)
    return None if as_float is None else int(as_float)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
