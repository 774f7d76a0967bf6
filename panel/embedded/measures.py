"""Measures of a network: its loss and accuracy on samples, and the whole result of a training."""

import dataclasses
import math
from typing import Any

import numpy as np
import pandas as pd

from panel.embedded.features import Samples, Split
from panel.embedded.job import Failed
from panel.embedded.labels import CLASSES, HOLD
from panel.embedded.ledger import Row
from panel.embedded.network import Array
from panel.embedded.perceptron import Perceptron
from panel.embedded.plan import Learning, Plan
from panel.embedded.timeframes import DAY

IMPORTANCE_ROWS = 2000  # test rows on which inputs are tried, so that many inputs cost seconds at most
REPEATS = 3
MAX_INPUTS = 300


def measure(perceptron: Perceptron, part: Samples, plan: Plan) -> tuple[float, float]:
    """Loss and accuracy. A regression's accuracy is how often it has the direction right, as at KTRDR."""
    outputs = perceptron.outputs(part.inputs)
    if not np.isfinite(outputs).all():
        raise Failed("The network's numbers ran off to infinity. Try a smaller learning rate.")
    if plan.regression:
        right = np.sign(outputs) == np.sign(part.labels)
        return _error(outputs - part.labels, plan.learning), float(right.mean())
    least = np.finfo(outputs.dtype).eps  # of the probability of the right class
    loss = -np.log(np.clip(outputs[np.arange(len(outputs)), part.labels], least, 1 - least)).mean()
    return float(loss), float((outputs.argmax(axis=1) == part.labels).mean())


def _error(errors: Array, learning: Learning) -> float:
    if learning.loss == "mse":
        return float((errors**2).mean())
    size, delta = np.abs(errors), learning.huber_delta
    return float(np.where(size <= delta, size**2 / 2, delta * (size - delta / 2)).mean())


def of_test(perceptron: Perceptron, parts: Split, plan: Plan) -> Row:
    """The measures of the test part, with what the commonest answer of the training part would reach there."""
    test, train = parts.test, parts.train
    loss, accuracy = measure(perceptron, test, plan)
    found: Row = {"test_loss": loss, "test_accuracy": accuracy}
    outputs = perceptron.outputs(test.inputs)
    right = np.sign(outputs) == np.sign(test.labels) if plan.regression else outputs.argmax(axis=1) == test.labels
    found["test_accuracy_error"] = standard_error(right, test.times, plan.labels.horizon)
    if plan.regression:
        rises = float(np.sign(train.labels).sum()) >= 0
        up, down = float((test.labels > 0).mean()), float((test.labels < 0).mean())
        found |= {"mae": float(np.abs(outputs - test.labels).mean())}
        found |= {"trade_share": float((np.abs(outputs) > plan.decisions.trade_threshold).mean())}
        found |= {"commonest_accuracy": max(up, down), "commonest_class": "BUY" if up >= down else "SELL"}
        return found | {"baseline_accuracy": up if rises else down, "baseline_class": "BUY" if rises else "SELL"}
    answers = outputs.argmax(axis=1)
    signals, moves = int((answers != HOLD).sum()), int((test.labels != HOLD).sum())
    hits = int((right & (answers != HOLD)).sum())
    # Undefined without signals.
    shares = {"precision": (hits, signals), "recall": (hits, moves), "f1_score": (2 * hits, signals + moves)}
    found |= {name: part / whole for name, (part, whole) in shares.items() if whole}
    commonest = int(np.bincount(train.labels, minlength=len(CLASSES)).argmax())
    share = float((test.labels == commonest).mean())
    return found | {"baseline_accuracy": share, "baseline_class": CLASSES[commonest]}


