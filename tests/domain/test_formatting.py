"""What was stored out of range is shown as unknown, and never raises."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from panel.domain.formatting import ago, day, duration, minute, rough, volume
from panel.views.templating import age, iso, when


@given(st.floats() | st.integers())
@example(1e12)
@example(1e30)
@example(float("nan"))
@example(10**400)
def test_every_time_and_duration_can_be_written(value):
    for written in (duration(value), rough(value), minute(value), day(value), when(value), when(value, "exact")):
        assert 0 < len(written) < 200
    assert isinstance(iso(value), str)
    if abs(value) < 1e300:
        assert ago(float(value), 1.8e9) and age(float(value), 1.8e9)


@pytest.mark.parametrize("value", [1e12, float("inf"), float("-inf"), float("nan"), -1e300])
def test_what_is_out_of_range_is_unknown(value):
    assert duration(value) == minute(value) == day(value) == when(value) == "–"


def test_an_age_has_one_unit():
    """As the script of the pages counts it on."""
    said = [ago(0.0, now) for now in (-5.0, 0.4, 59.9, 61, 411, 3599, 3700, 7500, 90_000, 200_000)]
    written = ["0 s", "0 s", "59 s", "1 min", "6 min", "59 min", "1 h", "2 h", "1 day", "2 days"]
    assert said == [f"{each} ago" for each in written]
    assert "1 min ago" in age(0.0, 61.0) and "6 min ago" in age(0.0, 411.0)


def test_an_estimate_over_a_minute_has_no_seconds():
    """Two entries of the queue, one after the other: 2 min 48 s and 2 min 49 s would be more than anybody knows."""
    said = [rough(seconds) for seconds in (45.2, 59.7, 168, 169, 3599, 3700, 90_000)]
    assert said == ["45 s", "1 min", "3 min", "3 min", "1 h", "1 h 2 min", "1 day"]


@pytest.mark.parametrize(
    ("traded", "shown"),
    [(None, "–"), (0.0, "0"), (0.0405, "0.0405"), (12.3456, "12.35"), (950.0, "950"), (1234567.8, "1,234,568")],
)
def test_a_volume_is_never_rounded_to_nothing(traded, shown):
    assert volume(traded) == shown
