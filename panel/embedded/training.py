"""A training: a multi-layer perceptron on its strategy's inputs, epoch by epoch, from nothing or a checkpoint."""

import json
import os
import re
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from panel.embedded import features, measures
from panel.embedded.bars import Bars
from panel.embedded.features import Samples, Split, Unusable
from panel.embedded.job import REPORT_INTERVAL, Failed, Job, Stopped
from panel.embedded.labels import CLASSES
from panel.embedded.ledger import Row, stamp
from panel.embedded.network import Array, Unreadable, listed, load_arrays, numbered, save_arrays
from panel.embedded.perceptron import Perceptron
from panel.embedded.plan import Plan
from panel.embedded.strategy import Strategy, find
from panel.embedded.timeframes import DAY
from panel.embedded.used_bars import UsedBars

CHECKPOINT_EVERY = 5.0  # seconds
CHUNK = 0.1  # seconds of learning between two looks at whether to report or to stop
_SUMMED_UP = ("train_loss", "val_loss", "train_accuracy", "val_accuracy")


class Run:
    """The state of a training: all that a checkpoint needs to continue exactly."""

    def __init__(self, plan: Plan) -> None:
        self.cutoffs: tuple[int, int, int] | None = None
        self.epoch = 0  # epochs done
        self.history: list[Row] = []
        self.best_loss, self.best_epoch = float("inf"), 0  # of the validation part
        self.best_weights: tuple[Array, ...] = ()
        self.seconds = 0.0
        self.perceptron = Perceptron(plan)
        self.after_epoch: tuple[int, dict[str, Array]] = (0, {})  # the network after the last whole epoch

    def save(self, job: Job, kind: str) -> None:
        if not self.epoch:
            return
        job.ledger.update(job.id, epochs=self.history)
        steps, state = self.after_epoch
        about = {name: getattr(self, name) for name in ("cutoffs", "history", "best_loss", "best_epoch", "seconds")}
        file = checkpoint_file(job.folder, job.id)
        file.parent.mkdir(parents=True, exist_ok=True)
        save_arrays(file, about | {"steps": steps}, state | numbered("best", self.best_weights))
        summary = {name: self.history[-1][name] for name in _SUMMED_UP}
        summary |= {"epoch": self.epoch, "original_request": job.request}
        job.ledger.save_checkpoint(job.id, kind, summary, file.stat().st_size)

    def load(self, file: Path) -> None:
        """Raises Unreadable."""
        about, state = load_arrays(file)
        try:
            first, second, last = about["cutoffs"]
            self.cutoffs = (int(first), int(second), int(last))
            self.history, self.epoch = list(about["history"]), len(about["history"])
            self.best_loss, self.best_epoch = float(about["best_loss"]), int(about["best_epoch"])
            self.seconds, self.best_weights = float(about["seconds"]), listed("best", state)
            self.perceptron.restore(int(about["steps"]), state)
        except (LookupError, TypeError, ValueError) as exc:
            raise Unreadable("it is not of this strategy's network") from exc
        self.after_epoch = self.perceptron.state()


def checkpoint_file(folder: Path, operation_id: str) -> Path:
    return folder / "checkpoints" / f"{operation_id}.npz"


def train(job: Job) -> Row:
    """Train, measure on bars the network never saw, save the model; returns the result in KTRDR's shape."""
    strategy = find(job.request["strategy_name"], [Path(folder) for folder in job.request["folders"]])
    if strategy is None:
        raise Failed(f"The strategy {job.request['strategy_name']} is gone.")
    plan = strategy.plan
    if plan is None or not strategy.trainable:
        raise Failed(strategy.problem)
    if not job.resumes:
        job.runs()
    run = Run(plan)
    if job.resumes:
        _restore(job, run)
    parts, offset, factor, used = _parts(job, plan, run)
    job.runs()
    try:
        learn(job, plan, run, parts)
    except Stopped as stopped:
        run.save(job, "cancellation" if stopped.status == "cancelled" else "shutdown")
        if stopped.status == "failed" and run.epoch:
            raise Stopped(f"{stopped} It can be resumed from its checkpoint.", "failed") from stopped
        raise
    job.report(99, "Measuring on the test bars", now=True, steps_completed=run.epoch)
    if plan.learning.early_stopping.enabled:
        run.perceptron.set_weights(run.best_weights)
    result = _result(job, plan, run, parts, used)
    job.report(99, "Saving the model", now=True)
    return result | {"model_path": _save_model(job, strategy, plan, run, offset, factor, result)}


def _restore(job: Job, run: Run) -> None:
    file = checkpoint_file(job.folder, job.id)
    if not file.is_file() and file.with_suffix(".joblib").is_file():
        raise Failed(
            "This checkpoint is of an earlier version, in a format that can run programs when it is opened. It is not "
            "opened; start the training again."
        )
    try:
        run.load(file)
    except Unreadable as exc:
        raise Failed(f"The checkpoint cannot be read: {exc}. Start the training again.") from exc


def _parts(job: Job, plan: Plan, run: Run) -> tuple[Split, Array, Array, UsedBars]:
    """The samples of each part, scaled; with the scaling, and where the bars come from."""
    try:
        whole, used = _samples(job, plan)
        parts = features.split(whole, plan, run.cutoffs)
    except Unusable as exc:
        raise Failed(str(exc)) from exc
    run.cutoffs = parts.cutoffs
    offset, factor = features.scaling(plan, job.request["timeframes"], parts.train.inputs)

    def scaled(part: Samples) -> Samples:
        return replace(part, inputs=(part.inputs - offset) * factor)

    parts = replace(parts, train=scaled(parts.train), validation=scaled(parts.validation), test=scaled(parts.test))
    return parts, offset, factor, used


