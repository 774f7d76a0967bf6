"""All that was observed of one operation, reading after reading. Pure.

One reading says little: "running, 0 %" may be a beginning, or a training that its backend lost track of. So
what earlier readings showed is kept beside the latest: how often values used to change, how far it had come,
whether it had ended before.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from panel.domain.gaps import Ending, asked_from
from panel.domain.readings import (
    DATES,
    began_again,
    content,
    ended_short,
    fell_back,
    joined,
    parameters_of,
    resumed_anew,
)
from panel.domain.requests import Start
from panel.domain.snapshot import Snapshot, Status
from panel.domain.values import mapping

STILL_AFTER = 15.0  # seconds in which whatever works is seen to move
READ_OFTEN = 30.0  # seconds: readings further apart than this say nothing about an operation's rhythm


class Cancel(StrEnum):
    """The progress of a cancel that was requested through the panel."""

    NONE = ""
    ASKED = "asked"
    ACKNOWLEDGED = "acknowledged"
    UNDELIVERED = "undelivered"


@dataclass(frozen=True, slots=True)
class Observation:
    """All that was observed of one operation. Times are Unix seconds."""

    snapshot: Snapshot
    changed_at: float  # when anything in the snapshot last changed
    failing_since: float | None = None  # readings have failed since then
    timed_out: bool = False  # they did because no answer came in time, not because there was no connection
    error: str = ""  # they did because the backend answered with this error
    forgotten: bool = False  # the backend answers that it does not know it
    cancel: Cancel = Cancel.NONE
    cancel_at: float | None = None
    changes: int = 0  # readings that differed from the one before
    resumed: bool = False  # since then the worker that its parameters name is that of its first life
    watched_since: float | None = None  # its readings had stopped, and go on since then
    rhythm: float = 0.0  # seconds: the longest usual time between two of them
    untracked_since: float | None = None  # running (or until its end), but the backend's values fell to nothing
    fell: bool = False  # progress went backwards, short of nothing
    revived: Status | None = None  # its end, before the backend called it unfinished again
    unchosen: tuple[str, ...] = ()  # dates that nobody chose at its start here; the backend returns its own defaults
    moved_at: float | None = None  # when its progress last changed before it ended
    stood_still: bool = False  # it was read again before its end, and nothing moved any more
    gaps_left: int | None = None  # of a load that ended: gaps that it was to fill, or NOTHING_STORED
    asked_from: float | None = None  # of a load: the first day of the segments that it was seen to fetch
    stored_from: float | None = None  # the first bar that was stored after its end
    none_after: float | None = None  # the last one, where bars lack after it that it was to bring
    ending: Ending = Ending.MISSED  # … and whether that is known
    checkpoint_epoch: int | None = None  # epochs done by the latest checkpoint of a run that reports nothing itself
    checkpoint_at: float | None = None  # when that checkpoint was written
    checkpoint_gone: bool | None = None  # it is there no more: such a run deletes it at its end; None: nobody looked
    resumed_after: int | None = None  # epochs done before its last resume
    model_at: float | None = None  # when such a run's model appeared: its end
    busy_at: float | None = None  # when a worker was busy with it, of one that was never read
    sought_at: float | None = None  # when its worker was free, and its model had been looked for in vain
    resumed_by: str = ""  # the worker that was listed as busy with it since its last resume

    @property
    def worker_id(self) -> str:
        """The worker that does it, where that is known: of a resumed one the backend does not name it."""
        return self.resumed_by or self.snapshot.worker_id

    @property
    def unchanged_since(self) -> float:
        """Since when nothing has changed, as far as that was watched."""
        return max(self.changed_at, self.watched_since or 0.0)

    @property
    def worked_until(self) -> float | None:
        """When it was last seen at work, of a run whose worker died: the backend ends such a run minutes later. None of
        all others, and where nobody saw it move: of one that changed once, its end is all that was seen."""
        return self.moved_at if self._worker_died and self.changes > 1 else None

    @property
    def _worker_died(self) -> bool:
        return self.snapshot.unclaimed and not self.snapshot.traits.inside

    @property
    def took(self) -> float | None:
        """Seconds from its start to its end, or until it was last seen at work; None where that is not known. Of one
        that goes on it says nothing."""
        if self._worker_died and self.worked_until is None:
            return None
        started = self.snapshot.started_at or self.snapshot.created_at
        moved = max(self.changed_at, self.moved_at or 0.0)
        ended = self.worked_until or self.snapshot.completed_at or moved
        return ended - started if started and ended > started else None  # equal: the end is not known

    @property
    def fully_read(self) -> bool:
        """Nothing more is to be read. Of an end that was only concluded, or is only probable, the backend may know more
        by now."""
        if self.forgotten:
            return self.snapshot.finished
        return self.snapshot.full and not self.concluded and not self.given_up

    @property
    def given_up(self) -> bool:
        """The backend calls it resuming, no worker is busy with it, and its model was looked for in vain."""
        return self.sought_at is not None and self.snapshot.status is Status.RESUMING

    @property
    def curves_end_early(self) -> bool:
        """Epochs were done, or are being done, that the backend tells nothing of: after a resume, or since it lost
        track of it."""
        told = self.snapshot.epochs[-1].number + 1 if self.snapshot.epochs else 0
        unreported = self.snapshot.status is Status.RESUMING or self.model_at is not None
        return (
            bool(told) and self.snapshot.result is None and (unreported or told < (self.snapshot.steps_completed or 0))
        )

    @property
    def concluded(self) -> bool:
        """Its end is known by its model alone."""
        return self.model_at is not None and not self.snapshot.finished


def promised(start: Start, operation_id: str) -> Observation:
    """What is known of an operation that was started here, before its first reading."""
    snapshot = Snapshot.promised(operation_id, start.kind, start.form, start.asked_at)
    unchosen = tuple(name for name in DATES if not start.form.get(name)) if snapshot.traits.learns else ()
    return Observation(snapshot, start.asked_at, unchosen=unchosen)


def watched_again(remembered: Observation, now: float) -> Observation:
    """By another panel than the one that remembered it. A cancel that was not answered was that one's."""
    if remembered.cancel is Cancel.ASKED:
        remembered = replace(remembered, cancel=Cancel.NONE, cancel_at=None)
    return replace(remembered, watched_since=now)