def standard_error(right: Array, times: Array, horizon: int) -> float:
    """Of the share of right answers. Bars of one moment count as one, and neighbours are not independent: the labels of
    `horizon` bars look at the same ones (Newey and West, 1987, with that many lags)."""
    _, moments = np.unique(times, return_inverse=True)
    off = np.bincount(moments, right) / np.bincount(moments)
    off -= off.mean()
    lags = min(horizon, len(off) // 4)
    alike = sum((1 - lag / (lags + 1)) * float(off[lag:] @ off[:-lag]) for lag in range(1, lags + 1))
    return math.sqrt(max(float(off @ off) + 2 * alike, 0.0)) / len(off)


def analytics(perceptron: Perceptron, test: Samples, plan: Plan, timeframes: list[str]) -> Row:
    """Of the test part: what each input is worth, which classes are taken for which, and how often the network is right
    when it is so sure."""
    artifacts: Row = {}
    ids = [feature["feature_id"] for feature in plan.features(timeframes)]
    if len(ids) <= MAX_INPUTS:
        artifacts["feature_importance"] = dict(zip(ids, importances(perceptron, test, plan), strict=True))
    if not plan.regression:
        outputs = perceptron.outputs(test.inputs)
        artifacts |= {"classes": list(CLASSES), "confusion_matrix": confusion(outputs, test.labels)}
        artifacts["calibration"] = calibration(outputs, test.labels)
    return artifacts


def importances(perceptron: Perceptron, test: Samples, plan: Plan) -> list[float]:
    """How much worse the network is when one input's values are shuffled (permutation importance, Breiman 2001), for
    each input: the share of right answers that is lost, or of the labels' variance that is not explained any more."""
    chance = np.random.default_rng(plan.learning.random_seed)
    rows = chance.permutation(len(test.labels))[:IMPORTANCE_ROWS]
    inputs, labels = test.inputs[rows], test.labels[rows]
    spread = float(labels.var()) if plan.regression else 1.0

    def score() -> float:
        outputs = perceptron.outputs(inputs)
        if plan.regression:
            return -float(((outputs - labels) ** 2).mean()) / spread if spread else 0.0
        return float((outputs.argmax(axis=1) == labels).mean())

    whole, found = score(), []
    for column in inputs.T:
        kept, scores = column.copy(), []
        for _ in range(REPEATS):
            column[:] = chance.permutation(kept)
            scores.append(score())
        column[:] = kept
        found.append(whole - sum(scores) / REPEATS)
    return found


def confusion(outputs: Array, labels: Array) -> list[list[int]]:
    """How often each class (row) was taken for each class (column)."""
    pairs = np.bincount(labels * len(CLASSES) + outputs.argmax(axis=1), minlength=len(CLASSES) ** 2)
    found: list[list[int]] = pairs.reshape(len(CLASSES), len(CLASSES)).tolist()
    return found


def calibration(outputs: Array, labels: Array) -> list[Row]:
    """For each tenth of confidence: the number of answers, their mean confidence, and the share that was right."""
    sure, right = outputs.max(axis=1), outputs.argmax(axis=1) == labels
    tenths = np.minimum((sure * 10).astype(int), 9)
    return [
        {
            "from": round(tenth / 10, 1),
            "to": round((tenth + 1) / 10, 1),
            "count": int((tenths == tenth).sum()),
            "sure": round(float(sure[tenths == tenth].mean()), 6),
            "right": round(float(right[tenths == tenth].mean()), 6),
        }
        for tenth in np.unique(tenths).tolist()
    ]


def model_info(perceptron: Perceptron, plan: Plan) -> Row:
    count = int(sum(layer.size for layer in perceptron.weights()))
    layers = "-".join(map(str, plan.layers.hidden))
    return {
        "architecture": f"mlp {layers}" + (" regression" if plan.regression else ""),
        "output_format": "regression" if plan.regression else "classification",
        "parameters_count": count,
        "trainable_parameters": count,
        "random_seed": plan.learning.random_seed,
    }


def data_summary(request: Row, plan: Plan, parts: Split, source: str) -> Row:
    counts = {"train": parts.train, "validation": parts.validation, "test": parts.test}
    samples = {name: len(part.labels) for name, part in counts.items()}
    return {
        "symbols": request["symbols"],
        "timeframes": request["timeframes"],
        "base_timeframe": plan.base(request["timeframes"]),
        "start_date": _day(parts.train.times[0]),
        "end_date": _day(parts.test.times[-1]),
        "test_start_date": _day(int(parts.test.times[0]) + DAY - 1),  # from this day on the model has seen nothing
        # From this one on nothing was measured on either: the last labels look at bars beyond the last sample.
        "unseen_from": _day(
            max(int(part.decided.max()) for part in (parts.train, parts.validation, parts.test)) + DAY - 1
        ),
        "feature_count": int(parts.test.inputs.shape[1]),
        "total_samples": sum(samples.values()),
        "samples": samples,
        "labels": {"source": plan.labels.source, **dataclasses.asdict(plan.labels)},
        "source": source,
    }


def training_metrics(history: list[Row], seconds: float, best_epoch: int, learning: Learning) -> Row:
    names = ("train_loss", "val_loss", "train_accuracy", "val_accuracy")
    curves: dict[str, list[Any]] = {name: [epoch[name] for epoch in history] for name in names}
    return {
        "history": curves,
        "training_time": round(seconds, 3),
        "epochs_trained": len(history),
        "early_stopped": len(history) < learning.epochs,
        "early_stopping": learning.early_stopping.enabled,
        "best_epoch": best_epoch if learning.early_stopping.enabled else len(history),
        **{f"final_{name}": curve[-1] for name, curve in curves.items()},
        "best_val_accuracy": max(curves["val_accuracy"]),
    }


def _day(at: int) -> str:
    return f"{pd.Timestamp(at, unit='s', tz='UTC'):%Y-%m-%d}"
