"""From bars to what the network sees: fuzzy memberships, labels, and a split that cannot see ahead."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from talib import abstract

from panel.embedded.indicators import INDICATORS
from panel.embedded.strategy import FuzzySet, Plan
from panel.embedded.timeframes import DAY, closing, seconds

CLASSES = ("BUY", "HOLD", "SELL")
PARTS = ("training", "validation", "testing")
LEAST = 30  # samples that each part of the split needs to mean anything

Array = np.ndarray[Any, np.dtype[Any]]


class Unusable(Exception):
    """There is no data to train on; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Samples:
    """One row for each bar of the base timeframe, as it could be known when that bar closed."""

    times: Array  # seconds, when the bar closed
    decided: Array  # seconds, when its label could be told
    inputs: Array  # rows × features, 0–1
    labels: Array  # index into CLASSES


@dataclass(frozen=True, slots=True)
class Split:
    train: Samples
    validation: Samples
    test: Samples
    cutoffs: tuple[int, int, int]  # seconds: where training ends, where validation ends, where everything ends


def samples(
    plan: Plan,
    symbols: list[str],
    timeframes: list[str],
    load: Callable[[str, str], pd.DataFrame | None],
    start: int | None = None,
    end: int | None = None,
) -> Samples:
    """All symbols' samples that lie between `start` and `end` (seconds), in order of time."""
    base = plan.base(timeframes)
    parts = []
    for symbol in symbols:
        stored = {timeframe: _loaded(load, symbol, timeframe) for timeframe in timeframes}
        parts.append(_of_symbol(plan, stored, base, start, end))
        if not len(parts[-1].times):
            first, last = stored[base].index[0], stored[base].index[-1]
            raise Unusable(
                f"No data found in cache for {symbol} {base} in the period asked for. Stored are "
                f"{len(stored[base]):,} bars from {first:%Y-%m-%d} to {last:%Y-%m-%d}, and the strategy needs "
                f"{plan.training_data.history_required:,} of them before the first sample."
            )
    times = np.concatenate([part.times for part in parts])
    order = np.argsort(times, kind="stable")
    return Samples(
        times[order],
        np.concatenate([part.decided for part in parts])[order],
        np.concatenate([part.inputs for part in parts])[order],
        np.concatenate([part.labels for part in parts])[order],
    )


def _loaded(load: Callable[[str, str], pd.DataFrame | None], symbol: str, timeframe: str) -> pd.DataFrame:
    frame = load(symbol, timeframe)
    if frame is None:
        raise Unusable(f"No data found in cache for {symbol} {timeframe}. Load it first, then train again.")
    return frame


def _of_symbol(plan: Plan, stored: dict[str, pd.DataFrame], base: str, start: int | None, end: int | None) -> Samples:
    bars = stored[base]
    openings = np.asarray(bars.index.as_unit("s").asi8)
    known, inputs = closing(openings, base), network_inputs(plan, stored, base)
    asked = plan.training.labels
    labels = zigzag_labels(bars["close"].to_numpy(), asked.zigzag_threshold, asked.label_lookahead)
    usable = np.isfinite(inputs).all(axis=1) & (labels >= 0)
    if start is not None:
        usable &= openings >= start
    if end is not None:
        usable &= openings < end
    ahead = min(asked.label_lookahead, len(known))
    decided = np.append(known[ahead:], np.repeat(known[-1:], ahead))
    return Samples(known[usable], decided[usable], inputs[usable], labels[usable])


def network_inputs(plan: Plan, stored: dict[str, pd.DataFrame], base: str) -> Array:
    """What the network sees at the close of each bar of `base`: bars × features, NaN where too little came
    before. `stored`: the bars of each timeframe."""
    bars = stored[base]
    known = closing(np.asarray(bars.index.as_unit("s").asi8), base)
    columns = [
        _as_known(column, stored[timeframe], timeframe, known)
        for item in plan.nn_inputs
        for timeframe in filter(item.uses, stored)
        for column in _memberships(plan, plan.fuzzy_sets[item.fuzzy_set], stored[timeframe])
    ]
    if not columns:
        raise Unusable("With these timeframes the strategy's network has no inputs.")
    inputs = np.column_stack(columns)
    inputs[: plan.training_data.history_required] = np.nan
    return inputs


