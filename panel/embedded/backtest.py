"""A backtest: what a trained model would have done, bar by bar, with costs.

The network decides at a bar's close, from what was known then; the order is filled at the next bar's open. Each
backtest has an account of its own, see `account`.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from panel.embedded import features, record
from panel.embedded.account import STAKE, Costs, hold, trade
from panel.embedded.bars import Bars
from panel.embedded.computing import Array
from panel.embedded.features import Unusable
from panel.embedded.job import Failed, Job
from panel.embedded.labels import BUY, CLASSES, SELL
from panel.embedded.ledger import Row
from panel.embedded.network import Network, Unreadable
from panel.embedded.performance import COMPARED, curve, days_a_year, distribution, exposure, metrics, monthly
from panel.embedded.plan import Plan
from panel.embedded.strategy import read
from panel.embedded.timeframes import DAY, complete
from panel.embedded.used_bars import UsedBars


class Decides(Protocol):
    """A network as `Network` is one."""

    def outputs(self, inputs: Array) -> Array: ...


@dataclass(frozen=True, slots=True)
class Model:
    """A saved training: its network and the strategy as it then was."""

    path: str
    plan: Plan
    about: Row
    network: Network


def backtest(job: Job) -> Row:
    """Decide, trade, measure; returns the result in KTRDR's shape, with the equity curve. All trades and the bars with
    what the model saw go to a file of their own: see `record`."""
    job.runs()
    began, wanted = time.monotonic(), job.request
    symbol, timeframe = wanted["symbol"], wanted["timeframe"]
    job.report(0, "Reading the model", now=True)
    model = saved(job.folder, wanted["model_path"], wanted["strategy_name"])
    stored, read = _stored(job, model, symbol, timeframe)
    job.report(3, f"Asking the model about {symbol} {timeframe}", now=True)
    try:
        values = answers(model.network, model.plan, stored, timeframe)
    except Unusable as exc:
        raise Failed(str(exc)) from exc
    bars, signals = _in_period(stored[timeframe], signals_of(values, model.plan), wanted)

    def progress(share: float, at: pd.Timestamp) -> None:
        job.place = f"at {at:%Y-%m-%d}"
        job.report(5 + 90 * share, f"Backtesting {symbol} {timeframe} [{at}]")

    capital, costs = wanted["initial_capital"], Costs(wanted["commission"], wanted["slippage"])
    equity, trades = trade(bars, signals, timeframe, capital, costs, progress)
    held, once = hold(bars, timeframe, capital, costs)
    job.report(97, "Measuring", now=True)
    first = int(stored[timeframe].index.get_loc(bars.index[0]))
    listed = record.explained(trades, values[first : first + len(bars)], model.plan)
    record.save(record.file(job.folder, job.id), listed, record.series(model.plan, stored, timeframe, bars.index))
    whole = complete(stored[timeframe].index.as_unit("s").asi8, timeframe)
    per_year = days_a_year(pd.to_datetime(whole, unit="s").as_unit("ms"))
    idle = metrics(held, once, capital, per_year)
    used = {"symbols": [symbol], "timeframes": [timeframe], "bars": len(bars), "read": read.rows}
    used |= {"start_date": f"{bars.index[0]:%Y-%m-%d}", "end_date": f"{bars.index[-1]:%Y-%m-%d}"}
    sources = read.sources | {model.about["data_summary"].get("source", "own")}
    return {
        "config": {
            "start_date": f"{wanted['start_date']}T00:00:00",
            "end_date": f"{wanted['end_date']}T00:00:00",
            "initial_capital": capital,
            "commission": costs.commission,
            "slippage": costs.slippage,
            "stake": STAKE,
            **_threshold(model.plan),
        },
        "strategy_name": wanted["strategy_name"],
        "model_used": model.path,
        "symbol": symbol,
        "timeframe": timeframe,
        "start_time": bars.index[0].isoformat(),
        "end_time": bars.index[-1].isoformat(),
        "data_summary": used | {"source": sources.pop() if len(sources) == 1 else "mixed"},
        "metrics": metrics(equity, trades, capital, per_year)
        | {"buy_and_hold_return_pct": idle["total_return_pct"], "exposure": exposure(trades, len(bars))},
        # Results of earlier versions, which bought at the second open, name no time.
        "buy_and_hold": {name: idle[name] for name in COMPARED} | {"bought_at": bars.index[0].isoformat()},
        "monthly_returns": monthly(equity, held),
        "trade_distribution": distribution(trades),
        "trade_count": len(trades),
        "trades_recorded": len(trades),
        "trades": listed[-20:],
        "equity_curve": curve(equity, held),
        "equity_curve_length": len(equity) - 1,
        "execution_time_seconds": round(time.monotonic() - began, 3),
    }


def _threshold(plan: Plan) -> Row:
    """The threshold that an output has to exceed to be a signal, by its name in results."""
    if plan.regression:
        return {"trade_threshold": plan.decisions.trade_threshold}
    return {"confidence_threshold": plan.decisions.confidence_threshold}


def saved(folder: Path, path: str | None, strategy_name: str) -> Model:
    """The model in a folder like `models/<strategy>/1h_v1`. Raises Failed with a sentence. Only what lies
    below `models/` is opened."""
    if not path:
        raise Failed("model_path is required for backtesting")
    place = (folder / path).resolve()
    network = place / "model.npz"
    if not place.is_relative_to((folder / "models").resolve()):
        raise Failed(f"Model directory not found: {path[:200]}")
    if not network.is_file() and (place / "model.joblib").is_file():
        raise Failed(
            f"The model in {path[:200]} is of an earlier version, in a format that can run programs when it is opened. "
            "It is not opened; train it again."
        )
    if not network.is_file():
        raise Failed(f"Model directory not found: {path[:200]}")
    if strategy_name != place.parent.name:
        raise Failed(f"{path[:200]} is a model of the strategy {place.parent.name}, not of {strategy_name[:100]}.")
    strategy = read(place / "strategy.yaml")
    if strategy.plan is None:
        raise Failed(f"The strategy that was saved with {path[:200]} is not valid: {strategy.problem}")
    try:
        about = json.loads((place / "model.json").read_text("utf-8"))
        found = Network.load(network)
        inputs = len(strategy.plan.features(about["data_summary"]["timeframes"]))
        if found.regression != strategy.plan.regression or found.weights[0].shape[0] != inputs:
            raise Unreadable("its network is not the strategy's")
    except (OSError, ValueError, LookupError, TypeError, Unreadable) as exc:
        raise Failed(f"The model in {path[:200]} cannot be read: {exc}.") from exc
    return Model(place.relative_to(folder.resolve()).as_posix(), strategy.plan, about, found)


def _stored(job: Job, model: Model, symbol: str, timeframe: str) -> tuple[dict[str, pd.DataFrame], UsedBars]:
    """The bars of each timeframe that the model reads, and remarks about them."""
    looks_at: list[str] = model.about["data_summary"]["timeframes"]
    base = model.plan.base(looks_at)
    if timeframe != base:
        raise Failed(f"This model decides on {base} bars; it cannot be tried on {timeframe}.")
    used, found = UsedBars(Bars(job.folder / "data"), bool(job.request.get("leave_out_bad_bars"))), {}
    for each in looks_at:
        job.report(1, f"Reading {symbol} {each}", now=True)
        frame = used.load(symbol, each)
        if frame is None:
            raise Failed(f"No data found in cache for {symbol} {each}. Load it first, then start the backtest again.")
        found[each] = frame
    return found, used


def decide(network: Decides, plan: Plan, stored: dict[str, pd.DataFrame], base: str) -> Array:
    """For each bar of `base` the model's signal at its close: 1 for BUY, -1 for SELL, 0 for HOLD. NaN where too few
    bars precede it."""
    return signals_of(answers(network, plan, stored, base), plan)


def answers(network: Decides, plan: Plan, stored: dict[str, pd.DataFrame], base: str) -> Array:
    """The network's outputs at each bar's close: a probability for each class (bars × classes), or one expected return
    (bars × 1). NaN where too few bars precede it."""
    inputs = features.network_inputs(plan, stored, base)
    known = np.isfinite(inputs).all(axis=1)
    values = np.full((len(inputs), 1 if plan.regression else len(CLASSES)), np.nan)
    if known.any():
        values[known] = network.outputs(inputs[known]).reshape(int(known.sum()), -1)
    return values


def signals_of(values: Array, plan: Plan) -> Array:
    """1, -1, 0 or NaN for each row of `answers`."""
    known = np.isfinite(values).all(axis=1)
    signals, outputs = np.full(len(values), np.nan), values[known]
    if plan.regression:
        expected = outputs[:, 0]
        signals[known] = np.where(np.abs(expected) > plan.decisions.trade_threshold, np.sign(expected), 0.0)
    elif known.any():
        signs = np.zeros(len(CLASSES))
        signs[BUY], signs[SELL] = 1.0, -1.0
        sure = outputs.max(axis=1) >= plan.decisions.confidence_threshold
        signals[known] = np.where(sure, signs[outputs.argmax(axis=1)], 0.0)
    return signals


def _in_period(bars: pd.DataFrame, signals: Array, wanted: Row) -> tuple[pd.DataFrame, Array]:
    start = pd.Timestamp(wanted["start_date"], tz="UTC")
    end = pd.Timestamp(wanted["end_date"], tz="UTC") + pd.Timedelta(seconds=DAY)  # the last day is included
    inside = np.asarray((bars.index >= start) & (bars.index < end))
    what = f"{wanted['symbol']} {wanted['timeframe']}"
    if inside.sum() < 2:
        raise Failed(
            f"No data found in cache for {what} in the period asked for. Stored are {len(bars):,} bars from "
            f"{bars.index[0]:%Y-%m-%d} to {bars.index[-1]:%Y-%m-%d}."
        )
    if np.isnan(signals[inside]).all():
        raise Failed(f"The model could not decide once: too few bars of {what} are stored before the period's end.")
    return bars[inside], np.nan_to_num(signals[inside])
