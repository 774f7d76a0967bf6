"""What a kind draws, whatever its backend sends."""

import json
from typing import Any

import pytest

from panel.adapters import KINDS
from panel.backend.entities import snapshot_of
from panel.domain.snapshot import Snapshot
from panel.views.charts import curves_of
from tests.support.scripted import corrupt, operation

# As a real KTRDR answers.
METRICS = {
    "total_return": -4441.572060953491,
    "total_return_pct": -0.04441572060953491,
    "max_drawdown_pct": 0.05344740547363745,
    "sharpe_ratio": -0.9820091464787446,
    "total_trades": 65,
    "win_rate": 0.23076923076923078,
    "profit_factor": 0.466919025345438,
    "avg_win": 168.85361481218686,
}
CURVE = {
    "time": [1735689600, 1735693200],
    "equity": [100000.0, 100123.456],
    "buy_and_hold": [100000.0, 99000.0],
    "drawdown": [0.0, -0.01],
}


def backtest(**result: Any) -> Snapshot:
    return snapshot_of(operation("op_b", "backtesting", status="completed", result_summary=result), 0.0)


def figures(snapshot: Snapshot) -> dict[str, str]:
    return {figure.label: f"{figure.value}|{figure.note}" for figure in KINDS["backtesting"].figures(snapshot)}


def test_a_backtest_of_a_real_backend_in_a_traders_words():
    shown = figures(backtest(metrics=METRICS, trade_count=65))
    assert shown["Return"] == "-4.4 %|over the whole period"
    assert shown["Max drawdown"].startswith("5.3 %") and shown["Sharpe ratio"].startswith("-0.98")
    assert shown["Win rate"].startswith("23.1 %") and shown["Profit factor"].startswith("0.47")
    assert "Buy and hold" not in shown and "Commission paid" not in shown, "what was not told is not shown"
    assert curves_of(backtest(metrics=METRICS)) == {}, "KTRDR tells no curve"


@pytest.mark.parametrize(("end", "few"), [("2025-07-01T05:00:00", "1 day"), ("2025-07-03T00:00:00+00:00", "2 days")])
def test_ratios_of_a_few_days_say_so(end, few):
    """Of a KTRDR, and of earlier versions of the embedded backend."""
    times = {"start_time": "2025-07-01T00:00:00", "end_time": end}
    assert figures(backtest(metrics=METRICS, **times))["Sharpe ratio"] == f"-0.98|says nothing after {few}"
    none = METRICS | {"sharpe_ratio": None}
    assert figures(backtest(metrics=none, **times))["Sharpe ratio"] == f"–|says nothing after {few}"
    held = {"total_return_pct": 0.01, "annualized_return": -0.8}
    tables = KINDS["backtesting"].tables(backtest(metrics=METRICS, buy_and_hold=held, **times))
    assert tables[0].sentence.endswith(f"Figures of a year and ratios say nothing after {few}.")
    later = times | {"end_time": "2025-09-01T00:00:00"}
    assert figures(backtest(metrics=METRICS, **later))["Sharpe ratio"] == "-0.98|return for the risk taken"


@pytest.mark.parametrize(
    ("held", "note"),
    [(-0.1, "5.6 points more than"), (0.05, "9.4 points less than"), (-0.0444, "as much as")],
)
def test_a_return_is_measured_against_buying_and_holding(held, note):
    shown = figures(backtest(metrics=METRICS | {"buy_and_hold_return_pct": held}))
    assert note in shown["Return"] and "Buy and hold" in shown


@pytest.mark.parametrize(
    ("config", "note"),
    [
        ({"confidence_threshold": 0.5}, "no signal led to a trade; the strategy asks for a threshold of 0.5"),
        ({}, "no signal led to a trade"),
    ],
)
def test_an_account_that_did_not_move_says_why(config, note):
    shown = figures(backtest(metrics={"max_drawdown_pct": -0.0, "total_trades": 0}, config=config))
    assert shown["Trades"] == f"0|{note}"
    assert shown["Max drawdown"].startswith("0.0 %"), "no negative zero"


def test_an_account_over_time_is_a_chart():
    drawn = curves_of(backtest(metrics=METRICS, equity_curve=CURVE))
    assert (drawn["title"], drawn["each"], drawn["times"], list(drawn["x"])) == (
        "Over time",
        "point",
        True,
        CURVE["time"],
    )
    account, drawdown = drawn["plots"]
    assert [curve["key"] for curve in account["curves"]] == ["this model", "buy and hold"]
    assert account["curves"][0]["values"] == [100000.0, 100123.0] and drawdown["unit"] == "%"


@pytest.mark.parametrize(
    "curve",
    [None, [], {}, {"time": "x"}, CURVE | {"time": [None, 1]}, CURVE | {"equity": [1]}, CURVE | {"drawdown": None}],
)
def test_a_curve_that_is_none_is_not_drawn(curve):
    assert curves_of(backtest(metrics=METRICS, equity_curve=curve)) == {}


def test_holes_and_nonsense_in_a_curve_are_holes():
    curve = CURVE | {"equity": ["<img>", float("nan")], "drawdown": [None, True]}
    drawn = curves_of(backtest(metrics=METRICS, equity_curve=curve))
    assert drawn["plots"][0]["curves"][0]["values"] == drawn["plots"][1]["curves"][0]["values"] == [None, None]
    json.dumps(drawn, allow_nan=False)


def test_a_training_draws_losses_and_accuracies_and_a_load_nothing():
    snapshot = snapshot_of(operation("op_a", metrics={"epochs": corrupt(3)}), 0.0)
    drawn = curves_of(snapshot)
    assert list(drawn["x"]) == [1, 2, 3] and [plot["title"] for plot in drawn["plots"]] == ["Loss", "Accuracy"]
    for kind in ("data_load", "dummy", "agent_research"):
        assert curves_of(snapshot_of(operation("op_x", kind), 0.0)) == {}


@pytest.mark.parametrize(
    ("training", "mark"),
    [
        ({"best_epoch": 4}, "lowest validation loss at epoch 2; the model is of epoch 4"),
        ({"best_epoch": 2}, "lowest validation loss at epoch 2"),
        ({}, "lowest validation loss at epoch 2"),  # a KTRDR does not say which one it keeps
    ],
)
def test_the_lowest_loss_is_not_called_the_epoch_that_was_kept(training, mark):
    losses = (0.9, 0.5, 0.6, 0.7)
    epochs = [{"epoch": n, "train_loss": 0.5, "val_loss": loss} for n, loss in enumerate(losses)]
    metrics = {"epochs": [epochs, 4]}
    result = {"training_metrics": training}
    drawn = curves_of(
        snapshot_of(operation("op_t", "training", status="completed", metrics=metrics, result_summary=result), 0.0)
    )
    assert (drawn["best"], drawn["mark"]) == (2, mark)


def test_costs_are_typed_in_per_cent_and_sent_as_fractions():
    typed = {"strategy_name": "s", "model_path": "m", "start_date": "2024-01-01", "end_date": "2024-02-01"}
    made = KINDS["backtesting"].from_form(typed | {"commission": "0.2", "slippage": "0 %"})
    payload = made.get_start_payload()
    assert (payload["commission"], payload["slippage"]) == (0.002, 0.0), "nothing is a choice too"
    line = made.argv()
    assert "--capital" not in line, "the default needs no option"
    assert line[line.index("--commission") + 1] == "0.2" and line[line.index("--slippage") + 1] == "0"
    assert "0.07" in KINDS["backtesting"].from_form(typed | {"commission": "0.07"}).argv(), "and not 0.07000000001"
