"""Estimates on played pace curves: a promise is a range, and no promise is better than a bad one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panel.domain.estimate import Earlier, Estimate, Promise, estimate, left, reach, record, without
from panel.domain.kinds import traits_of


def played(*legs: tuple[float, float], every: float = 1.0) -> list[tuple[float, float]]:
    """Readings, one each second, of a run that goes through legs of (seconds, per cent a second)."""
    pace, at, percentage = [(0.0, 0.0)], 0.0, 0.0
    for seconds, rate in legs:
        for _ in range(int(seconds / every)):
            at, percentage = at + every, percentage + rate * every
            pace.append((at, percentage))
    return pace


def estimated(pace, **more) -> Estimate:
    found = estimate(pace, pace[-1][0], **more)
    assert found is not None
    return found


def test_a_steady_run_has_a_narrow_range_around_the_true_value():
    found = estimated(played((50, 1.0)))
    assert found.low < 50 < found.high and found.high - found.low < 15
    assert left(found) == "40–60 s left" and found.basis == "from this run’s pace"


def test_a_run_that_slows_down_has_a_wider_range():
    found = estimated(played((25, 2.0), (25, 1.0)))
    assert found.low < 25 < found.high and found.high > 1.5 * found.low


def test_a_run_that_gets_faster_too():
    found = estimated(played((25, 1.0), (25, 2.0)))
    assert found.low < 25 / 2 + 1 < found.high


@pytest.mark.parametrize(
    "pace",
    [
        [],
        played((3, 10.0)),  # 3 s say nothing
        played((60, 0.05)),  # 3 % say nothing
        [(0.0, 0.0), (30.0, 20.0), (60.0, 40.0)],  # two changes say nothing
        [(0.0, 0.0), (30.0, 90.0), (31.0, 90.0), (90.0, 90.0)],
        played((100, 1.0)),  # at its end
        [*played((40, 1.0)), (400.0, 41.0)],  # it hardly moves any more: anything may follow
    ],
)
def test_nothing_is_said_before_it_can_be_honest(pace):
    assert estimate(pace, pace[-1][0] if pace else 0.0) is None


def hung(seconds: float, during: float = 0.0) -> tuple[list[tuple[float, float]], tuple]:
    """A run of 1 % a second of which nothing is heard for so long after 20 s, and the break; it gains so much then."""
    before, after = played((20, 1.0)), played((20, 1.0))
    later = [(at + 20 + seconds, percentage + 20 + during) for at, percentage in after]
    return before + later, ((before[-1], later[0]),)


def test_the_time_of_a_hang_is_no_pace():
    pace, breaks = hung(136)
    found, as_if = estimated(pace, breaks=breaks), estimated(played((40, 1.0)))
    assert (found.low, found.high) == pytest.approx((as_if.low, as_if.high))
    assert found.low < 60 < found.high < 70


def test_nor_is_what_came_while_the_backend_was_silent():
    pace, breaks = hung(10, during=30.0)
    found = estimated(pace, breaks=breaks)
    assert found.low < 30 < found.high < 35


def test_a_run_that_hung_is_compared_with_earlier_ones_by_its_time_at_work():
    pace, breaks = hung(400)
    assert "earlier" in estimated(pace, breaks=breaks, started=0.0, earlier=[Earlier(100.0)]).basis


def test_a_fall_in_a_break_restarts_the_pace():
    """Of a backend that was restarted."""
    pace, breaks = hung(30, during=-20.0)
    assert without(breaks, pace)[:2] == [(30.0, 0.0), (31.0, 1.0)]
    found = estimated(pace, breaks=breaks)
    assert found.low < 80 < found.high


def test_a_run_that_went_backwards_is_judged_by_its_pace_since():
    pace = played((20, 4.0))
    fallen = [*pace, (21.0, 40.0), (22.0, 41.0)]
    assert estimate(fallen, 22.0) is None
    fallen += [(22.0 + n, 41.0 + n) for n in range(1, 20)]
    found = estimated(fallen)
    assert found.low < 40 < found.high


def test_it_counts_down_while_nothing_changes_and_never_promises_the_past():
    pace = played((50, 1.0))
    before, later = estimate(pace, 50.0), estimate(pace, 80.0)
    assert before and later and later.high == before.high - 30
    assert estimate(pace, 200.0) is None


@given(
    st.lists(st.tuples(st.floats(0, 1e4), st.floats(0, 100)), max_size=60),
    st.floats(0, 2e4),
    st.floats(0, 100),
    st.lists(st.builds(Earlier, st.floats(0, 1e5), st.floats(0, 1)), max_size=5),
)
def test_whatever_was_read_a_range_is_a_range_in_the_future(pace, now, end, earlier):
    found = estimate(sorted(pace), now, reach=end, earlier=earlier)
    if found is not None:
        assert 0 <= found.low <= found.high and found.high > 0
        assert left(found).endswith(" left") and "-" not in left(found)


def test_earlier_runs_of_the_same_thing_widen_the_range_to_what_they_took():
    pace = played((50, 1.0))
    found = estimated(pace, earlier=[Earlier(140), Earlier(150), Earlier(160)])
    assert found.low < 50 and found.high == 100
    assert found.basis == "from this run’s pace and 3 earlier runs"


def test_an_earlier_run_of_another_size_does_not_count():
    assert estimated(played((50, 1.0)), earlier=[Earlier(4000)]).basis == "from this run’s pace"


def test_what_stopped_early_before_may_stop_early_again():
    pace = played((50, 1.0))
    found = estimated(pace, earlier=[Earlier(100), Earlier(62, share=0.62)])
    assert found.low < 12 < found.high and found.basis.endswith("2 earlier runs, 1 of which ended early")


@pytest.mark.parametrize(
    ("percentage", "segments", "end"),
    [(40.0, 12.0, 95.0), (90.0, 12.0, 95.0), (96.0, 12.0, 0.0), (40.0, None, 0.0)],
)
def test_a_load_at_90_per_cent_still_has_its_last_segment_to_fetch(percentage, segments, end):
    assert reach(traits_of("data_load"), percentage, segments) == end
    assert reach(traits_of("training"), percentage, segments) == 100


def test_the_last_segment_of_a_load_takes_as_long_as_the_others():
    """Six segments of 20 s; the last one has been fetched for 5 s, at 90 %."""
    pace = [(20.0 * n, 30.0 + 10.0 * (n + 1)) for n in range(6)]
    found = estimate(pace, 105.0, reach=reach(traits_of("data_load"), 90.0, 6))
    assert found is not None and found.low <= 15 <= found.high


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0, 4, "under 5 s left"),
        (11, 19, "10–20 s left"),
        (61, 82, "60–90 s left"),
        (130, 235, "2–4 min left"),
        (179, 181, "2–4 min left"),
        (2500, 4000, "40–70 min left"),
        (7300, 12000, "2–3.5 h left"),
        (10800, 10800, "about 3 h left"),
        (700, 9000, "11 min to 2.5 h left"),
        (200000, 260000, "2–3.5 days left"),
    ],
)
def test_a_range_in_words(low, high, words):
    assert left(Estimate(low, high, "")) == words


def test_accuracy_of_estimates_is_shown_from_three_on():
    held = Promise(10, 20, 15)
    assert record([held, held]) == ""
    assert record([held, held, held]) == "The first estimates of 3 earlier runs held."
    assert record([held, held, Promise(10, 20, 24)]) == "The first estimates of 3 earlier runs were right within 20 %."
