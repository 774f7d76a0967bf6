"""What two readings of one operation say together. Pure."""

from dataclasses import replace
from typing import Any

from panel.domain.agents import remembered
from panel.domain.snapshot import Epoch, Snapshot, Status

DATES = ("start_date", "end_date")
SENT = ("model_path", *DATES)  # what was asked for, which the backend may not return
LATER = 5.0  # seconds: KTRDR's memory and its database may differ by a part of one in when a run was resumed


def began_again(old: Snapshot, snapshot: Snapshot) -> bool:
    """After its end: the backend may call it "resuming" for less than a reading."""
    return old.finished and (snapshot.started_at or 0.0) > (old.completed_at or old.read_at)


def resumed_anew(old: Snapshot, snapshot: Snapshot) -> bool:
    """Here or elsewhere; also where nobody read how it ended in between."""
    if snapshot.status is not Status.RESUMING:
        return False
    began = old.started_at or snapshot.read_at
    return old.status is not Status.RESUMING or (snapshot.started_at or 0.0) > began + LATER


def parameters_of(old: Snapshot, snapshot: Snapshot) -> dict[str, Any]:
    if snapshot.traits.has_parts:
        return remembered(old.parameters, snapshot.parameters)
    return {name: old.parameters[name] for name in SENT if name in old.parameters} | snapshot.parameters


def content(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, read_at=0.0)


def joined(old: tuple[Epoch, ...], new: tuple[Epoch, ...]) -> tuple[Epoch, ...]:
    """The history of a resumed run may begin where its checkpoint was."""
    first = new[0].number if new else 0
    return tuple(epoch for epoch in old if epoch.number < first) + new if first else new or old


def ended_short(snapshot: Snapshot) -> bool:
    """Cancel and failure put the backend's percentage back to 0."""
    ended = snapshot.status.finished and not snapshot.succeeded
    return ended and (not snapshot.provisional or snapshot.percentage == 0.0)


def fell_back(old: Snapshot, snapshot: Snapshot) -> bool:
    same_run = old.status is Status.RUNNING and snapshot.status is Status.RUNNING
    return same_run and not snapshot.unclear and 0.0 < snapshot.percentage < old.percentage - 1.0
