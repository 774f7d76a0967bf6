"""Which run of batches comes next, and what a backtest needs of the training before it."""

from collections import Counter
from collections.abc import Sequence

from panel.domain.batches import BatchRun, RunState
from panel.domain.models import Model
from panel.monitoring.poller import Monitor


def in_turn(runs: Sequence[BatchRun]) -> list[BatchRun]:
    """What is in the queue before what waits for room there; of that, the batch first that has the fewest in it."""
    ahead: Counter[str] = Counter()  # of each batch: its runs that come before
    places = []
    for run in sorted(runs, key=lambda run: run.state is RunState.WAITING):
        places.append((ahead[run.batch] if run.state is RunState.WAITING else -1, run))
        ahead[run.batch] += 1
    return [run for _, run in sorted(places, key=lambda each: each[0])]


def model_of(monitor: Monitor, run: BatchRun) -> Model | None:
    """The model that a training has saved."""
    observation = monitor.known(run.operation_id) if run.operation_id else None
    return Model.from_training(observation.snapshot, run.form["strategy_name"]) if observation else None


def why_no_model(monitor: Monitor, run: BatchRun) -> str:
    observation = monitor.known(run.operation_id) if run.operation_id else None
    if observation is not None and observation.model_at is not None:
        return "The training before it saved a model, and the backend never said which one."
    return "The training before it saved no model."
