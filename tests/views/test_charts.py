"""The map of stored data."""

import pytest

from panel.domain.gaps import DAY, Range, Row
from panel.views.charts import row_view
from tests.support.bars import at


@pytest.mark.parametrize(
    ("timeframe", "last"),
    [
        ("1h", "2024-12-31T23:00"),
        ("1d", "2024-12-31"),
        ("1w", "2024-12-25"),
        ("1M", "2024-12-01"),
        ("1M", "2024-11-30T22:00"),
    ],
)
def test_bars_of_every_length_end_when_the_last_one_does(timeframe, last):
    """Not when it opens: loaded until the same day, all end as long ago."""
    stored = Range("EURUSD", timeframe, float(at("2020-01-01")), float(at(last)), 500)
    span = (at("2020-01-01"), at("2025-05-11T12:00"))
    assert row_view(Row(stored), None, span).late == 130
    x, width = row_view(Row(stored), None, span).pieces[-1]
    assert (x + width) / 1000 * (span[1] - span[0]) == pytest.approx(at("2025-01-01") - span[0], abs=DAY)


def test_bars_of_last_week_are_recent():
    stored = Range("EURUSD", "1d", float(at("2020-01-01")), float(at("2024-12-31")), 500)
    assert row_view(Row(stored), None, (at("2020-01-01"), at("2025-01-05T12:00"))).late == 0
    nothing = Row(Range("EURUSD", "1d"))
    assert row_view(nothing, None, (at("2020-01-01"), at("2025-01-05"))).late == 0
