"""A backtest's record beside its result: every trade, and the bars with the model's inputs.

One file for each backtest, `backtests/<operation id>.npz`: plain arrays and JSON text. It is read in pieces, so that
the answer about an operation stays small.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from panel.embedded import features
from panel.embedded.computing import Array
from panel.embedded.ledger import Row
from panel.embedded.performance import Trade
from panel.embedded.plan import Input, Plan, reference
from panel.embedded.timeframes import complete
from panel.files.archive import DAMAGE
from panel.files.drafts import draft_of

TRADES = 20_000  # in the result: the newest
BARS = 2000  # that one answer has
_PRICES = ("open", "high", "low", "close", "volume")
_ON_PRICES = frozenset(  # indicators that are prices themselves
    (
        "simplemovingaverage",
        "exponentialmovingaverage",
        "weightedmovingaverage",
        "bollingerbands",
        "keltnerchannels",
        "donchianchannels",
        "supertrend",
        "parabolicsar",
        "ichimoku",
        "vwap",
    )
)


class NotRecorded(Exception):
    """There is no record of this backtest, or it cannot be read."""


def file(folder: Path, operation_id: str) -> Path:
    return folder / "backtests" / f"{operation_id}.npz"


def series(plan: Plan, stored: dict[str, pd.DataFrame], base: str, shown: pd.DatetimeIndex) -> tuple[list[Row], Array]:
    """The bars that open at `shown` as columns: time, prices, volume, then the columns that the first value names. Each
    input is there as its indicator and its memberships, as both were known at the bar's close."""
    bars = stored[base]
    known = complete(np.asarray(bars.index.as_unit("s").asi8), base)
    columns = [np.asarray(bars.index.as_unit("s").asi8, np.float64), *(bars[name].to_numpy(float) for name in _PRICES)]
    sets: list[Row] = []
    for item in plan.inputs:
        for timeframe in item.used(list(stored)):
            name, indicator, labels, on_prices = _described(plan, item)
            frame = stored[timeframe]
            values = [features.indicator_of(plan, reference(indicator), frame)]
            values += [] if item.raw else features.columns_of(plan, item, frame)
            columns += [features.as_known(each, frame, timeframe, known) for each in values]
            sets.append(
                {
                    "name": f"{name} {timeframe}" if len(stored) > 1 else name,
                    "indicator": indicator,
                    "on_prices": on_prices,
                    "labels": labels,
                }
            )
    inside = bars.index.isin(shown)
    return sets, np.column_stack(columns)[inside]


def _described(plan: Plan, item: Input) -> tuple[str, str, list[str], bool]:
    """(name, indicator, labels of its fuzzy set, whether the indicator is drawn over the prices)"""
    fuzzy = None if item.raw else plan.fuzzy_sets[item.fuzzy_set]
    source = fuzzy.indicator if fuzzy else reference(item.raw)
    written = source.indicator + (f".{source.output}" if source.output else "")
    on_prices = plan.indicators[source.indicator].kind in _ON_PRICES
    return item.fuzzy_set or written, written, list(fuzzy.labels) if fuzzy else [], on_prices


def explained(trades: list[Trade], outputs: Array, plan: Plan) -> list[Row]:
    """The trades as rows, each with the answers that began and ended it. `outputs`: a row for each bar traded."""

    def why(bar: int, side: float) -> str:
        word = "BUY" if side > 0 else "SELL"
        if plan.regression:
            return f"{word}: expects {outputs[bar, 0] * 100:+.2f} %"
        sure = float(outputs[bar].max())
        return f"{word}: {'over 99' if sure > 0.99 else f'{sure * 100:.0f}'} % sure"  # a network is never certain

    rows = []
    for trade in trades:
        ended = "end of the period" if trade.at_end else why(trade.exit_bar - 1, -trade.quantity)
        rows.append(trade.as_row() | {"entry_reason": why(trade.entry_bar - 1, trade.quantity), "exit_reason": ended})
    return rows


def save(target: Path, trades: list[Row], seen: tuple[list[Row], Array]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    sets, columns = seen
    with draft_of(target) as draft, draft.open("wb") as out:
        np.savez_compressed(out, trades=json.dumps(trades), sets=json.dumps(sets), columns=columns)


def drop_old(folder: Path, days: int) -> None:
    """Delete the records that are so many days older than the newest; 0 keeps all of them. Counted from the newest, so
    that a clock that is wrong once deletes nothing."""
    written = {kept: kept.stat().st_mtime for kept in (folder / "backtests").glob("*.npz")} if days else {}
    for kept, at in written.items():
        if at < max(written.values()) - days * 86_400:
            kept.unlink(missing_ok=True)


def trades(source: Path) -> Row:
    """All trades in order of time, the newest TRADES of them; and how many there are. Raises NotRecorded."""
    found = _read(source, "trades")
    return {"trades": found[-TRADES:], "total": len(found)}


def bars(source: Path, at: float | None, count: int) -> Row:
    """At most `count` bars, those around a time (Unix seconds) or the newest. Raises NotRecorded."""
    columns, sets = _read(source, "columns"), _read(source, "sets")
    count = max(1, min(count, BARS))
    last = len(columns)
    if at is not None:
        last = min(last, int(np.searchsorted(columns[:, 0], at)) + count // 2)
    first = max(0, last - count)
    part = columns[first : first + count]
    column = 1 + len(_PRICES)
    for each in sets:
        each["values"], *each["memberships"] = (
            _numbers(part[:, place]) for place in range(column, column + 1 + len(each["labels"]))
        )
        column += 1 + len(each["labels"])
    candles = [[int(row[0]), *_numbers(row[1:6])] for row in part]
    return {"bars": candles, "sets": sets, "first": first, "total": len(columns)}


def _numbers(values: Array) -> list[float | None]:
    return [float(f"{value:.7g}") if np.isfinite(value) else None for value in values]


def _read(source: Path, name: str) -> Any:
    try:
        with source.open("rb") as opened, np.load(opened, allow_pickle=False) as kept:
            found = kept[name]
        return found if name == "columns" else json.loads(str(found))
    except (OSError, AttributeError, TypeError, *DAMAGE) as exc:
        raise NotRecorded from exc
