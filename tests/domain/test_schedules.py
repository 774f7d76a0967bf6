"""When a schedule is due by the clock of its zone, right across changes of the clocks."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from panel.domain.schedules import Schedule, missed_between, next_due, repeat_text, shown

BERLIN = "Europe/Berlin"
DAILY = frozenset(range(7))


def moment(text: str, zone: str = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("days", "at", "after", "due"),
    [
        (DAILY, "18:30", "2026-11-26T18:29:59", "2026-11-26T18:30"),
        (DAILY, "18:30", "2026-11-26T18:30", "2026-11-27T18:30"),
        ({0, 1, 2, 3, 4}, "18:30", "2026-11-27T20:00", "2026-11-30T18:30"),
        ({3}, "00:00", "2026-11-26T00:00", "2026-12-03T00:00"),
        (DAILY, "18:30", "2026-03-28T19:00", "2026-03-29T18:30"),  # 23.5 hours later: clocks were put forward
        (DAILY, "18:30", "2026-10-24T19:00", "2026-10-25T18:30"),  # 24.5
        (DAILY, "02:30", "2026-03-28T12:00", "2026-03-29T03:30"),  # 02:30 is left out that night
        (DAILY, "02:30", "2026-03-29T03:30", "2026-03-30T02:30"),
        (DAILY, "02:30", "2026-10-24T12:00", "2026-10-25T02:30"),  # it comes twice: the first time
        ({6}, "02:30", "2026-10-18T12:00", "2026-10-25T02:30"),
    ],
)
def test_the_next_time(days, at, after, due):
    assert next_due(days, at, BERLIN, moment(after)) == moment(due)


def test_a_time_that_comes_twice_is_meant_once():
    first = next_due(DAILY, "02:30", BERLIN, moment("2026-10-24T12:00"))
    assert next_due(DAILY, "02:30", BERLIN, first) == moment("2026-10-26T02:30")


def test_it_goes_by_its_own_zone():
    assert next_due(DAILY, "09:30", "America/New_York", moment("2026-11-26T12:00")) == moment("2026-11-26T15:30")
    assert shown(moment("2026-11-26T15:30"), "America/New_York") == "Thu 26 Nov 2026, 09:30"


@pytest.mark.parametrize(
    ("days", "at", "zone", "problem"),
    [
        (DAILY, "18:30", "Mars/Base", "not a known time zone"),
        (DAILY, "18:30", "../../etc/passwd", "not a known time zone"),
        (DAILY, "18:30", "Europe", "not a known time zone"),
        (DAILY, "18:30", "", "not a known time zone"),
        (DAILY, "25:00", BERLIN, "like 18:30"),
        (set(), "18:30", BERLIN, "at least one day"),
    ],
)
def test_what_makes_no_sense_is_said(days, at, zone, problem):
    with pytest.raises(ValueError, match=problem):
        next_due(days, at, zone, 0.0)


@pytest.mark.parametrize(
    ("days", "sentence"),
    [
        (range(7), "every day at 18:30"),
        (range(5), "every weekday at 18:30"),
        ((5, 6), "every weekend day at 18:30"),
        ((2,), "every Wednesday at 18:30"),
        ((0, 2, 4), "every Monday, Wednesday and Friday at 18:30"),
    ],
)
def test_it_is_said_in_words(days, sentence):
    assert repeat_text(days, "18:30") == sentence


def test_missed_ones_are_counted():
    schedule = Schedule("k", "dummy", {}, frozenset(range(5)), "18:30", BERLIN, True, 0.0, 0.0, "")
    due = moment("2026-11-26T18:30")  # a Thursday
    assert missed_between(schedule, due, due + 60) == 0
    assert missed_between(schedule, due, moment("2026-12-01T18:30")) == 3
