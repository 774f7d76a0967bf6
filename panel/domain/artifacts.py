"""What trainings leave behind at the backend: models and checkpoints. Pure.

KTRDR's list of models names none of them: `model_id` and `model_name` are empty, the path says what it is. Its
list of checkpoints embeds whole training histories (192 kB for a few); only what is shown is kept. And a
checkpoint does not prove that its run can be resumed: a training that fails at once saves the state of the run
before it.
"""

from dataclasses import dataclass
from typing import Any

from panel.domain.formatting import duration
from panel.domain.observation import Observation
from panel.domain.snapshot import ID, Status, moment, number, text

MOST = 500  # entries of a list that are kept, the newest
AT_ONCE = 10.0  # seconds in which a training that fails has done nothing that is worth saving

REASONS = {
    "periodic": "On its way",
    "cancellation": "When it was cancelled",
    "failure": "When it failed",
    "shutdown": "When its worker was stopped",
}


@dataclass(frozen=True, slots=True)
class Model:
    """Accuracies are shares, 0–1."""

    path: str
    symbol: str
    timeframe: str
    created_at: float | None
    test_accuracy: float | None
    training_accuracy: float | None

    @property
    def key(self) -> str:
        return model_key(self.path)

    @property
    def strategy(self) -> str:
        """The one that it was trained with, as its path says: models/<strategy>/<version>."""
        return self.key.partition("/")[0] if "/" in self.key else ""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`reason` is the backend's word for why it was saved; `size` is in bytes."""

    operation_id: str
    reason: str
    created_at: float | None
    epoch: int | None
    train_loss: float | None
    val_loss: float | None
    size: float | None


def model_key(path: str) -> str:
    """What names a model however its path begins: its last two parts."""
    return "/".join(path.rstrip("/").split("/")[-2:])


def models(answer: Any) -> list[Model]:
    """From `GET /models`, the newest first."""
    found = []
    for item in _entries(answer, "models"):
        path = text(item.get("model_path")) or text(item.get("path")) or text(item.get("model_id"))
        found.append(
            Model(
                path,
                text(item.get("symbol")),
                text(item.get("timeframe")),
                moment(item.get("created_at")),
                number(item.get("test_accuracy")),
                number(item.get("training_accuracy")),
            )
        )
    return sorted(found, key=lambda each: -(each.created_at or 0.0))[:MOST]


def checkpoints(answer: Any) -> list[Checkpoint]:
    """From `GET /checkpoints`, the newest first."""
    found = []
    for item in _entries(answer, "data"):
        operation_id, state = text(item.get("operation_id")), item.get("state_summary")
        state = state if isinstance(state, dict) else {}
        if not ID.fullmatch(operation_id):
            continue
        epoch = number(state.get("epoch"))
        found.append(
            Checkpoint(
                operation_id,
                text(item.get("checkpoint_type"))[:100],
                moment(item.get("created_at")),
                None if epoch is None else int(epoch),
                number(state.get("train_loss")),
                number(state.get("val_loss")),
                number(item.get("artifacts_size_bytes")),
            )
        )
    return sorted(found, key=lambda each: -(each.created_at or 0.0))[:MOST]


def doubt(checkpoint: Checkpoint, observation: Observation | None) -> str:
    """Why this is probably not the state of its own run; "" when nothing speaks against it."""
    if (
        observation is None
        or observation.snapshot.status is not Status.FAILED
        or observation.snapshot.epochs
        or checkpoint.epoch is None
    ):
        return ""
    began, ended = observation.snapshot.started_at or observation.snapshot.created_at, observation.snapshot.completed_at
    if began is None or ended is None or ended - began > AT_ONCE:
        return ""
    took = duration(max(ended - began, 0.0))
    return f"Its training failed within {took}, before any epoch was seen: this is probably an earlier run's state."


def _entries(answer: Any, key: str) -> list[dict[str, Any]]:
    listed = answer.get(key) if isinstance(answer, dict) else None
    return [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
