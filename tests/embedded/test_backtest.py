"""Backtests: known answers, costs, no look into the future; then in a real process, from training to result."""

import fcntl
import json
import os
import re
import secrets
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from panel.embedded import EmbeddedBackend, market
from panel.embedded.account import Costs, hold, trade
from panel.embedded.backtest import backtest, decide, saved
from panel.embedded.bars import Bars
from panel.embedded.job import Failed, Job, Stopped
from panel.embedded.performance import POINTS, curve, days_a_year, metrics
from panel.embedded.strategy import read
from tests.embedded.conftest import Wire, job, seed
from tests.support.small_strategy import STRATEGY

pytestmark = pytest.mark.anyio

BUY, SELL, HOLD = 1.0, -1.0, 0.0


def bars(opens: list[float], closes: list[float]) -> pd.DataFrame:
    index = pd.date_range("2024-01-01", periods=len(opens), freq="h", tz="UTC").as_unit("s")
    return pd.DataFrame({"open": opens, "close": closes}, index=index).astype(float)


OPENS, CLOSES = [100, 100, 110, 120, 110, 100], [100, 110, 120, 110, 100, 90]
SIGNALS = np.array([BUY, HOLD, SELL, HOLD, HOLD, BUY])


def run(costs: Costs, signals=SIGNALS, opens=OPENS, closes=CLOSES):
    figures: list[float] = []
    equity, trades = trade(bars(opens, closes), signals, "1h", 1000.0, costs, lambda share, at: figures.append(share))
    assert figures == sorted(figures) and figures[-1] == 1.0
    return equity, trades


def test_a_known_answer_without_costs():
    """A quarter of 1,000 buys 2.5 at 100, sold at 120: +50. A quarter of 1,050 sells 2.1875 at 120, bought back at
    the last close, 90: +65.625. The last BUY comes too late to be filled."""
    equity, trades = run(Costs())
    assert [(t.entry_price, t.quantity, t.exit_price) for t in trades] == [(100, 2.5, 120), (120, -2.1875, 90)]
    assert [t.gain for t in trades] == [50, 65.625]
    assert [str(t.entry_time)[11:16] for t in trades] == ["01:00", "03:00"], "the open after the bar that said so"
    assert equity.tolist() == [1000, 1000, 1025, 1050, 1071.875, 1093.75, 1115.625]
    figures = metrics(equity, trades, 1000.0, 365.25)
    assert figures["total_return_pct"] == pytest.approx(0.115625)
    assert (figures["total_trades"], figures["win_rate"], figures["profit_factor"]) == (2, 1.0, None)
    assert (figures["max_drawdown_pct"], figures["avg_holding_period"]) == (0.0, 2.5)


def test_a_known_drawdown_and_loss():
    equity, trades = run(Costs(), np.array([BUY, HOLD, HOLD, SELL, HOLD, HOLD]))
    # 2.5 bought at 100: up to 1050, down to 1025 at the close of 110; turned at the next open, 110.
    assert equity.tolist()[3:5] == [1050, 1025]
    figures = metrics(equity, trades, 1000.0, 365.25)
    assert figures["max_drawdown_pct"] == pytest.approx(25 / 1050) and figures["max_drawdown"] == 25
    falling, lost = run(Costs(), np.array([BUY] + [HOLD] * 5), [100] * 6, [100, 90, 80, 80, 80, 80])
    assert [t.gain for t in lost] == [-50]
    figures = metrics(falling, lost, 1000.0, 365.25)
    assert (figures["total_return_pct"], figures["win_rate"], figures["profit_factor"]) == (-0.05, 0.0, 0.0)
    assert figures["max_drawdown_pct"] == pytest.approx(0.05), "from what it began with"


