"""A training says on which bars it ran, and leaves bad ones out only when told to."""

from datetime import UTC, datetime, timedelta

import pytest

from panel.embedded import features
from panel.embedded.bars import Bars
from panel.embedded.job import Failed
from panel.embedded.training import train
from tests.embedded.conftest import job
from tests.support.market_files import bars as rows_of
from tests.support.market_files import ktrdr, written
from tests.support.small_strategy import STRATEGY


def prepared(folder, text, timeframe="1h", **more):
    (folder / "data").mkdir(exist_ok=True)
    Bars(folder / "data").file("EURUSD", timeframe).write_text(text)
    (folder / "strategies").mkdir(exist_ok=True)
    strategy = STRATEGY.format(name="small", epochs=3).replace('timeframe: "1h"', f'timeframe: "{timeframe}"')
    (folder / "strategies" / "small.yaml").write_text(strategy)
    request = {"strategy_name": "small", "symbols": ["EURUSD"], "timeframes": [timeframe]}
    return job(folder, "op_training_x", "training", request | {"folders": [str(folder / "strategies")]} | more)


def damaged():
    lines = ktrdr(rows_of(3000)).splitlines()
    lines[500] = lines[500].partition(",")[0] + ",1.1,1.0,1.2,1.1,5"
    lines[600] = lines[600].partition(",")[0] + ",1.1,1.1,0,1.1,5"
    lines[700] = lines[699].partition(",")[0] + ",9.9,9.9,9.9,9.9,1"
    return lines


def test_bad_bars_count_like_others_by_default(tmp_path):
    (row,) = train(prepared(tmp_path, "\n".join(damaged())))["data_summary"]["bars"]
    assert row == {
        "symbol": "EURUSD",
        "timeframe": "1h",
        "bars": 2999,
        "left_out": {"two of one time": 1},
        "bad_bars_used": {"not positive": 1, "high below low": 1},
    }


def test_bad_bars_are_left_out_on_request(tmp_path):
    (row,) = train(prepared(tmp_path, "\n".join(damaged()), leave_out_bad_bars=True))["data_summary"]["bars"]
    assert row["bars"] == 2997 and row["bad_bars_used"] == {}
    assert row["left_out"] == {"two of one time": 1, "not positive": 1, "high below low": 1}


@pytest.mark.parametrize("leave_out", [False, True])
def test_lines_without_a_bar_are_counted_too(tmp_path, leave_out):
    """They are left out in any case: there is nothing in them."""
    lines = damaged()
    for at in range(1000, 1020):
        lines[at] = lines[at].partition(",")[0] + ",,,,,"
    (row,) = train(prepared(tmp_path, "\n".join(lines), leave_out_bad_bars=leave_out))["data_summary"]["bars"]
    assert row["left_out"]["empty"] == 20 and row["left_out"]["two of one time"] == 1


def test_with_infinite_prices_nothing_is_computed_unasked(tmp_path):
    lines = damaged()
    lines[800] = lines[800].partition(",")[0] + ",inf,inf,1.1,inf,5"
    with pytest.raises(Failed, match="EURUSD 1h: line 801 has a price that is infinite"):
        train(prepared(tmp_path, "\n".join(lines)))


def test_bars_before_1970_are_trained_on(tmp_path, monkeypatch):
    seen = []
    split = features.split
    monkeypatch.setattr(features, "split", lambda *args: seen.append(split(*args)) or seen[-1])
    rows = rows_of(3000, timedelta(days=1), datetime(1955, 1, 3, tzinfo=UTC))
    text = written(rows, ",open,high,low,close,volume", lambda at: f"{at:%Y-%m-%dT%H:%M:%SZ}")
    summary = train(prepared(tmp_path, text, "1d"))["data_summary"]
    assert summary["start_date"].startswith("1955") and summary["bars"][0]["bars"] == 3000
    assert summary["samples"]["train"] > 1500 and (seen[0].train.times < 0).all()


def test_days_are_unseen_only_after_the_last_bar_that_a_label_looked_at(tmp_path):
    """A label looks 12 bars ahead, beyond the last day that was asked for."""
    text = ktrdr(rows_of(3000, start=datetime(2024, 1, 1, tzinfo=UTC)))
    used = train(prepared(tmp_path, text, end_date="2024-04-01"))["data_summary"]
    assert used["end_date"] == "2024-04-02", "the last bar closed at midnight"
    assert used["unseen_from"] == "2024-04-03", "its label was known at noon"
