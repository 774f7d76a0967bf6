"""One reading of one operation, as plain values that cannot be wrong in type. Pure.

Whatever the backend puts into a field, a `Snapshot` holds a finite number, a string of bounded length, or None: see
`panel.backend.decoding`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from panel.domain.kinds import Traits, traits_of
from panel.domain.values import mapping, text

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
    """One reading of an operation at the backend, at `read_at` (Unix seconds)."""

    id: str
    kind: str
    status: Status
    backend_status: str  # the backend's status word, unchanged
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
    unclear: bool = False  # the answer's percentage was no number: 0 here, or what its steps say
    settled: bool = False  # a doubtful "failed" was watched for long enough to be believed

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
    def traits(self) -> Traits:
        return traits_of(self.kind)

    @property
    def finished(self) -> bool:
        """The backend calls it an end, and that is reliable."""
        return self.status.finished and not self.provisional

    @property
    def provisional(self) -> bool:
        """ "Failed" that is often not an end: the backend gives up on work that runs for more than 60 s
        in its own process, while the work goes on and completes."""
        return self.unclaimed and self.traits.inside and not self.settled

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
        return mapping(result.get("test_metrics")) or mapping(result.get("metrics"))
