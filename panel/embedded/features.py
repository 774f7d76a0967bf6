"""From bars to what the network sees: inputs, labels, and a split that cannot see ahead."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from panel.embedded.computing import Array, indicator
from panel.embedded.labels import labels
from panel.embedded.plan import Input, Plan, Reference, reference
from panel.embedded.timeframes import DAY, complete, seconds

PARTS = ("training", "validation", "testing")
EARLIEST = -(1 << 62)  # before any bar; 0 would be 1970
LEAST = 30  # samples that each part of the split needs at least


class Unusable(Exception):
    """Too little data to train on; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Samples:
    """One row for each bar of the base timeframe, as it could be known when that bar closed."""

    times: Array  # seconds, when the bar closed
    decided: Array  # seconds, when its label was known
    inputs: Array  # rows × features, fuzzy ones 0–1
    labels: Array  # indices into labels.CLASSES, or the returns that a regression learns


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
                f"{plan.data.history_required:,} of them before the first sample."
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
    known, inputs = complete(openings, base), network_inputs(plan, stored, base)
    learned, labelled = labels(plan.labels, bars)
    usable = np.isfinite(inputs).all(axis=1) & labelled
    if start is not None:
        usable &= openings >= start
    if end is not None:
        usable &= openings < end
    if len(bars) > plan.data.history_required and (silent := _silent(plan, stored, inputs)):
        raise Unusable(
            f"{silent} has no value on any of the {len(bars):,} {base} bars: too few bars are stored, or they have no "
            "volume and it needs one."
        )
    ahead = min(plan.labels.horizon, len(known))
    decided = np.append(known[ahead:], np.repeat(known[-1:], ahead))
    return Samples(known[usable], decided[usable], inputs[usable], learned[usable])


def _silent(plan: Plan, stored: dict[str, pd.DataFrame], inputs: Array) -> str:
    """The first input that is known on no bar; "" when there is none."""
    ids = [feature["feature_id"] for feature in plan.features(list(stored))]
    known = np.isfinite(inputs)
    return next((name for name, column in zip(ids, known.T, strict=True) if not column.any()), "")


def network_inputs(plan: Plan, stored: dict[str, pd.DataFrame], base: str) -> Array:
    """What the network sees at the close of each bar of `base`: bars × features, NaN where too little came
    before. `stored`: the bars of each timeframe."""
    bars = stored[base]
    known = complete(np.asarray(bars.index.as_unit("s").asi8), base)
    columns = [
        as_known(column, stored[timeframe], timeframe, known)
        for item in plan.inputs
        for timeframe in item.used(list(stored))
        for column in columns_of(plan, item, stored[timeframe])
    ]
    if not columns:
        raise Unusable("With these timeframes the strategy's network has no inputs.")
    inputs = np.column_stack(columns)
    inputs[: plan.data.history_required] = np.nan
    return inputs


def as_known(values: Array, bars: pd.DataFrame, timeframe: str, moments: Array) -> Array:
    """The values at `moments`, each taken from the last bar that had closed by then; NaN when that bar is
    too old to say anything (more than two bars and a long weekend)."""
    closed = complete(np.asarray(bars.index.as_unit("s").asi8), timeframe)
    place = np.searchsorted(closed, moments, side="right") - 1
    found = np.where(place >= 0, values[np.maximum(place, 0)], np.nan)
    age = moments - closed[np.maximum(place, 0)]
    return np.where(age <= 2 * seconds(timeframe) + 4 * DAY, found, np.nan)


def columns_of(plan: Plan, item: Input, bars: pd.DataFrame) -> list[Array]:
    """An input's values on one timeframe: one column for each label, or the indicator's own values."""
    if item.raw:
        return [indicator_of(plan, reference(item.raw), bars)]
    fuzzy = plan.fuzzy_sets[item.fuzzy_set]
    values = indicator_of(plan, fuzzy.indicator, bars)
    return [membership(label.shape, values, *label.parameters) for label in fuzzy.labels.values()]


def indicator_of(plan: Plan, source: Reference, bars: pd.DataFrame) -> Array:
    used = plan.indicators[source.indicator]
    return indicator(used.kind, used.parameters, source.output, bars)


def membership(shape: str, x: Array, *p: float) -> Array:
    """How far each value belongs, 0–1. NaN stays NaN."""
    if shape == "gaussian":
        return np.exp(-0.5 * ((x - p[0]) / p[1]) ** 2)
    a, b, c, d = (p[0], p[1], p[1], p[2]) if shape == "triangular" else p
    rising = (x - a) / (b - a) if b > a else np.where(x >= a, 1.0, 0.0)
    falling = (d - x) / (d - c) if d > c else np.where(x <= d, 1.0, 0.0)
    return np.where(np.isnan(x), np.nan, np.clip(np.minimum(rising, falling), 0.0, 1.0))


def scaling(plan: Plan, timeframes: list[str], inputs: Array) -> tuple[Array, Array]:
    """Offset and factor of each input, from the training part alone. Fuzzy inputs stay as they are."""
    offset, factor = np.zeros(inputs.shape[1]), np.ones(inputs.shape[1])
    wanted = [
        item.normalization if item.raw else "none"
        for item in plan.inputs
        for _ in item.used(timeframes)
        for _ in ([""] if item.raw else plan.fuzzy_sets[item.fuzzy_set].labels)
    ]
    for place, (how, column) in enumerate(zip(wanted, inputs.T, strict=True)):
        if how == "none":
            continue
        offset[place] = column.min() if how == "minmax" else column.mean()
        width = column.max() - column.min() if how == "minmax" else column.std(ddof=1)
        factor[place] = 1 / width if width > 0 else 0.0
    return offset, factor


def split(whole: Samples, plan: Plan, cutoffs: tuple[int, int, int] | None = None) -> Split:
    """Train, validation and test one after the other in time, for all symbols at the same moments. Samples
    whose labels look across a border are left out. `cutoffs` repeats an earlier split."""
    times, decided = whole.times, whole.decided
    if cutoffs is None and len(times):
        moments = np.unique(times)
        shares = plan.split
        places = [int((len(moments) - 1) * share) for share in (shares.train, shares.train + shares.validation)]
        borders = [int(moments[place]) for place in places]
        cutoffs = (borders[0], borders[1], int(decided.max()) + 1)
    first, second, last = cutoffs or (0, 0, 0)
    cut = []
    for after, before in ((EARLIEST, first), (first, second), (second, last)):
        part = (times >= after) & (decided < before)
        cut.append(Samples(times[part], decided[part], whole.inputs[part], whole.labels[part]))
    if min(len(part.times) for part in cut) < LEAST:
        counts = ", ".join(f"{len(part.times):,} for {name}" for part, name in zip(cut, PARTS, strict=True))
        raise Unusable(
            f"There is too little data: {counts}; each needs {LEAST} samples. Load more, or widen the dates."
        )
    return Split(cut[0], cut[1], cut[2], (first, second, last))
