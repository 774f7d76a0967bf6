"""Results as tables: what is said of them, and nothing where a backend tells nothing."""

from typing import Any

import pytest

from panel.adapters import KINDS
from panel.backend.entities import snapshot_of
from panel.domain.results import ResultTable
from tests.support.scripted import RESULT, operation

KTRDR_METRICS = {"total_return_pct": -0.0444, "total_trades": 65, "sharpe_ratio": -0.98}


def tables(kind: str, result: Any) -> dict[str, ResultTable]:
    snapshot = snapshot_of(operation("op_a", kind, status="completed", result_summary=result), 0.0)
    return {table.title: table for table in KINDS[kind].tables(snapshot)}


def test_ktrdrs_results_have_no_empty_tables():
    nothing = {"feature_importance": None, "per_symbol_metrics": None}
    assert tables("training", RESULT | {"artifacts": nothing}) == {}
    assert tables("backtesting", {"metrics": KTRDR_METRICS, "trade_count": 65}) == {}
    assert tables("training", None) == tables("backtesting", None) == tables("data_load", {}) == {}


def test_an_answer_that_was_never_given_is_said_in_words():
    found = tables("training", {"artifacts": {"confusion_matrix": [[30, 0, 10], [20, 0, 5], [10, 0, 25]]}})
    table = found["Right and wrong answers"]
    assert table.sentence == (
        "Of its 60 BUY answers 50 % were right. It never answered HOLD. Of its 40 SELL answers 62 % were right."
    )
    assert table.columns == ("", "answered BUY", "answered HOLD", "answered SELL")
    assert table.rows[0] == ("BUY was right", "30", "0", "10") and table.rows[-1] == ("in all", "60", "0", "40")


@pytest.mark.parametrize(
    ("answered", "right", "sentence"),
    [
        (1819, 1817, "Of its 1,819 SELL answers over 99 % were right."),
        (1819, 1819, "Of its 1,819 SELL answers all were right."),
        (250, 1, "Of its 250 SELL answers under 1 % were right."),
        (250, 0, "Of its 250 SELL answers none was right."),
        (9, 7, "Of its 9 SELL answers 7 were right."),
        (2, 1, "Of its 2 SELL answers 1 was right."),
        (1, 1, "Its one SELL answer was right."),
        (1, 0, "Its one SELL answer was wrong."),
    ],
)
def test_no_rate_is_rounded_up_to_certainty(answered, right, sentence):
    matrix = [[0, 0, answered - right], [0, 0, 0], [0, 0, right]]
    sure = [{"from": 0.9, "to": 1, "count": 5000, "sure": 0.99997, "right": 0.9998}]
    sure.append({"from": 0, "to": 0.1, "count": 5000, "sure": 1, "right": 0.0002})
    found = tables("training", {"artifacts": {"confusion_matrix": matrix, "calibration": sure}})
    assert found["Right and wrong answers"].sentence.endswith(sentence)
    rows = found["How sure, and how right"].rows
    assert [row[2:] for row in rows] == [("over 99.9 %", "over 99.9 %"), ("100.0 %", "under 0.1 %")]


@pytest.mark.parametrize(
    ("training", "use"),
    [
        ({"early_stopping": True, "best_epoch": 50, "epochs_trained": 50}, "20 to choose the best epoch"),
        ({"early_stopping": False, "best_epoch": 50, "epochs_trained": 50}, "20 to watch how it learns"),
        ({"best_epoch": 8, "epochs_trained": 50}, "20 to choose the best epoch"),  # of an earlier version
        ({"best_epoch": 50, "epochs_trained": 50}, "20 to watch how it learns"),
        ({}, "20 to watch how it learns"),
    ],
)
def test_validation_bars_choose_an_epoch_only_with_early_stopping(training, use):
    summary = {"bars": [{"bars": 5}], "samples": {"train": 70, "validation": 20, "test": 10}}
    found = tables("training", {"data_summary": summary, "training_metrics": training})
    assert found["Bars used"].sentence == f"Each sample is one bar: 70 to learn from, {use}, 10 to measure."


