"""What is really going on, from what was observed. Pure: observations and the clock in, words out.

The backend's status word is one observation among others. It says "running" of work whose worker is
dead, and "failed" of work that goes on or has succeeded; so every page shows a verdict, never the word.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from panel.operations import Snapshot, Status, number

SILENT_AFTER = 4.0  # seconds of failed readings before it is worth a word
FINAL_AFTER = 20.0  # seconds after which an acknowledged cancel should have ended the operation


class State(StrEnum):
    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    CANCELLING = "cancelling"
    DOUBTFUL = "doubtful"
    SILENT = "silent"
    FORGOTTEN = "forgotten"
    COMPLETED = "completed"
    PROBLEMS = "problems"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Cancel(StrEnum):
    """How far a cancel asked for through the panel has come."""

    NONE = ""
    ASKED = "asked"
    ACKNOWLEDGED = "acknowledged"
    UNDELIVERED = "undelivered"


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that was observed of one operation. Times are Unix seconds."""

    snapshot: Snapshot
    changed_at: float  # when anything in the snapshot last changed
    failing_since: float | None = None  # readings have come to nothing since then
    forgotten: bool = False  # the backend answers that it does not know it
    cancel: Cancel = Cancel.NONE
    cancel_at: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """`word` names the state, `headline` says it in a sentence, `advice` what to do ("" when nothing)."""

    state: State
    word: str
    headline: str
    advice: str = ""

    @property
    def live(self) -> bool:
        """Worth watching: it may still change by itself."""
        return self.state not in _ENDS


_ENDS = frozenset({State.COMPLETED, State.PROBLEMS, State.FAILED, State.CANCELLED, State.FORGOTTEN})


def observed(before: Evidence | None, snapshot: Snapshot) -> Evidence:
    """A new reading on top of what was known. A cancelled or failed run's epochs are gone from the
    backend's answer; the panel keeps the curves it has seen."""
    if before is None:
        return Evidence(snapshot, snapshot.completed_at or snapshot.read_at)
    old = before.snapshot
    kept = replace(
        snapshot,
        epochs=snapshot.epochs or old.epochs,
        strategy=snapshot.strategy or old.strategy,
        percentage=old.percentage if snapshot.finished and not snapshot.succeeded else snapshot.percentage,
        step=snapshot.step or (old.step if snapshot.finished else ""),
        steps_completed=snapshot.steps_completed or old.steps_completed,
        steps_total=snapshot.steps_total or old.steps_total,
    )
    changed = _content(kept) != _content(old)
    return Evidence(
        kept,
        (snapshot.completed_at if snapshot.finished and snapshot.completed_at else snapshot.read_at)
        if changed
        else before.changed_at,
        cancel=before.cancel,
        cancel_at=before.cancel_at,
    )


def _content(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, read_at=0.0)


def differs(before: Evidence, seen: Evidence) -> bool:
    return replace(before, snapshot=_content(before.snapshot)) != replace(seen, snapshot=_content(seen.snapshot))


def judge(seen: Evidence, now: float) -> Verdict:
    """The verdict at `now`."""
    snapshot = seen.snapshot
    if not snapshot.finished:
        if seen.forgotten:
            return Verdict(
                State.FORGOTTEN,
                "Forgotten",
                "The backend no longer knows this operation. What stands here is what the panel remembers.",
                "Whether it finished is not known. Look at the backend's models or data, or start it again.",
            )
        if seen.failing_since is not None and now - seen.failing_since > SILENT_AFTER:
            return Verdict(
                State.SILENT,
                "Backend silent",
                "The backend does not answer. These are its last values; the work itself may go on.",
                "Nothing is lost by waiting. The panel keeps asking and shows the truth once it answers.",
            )
    if seen.cancel is not Cancel.NONE and not snapshot.status.finished:
        return _cancelling(seen, now)
    match snapshot.status:
        case Status.COMPLETED:
            return _completed(snapshot)
        case Status.CANCELLED:
            return _cancelled(seen)
        case Status.FAILED:
            return _failed(snapshot)
        case Status.PENDING:
            return Verdict(State.QUEUED, "Queued", "Accepted, waiting for a worker.")
        case Status.RESUMING:
            return Verdict(State.STARTING, "Resuming", "Going on from its checkpoint.")
        case Status.RUNNING:
            return Verdict(State.RUNNING, "Running", snapshot.step or "Running; no step named yet.")
    said = snapshot.said or "nothing"
    return Verdict(State.RUNNING, "Unclear", f"The backend calls its state “{said}”, which the panel does not know.")


