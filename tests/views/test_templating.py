"""What stands beside a run's name, and prices of one table."""

import pytest

from panel.backend.entities import snapshot_of
from panel.views.templating import aligned, market
from tests.support.scripted import operation


@pytest.mark.parametrize(
    ("kind", "asked", "title", "said"),
    [
        ("training", {"symbols": ["EURUSD"], "timeframes": ["1h"], "mode": "local"}, "swing", "EURUSD 1h"),
        ("training", {"symbols": ["EURUSD"], "timeframes": ["1h"]}, "EURUSD", "1h"),
        ("data_load", {"symbol": "EURUSD", "timeframe": "1h", "mode": "tail"}, "EURUSD", "1h · new bars"),
        ("data_load", {"symbol": "EURUSD", "timeframe": "1h", "mode": "a Kind OF its own"}, "", "EURUSD 1h · a kind of its own"),
        ("data_load", {"symbol": "EURUSD", "timeframe": "1h", "mode": ["tail"]}, "", "EURUSD 1h"),
        ("data_load", {}, "", ""),
        ("nothing_known", {"symbol": "EURUSD", "mode": "tail"}, "", "EURUSD"),
        (
            "backtesting",
            {"symbol": "EURUSD", "timeframe": "1h", "start_date": "2024-01-01T00:00:00", "end_date": "2024-06-30",
             "model_path": "models/swing/1h_v3/"},
            "swing",
            "EURUSD 1h · 2024-01-01 to 2024-06-30 · model 1h_v3",
        ),
        ("backtesting", {"start_date": "2024-01-01", "model_path": 7}, "", "model 7"),
    ],
)  # fmt: skip
def test_what_a_run_worked_on(kind, asked, title, said):
    about = {name: asked.get(name, "") for name in ("symbol", "timeframe")}
    assert market(snapshot_of(operation("op_a", kind, metadata={**about, "parameters": asked}), 0.0), title) == said


def test_prices_of_one_table_have_as_many_decimals():
    rows = [("2024-01-01", "1.1", "1.10022", "1", "1.09945", "50"), ("2024-01-02", "1.2", "", "1.2", "1.2")]
    assert aligned(rows[:1]) == [["2024-01-01", "1.10000", "1.10022", "1.00000", "1.09945", "50"]]
    assert aligned(rows) == [list(row) for row in rows], "one of them is no number"
    assert aligned([("t", "5", "7", "5", "6", "0.5")]) == [["t", "5", "7", "5", "6", "0.5"]]
    assert aligned([("t", *["0.000000012345"] * 4)]) == [["t", *["0.000000012345"] * 4]]
    assert aligned([]) == []