def test_costs_are_paid_with_every_fill():
    """1 % and 0.5 % of 250 at the entry; of 300 at the exit; and so on with what is left."""
    equity, trades = run(Costs(commission=0.01, slippage=0.005))
    assert equity.iloc[2] == pytest.approx(1025 - 250 * 0.015)
    assert trades[0].commission == pytest.approx(5.5) and trades[0].slippage == pytest.approx(2.75)
    assert trades[0].gain == pytest.approx(50 - 8.25)
    assert trades[1].quantity == pytest.approx(-0.25 * (1000 + 50 - 8.25) / 120)
    # The account and the list of trades count the costs each for itself: they agree to the last cent.
    assert equity.iloc[-1] - 1000 == pytest.approx(sum(t.gain for t in trades))
    assert run(Costs(0.01, 0))[0].iloc[-1] < run(Costs())[0].iloc[-1] > run(Costs(0, 0.005))[0].iloc[-1]


def test_without_a_signal_nothing_happens():
    equity, trades = run(Costs(0.01, 0.01), np.zeros(6))
    assert trades == [] and set(equity) == {1000}
    figures = metrics(equity, trades, 1000.0, 365.25)
    assert figures["total_return_pct"] == 0 and figures["sharpe_ratio"] is None and figures["win_rate"] is None
    json.dumps(figures, allow_nan=False)


def test_a_sharpe_ratio_by_hand():
    """Daily returns +10 %, 0, -5 %; the day of the last one ends at midnight."""
    index = pd.DatetimeIndex(["2024-01-01T00:00", "2024-01-01T23:00", "2024-01-31T23:00", "2024-02-02T00:00"], tz="UTC")
    equity = pd.Series([100.0, 110.0, 110.0, 104.5], index=index)
    returns = np.array([0.1, 0.0, -0.05])
    expected = returns.mean() / returns.std(ddof=1) * np.sqrt(252)
    figures = metrics(equity, [], 100.0, 252)
    assert figures["sharpe_ratio"] == pytest.approx(expected)
    assert figures["volatility"] == pytest.approx(returns.std(ddof=1) * np.sqrt(252))


@pytest.mark.parametrize(
    ("days", "hours", "expected"),
    [
        (pd.bdate_range("2024-01-01", "2024-01-05"), range(9, 17), 5 / 7 * 365.25),  # Monday to Friday
        (pd.bdate_range("2024-01-04", "2024-02-07"), range(9, 17), 5 / 7 * 365.25),
        (pd.date_range("2024-01-04", "2024-02-05"), range(24), 365.25),
        (pd.date_range("2024-01-01", "2024-01-03"), (0,), 3 / 7 * 365.25),
        (pd.date_range("2014-01-06", "2024-01-01", freq="W-MON"), (0,), 365.25 / 7),
    ],
)
def test_days_a_year_are_counted_in_whole_weeks(days, hours, expected):
    """A week of hours once had 425 days a year."""
    closes = pd.DatetimeIndex([day + pd.Timedelta(hours=hour + 1) for day in days for hour in hours])
    assert days_a_year(closes) == pytest.approx(expected)


def test_each_bar_of_a_day_is_one_day():
    """Days round the clock close at midnight: as many returns as bars, and as many of them a year as there are days."""
    days = pd.DataFrame({"open": 100.0, "close": 100.0}, pd.date_range("2024-01-01", periods=60, tz="UTC").as_unit("s"))
    days["close"] = 100 + np.arange(60) % 3
    equity, once = hold(days, "1d", 1000.0, Costs())
    returns = np.diff(equity) / equity.to_numpy()[:-1]
    expected = returns.mean() / returns.std(ddof=1) * np.sqrt(365.25)
    per_year = days_a_year(equity.index[1:])
    assert per_year == 365.25 and metrics(equity, once, 1000.0, per_year)["sharpe_ratio"] == pytest.approx(expected)