def _samples(job: Job, plan: Plan) -> tuple[Samples, UsedBars]:
    used = UsedBars(Bars(job.folder / "data"), bool(job.request.get("leave_out_bad_bars")))

    def load(symbol: str, timeframe: str) -> pd.DataFrame | None:
        job.report(0, f"Reading {symbol} {timeframe}", now=True)
        return used.load(symbol, timeframe)

    start, end = (_seconds(job.request.get(name)) for name in ("start_date", "end_date"))
    end = None if end is None else end + DAY  # the last day is included
    whole = features.samples(plan, job.request["symbols"], job.request["timeframes"], load, start, end)
    job.report(0, "Splitting into training, validation and test", now=True)
    return whole, used


def _seconds(day: str | None) -> int | None:
    return int(pd.Timestamp(day, tz="UTC").timestamp()) if day else None


def learn(job: Job, plan: Plan, run: Run, parts: Split) -> None:
    """Runs epochs until the planned number, or until early stopping."""
    learning, train = plan.learning, parts.train
    batch = min(learning.batch_size, len(train.labels))
    batches = -(-len(train.labels) // batch)
    chunk = 1  # batches that are learned in one call
    saved = reported = time.monotonic()
    first = True  # the first progress is reported at once
    for epoch in range(run.epoch + 1, learning.epochs + 1):
        if learning.early_stopping.enabled and run.epoch - run.best_epoch >= learning.early_stopping.patience:
            return
        began = time.monotonic()
        order = np.random.default_rng([learning.random_seed, epoch]).permutation(len(train.labels))
        inputs, labels = train.inputs[order], train.labels[order]
        job.place = f"at epoch {epoch} of {learning.epochs}"
        done = 0
        while done < batches:
            started = time.monotonic()
            rows = slice(done * batch, (done + chunk) * batch)
            run.perceptron.learn(inputs[rows], labels[rows], batch)
            done = min(done + chunk, batches)
            job.report(
                100 * (epoch - 1 + done / batches) / learning.epochs,
                f"Epoch {epoch}/{learning.epochs} · Batch {done}/{batches}",
                steps_completed=epoch - 1,
                steps_total=learning.epochs,
                items=(epoch - 1) * batches + done,
                now=first,
            )
            first = False
            took = time.monotonic() - started
            chunk = min(chunk * 2, batches) if took < CHUNK / 2 else max(chunk // 2, 1) if took > CHUNK else chunk
        _end_epoch(plan, run, parts, time.monotonic() - began, bool(job.request.get("detailed_analytics")))
        last = epoch == learning.epochs
        if last or time.monotonic() - reported > REPORT_INTERVAL:
            job.ledger.update(job.id, epochs=run.history)
            reported = time.monotonic()
        if time.monotonic() - saved > CHECKPOINT_EVERY:
            run.save(job, "periodic")
            saved = time.monotonic()


def _end_epoch(plan: Plan, run: Run, parts: Split, seconds: float, detailed: bool) -> None:
    run.epoch += 1
    run.seconds += seconds
    train_loss, train_accuracy = measures.measure(run.perceptron, parts.train, plan)
    val_loss, val_accuracy = measures.measure(run.perceptron, parts.validation, plan)
    entry = {
        "epoch": run.epoch - 1,  # KTRDR counts them from 0
        "train_loss": train_loss,
        "train_accuracy": train_accuracy,
        "val_loss": val_loss,
        "val_accuracy": val_accuracy,
        "learning_rate": plan.learning.learning_rate,
        "duration": seconds,
        "timestamp": stamp(),
    }
    if detailed:
        entry["weight_norm"] = run.perceptron.norm()
    run.history.append(entry)
    if val_loss < run.best_loss - plan.learning.early_stopping.min_delta:
        run.best_loss, run.best_epoch, run.best_weights = val_loss, run.epoch, run.perceptron.weights()
    run.after_epoch = run.perceptron.state()


def _result(job: Job, plan: Plan, run: Run, parts: Split, used: UsedBars) -> Row:
    timeframes = job.request["timeframes"]
    return {
        "artifacts": measures.analytics(run.perceptron, parts.test, plan, timeframes),
        "model_info": measures.model_info(run.perceptron, plan),
        "data_summary": measures.data_summary(job.request, plan, parts, used.source) | {"bars": used.rows},
        "session_info": {"operation_id": job.id},
        "resource_usage": {},
        "test_metrics": measures.of_test(run.perceptron, parts, plan),
        "training_metrics": measures.training_metrics(run.history, run.seconds, run.best_epoch, plan.learning),
    }


def _save_model(job: Job, strategy: Strategy, plan: Plan, run: Run, offset: Array, factor: Array, result: Row) -> str:
    """`models/<strategy>/<timeframe>_v<number>/`, complete when it appears; returns its path."""
    home = job.folder / "models" / strategy.stem
    home.mkdir(parents=True, exist_ok=True)
    timeframe = job.request["timeframes"][0]
    numbers = [int(found[1]) for path in home.iterdir() if (found := re.fullmatch(rf"{timeframe}_v(\d+)", path.name))]
    model = home / f"{timeframe}_v{max(numbers, default=0) + 1}"
    draft = home / f".{model.name}.{os.getpid()}"
    draft.mkdir()
    run.perceptron.network(offset, factor).save(draft / "model.npz")
    (draft / "strategy.yaml").write_text(strategy.text, "utf-8")
    about = result | {"operation_id": job.id, "created_at": stamp(), "classes": CLASSES}
    about["features"] = plan.features(job.request["timeframes"])
    (draft / "model.json").write_text(json.dumps(about, indent=1), "utf-8")
    draft.rename(model)
    return model.relative_to(job.folder).as_posix()
