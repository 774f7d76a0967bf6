"""Before a start: bars that cannot be true are named, and left out only with a yes."""

import pytest

from panel.adapters import KINDS
from panel.domain.gaps import DataFile
from panel.workflows.preflight_lines import AMBER, OK, RED, empty_line, fault_line

FILE = DataFile(
    "EURUSD_1h.csv", "EURUSD", "1h", bars=100, bad=((3, "the high is below the low"), (1, "a price of zero"))
)
INFINITE = DataFile("EURUSD_1h.csv", "EURUSD", "1h", bars=100, bad=((1, "a price that is infinite"),))

ONE = DataFile("EURUSD_1h.csv", "EURUSD", "1h", bars=100, bad=((1, "a price of zero"),))


@pytest.mark.parametrize(
    ("file", "left_out", "level", "words"),
    [
        (FILE, False, AMBER, "has 4 bars that cannot be true. They are used, unless you leave them out."),
        (FILE, True, OK, "4 bars that cannot be true are left out."),
        (ONE, False, AMBER, "has 1 bar that cannot be true. It is used, unless you leave it out."),
        (INFINITE, False, RED, "so the backtest would fail"),
        (INFINITE, True, OK, "1 bar that cannot be true is left out."),
    ],
)
def test_what_is_said_of_them(file, left_out, level, words):
    line = fault_line(file, left_out, "backtest")
    assert (line.level, line.subject) == (level, "EURUSD 1h") and words in line.text
    assert line.details == tuple(f"{count} × {reason}" for count, reason in file.bad)


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (20, "has 20 lines that hold no bar and are left out."),
        (1, "has 1 line that holds no bar and is left out."),
    ],
)
def test_lines_without_a_bar_are_counted_and_named(count, words):
    line = empty_line(DataFile("EURUSD_1h.csv", "EURUSD", "1h", bars=100, left_out=((count, "no prices"),)))
    assert (line.level, line.text, line.details) == (AMBER, words, (f"{count} × no prices",))


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("training", {}),
        ("backtesting", {"start_date": "2024-01-01", "end_date": "2024-02-01", "model_path": "models/x/1h_v1"}),
    ],
)
def test_only_a_yes_is_sent(kind, more):
    given = {"strategy_name": "swing", **more}
    assert "leave_out_bad_bars" not in KINDS[kind].from_form(given).get_start_payload()
    assert KINDS[kind].from_form(given | {"leave_out_bad_bars": "1"}).get_start_payload()["leave_out_bad_bars"] is True