def test_a_short_period_says_nothing_of_a_year(house):
    """The ratios of two days are none; those of two months are made with the days a year that all stored bars have."""
    short = backtest(ask(house, start_date="2025-12-01", end_date="2025-12-05"))
    of_a_year = ("annualized_return", "volatility", "sharpe_ratio", "sortino_ratio", "calmar_ratio")
    for figures in (short["metrics"], short["buy_and_hold"]):
        assert figures["total_return_pct"] and [figures[name] for name in of_a_year] == [None] * 5
    long = backtest(ask(house, start_date="2025-11-01"))
    assert None not in [long["metrics"][name] for name in of_a_year]
    closes = pd.Series(long["equity_curve"]["equity"], pd.to_datetime(long["equity_curve"]["time"], unit="s"))
    daily = closes.groupby((closes.index - pd.Timedelta(seconds=1)).normalize()).last()
    assert long["metrics"]["volatility"] == pytest.approx(daily.pct_change().std() * np.sqrt(259.6), rel=0.1)


def test_a_thinned_curve_keeps_the_ends_the_highest_and_the_deepest():
    rng = np.random.default_rng(1)
    index = pd.date_range("2024-01-01", periods=20_000, freq="h", tz="UTC").as_unit("s")
    equity = pd.Series(1000 * np.exp(np.cumsum(rng.normal(0, 0.01, len(index)))), index=index)
    figures = curve(equity, equity)
    assert 200 < len(figures["time"]) <= POINTS and figures["time"] == sorted(set(figures["time"]))
    assert (figures["equity"][0], figures["equity"][-1]) == (round(equity.iloc[0], 2), round(equity.iloc[-1], 2))
    assert (min(figures["equity"]), max(figures["equity"])) == (round(equity.min(), 2), round(equity.max(), 2))
    assert -min(figures["drawdown"]) == pytest.approx(metrics(equity, [], 1000.0, 365.25)["max_drawdown_pct"], abs=1e-6)


@pytest.mark.parametrize(
    "frames",
    ['{mode: single, timeframe: "1h"}', '{mode: multi_timeframe, timeframes: ["1h", "1d"], base_timeframe: 1h}'],
)
def test_what_comes_later_changes_nothing_before(tmp_path, frames):
    """No look-ahead: with other bars from a moment on, every decision, fill and value before it is the same."""
    text = STRATEGY.format(name="s", epochs=1).replace('{mode: single, timeframe: "1h"}', frames)
    (tmp_path / "s.yaml").write_text(text)
    plan = read(tmp_path / "s.yaml").plan
    timeframes = list(plan.data.timeframes)
    start, end = (int(pd.Timestamp(day, tz="UTC").timestamp()) for day in ("2025-01-01", "2025-06-01"))
    stored = {each: market.bars("EURUSD", each, start, end) for each in timeframes}
    cut = pd.Timestamp("2025-04-16", tz="UTC")

    class Network:
        """Decides by the sum of what it sees: any change of an input may change what it says."""

        def outputs(self, inputs):
            wave = np.sin(inputs.sum(axis=1) * 40)[:, None]
            return np.hstack([wave > 0.3, np.abs(wave) <= 0.3, wave < -0.3]).astype(float)

    def outcome(stored):
        signals = decide(Network(), plan, stored, "1h")
        known = np.nan_to_num(signals)
        equity, trades = trade(stored["1h"], known, "1h", 1000.0, Costs(0.001, 0.001), lambda share, at: None)
        return pd.Series(signals, stored["1h"].index), equity, [t for t in trades if t.exit_time < cut]

    other = {}
    for each, frame in stored.items():
        other[each] = frame.copy()
        other[each].loc[cut:, ["open", "high", "low", "close"]] *= np.linspace(1.1, 2, int((frame.index >= cut).sum()))[
            :, None
        ]
    signals, equity, trades = outcome(stored)
    changed, other_equity, other_trades = outcome(other)
    # The bar of the last moment before the cut closes at the cut.
    pd.testing.assert_series_equal(signals[: cut - pd.Timedelta(seconds=1)], changed[: cut - pd.Timedelta(seconds=1)])
    pd.testing.assert_series_equal(equity[:cut], other_equity[:cut])
    assert trades == other_trades and len(trades) > 20
    assert not signals[cut:].equals(changed[cut:]), "the change would have been seen"


