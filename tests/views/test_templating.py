"""What stands beside a run's name."""

import pytest

from panel.backend.entities import snapshot_of
from panel.views.templating import market
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