@pytest.mark.parametrize(
    "matrix",
    [[], [[1, 2], [3, 4]], [[1, 2, 3]] * 2, [[1, 2, "x"], 5, None], "x", [[0, 0, 0]] * 3, [[[1]] * 3] * 3],
)
def test_a_matrix_that_is_none_is_not_shown(matrix):
    assert "Right and wrong answers" not in tables("training", {"artifacts": {"confusion_matrix": matrix}})


def test_inputs_sureness_and_bars_have_a_sentence_each():
    sure = [{"from": 0.5, "to": 0.6, "count": 10, "sure": 0.55, "right": 0.4}, {"from": 1}, None]
    bars = [{"symbol": "EURUSD", "timeframe": "1h", "bars": 5000, "left_out": {"two": 3}, "bad_bars_used": {}}]
    summary = {"bars": bars, "samples": {"train": 70, "validation": 20, "test": 10}, "test_start_date": "2025-11-20"}
    artifacts = {"feature_importance": {"a": 0.1, "b": 0.0, "c": float("nan")}, "calibration": sure}
    found = tables("training", {"artifacts": artifacts, "data_summary": summary})
    assert "a mattered most; 1 of 2 inputs made no difference" in found["Inputs that mattered"].sentence
    assert found["Inputs that mattered"].rows == (("a", "10.00"), ("b", "0.00"))
    assert found["Inputs that mattered"].bars == (1.0, 0.0)
    assert "15 points more sure than it is right" in found["How sure, and how right"].sentence
    assert found["How sure, and how right"].rows == (("50 to 60 % sure", "10", "55.0 %", "40.0 %"),)
    assert found["Bars used"].rows == (("EURUSD 1h", "5,000", "3", "none"),)
    assert found["Bars used"].sentence.endswith("From 2025-11-20 on the model has seen nothing.")


def test_a_backtest_by_months_by_return_and_beside_holding():
    months = [("2024-11", 0.1, 0.2), ("2024-12", -0.05, -0.1), ("2025-01", 0.02, 0.01)]
    result = {
        "metrics": KTRDR_METRICS | {"largest_win": 120.5, "largest_loss": -80},
        "buy_and_hold": {"total_return_pct": 0.03, "sortino_ratio": 0.5},
        "config": {"stake": 0.25},
        "monthly_returns": [{"month": m, "return": own, "buy_and_hold": held} for m, own, held in months],
        "trade_distribution": [{"from": -0.01, "to": 0, "count": 4}, {"from": 0, "to": 0.01, "count": 8}],
    }
    found = tables("backtesting", result)
    monthly = found["Monthly returns"]
    assert monthly.sentence == "2 of 3 months made money, 2 were better than buying and holding. In %."
    assert monthly.rows[0][0] == "2024" and monthly.rows[0][11:] == ("+10.0", "-5.0", "+4.5")
    assert monthly.rows[1][:3] == ("2025", "+2.0", "")
    assert monthly.tones[0][10:] == (3, -2, 0) and monthly.tones[1][:2] == (1, 0)
    by_return = found["Trades by return"]
    assert by_return.rows == (("-1 to 0 %", "4"), ("0 to +1 %", "8")) and by_return.bars == (0.5, 1.0)
    assert by_return.sentence == "Trades by their return after costs; the best made 120.50, the worst lost 80.00."
    beside = found["Beside buying and holding"]
    assert "the same 25 % of the account at the second open" in beside.sentence, "an earlier version's"
    bought = result["buy_and_hold"] | {"bought_at": "2024-11-01T00:00:00+00:00"}
    later = tables("backtesting", result | {"buy_and_hold": bought})["Beside buying and holding"]
    assert "the same 25 % of the account at the first open" in later.sentence
    assert beside.rows[0] == ("Return", "-4.4 %", "3.0 %") and ("Sortino ratio", "–", "0.50") in beside.rows