def test_unsure_is_a_hold(tmp_path):
    (tmp_path / "s.yaml").write_text(
        STRATEGY.format(name="s", epochs=1).replace("classification}", "classification, confidence_threshold: 0.6}")
    )
    plan = read(tmp_path / "s.yaml").plan

    class Network:
        def outputs(self, inputs):
            return np.tile([[0.59, 0.01, 0.4], [0.61, 0.0, 0.39], [0.1, 0.2, 0.7]], (len(inputs) // 3 + 1, 1))[
                : len(inputs)
            ]

    start = int(pd.Timestamp("2025-01-06", tz="UTC").timestamp())
    decided = decide(Network(), plan, {"1h": market.bars("EURUSD", "1h", start, start + 5 * 86_400)}, "1h")
    assert np.isnan(decided[:50]).all(), "the history that the strategy needs comes first"
    assert decided[50:56].tolist() == [HOLD, BUY, SELL, HOLD, BUY, SELL]


@pytest.mark.parametrize("path", ["models/none", "../outside", "/etc", "models/../../outside", "models/x/1h_v1"])
def test_only_models_are_opened(tmp_path, path):
    home = tmp_path / "home"
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "model.npz").write_text("not to be read")
    (home / "models" / "x").mkdir(parents=True)
    (home / "models" / "x" / "1h_v1").symlink_to(tmp_path / "outside")
    with pytest.raises(Failed, match="Model directory not found"):
        saved(home, path, "x")


BODY = {"strategy_name": "small", "start_date": "2025-07-01", "end_date": "2025-12-31"}
COSTS = {"initial_capital": 100_000.0, "commission": 0.001, "slippage": 0.0005}


@pytest.fixture(scope="module")
def house(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("house")
    seed(folder)
    return folder


def ask(folder: Path, **more) -> Job:
    request = BODY | COSTS | {"symbol": "EURUSD", "timeframe": "1h", "model_path": "models/small/1h_v1"} | more
    return job(folder, f"op_{secrets.token_hex(4)}", "backtesting", request)


def test_a_result_adds_up(house):
    result = backtest(ask(house))
    figures, line = result["metrics"], result["equity_curve"]
    assert result["config"] == COSTS | {
        "start_date": "2025-07-01T00:00:00",
        "end_date": "2025-12-31T00:00:00",
        "stake": 0.25,
        "confidence_threshold": 0.5,
    }
    assert result["data_summary"]["source"] == "sample"
    assert result["trade_count"] == figures["total_trades"] == figures["winning_trades"] + figures["losing_trades"] > 0
    assert figures["total_return"] == pytest.approx(100_000 * figures["total_return_pct"])
    assert result["equity_curve_length"] > 3000 > POINTS >= len(line["time"])
    assert line["equity"][-1] == pytest.approx(100_000 + figures["total_return"], abs=0.01)
    assert line["buy_and_hold"][-1] == pytest.approx(100_000 * (1 + figures["buy_and_hold_return_pct"]), abs=0.01)
    free = backtest(ask(house, commission=0.0, slippage=0.0))["metrics"]
    assert free["total_return"] > figures["total_return"] and free["total_commission"] == 0
    json.dumps(result, allow_nan=False)


def test_holding_is_bought_at_the_first_open_and_sold_at_the_last_close(house):
    result = backtest(ask(house))
    inside = Bars(house / "data").read("EURUSD", "1h")["2025-07-01":"2025-12-31"]
    moved = inside["close"].iloc[-1] / inside["open"].iloc[0]
    gained = 0.25 * (moved - 1 - (0.001 + 0.0005) * (1 + moved))
    assert result["metrics"]["buy_and_hold_return_pct"] == pytest.approx(gained, rel=1e-9)
    assert result["buy_and_hold"]["total_return_pct"] == pytest.approx(gained, rel=1e-9)
    assert result["buy_and_hold"]["bought_at"] == inside.index[0].isoformat()


def test_half_a_year_more_changes_nothing_in_the_first_half(house):
    """The same through files, network and all: a longer period begins like the shorter one."""
    short = backtest(ask(house, end_date="2025-09-30", commission=0.0))["trades"]
    again = backtest(ask(house, end_date="2025-10-31", commission=0.0))["trades"]
    inside = [trade for trade in again if trade["exit_time"] < "2025-09-30"]
    assert inside and inside == [trade for trade in short if trade["exit_time"] < "2025-09-30"][-len(inside) :]


def test_impossible_bars_are_left_out_only_on_request(house, tmp_path):
    shutil.copytree(house, tmp_path / "house")
    file = tmp_path / "house" / "data" / "EURUSD_1h.csv"
    lines = file.read_text().splitlines()
    lines[-20] = lines[-20].partition(",")[0] + ",1.1,1.0,1.2,1.1,5"
    file.write_text("\n".join(lines) + "\n")
    asked = {"start_date": "2025-11-01"}
    (used,) = backtest(ask(tmp_path / "house", **asked))["data_summary"]["read"]
    assert used["bad_bars_used"] == {"high below low": 1} and not used["left_out"]
    (used,) = backtest(ask(tmp_path / "house", **asked, leave_out_bad_bars=True))["data_summary"]["read"]
    assert used["left_out"] == {"high below low": 1} and used["bars"] == len(lines) - 2


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"model_path": None}, "model_path is required for backtesting"),
        ({"model_path": "models/none"}, "Model directory not found: models/none"),
        ({"strategy_name": "long"}, "is a model of the strategy small, not of long"),
        ({"timeframe": "4h"}, "decides on 1h bars; it cannot be tried on 4h"),
        ({"symbol": "AAPL"}, "No data found in cache for AAPL 1h"),
        ({"start_date": "2020-01-01", "end_date": "2020-02-01"}, "Stored are 6,"),
        ({"start_date": "2025-01-01", "end_date": "2025-01-02"}, "could not decide once: too few bars"),
    ],
)
def test_failures_say_why(house, more, words):
    with pytest.raises(Failed, match=re.escape(words)):
        backtest(ask(house, **more))


