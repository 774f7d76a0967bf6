"""A training: a multi-layer perceptron on fuzzy memberships, epoch by epoch, from nothing or a checkpoint."""

import json
import os
import pickle
import re
import time
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import sklearn
from sklearn.inspection import permutation_importance
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss, precision_recall_fscore_support
from sklearn.neural_network import MLPClassifier

from panel.embedded import features
from panel.embedded.bars import Bars
from panel.embedded.features import CLASSES, Samples, Split, Unusable
from panel.embedded.job import Failed, Job, Stopped
from panel.embedded.ledger import Row, stamp
from panel.embedded.strategy import Learning, Plan, Strategy, find
from panel.embedded.timeframes import DAY

CHECKPOINT_EVERY = 5.0  # seconds
_ACTIVATIONS = {"sigmoid": "logistic"}  # scikit-learn's name


class Run:
    """What a training has learned so far: all that a checkpoint needs to go on as if nothing had been."""

    def __init__(self, plan: Plan) -> None:
        self.cutoffs: tuple[int, int, int] | None = None
        self.epoch = 0  # epochs done
        self.history: list[Row] = []
        self.best: tuple[float, int, Any] = (float("inf"), 0, None)  # validation loss, epoch, weights
        self.seconds = 0.0
        self.network = MLPClassifier(
            plan.model.architecture.hidden_layers,
            activation=_ACTIVATIONS.get(plan.model.architecture.activation, plan.model.architecture.activation),
            solver="sgd" if plan.model.training.optimizer == "sgd" else "adam",
            learning_rate_init=plan.model.training.learning_rate,
            random_state=plan.model.training.random_seed,
        )
        self.after_epoch = pickle.dumps(self.network)  # the network as the last whole epoch left it

    def save(self, job: Job, kind: str) -> None:
        if not self.epoch:
            return
        state = {name: value for name, value in vars(self).items() if name != "network"}
        file = checkpoint_file(job.folder, job.id)
        file.parent.mkdir(parents=True, exist_ok=True)
        joblib.dump(state, file.with_suffix(".tmp"))
        os.replace(file.with_suffix(".tmp"), file)
        last = self.history[-1]
        summary = {name: last[name] for name in ("train_loss", "val_loss", "train_accuracy", "val_accuracy")}
        summary |= {"epoch": self.epoch, "original_request": job.request}
        job.ledger.save_checkpoint(job.id, kind, summary, file.stat().st_size)

    def load(self, file: Path) -> None:
        vars(self).update(joblib.load(file))
        self.network = pickle.loads(self.after_epoch)  # noqa: S301  written by this program, in the user's own folder


def checkpoint_file(folder: Path, operation_id: str) -> Path:
    return folder / "checkpoints" / f"{operation_id}.joblib"


def train(job: Job) -> Row:
    """Train, measure on bars the network never saw, save the model; returns the result in KTRDR's shape."""
    strategy = find(job.request["strategy_name"], [Path(folder) for folder in job.request["folders"]])
    if strategy is None or strategy.plan is None:
        raise Failed(f"The strategy {job.request['strategy_name']} is gone, or no longer valid.")
    plan = strategy.plan
    if not job.resumes:
        job.runs()
    try:
        whole, sources = _samples(job, plan)
        earlier = checkpoint_file(job.folder, job.id) if job.resumes else None
        run = Run(plan)
        if earlier is not None:
            run.load(earlier)
        parts = features.split(whole, plan, run.cutoffs)
    except Unusable as exc:
        raise Failed(str(exc)) from exc
    run.cutoffs = parts.cutoffs
    job.runs()
    try:
        with sklearn.config_context(skip_parameter_validation=True, assume_finite=True):
            _learn(job, plan.model.training, run, parts)
    except Stopped as stopped:
        run.save(job, "cancellation" if stopped.status == "cancelled" else "shutdown")
        if stopped.status == "failed" and run.epoch:
            raise Stopped(f"{stopped} It can be resumed from its checkpoint.", "failed") from stopped
        raise
    job.report(99, "Measuring on the test bars", now=True, steps_completed=run.epoch)
    result = _result(job, plan, run, parts, sources)
    job.report(99, "Saving the model", now=True)
    return result | {"model_path": _save_model(job, strategy, run, result)}