def _as_known(values: Array, bars: pd.DataFrame, timeframe: str, moments: Array) -> Array:
    """The values at `moments`, each taken from the last bar that had closed by then; NaN when that bar is
    too old to say anything (more than two bars and a long weekend)."""
    closed = closing(np.asarray(bars.index.as_unit("s").asi8), timeframe)
    place = np.searchsorted(closed, moments, side="right") - 1
    found = np.where(place >= 0, values[np.maximum(place, 0)], np.nan)
    age = moments - closed[np.maximum(place, 0)]
    return np.where(age <= 2 * seconds(timeframe) + 4 * DAY, found, np.nan)


def _memberships(plan: Plan, fuzzy: FuzzySet, bars: pd.DataFrame) -> list[Array]:
    name, _, output = fuzzy.indicator.partition(".")
    values = indicator(plan.indicators[name].type, plan.indicators[name].parameters, output, bars)
    return [membership(label.type, values, *label.parameters) for label in fuzzy.labels.values()]


def indicator(kind: str, parameters: dict[str, float], output: str, bars: pd.DataFrame) -> Array:
    """One output of one indicator for every bar; NaN until it has enough of them."""
    known = INDICATORS[kind]
    inputs = {column: bars[column].to_numpy(np.float64) for column in bars.columns}
    function, place = known.function, known.outputs.index(output) if output else 0
    if function == "ADX" and place:  # TA-Lib computes the directional lines on their own
        function, place = ("PLUS_DI", "MINUS_DI")[place - 1], 0
    arguments: dict[str, Any] = {}
    for name, value in parameters.items():
        theirs = known.parameters[name]
        arguments[theirs] = float(value) if theirs == "nbdevup" else int(value)
    if "nbdevup" in arguments:
        arguments["nbdevdn"] = arguments["nbdevup"]
    result = abstract.Function(function)(inputs, **arguments)  # type: ignore[attr-defined]
    return np.asarray(result[place] if isinstance(result, list | tuple) else result, np.float64)


def membership(shape: str, x: Array, *p: float) -> Array:
    """How far each value belongs, 0–1. NaN stays NaN."""
    if shape == "gaussian":
        return np.exp(-0.5 * ((x - p[0]) / p[1]) ** 2)
    if shape == "sigmoid":
        return 1 / (1 + np.exp(np.clip(-p[1] * (x - p[0]), -500, 500)))
    a, b, c, d = (p[0], p[1], p[1], p[2]) if shape == "triangular" else p
    rising = (x - a) / (b - a) if b > a else np.where(x >= a, 1.0, 0.0)
    falling = (d - x) / (d - c) if d > c else np.where(x <= d, 1.0, 0.0)
    return np.where(np.isnan(x), np.nan, np.clip(np.minimum(rising, falling), 0.0, 1.0))


def zigzag_labels(closes: Array, threshold: float, lookahead: int) -> Array:
    """For each bar which comes first within `lookahead` bars: a rise of `threshold` (BUY), a fall (SELL),
    or neither (HOLD). The last `lookahead` bars cannot be told yet: -1."""
    labels = np.full(len(closes), CLASSES.index("HOLD"))
    undecided = np.ones(len(closes), bool)
    for ahead in range(1, min(lookahead, len(closes) - 1) + 1):
        change = closes[ahead:] / closes[:-ahead] - 1
        for name, hit in (("BUY", change >= threshold), ("SELL", change <= -threshold)):
            now = undecided[:-ahead] & hit
            labels[:-ahead][now] = CLASSES.index(name)
            undecided[:-ahead][now] = False
    labels[-lookahead:] = -1
    return labels


def split(whole: Samples, plan: Plan, cutoffs: tuple[int, int, int] | None = None) -> Split:
    """Train, validation and test one after the other in time, for all symbols at the same moments. Samples
    whose labels look across a border are left out. `cutoffs` repeats an earlier split."""
    times, decided = whole.times, whole.decided
    if cutoffs is None and len(times):
        moments = np.unique(times)
        shares = plan.training.data_split
        places = [int((len(moments) - 1) * share) for share in (shares.train, shares.train + shares.validation)]
        borders = [int(moments[place]) for place in places]
        cutoffs = (borders[0], borders[1], int(decided.max()) + 1)
    first, second, last = cutoffs or (0, 0, 0)
    cut = []
    for after, before in ((0, first), (first, second), (second, last)):
        part = (times >= after) & (decided < before)
        cut.append(Samples(times[part], decided[part], whole.inputs[part], whole.labels[part]))
    if min(len(part.times) for part in cut) < LEAST:
        counts = ", ".join(f"{len(part.times):,} for {name}" for part, name in zip(cut, PARTS, strict=True))
        raise Unusable(
            f"There is too little data: {counts}; each needs {LEAST} samples. Load more, or widen the dates."
        )
    return Split(cut[0], cut[1], cut[2], (first, second, last))
