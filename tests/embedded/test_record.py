"""What a backtest keeps beside its result: its trades explain the account, and the bars what the model saw."""

import json
import os
import secrets
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from panel.embedded import EmbeddedBackend, record, strategy
from panel.embedded.account import Costs, trade
from panel.embedded.backtest import backtest
from panel.embedded.performance import Trade, curve, distribution, exposure, monthly
from tests.embedded.conftest import job, seed


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(result, record file) of one backtest on the sample market."""
    folder = tmp_path_factory.mktemp("house")
    seed(folder)
    asked = {"strategy_name": "small", "start_date": "2025-07-01", "end_date": "2025-12-31", "symbol": "EURUSD"}
    asked |= {"timeframe": "1h", "model_path": "models/small/1h_v1", "initial_capital": 100_000.0}
    done = job(folder, f"op_{secrets.token_hex(4)}", "backtesting", asked | {"commission": 0.001, "slippage": 0.0005})
    return backtest(done), record.file(folder, done.id)


def test_the_trades_add_up_to_the_account(made):
    result, kept = made
    found = record.trades(kept)
    trades, metrics = found["trades"], result["metrics"]
    assert found["total"] == len(trades) == result["trade_count"] == result["trades_recorded"] > 20
    assert sum(each["net_pnl"] for each in trades) == pytest.approx(metrics["total_return"], abs=0.01)
    assert sum(each["commission"] for each in trades) == pytest.approx(metrics["total_commission"], abs=0.01)
    for each in trades:
        moved = (each["exit_price"] - each["entry_price"]) * each["quantity"] * (1 if each["side"] == "LONG" else -1)
        assert each["net_pnl"] == pytest.approx(moved - each["commission"] - each["slippage"], abs=1e-4)
        assert each["return_pct"] == pytest.approx(each["net_pnl"] / each["entry_price"] / each["quantity"], abs=1e-6)
        assert each["entry_reason"].startswith("BUY" if each["side"] == "LONG" else "SELL")
        assert each["bars"] > 0 and each["entry_time"] < each["exit_time"]
    assert {each["exit_reason"] == "end of the period" for each in trades[:-1]} == {False}
    assert sum(entry["count"] for entry in result["trade_distribution"]) == len(trades)
    whole = np.prod([1 + month["return"] for month in result["monthly_returns"]])
    assert whole == pytest.approx(1 + metrics["total_return_pct"], abs=1e-5)
    assert [month["month"] for month in result["monthly_returns"]] == [f"2025-{n:02}" for n in range(7, 13)]


def test_the_polled_result_stays_small(made):
    result, kept = made
    assert len(json.dumps(result)) < 60_000 < kept.stat().st_size, "the trades and bars are not in it"


def test_fills_are_at_the_recorded_bars_open(made):
    _, kept = made
    for each in record.trades(kept)["trades"][:5]:
        at = pd.Timestamp(each["entry_time"]).timestamp()
        (bar,) = [row for row in record.bars(kept, at, 20)["bars"] if row[0] == at]
        assert bar[1] == pytest.approx(each["entry_price"], rel=1e-6)


def test_bars_come_with_what_the_model_saw(made):
    result, kept = made
    found = record.bars(kept, None, 100)
    assert len(found["bars"]) == 100 and found["first"] + 100 == found["total"] == result["data_summary"]["bars"]
    (seen,) = found["sets"]
    assert (seen["name"], seen["labels"]) == ("momentum", ["low", "high"]) and not seen["on_prices"]
    assert len(seen["values"]) == len(seen["memberships"][0]) == 100
    assert all(0 <= value <= 1 for line in seen["memberships"] for value in line)
    early = record.bars(kept, found["bars"][0][0] - 40 * 86_400, 50)
    assert early["first"] < found["first"] and len(early["bars"]) == 50
    assert len(record.bars(kept, 0.0, 10_000)["bars"]) <= record.BARS


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 broken"])
def test_a_broken_record_is_none(tmp_path, content):
    broken = tmp_path / "op.npz"
    broken.write_bytes(content)
    for read in (lambda: record.trades(broken), lambda: record.bars(broken, None, 5)):
        with pytest.raises(record.NotRecorded):
            read()
    with pytest.raises(record.NotRecorded):
        record.trades(Path(tmp_path / "none.npz"))
    with zipfile.ZipFile(broken, "w") as other:
        other.writestr("trades.npy", b"no array")
    with pytest.raises(record.NotRecorded):
        record.trades(broken)


def test_exposure_months_and_returns_by_hand():
    """Bought at the second bar's open, sold at the fourth's: two of six bars."""
    index = pd.date_range("2024-01-31T21:00", periods=6, freq="h", tz="UTC").as_unit("s")
    bars = pd.DataFrame({"open": [100.0, 100, 110, 120, 120, 120], "close": [100.0, 110, 120, 120, 120, 90]}, index)
    equity, trades = trade(bars, np.array([1.0, 0, -1, 0, 0, 0]), "1h", 1000.0, Costs(), lambda share, at: None)
    assert [(each.entry_bar, each.exit_bar, each.at_end) for each in trades] == [(1, 3, False), (3, 6, True)]
    assert exposure(trades[:1], 6) == pytest.approx(2 / 6)
    assert trades[0].share == pytest.approx(0.2) and trades[1].share == pytest.approx(0.25)
    # The bar of 23:00 closes at midnight and belongs to January.
    january, february = monthly(equity, equity)
    assert (january["month"], february["month"]) == ("2024-01", "2024-02")
    assert january["return"] == pytest.approx(0.05) and february["return"] == pytest.approx(equity.iloc[-1] / 1050 - 1)
    assert distribution(trades) == [{"from": 0.2, "to": 0.205, "count": 1}, *distribution(trades)[1:]]
    assert distribution([]) == []


def test_a_network_is_never_called_certain():
    """Nor is 99.6 % rounded up to it."""
    found = strategy.find("rsi_swing", [strategy.STARTERS])
    assert found is not None and found.plan is not None
    at = pd.Timestamp("2024-01-01", tz="UTC")
    trade_of = Trade(at, 1.0, 1.0, 1, 2)
    trade_of.close(at, 1.0, 0.0, 0.0, 2)
    outputs = np.array([[0.996, 0.003, 0.001], [0.0, 0.0, 1.0]])
    (row,) = record.explained([trade_of], outputs, found.plan)
    assert (row["entry_reason"], row["exit_reason"]) == ("BUY: over 99 % sure", "SELL: over 99 % sure")
    (row,) = record.explained([trade_of], outputs * 0.7129, found.plan)
    assert row["entry_reason"] == "BUY: 71 % sure"


@pytest.mark.parametrize("capital", [1e-6, 1.0, 1000.0, 1e5, 1e12])
def test_the_account_is_as_finely_drawn_whatever_it_begins_with(capital):
    index = pd.date_range("2024-01-01", periods=100, freq="h", tz="UTC").as_unit("s")
    equity = pd.Series(capital * (1 + 0.0001 * np.arange(100)), index=index)
    drawn = curve(equity, equity)
    assert len(set(drawn["equity"])) == len(set(drawn["buy_and_hold"])) == 100
    assert drawn["equity"] == pytest.approx(equity.tolist(), rel=6e-6)
    assert max(len(str(value)) for value in drawn["equity"]) <= 18


def test_records_are_kept_as_long_as_their_runs(tmp_path):
    """Counted from the newest: a start with a clock that is years ahead deletes none."""
    folder = tmp_path / "backtests"
    folder.mkdir()
    for days in (0, 29, 31, 400):
        (folder / f"op_{days}.npz").touch()
        os.utime(folder / f"op_{days}.npz", (2e9 - days * 86_400,) * 2)
    kept = lambda: sorted(each.stem for each in folder.iterdir())  # noqa: E731
    EmbeddedBackend(tmp_path, keep_days=0)._backend.open()
    assert len(kept()) == 4
    EmbeddedBackend(tmp_path, keep_days=30)._backend.open()
    assert kept() == ["op_0", "op_29"]