def test_it_stops_when_it_is_cancelled(house):
    asked = ask(house)
    asked.ledger.update(asked.id, cancel="enough")
    with pytest.raises(Stopped, match="enough") as stopped:
        backtest(asked)
    assert stopped.value.status == "cancelled"


async def test_over_the_wire_in_a_process_of_its_own(house, tmp_path):
    folder = tmp_path / "home"
    shutil.copytree(house, folder)
    backend = EmbeddedBackend(folder)
    await backend.start()
    wire = Wire(backend)
    (model,) = (await wire.get("/models"))["models"]
    assert model["model_path"] == "models/small/1h_v1"
    assert "2025-11-01" < model["data_summary"]["test_start_date"] < "2025-12-31"

    decided = await wire.post("/backtests/start", BODY | {"model_path": model["model_path"]})
    assert (decided["symbol"], decided["timeframe"], decided["status"]) == ("EURUSD", "1h", "started")
    _, worker = await wire.get("/workers")
    assert (worker["worker_type"], worker["current_operation_id"]) == ("backtesting", decided["operation_id"])
    done = await wire.end(decided["operation_id"])
    assert (done["status"], done["progress"]["percentage"]) == ("completed", 100.0), done
    assert done["metadata"]["start_date"] == "2025-07-01T00:00:00"
    assert done["metadata"]["parameters"] == COSTS | {
        "strategy_name": "small",
        "model_path": "models/small/1h_v1",
        "worker_id": "embedded-backtesting",
    }
    assert done["result_summary"]["trade_count"] > 0

    slot = os.open(folder / "slots" / "backtesting", os.O_RDWR)
    fcntl.flock(slot, fcntl.LOCK_EX)  # as a backtest that runs holds it
    status, answer = await wire.ask("POST", "/backtests/start", BODY)
    assert status == 503 and "Another backtest is running" in answer["detail"]["error"]
    assert [worker["status"] for worker in await wire.get("/workers")] == ["available", "busy"]
    os.close(slot)
    await wire.http.aclose()
    await backend.stop()