def _cancelling(seen: Evidence, now: float) -> Verdict:
    if seen.cancel is Cancel.UNDELIVERED:
        return Verdict(
            State.CANCELLING,
            "Cancel not delivered",
            "The backend took the cancel but did not reach the worker, which may go on.",
            "Look at the workers; stopping the worker itself ends the work for certain.",
        )
    if seen.cancel is Cancel.ASKED:
        return Verdict(State.CANCELLING, "Cancel asked", "Waiting for the backend to acknowledge the cancel.")
    late = seen.cancel_at is not None and now - seen.cancel_at > FINAL_AFTER
    advice = "This takes unusually long; the worker may be hung." if late else ""
    return Verdict(State.CANCELLING, "Stopping", "The backend acknowledged the cancel; the work is stopping.", advice)


def _completed(snapshot: Snapshot) -> Verdict:
    if snapshot.kind == "data_load" and snapshot.result:
        rows, gaps = number(snapshot.result.get("rows_downloaded")), number(snapshot.result.get("gaps_filled"))
        if rows == 0 and gaps:
            return Verdict(
                State.PROBLEMS,
                "Finished with problems",
                "The backend calls this completed, but not one bar came although bars were missing.",
                "Check the data source, then load again.",
            )
        if rows == 0:
            return Verdict(State.COMPLETED, "Completed", "Nothing was missing: no new bars.")
        if rows:
            return Verdict(State.COMPLETED, "Completed", f"{rows:,.0f} bars fetched.")
    training = (snapshot.result or {}).get("training_metrics")
    told = number(training.get("epochs_trained")) if isinstance(training, dict) else None
    if epochs := int(told or len(snapshot.epochs)):
        return Verdict(State.COMPLETED, "Completed", f"Finished after {epochs:,} epoch{'s' if epochs != 1 else ''}.")
    return Verdict(State.COMPLETED, "Completed", "Finished.")


def _cancelled(seen: Evidence) -> Verdict:
    advice = ""
    if seen.cancel is Cancel.UNDELIVERED:
        advice = "The backend did not deliver the cancel to the worker, which may go on working."
    said = seen.snapshot.error
    return Verdict(State.CANCELLED, "Cancelled", said or "Stopped before its end.", advice)


def _failed(snapshot: Snapshot) -> Verdict:
    if snapshot.provisional:
        return Verdict(
            State.DOUBTFUL,
            "Running, marked failed",
            "The backend marked this failed because it ran for more than a minute. The work usually goes on.",
            "Wait: the panel keeps watching, and such operations often turn to completed.",
        )
    if snapshot.succeeded:
        return Verdict(
            State.COMPLETED,
            "Completed",
            "It succeeded: the full result is there. The backend marked it failed after it was restarted.",
        )
    said = snapshot.error or ("The backend gave no reason." if snapshot.full else "Its reason has not been read yet.")
    advice = _advice(said)
    if not advice and snapshot.kind == "data_load" and snapshot.error:
        advice = (
            "These are the words of the data source, for KTRDR the Interactive Brokers Gateway: "
            "see that it runs and is logged in, then load again."
        )
    return Verdict(State.FAILED, "Failed", said, advice)


def _advice(said: str) -> str:
    """The next action for the failures whose cause is known from their text."""
    known = (
        ("No data found", "Load this data first, then start again."),
        (
            "Host service connection failed",
            "The Interactive Brokers host service, the program between KTRDR and the Gateway, does not answer. "
            "Start it, then load again; KTRDR itself is fine.",
        ),
        ("data of your own", "Nothing was changed."),
        ("model_path is required", "Choose a trained model and start the backtest again."),
        ("resumed", "Resume it to go on from its checkpoint."),
    )
    for sign, advice in known:
        if sign in said:
            return advice
    if said.startswith("Symbol ") and " not found" in said:
        return "The data source does not know this symbol. Check its spelling."
    return ""
