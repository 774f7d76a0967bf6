"""What an operation that has ended has come to, and what its failure means. Pure."""

from panel.domain.formatting import ago, many
from panel.domain.observation import Cancel, Observation
from panel.domain.snapshot import Snapshot, number
from panel.domain.state import State, Verdict
from panel.domain.workers import WorkerList

LATE = 25.0  # seconds that the list of workers may lag behind the work, with some to spare

_KNOWN = (
    ("No data found", "Load this data first, then start again."),
    (
        "Host service connection failed",
        "The Interactive Brokers host service, the program between KTRDR and the Gateway, does not answer. "
        "Start it, then load again; KTRDR itself is fine.",
    ),
    ("data of your own", "Nothing was changed."),
    ("model_path is required", "Choose a trained model and start the backtest again."),
    ("Model directory not found", "This model is gone. Choose another one, or train it again."),
    ("no worker claimed it", "Nobody worked on it any more. Start it again."),
    ("resumed", "Resume it to go on from its checkpoint."),
)
_GATEWAY = (
    "These are the words of the data source, for KTRDR the Interactive Brokers Gateway: "
    "see that it runs and is logged in, then load again."
)


def completed(observation: Observation) -> Verdict:
    snapshot = observation.snapshot
    if snapshot.kind == "data_load" and snapshot.result:
        return _loaded(observation)
    training = (snapshot.result or {}).get("training_metrics")
    told = number(training.get("epochs_trained")) if isinstance(training, dict) else None
    if epochs := int(told or len(snapshot.epochs)):
        return Verdict(State.COMPLETED, "Completed", f"Finished after {many(epochs, 'epoch')}.")
    return Verdict(State.COMPLETED, "Completed", "Finished.")


def cancelled(observation: Observation, now: float, worker_list: WorkerList) -> Verdict:
    said = observation.snapshot.error
    worker = worker_list.working_on(observation.snapshot.id)
    if worker is not None and worker_list.fresh(now) and (worker_list.heard_at or now) - observation.changed_at > LATE:
        return Verdict(
            State.STRAY,
            "Cancelled, still worked on",
            "The backend calls this cancelled, but the worker goes on with it.",
            "The worker takes nothing else until it ends. Stopping the worker itself ends it for certain.",
            (
                f"Worker {worker.id} is busy with this operation, listed {ago(worker_list.heard_at or now, now)}.",
                f"It was called cancelled {ago(observation.changed_at, now)}.",
            ),
        )
    if observation.cancel is Cancel.UNDELIVERED:
        advice = "The backend did not deliver the cancel to the worker, which may go on working."
        return Verdict(
            State.CANCELLED,
            "Cancelled",
            said or "Stopped before its end.",
            advice,
            ("The backend answered the cancel with: worker not reached.",),
        )
    return Verdict(State.CANCELLED, "Cancelled", said or "Stopped before its end.")


def failed(observation: Observation, now: float) -> Verdict:
    snapshot = observation.snapshot
    if snapshot.provisional and snapshot.kind == "data_load" and observation.untracked_since is not None:
        return Verdict(
            State.FAILED,
            "Failed",
            "The backend was restarted in the middle of this load, and the load ended with it.",
            "Load again: what was saved before is still there.",
            (
                f"It was at {snapshot.percentage:.0f} %, then the backend called it 0 %.",
                f"The backend's words: {snapshot.error}",
            ),
        )
    if snapshot.provisional:
        moved = ago(observation.changed_at, now)
        return Verdict(
            State.DOUBTFUL,
            "Running, marked failed",
            "The backend marked this failed because it ran for more than a minute. The work usually goes on.",
            "Wait: the panel keeps watching, and such operations often turn to completed.",
            (
                f"Its progress last moved {moved}, at {snapshot.percentage:.0f} %.",
                f"The backend's words: {snapshot.error}",
            ),
        )
    if snapshot.succeeded:
        return Verdict(
            State.COMPLETED,
            "Completed",
            "It succeeded: the full result is there. The backend marked it failed after it was restarted.",
            evidence=(
                "The result has measures of the finished model.",
                f"The backend's words: {snapshot.error or 'none'}",
            ),
        )
    said = snapshot.error or ("The backend gave no reason." if snapshot.full else "Its reason has not been read yet.")
    return Verdict(State.FAILED, "Failed", said, _advice(snapshot, said))


def _loaded(observation: Observation) -> Verdict:
    result = observation.snapshot.result or {}
    rows, gaps = number(result.get("rows_downloaded")), number(result.get("gaps_filled"))
    if rows == 0 and gaps:
        return Verdict(
            State.PROBLEMS,
            "Finished with problems",
            "The backend calls this completed, but not one bar came although bars were missing.",
            "Check the data source, then load again.",
            (f"0 bars came, {many(int(gaps), 'gap')} worked on.",),
        )
    if rows and observation.fell:
        return Verdict(
            State.PROBLEMS,
            "Finished with problems",
            f"{many(int(rows), 'bar')} came, but some segments did not: bars are probably still missing.",
            "Look at the gaps of what is stored now, then load again.",
            ("Its progress went backwards on the way. It does when segments fail, of which the backend says nothing.",),
        )
    if rows == 0:
        return Verdict(State.COMPLETED, "Completed", "Nothing was missing: no new bars.")
    if rows:
        return Verdict(State.COMPLETED, "Completed", f"{many(int(rows), 'bar')} fetched.")
    return Verdict(State.COMPLETED, "Completed", "Finished.")


def _advice(snapshot: Snapshot, said: str) -> str:
    """The next action for the failures whose cause is known from their text."""
    for sign, advice in _KNOWN:
        if sign in said:
            return advice
    if said.startswith("Symbol ") and " not found" in said:
        return "The data source does not know this symbol. Check its spelling."
    return _GATEWAY if snapshot.kind == "data_load" and snapshot.error else ""
