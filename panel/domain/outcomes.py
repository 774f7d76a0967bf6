"""The verdicts on operations that have ended. Pure."""

from collections.abc import Mapping
from typing import Any

from panel.domain.causes import NO_DATA, cause_of, how_again, model_elsewhere
from panel.domain.formatting import duration, many, moment_at, moment_of, per_cent
from panel.domain.load_outcomes import completed_load
from panel.domain.lost import heir_of, standing_since
from panel.domain.missing_bars import never_there
from panel.domain.observation import Cancel, Observation
from panel.domain.silence import last_heard
from panel.domain.snapshot import Snapshot
from panel.domain.state import GOOD, State, Verdict
from panel.domain.values import items, mapping, number, text
from panel.domain.workers import Worker, WorkerList

LISTED_WITHIN = 60.0  # seconds within which the list of workers shows whether one works on
LATE = 25.0  # seconds that the list of workers may lag behind the work, with some to spare


def completed(observation: Observation, now: float) -> Verdict:
    snapshot = observation.snapshot
    if not snapshot.full:
        return _only_listed(observation)
    if snapshot.traits.loads:
        return completed_load(observation, now)
    if broken := _broken_since(snapshot):
        return Verdict(
            State.PROBLEMS,
            "Completed with problems",
            f"It ran to its end, but since epoch {broken} its losses are not numbers: the model has learned nothing.",
            "Look for empty or extreme values in its inputs, or try a lower learning rate, then train again.",
            (f"The last of {many(_epochs_done(snapshot), 'epoch')} has no training loss.",),
        )
    if epochs := _epochs_done(snapshot):
        return Verdict(State.COMPLETED, "Completed", f"Finished after {many(epochs, 'epoch')}.")
    return Verdict(State.COMPLETED, "Completed", "Finished.")


def ended_well(observation: Observation, verdict: Verdict) -> bool:
    """Whether there is what it was started for, so that what waits for it can go on: a model or a result, with
    problems perhaps, or bars, perhaps with gaps."""
    if verdict.state is State.PROBLEMS and observation.snapshot.traits.loads:
        return (observation.gaps_left or 0) > 0  # else none is stored, or nobody looked
    return verdict.state in (*GOOD, State.PROBLEMS)


def _only_listed(observation: Observation) -> Verdict:
    """The backend's list names it, and nothing more was read of it so far."""
    lost = observation.forgotten
    what = "Its result is not known: the backend no longer has it." if lost else "Its result has not been read yet."
    if observation.snapshot.traits.loads:
        return Verdict(State.UNCHECKED, "Completed, not checked", f"The backend calls it completed. {what}")
    return Verdict(State.COMPLETED, "Completed", what)


def cancelled(observation: Observation, now: float, worker_list: WorkerList) -> Verdict:
    reason = observation.snapshot.error
    if observation.model_at is not None:
        return Verdict(
            State.COMPLETED,
            "Completed",
            "The cancel did not reach the worker, which finished it all the same: its model was saved "
            f"{moment_at(observation.model_at, now)}.",
            evidence=(
                "Its checkpoint is gone and a new model is there, as at the end of a training.",
                "The backend still calls it cancelled.",
            ),
        )
    worker = worker_list.working_on(observation.snapshot.id)
    if worker is not None and worker_list.fresh(now) and (worker_list.heard_at or now) - observation.changed_at > LATE:
        return _listed_all_the_same(observation, worker, now, worker_list)
    if observation.cancel is Cancel.UNDELIVERED and not _free_since(observation, now, worker_list):
        advice = "The backend did not deliver the cancel to the worker, which may go on working."
        return Verdict(
            State.CANCELLED,
            "Cancelled",
            reason or "Stopped before its end.",
            advice,
            ("The backend answered the cancel with: worker not reached.",),
        )
    fresh = now - observation.changed_at < LISTED_WITHIN and not _free_since(observation, now, worker_list)
    if not reason and fresh and observation.snapshot.traits.worker:
        return Verdict(
            State.CANCELLED,
            "Cancelled",
            "The backend calls it cancelled, and gives no reason.",
            "So it does when the worker got the TERM signal, and such a worker works on: within a minute the list of "
            "workers tells.",
        )
    return Verdict(State.CANCELLED, "Cancelled", reason or "Stopped before its end.")


