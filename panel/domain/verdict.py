"""What is really going on, from what was observed. Pure: observations and the clock in, words out.

The backend's status word is one observation among others. It says "running" of work whose worker is
dead, and "failed" of work that goes on or has succeeded; so every page shows a verdict, never the word.
"""

from panel.domain.formatting import duration, minute, moment_at, moment_of, per_cent
from panel.domain.lost import (
    heir_of,
    resumed_lost,
    standing_checkpoint,
    worker_in_doubt,
    worker_lost,
    worker_restarted,
)
from panel.domain.observation import Cancel, Observation
from panel.domain.outcomes import LATE, cancelled, completed, failed, listed_busy
from panel.domain.silence import last_heard, silent
from panel.domain.snapshot import Status
from panel.domain.state import State, Verdict
from panel.domain.workers import Worker, WorkerList

SILENT_AFTER = 4.0  # seconds of failed readings before it is worth a word
FINAL_AFTER = 20.0  # seconds after which an acknowledged cancel should have ended the operation
STALLED_AFTER = 45.0  # seconds without a change, at least
STALLED_TIMES = 8.0  # … and this multiple of the operation's own rhythm
UNKNOWN_RHYTHM = 300.0  # seconds without a change, while too few changes were seen to know a rhythm
UNTAKEN_AFTER = 60.0  # seconds that a worker needs at most to take what is queued
UNTRACKED_AFTER = 30.0  # seconds at 0 % while a worker is busy with it
MOVING = 15.0  # seconds for which a change shows that somebody works

ALONE = WorkerList()


def judge(observation: Observation, now: float, worker_list: WorkerList = ALONE, *, away: bool = False) -> Verdict:
    """The verdict at `now`, given what is known of the workers, and whether the backend itself is `away`."""
    snapshot = observation.snapshot
    if not snapshot.finished:
        if observation.model_at is not None:
            return _ended_unreported(observation, observation.model_at, now)
        if observation.forgotten:
            return _forgotten(observation, now)
        if observation.failing_since is not None and now - observation.failing_since > SILENT_AFTER:
            return silent(observation, now, worker_list, away=away)
    if observation.cancel is not Cancel.NONE and not snapshot.status.finished:
        return _cancelling(observation, now, worker_list)
    match snapshot.status:
        case Status.COMPLETED:
            return completed(observation, now)
        case Status.CANCELLED:
            return cancelled(observation, now, worker_list)
        case Status.FAILED:
            return failed(observation, now, worker_list)
        case Status.PENDING:
            return _queued(observation, now)
        case Status.RESUMING:
            return _resuming(observation, now, worker_list)
        case Status.RUNNING:
            return _running(observation, now, worker_list)
    headline = f"The backend calls its state “{snapshot.backend_status or 'nothing'}”, which the panel does not know."
    return Verdict(State.RUNNING, "Unclear", headline)


def cancel_under_way(observation: Observation, now: float) -> bool:
    """Whether a cancel may still bring its end: one that was not delivered, or takes unusually long, may be sent
    again."""
    if observation.cancel is Cancel.ACKNOWLEDGED:
        return observation.cancel_at is None or now - observation.cancel_at <= FINAL_AFTER
    return observation.cancel is Cancel.ASKED


def _forgotten(observation: Observation, now: float) -> Verdict:
    if observation.busy_at is not None and not observation.snapshot.backend_status:
        model = "Look whether it left a model, and start" if observation.snapshot.traits.learns else "Start"
        return Verdict(
            State.FORGOTTEN,
            "Forgotten",
            "A worker began it, and it was lost: the backend took this start, and does not know the operation.",
            f"{model} it again{' if not' if observation.snapshot.traits.learns else ''}.",
            (
                f"A worker was listed as busy with it {moment_at(observation.busy_at, now)}.",
                "Nothing was ever read of it.",
            ),
        )
    if not observation.snapshot.backend_status:
        return Verdict(
            State.FORGOTTEN,
            "Forgotten",
            "The backend took this start, and does not know the operation.",
            "It probably never began. Start it again.",
            ("Nothing was ever read of it.",),
        )
    return Verdict(
        State.FORGOTTEN,
        "Forgotten",
        "The backend no longer knows this operation. What stands here is what the panel remembers.",
        "Whether it finished is not known. Look at the backend's models or data, or start it again.",
        (f"Last read {minute(observation.snapshot.read_at)} UTC, at {per_cent(observation.snapshot.percentage)}.",),
    )