def _samples(job: Job, plan: Plan) -> tuple[Samples, set[str]]:
    bars, sources = Bars(job.folder / "data"), set()

    def load(symbol: str, timeframe: str) -> pd.DataFrame | None:
        job.report(0, f"Reading {symbol} {timeframe}", now=True)
        try:
            stored = bars.stored(symbol, timeframe)
            sources.update([stored.source] if stored else [])
            return bars.read(symbol, timeframe)
        except ValueError as exc:
            raise Failed(str(exc)) from exc

    start, end = (_seconds(job.request.get(name)) for name in ("start_date", "end_date"))
    end = None if end is None else end + DAY  # the day itself belongs to it
    whole = features.samples(plan, job.request["symbols"], job.request["timeframes"], load, start, end)
    job.report(0, "Splitting into training, validation and test", now=True)
    return whole, sources


def _seconds(day: str | None) -> int | None:
    return int(pd.Timestamp(day, tz="UTC").timestamp()) if day else None


def _learn(job: Job, learning: Learning, run: Run, parts: Split) -> None:
    """Epochs until there are enough, or until validation has not improved for the patience."""
    train, batch = parts.train, min(learning.batch_size, len(parts.train.labels))
    batches = -(-len(train.labels) // batch)
    saved = time.monotonic()
    for epoch in range(run.epoch + 1, learning.epochs + 1):
        if learning.early_stopping.enabled and run.epoch - run.best[1] >= learning.early_stopping.patience:
            return
        began = time.monotonic()
        order = np.random.default_rng([learning.random_seed, epoch]).permutation(len(train.labels))
        for number in range(batches):
            rows = order[number * batch : (number + 1) * batch]
            run.network.batch_size = len(rows)
            run.network.partial_fit(train.inputs[rows], train.labels[rows], classes=range(len(CLASSES)))
            job.place = f"at epoch {epoch} of {learning.epochs}"
            job.report(
                100 * (epoch - 1 + (number + 1) / batches) / learning.epochs,
                f"Epoch {epoch}/{learning.epochs} · Batch {number + 1}/{batches}",
                steps_completed=epoch - 1,
                steps_total=learning.epochs,
                items=(epoch - 1) * batches + number + 1,
            )
        _end_epoch(learning, run, parts, time.monotonic() - began, bool(job.request.get("detailed_analytics")))
        job.ledger.update(job.id, epochs=run.history)
        if time.monotonic() - saved > CHECKPOINT_EVERY:
            run.save(job, "periodic")
            saved = time.monotonic()


def _end_epoch(learning: Learning, run: Run, parts: Split, seconds: float, detailed: bool) -> None:
    run.epoch += 1
    run.seconds += seconds
    train_loss, train_accuracy = _measure(run.network, parts.train)
    val_loss, val_accuracy = _measure(run.network, parts.validation)
    entry = {
        "epoch": run.epoch - 1,  # KTRDR counts them from 0
        "train_loss": train_loss,
        "train_accuracy": train_accuracy,
        "val_loss": val_loss,
        "val_accuracy": val_accuracy,
        "learning_rate": learning.learning_rate,
        "duration": seconds,
        "timestamp": stamp(),
    }
    if detailed:
        entry["weight_norm"] = float(np.sqrt(sum((layer**2).sum() for layer in run.network.coefs_)))
    run.history.append(entry)
    if val_loss < run.best[0] - learning.early_stopping.min_delta:
        run.best = (val_loss, run.epoch, _weights(run.network))
    run.after_epoch = pickle.dumps(run.network)


def _weights(network: MLPClassifier) -> Any:
    return [layer.copy() for layer in network.coefs_], [layer.copy() for layer in network.intercepts_]


def _measure(network: MLPClassifier, part: Samples) -> tuple[float, float]:
    chances = network.predict_proba(part.inputs)
    if not np.isfinite(chances).all():
        raise Failed("The network's numbers ran off to infinity. Try a smaller learning rate.")
    loss = log_loss(part.labels, chances, labels=range(len(CLASSES)))
    return float(loss), float(accuracy_score(part.labels, chances.argmax(axis=1)))


def _result(job: Job, plan: Plan, run: Run, parts: Split, sources: set[str]) -> Row:
    network, test, learning = run.network, parts.test, plan.model.training
    if learning.early_stopping.enabled:
        network.coefs_, network.intercepts_ = run.best[2]
    loss, accuracy = _measure(network, test)
    told = network.predict_proba(test.inputs).argmax(axis=1)
    signals = [CLASSES.index("BUY"), CLASSES.index("SELL")]
    precision, recall, f1, _ = precision_recall_fscore_support(
        test.labels, told, labels=signals, average="micro", zero_division=0
    )
    commonest = int(np.bincount(parts.train.labels, minlength=len(CLASSES)).argmax())
    history = {
        name: [epoch[name] for epoch in run.history]
        for name in ("train_loss", "val_loss", "train_accuracy", "val_accuracy")
    }
    sized = sum(layer.size for layer in (*network.coefs_, *network.intercepts_))
    artifacts: Row = {}
    if job.request.get("detailed_analytics"):
        ids = [feature["feature_id"] for feature in plan.features(job.request["timeframes"])]
        found = permutation_importance(
            network, parts.validation.inputs, parts.validation.labels, n_repeats=5, random_state=learning.random_seed
        )
        artifacts = {
            "feature_importance": dict(zip(ids, found.importances_mean.tolist(), strict=True)),
            "confusion_matrix": confusion_matrix(test.labels, told, labels=range(len(CLASSES))).tolist(),
        }
    return {
        "artifacts": artifacts,
        "model_info": {
            "architecture": "mlp " + "-".join(map(str, plan.model.architecture.hidden_layers)),
            "parameters_count": int(sized),
            "trainable_parameters": int(sized),
            "random_seed": learning.random_seed,
        },
        "data_summary": {
            "symbols": job.request["symbols"],
            "timeframes": job.request["timeframes"],
            "base_timeframe": plan.base(job.request["timeframes"]),
            "start_date": _day(parts.train.times[0]),
            "end_date": _day(test.times[-1]),
            "test_start_date": _day(int(test.times[0]) + DAY - 1),  # from this day on the model has seen nothing
            "feature_count": int(test.inputs.shape[1]),
            "total_samples": len(parts.train.labels) + len(parts.validation.labels) + len(test.labels),
            "samples": {
                "train": len(parts.train.labels),
                "validation": len(parts.validation.labels),
                "test": len(test.labels),
            },
            "source": sources.pop() if len(sources) == 1 else "mixed",
        },
        "session_info": {"operation_id": job.id},
        "resource_usage": {},
        "test_metrics": {
            "test_loss": loss,
            "test_accuracy": accuracy,
            "precision": float(precision),
            "recall": float(recall),
            "f1_score": float(f1),
            "baseline_accuracy": float((test.labels == commonest).mean()),
            "baseline_class": CLASSES[commonest],
        },
        "training_metrics": {
            "history": history,
            "training_time": round(run.seconds, 3),
            "epochs_trained": run.epoch,
            "early_stopped": run.epoch < learning.epochs,
            "best_epoch": run.best[1] if learning.early_stopping.enabled else run.epoch,
            "final_train_loss": history["train_loss"][-1],
            "final_val_loss": history["val_loss"][-1],
            "final_train_accuracy": history["train_accuracy"][-1],
            "final_val_accuracy": history["val_accuracy"][-1],
            "best_val_accuracy": max(history["val_accuracy"]),
        },
    }


def _day(at: int) -> str:
    return f"{pd.Timestamp(at, unit='s', tz='UTC'):%Y-%m-%d}"


def _save_model(job: Job, strategy: Strategy, run: Run, result: Row) -> str:
    """`models/<strategy>/<timeframe>_v<number>/`, complete when it appears; returns its path."""
    home = job.folder / "models" / strategy.stem
    home.mkdir(parents=True, exist_ok=True)
    timeframe = job.request["timeframes"][0]
    numbers = [int(found[1]) for path in home.iterdir() if (found := re.fullmatch(rf"{timeframe}_v(\d+)", path.name))]
    model = home / f"{timeframe}_v{max(numbers, default=0) + 1}"
    draft = home / f".{model.name}.{os.getpid()}"
    draft.mkdir()
    joblib.dump(run.network, draft / "model.joblib")
    (draft / "strategy.yaml").write_text(strategy.text, "utf-8")
    about = result | {"operation_id": job.id, "created_at": stamp(), "classes": CLASSES}
    about["features"] = strategy.plan.features(job.request["timeframes"]) if strategy.plan else []
    (draft / "model.json").write_text(json.dumps(about, indent=1), "utf-8")
    draft.rename(model)
    return model.relative_to(job.folder).as_posix()