def _listed_all_the_same(observation: Observation, worker: Worker, now: float, worker_list: WorkerList) -> Verdict:
    """A worker that was restarted lists what the one before it had, and does not work on it."""
    evidence = (
        listed_busy(worker, worker_list, now),
        f"It was called cancelled {moment_at(observation.changed_at, now)}.",
    )
    if heir_of(observation, worker_list) is not None:
        headline = "Its worker was restarted. The new process lists this cancelled run, and does not work on it."
    elif (since := standing_since(observation, now, worker_list)) is not None:
        headline = "A worker is listed as busy with this cancelled run, but nothing of it has moved since "
        headline += f"{moment_of(since, now)}: it probably does not work on it."
    else:
        return Verdict(
            State.STRAY,
            "Cancelled, still worked on",
            "The backend calls this cancelled, but the worker goes on with it.",
            "The worker takes nothing else until it ends. Its TERM signal does not end it; kill -9 of the worker does.",
            evidence,
        )
    advice = "The worker takes nothing else meanwhile. Restart it: kill -9 ends its process."
    if observation.snapshot.traits.learns:
        advice += " Then resume the run where that is offered, or start it again."
    return Verdict(State.STRAY, "Cancelled, still listed", headline, advice, evidence)


def failed(observation: Observation, now: float, worker_list: WorkerList) -> Verdict:
    snapshot = observation.snapshot
    if snapshot.provisional and snapshot.traits.loads and observation.untracked_since is not None:
        return Verdict(
            State.FAILED,
            "Failed",
            "The backend was restarted in the middle of this load, and the load ended with it.",
            "Load again. Look at the stored bars to see whether anything of it was saved.",
            (
                *((f"It had reached {per_cent(snapshot.percentage)}.",) if snapshot.percentage >= 1 else ()),
                f"The backend's words: {last_line(snapshot.error)}",
            ),
        )
    if snapshot.provisional:
        moved = moment_at(observation.changed_at, now)
        return Verdict(
            State.DOUBTFUL,
            "Running, marked failed",
            "The backend marked this failed because it ran for more than a minute. The work usually goes on.",
            "Wait: the panel keeps watching, and such operations often turn to completed.",
            (
                f"Its progress last moved {moved}, at {per_cent(snapshot.percentage)}.",
                f"The backend's words: {last_line(snapshot.error)}",
            ),
        )
    if snapshot.succeeded:
        return Verdict(
            State.COMPLETED,
            "Completed",
            "It succeeded: the full result is there. The backend marked it failed after it was restarted.",
            evidence=(
                "The result has measures of the finished model.",
                f"The backend's words: {last_line(snapshot.error) or 'none'}",
            ),
        )
    if snapshot.unclaimed and not snapshot.traits.inside:
        return _unclaimed(observation, now, worker_list)
    if not snapshot.error:
        reason = "The backend gave no reason." if snapshot.full else "Its reason has not been read yet."
        return Verdict(State.FAILED, "Failed", reason)
    cause = model_elsewhere(snapshot.error, text(snapshot.parameters.get("model_path"))) or cause_of(
        snapshot.error, snapshot.traits, resumable=_resumable(snapshot)
    )
    if cause is NO_DATA:
        cause = never_there(snapshot) or cause
    reason = last_line(snapshot.error)
    if cause is NO_DATA:
        reason = reason.partition(" Load it first,")[0]  # the embedded backend's own advice: ours says the same
    if cause is None or not cause.meaning:
        return Verdict(State.FAILED, "Failed", reason, cause.advice if cause else "")
    return Verdict(State.FAILED, "Failed", cause.meaning, cause.advice, (f"The backend's words: {reason}",))


def _resumable(snapshot: Snapshot) -> bool:
    """It may have written a checkpoint: after an epoch."""
    return snapshot.traits.learns and bool(snapshot.epochs)