def observed(before: Observation | None, snapshot: Snapshot) -> Observation:
    """A new reading on top of what was known. A cancelled or failed run's epochs are gone from the
    backend's answer, and so is the progress of one that it lost track of; the panel keeps what it has seen."""
    if before is None:
        moved, resumed = None if snapshot.finished else snapshot.read_at, snapshot.status is Status.RESUMING
        if resumed:
            parameters = {name: value for name, value in snapshot.parameters.items() if name != "worker_id"}
            snapshot = replace(snapshot, parameters=parameters)
        at, asked = snapshot.completed_at or snapshot.read_at, asked_from(None, snapshot.step)
        return Observation(snapshot, at, moved_at=moved, resumed=resumed, asked_from=asked)
    old = before.snapshot
    untracked = _untracked(before, snapshot)
    resumed = before.resumed or snapshot.status is Status.RESUMING or began_again(old, snapshot)
    snapshot = _counted_on(before, snapshot)
    parameters = parameters_of(old, snapshot)
    for name in (*before.unchosen, *(("worker_id",) if resumed else ())):
        parameters.pop(name, None)
    kept = replace(
        snapshot,
        unclear=False,
        epochs=joined(old.epochs, snapshot.epochs),
        strategy=snapshot.strategy or old.strategy,
        parameters=parameters,
        percentage=_reached(before, snapshot, untracked),
        completed_at=before.model_at or snapshot.completed_at,  # the backend notices the end of some later
        step=snapshot.step or (old.step if snapshot.finished else ""),
        steps_completed=snapshot.steps_completed or old.steps_completed,
        steps_total=snapshot.steps_total or old.steps_total,
    )
    observation = replace(
        before,
        snapshot=kept,
        resumed=resumed,
        watched_since=before.watched_since if before.failing_since is None else snapshot.read_at,
        failing_since=None,
        timed_out=False,
        error="",
        forgotten=False,
        untracked_since=_untracked_since(before, snapshot, untracked),
        fell=before.fell or fell_back(old, snapshot),
        asked_from=asked_from(before.asked_from, snapshot.step),
        revived=_revived(before, snapshot),
    )
    if resumed_anew(old, snapshot):
        observation = replace(
            observation,
            cancel=Cancel.NONE,
            cancel_at=None,
            resumed_after=None,
            resumed_by="",
            checkpoint_gone=False,
            sought_at=None,
        )
    if content(kept) == content(old):
        return observation
    at = snapshot.completed_at if snapshot.finished and snapshot.completed_at else snapshot.read_at
    at_work = not snapshot.finished and not untracked  # of an untracked one only the values are gone
    return replace(
        observation,
        changed_at=at,
        moved_at=snapshot.read_at if at_work else before.moved_at,
        stood_still=snapshot.finished and (before.stood_still or _stood_still(before)),
        changes=before.changes + 1,
        rhythm=_rhythm(before, snapshot),
    )