def _queued(observation: Observation, now: float) -> Verdict:
    waiting = now - observation.changed_at
    if observation.revived is not None:
        return Verdict(
            State.DOUBTFUL,
            "Marked as waiting again",
            f"It had ended ({observation.revived.value}), and the backend now calls it waiting. "
            "It probably never runs.",
            "Cancel it, then start or resume it anew if it is still wanted.",
            ("A worker that was stopped while it went on working brings its operation back like this.",),
        )
    if waiting > UNTAKEN_AFTER:
        return Verdict(
            State.STALLED,
            "Waiting, not taken",
            f"Nobody has begun to work on it; it waits since {moment_of(observation.changed_at, now)}.",
            "Look whether a worker is free. If one is, cancel this and start it again.",
            ("The backend's own retry makes entries that wait like this and never run.",),
        )
    what = "Accepted, waiting for a worker." if observation.snapshot.traits.worker else "Accepted, waiting to begin."
    return Verdict(State.QUEUED, "Queued", what)


def _resuming(observation: Observation, now: float, worker_list: WorkerList) -> Verdict:
    """KTRDR leaves a resumed operation at "resuming", 0 %, for ever, while it runs and ends on its worker."""
    at = observation.changed_at
    if not observation.changes:  # the panel has just met it
        at = min(observation.snapshot.started_at or at, at)
    worker, listed_at = worker_list.working_on(observation.snapshot.id), worker_list.heard_at or now
    if now - at <= LATE or not worker_list.fresh(now) or (worker is None and listed_at - at <= LATE):
        return Verdict(State.STARTING, "Resuming", "Going on from its checkpoint.")
    if lost := resumed_lost(observation, now, worker_list) or standing_checkpoint(observation, now, worker_list):
        return lost
    if worker is not None and heir_of(observation, worker_list) is None:
        return _unreported(
            _by_checkpoint(observation, now)
            or "It goes on from its checkpoint. After a resume the backend passes on no progress.",
            worker,
            now,
            worker_list,
        )
    unfinished = observation.checkpoint_at is not None and observation.checkpoint_gone is False
    if observation.sought_at is None or unfinished:
        return Verdict(
            State.UNREPORTED,
            "Ending, unreported",
            "No worker is busy with it any more. The panel looks for its model.",
            evidence=(f"The workers were listed {moment_at(listed_at, now)}.",),
        )
    return Verdict(
        State.VANISHED,
        "Probably ended",
        "No worker is busy with it any more, and the backend did not notice its end.",
        "Look for its model, newer than the resume. If there is none, start it again.",
        (
            f"It was called “resuming” {moment_at(at, now)}.",
            f"The workers were listed {moment_at(listed_at, now)}.",
        ),
    )