def _unclaimed(observation: Observation, now: float, worker_list: WorkerList) -> Verdict:
    """A training or backtest that the backend marked failed because it found no worker with it: the worker died, or the
    backend lost track of it: as it is restarted while the worker goes on, or its worker ended it unnoticed."""
    snapshot = observation.snapshot
    reason = f"The backend's words: {last_line(snapshot.error)}"
    busy = worker_list.working_on(snapshot.id)
    if (
        busy is not None
        and heir_of(observation, worker_list) is None
        and (worker_list.fresh(now) or _seen_after(busy, observation))
    ):
        return Verdict(
            State.UNREPORTED,
            "Working, unreported",
            "The work goes on, although the backend marked it failed after it lost track of it.",
            "Its end will be known by the worker turning free. A cancel would not reach the worker.",
            (listed_busy(busy, worker_list, now), reason),
        )
    if worker_list.heard_at is None:
        return Verdict(
            State.FAILED,
            "Failed",
            "The backend found no worker with it. Whether that died is not known: the workers were not listed yet.",
            evidence=(*_worked(observation, now), reason),
        )
    worker = worker_list.last_entry(observation.worker_id)
    if worker is not None and (outlived := _outlived(worker, observation, now, worker_list)):
        return Verdict(
            State.FAILED,
            "Failed",
            f"The backend lost track of it, and marked it failed. {outlived}: the work has ended, or was lost.",
            f"Look for its model{' or its checkpoint' if _resumable(snapshot) else ''}. "
            f"{how_again(resumable=_resumable(snapshot))}"
            if snapshot.traits.learns
            else "Start it again.",
            (*_worked(observation, now), f"{last_heard(worker, now)} It was {worker.status}.", reason),
        )
    alive = max((worker.healthy_at or 0.0) if worker else 0.0, observation.worked_until or 0.0)  # the last sign of life
    since = f" after {moment_at(alive, now).removeprefix('at ')}" if alive else ""
    if (
        observation.stood_still and alive == observation.worked_until
    ):  # what moved was read a little later than it moved
        since = f" {moment_at(alive, now).replace('at ', 'at about ', 1)}"
    again = how_again(resumable=_resumable(snapshot))
    proof = (
        (f"Worker {worker.id} last answered {moment_at(worker.healthy_at, now)}.",)
        if worker and worker.healthy_at
        else ()
    )
    evidence = (*_worked(observation, now), *proof, reason)
    return Verdict(State.FAILED, "Failed", f"Its worker died{since}, and the work with it.", again, evidence)


def _outlived(worker: Worker, observation: Observation, now: float, worker_list: WorkerList) -> str:
    """How the worker that had it shows that it lives, or did when the run was marked failed; "" where it does not.
    The backend marks a run whose worker died minutes after the last sign of life."""
    listed = worker_list.worker(worker.id)
    if listed is not None and listed.reachable and worker_list.fresh(now):
        return f"Its worker is there and {'free' if listed.status == 'available' else 'does something else'}"
    return "Its worker answered after that" if _seen_after(worker, observation) else ""


def _seen_after(worker: Worker, observation: Observation) -> bool:
    return (worker.healthy_at or 0.0) > observation.changed_at


def _worked(observation: Observation, now: float) -> tuple[str, ...]:
    """For how long a run whose worker died was seen at work."""
    until, took = observation.worked_until, observation.took
    if until is None or took is None:
        return ()
    seen = "until about" if observation.stood_still else "at least until"
    marked = f"; the backend marked it failed {moment_at(observation.changed_at, now)}"
    when = moment_at(until, now).removeprefix("at ").removeprefix("on ")
    return (f"It worked {seen} {when}, {duration(took)}{marked}.",)


def listed_busy(worker: Worker, worker_list: WorkerList, now: float) -> str:
    """A dead worker stays in the list as busy for half a minute, so its last answer is given too."""
    listed = f"Worker {worker.id} was listed as busy with it {moment_at(worker_list.heard_at or now, now)}"
    return f"{listed}, and last answered {moment_at(worker.healthy_at, now)}." if worker.healthy_at else f"{listed}."


def _epochs_done(snapshot: Snapshot) -> int:
    trained = number(mapping((snapshot.result or {}).get("training_metrics")).get("epochs_trained"))
    return len(snapshot.epochs) or int(trained or 0)


def _broken_since(snapshot: Snapshot) -> int:
    """The epoch, counted from 1, since which a training has no loss; 0 when it has one at its end."""
    losses = [(epoch.number, epoch.train_loss) for epoch in snapshot.epochs] or _losses_of(snapshot.result)
    if not losses or losses[-1][1] is not None:
        return 0
    good = [place for place, (_, loss) in enumerate(losses) if loss is not None]
    return losses[good[-1] + 1 if good else 0][0] + 1


def _losses_of(result: Mapping[str, Any] | None) -> list[tuple[int, float | None]]:
    """By the result's own history: runs in lists are read without their epochs."""
    losses = mapping(mapping((result or {}).get("training_metrics")).get("history")).get("train_loss")
    return [(place, number(loss)) for place, loss in enumerate(items(losses, 100_000))]


def _free_since(observation: Observation, now: float, worker_list: WorkerList) -> bool:
    """The workers were listed well after its end, and none is busy with it."""
    heard = worker_list.heard_at or 0.0
    late = heard - observation.changed_at > LATE
    return late and worker_list.fresh(now) and worker_list.may_work_on(observation.snapshot.id) is None


def last_line(text: str) -> str:
    """The line of a text that names its cause: the last one, where a whole traceback was sent."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:500] if lines else ""