def _stood_still(before: Observation) -> bool:
    """Whether it was read long after its last sign of work, and had not ended."""
    read_at = before.snapshot.read_at
    return not before.snapshot.status.finished and read_at - (before.moved_at or read_at) > STILL_AFTER


def unread(observation: Observation, at: float, *, timed_out: bool, error: str = "") -> Observation:
    """After a reading that failed. `error`: what the backend answered instead."""
    return replace(observation, failing_since=observation.failing_since or at, timed_out=timed_out, error=error)


def forgotten(observation: Observation) -> Observation:
    """After the backend answered that it does not know it."""
    return replace(observation, forgotten=True, failing_since=None, timed_out=False, error="")


def differs(before: Observation, observation: Observation) -> bool:
    """Whether it changed anything but the time of reading."""
    old, new = (replace(each, snapshot=content(each.snapshot)) for each in (before, observation))
    return old != new


def by_checkpoint(observation: Observation) -> float | None:
    """Per cent, from the epochs in its latest checkpoint."""
    done, total = observation.checkpoint_epoch, observation.snapshot.steps_total
    return None if done is None or not total else min(100.0 * done / total, 99.0)


def _reached(before: Observation, snapshot: Snapshot, untracked: bool) -> float:
    if before.model_at is not None:
        return 100.0  # what the backend says of its progress was over before
    if snapshot.status is Status.RESUMING or untracked:
        return before.snapshot.percentage if untracked else by_checkpoint(before) or snapshot.percentage
    if not ended_short(snapshot):
        return max(before.snapshot.percentage, snapshot.percentage) if snapshot.unclear else snapshot.percentage
    epochs, total = joined(before.snapshot.epochs, snapshot.epochs), before.snapshot.steps_total
    by_history = min(100.0 * len(epochs) / total, 99.0) if epochs and total else 0.0
    return max(before.snapshot.percentage, by_history)  # the last history is newer than the last percentage


def _counted_on(before: Observation, snapshot: Snapshot) -> Snapshot:
    """KTRDR counts a resumed training's epochs in its result from the resume on; other backends all of them."""
    first, epochs = before.resumed_after, snapshot.epochs
    if not first or not epochs or snapshot.result is None or epochs[0] in before.snapshot.epochs:
        return snapshot
    done, counted = first + len(epochs), tuple(replace(epoch, number=epoch.number + first) for epoch in epochs)
    training = mapping(snapshot.result.get("training_metrics")) | {"epochs_trained": done}
    result = snapshot.result | {"training_metrics": training}
    return replace(snapshot, epochs=counted, steps_completed=done, result=result)


def _untracked(before: Observation, snapshot: Snapshot) -> bool:
    """Still running, and nothing of what it had reached is there: the backend was restarted and does not
    hear the work any more. A resumed run is called "resuming" until then."""
    if snapshot.status is not Status.RUNNING or snapshot.percentage > 0.0 or snapshot.unclear:
        return False
    if snapshot.step or snapshot.steps_completed not in (None, 0, len(snapshot.epochs)):
        return False  # of such a run KTRDR knows neither, but may still have its history
    was, reached = before.snapshot.status, before.snapshot.percentage > 0.0
    return was is Status.RESUMING or before.untracked_since is not None or (was is Status.RUNNING and reached)


def _untracked_since(before: Observation, snapshot: Snapshot, untracked: bool) -> float | None:
    if untracked:
        return before.untracked_since or snapshot.read_at
    return before.untracked_since if snapshot.status is Status.FAILED else None


def _revived(before: Observation, snapshot: Snapshot) -> Status | None:
    if snapshot.status.finished or snapshot.status is Status.RESUMING:
        return None
    was = before.snapshot
    return was.status if was.finished and was.status.finished else before.revived


def _rhythm(before: Observation, snapshot: Snapshot) -> float:
    """The longest of the recent times between changes: each new one lets the old ones fade by a tenth."""
    if before.changes < 1 or snapshot.read_at - before.snapshot.read_at > READ_OFTEN:
        return before.rhythm
    return max(snapshot.read_at - before.changed_at, before.rhythm * 0.9)
