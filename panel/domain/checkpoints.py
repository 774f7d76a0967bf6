"""Checkpoints of trainings. Pure.

A checkpoint does not prove that its run can be resumed: a training that fails at once saves the state of the run
before it.
"""

from dataclasses import dataclass

from panel.domain.formatting import duration
from panel.domain.observation import Observation
from panel.domain.snapshot import Status

AT_ONCE = 10.0  # seconds in which a training that fails has done nothing that is worth saving

REASONS = {
    "periodic": "While it ran",
    "cancellation": "When it was cancelled",
    "failure": "When it failed",
    "shutdown": "When its worker was stopped",
}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`reason` is the backend's word for why it was saved; `epoch` is as the backend counts (KTRDR: from 0); `size` is
    in bytes. `created_at` is in Unix seconds."""

    operation_id: str
    reason: str
    created_at: float | None
    epoch: int | None
    train_loss: float | None
    val_loss: float | None
    size: int | None


def doubt(checkpoint: Checkpoint, observation: Observation | None) -> str:
    """Why this is probably not the state of its own run; "" when nothing contradicts it."""
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