def _running(observation: Observation, now: float, worker_list: WorkerList) -> Verdict:
    snapshot, still = observation.snapshot, now - observation.changed_at
    if observation.untracked_since is not None and snapshot.traits.loads:
        return Verdict(
            State.LOST,
            "Ended with the backend",
            "The backend was restarted in the middle of this load, and the load ended with it.",
            "Load again once the backend has marked it failed, in about a minute.",
            (
                *((f"It had reached {per_cent(snapshot.percentage)}.",) if snapshot.percentage >= 1 else ()),
                f"The backend called it 0 % {moment_at(observation.untracked_since, now)}, and since then.",
            ),
        )
    stands = still > MOVING or snapshot.percentage == 0.0 or observation.untracked_since is not None
    if stands and worker_list.fresh(now) and (restarted := worker_restarted(observation, worker_list)):
        return restarted
    if snapshot.traits.worker and worker_list.fresh(now) and still > MOVING:
        if standing := standing_checkpoint(observation, now, worker_list):
            return standing
        busy = worker_list.working_on(snapshot.id)
        if busy and (observation.untracked_since or (snapshot.percentage == 0.0 and still > UNTRACKED_AFTER)):
            headline = "The work goes on, but the backend lost track of it, as it does when it is restarted."
            headline = f"{headline} {_by_checkpoint(observation, now)}".rstrip()
            return _unreported(headline, busy, now, worker_list)
        if busy and observation.worker_id and worker_list.worker(observation.worker_id) is None:
            headline = "Another worker than at first is busy with it, as after a resume; its progress does not change."
            return _unreported(headline, busy, now, worker_list)
        if lost := worker_lost(observation, now, worker_list):
            return lost
    if not observation.changes and (doubt := worker_in_doubt(observation.worker_id, now, worker_list)):
        return doubt
    limit = max(STALLED_AFTER, STALLED_TIMES * observation.rhythm) if observation.changes > 3 else UNKNOWN_RHYTHM
    if now - observation.unchanged_since > limit:
        usual = f"Until then something changed every {duration(max(observation.rhythm, 1.0))} or sooner."
        return Verdict(
            State.STALLED,
            "Stalled",
            f"Nothing has changed since {moment_of(observation.unchanged_since, now)}, "
            f"at {per_cent(snapshot.percentage)}.",
            "It may be busy with one long step. If this goes on, look at the worker's log, or cancel it.",
            ((usual,) if observation.changes > 3 else ()) + _of_worker(observation, now, worker_list),
        )
    lost_track = "The backend lost track of it. Whether its worker goes on shows within a minute."
    text = lost_track if observation.untracked_since else snapshot.step or "Running; no step named yet."
    return Verdict(State.RUNNING, "Running", text)


def _by_checkpoint(observation: Observation, now: float) -> str:
    """How far a run is that its checkpoint alone tells of; "" when none was seen."""
    done, total, written = observation.checkpoint_epoch, observation.snapshot.steps_total, observation.checkpoint_at
    if done is None or written is None or done < (observation.snapshot.steps_completed or 0):
        return ""
    of = f" of {total:,}" if total else ""
    return f"Epoch {done:,}{of}, by its checkpoint of {moment_of(written, now)}."


def _ended_unreported(observation: Observation, model_at: float, now: float) -> Verdict:
    return Verdict(
        State.COMPLETED,
        "Completed",
        f"Its model was saved {moment_at(model_at, now)}.",
        evidence=(
            "Its checkpoint is gone and a new model is there, as at the end of a training.",
            f"The backend still calls it {observation.snapshot.backend_status}: it does not see such a run end.",
        ),
    )


def _unreported(headline: str, worker: Worker, now: float, worker_list: WorkerList) -> Verdict:
    return Verdict(
        State.UNREPORTED,
        "Working, unreported",
        headline,
        "Its end will be known by the worker turning free. A cancel would not reach the worker.",
        (listed_busy(worker, worker_list, now),),
    )


def _cancelling(observation: Observation, now: float, worker_list: WorkerList) -> Verdict:
    asked = (f"Asked for {moment_at(observation.cancel_at, now)}.",) if observation.cancel_at is not None else ()
    if observation.cancel is Cancel.UNDELIVERED:
        return Verdict(
            State.CANCELLING,
            "Cancel not delivered",
            "The backend took the cancel but did not reach the worker, which may go on.",
            "Look at the workers. If it does go on, only kill -9 of the worker ends it; TERM does not.",
            asked + _of_worker(observation, now, worker_list),
        )
    if observation.cancel is Cancel.ASKED:
        return Verdict(
            State.CANCELLING, "Cancel asked", "Waiting for the backend to acknowledge the cancel.", "", asked
        )
    late = not cancel_under_way(observation, now)
    advice = "This takes unusually long; the worker may be hung." if late else ""
    headline = "The backend acknowledged the cancel; the work is stopping."
    evidence = asked + (_of_worker(observation, now, worker_list) if late else ())
    return Verdict(State.CANCELLING, "Stopping", headline, advice, evidence)


def _of_worker(observation: Observation, now: float, worker_list: WorkerList) -> tuple[str, ...]:
    worker = worker_list.working_on(observation.snapshot.id) or worker_list.worker(observation.worker_id)
    return (f"{last_heard(worker, now)} It is {worker.status}.",) if worker else ()
