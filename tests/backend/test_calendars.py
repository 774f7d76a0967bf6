"""Gaps are told by the market's calendar, also where only the panel's own libraries are installed."""

import pytest

from panel.backend.openings import gaps, knows_sessions
from panel.domain.gaps import DAY, HOUR, Market
from tests.support.bars import at
from tests.support.libraries import take_away


@pytest.fixture(params=["with the libraries", "without them"])
def libraries(request, monkeypatch):
    """The same is to be told in both."""
    if request.param == "without them":
        take_away(monkeypatch)
    return request.param == "with the libraries"


def days(first: str, last: str, *missing: str) -> list[float]:
    """Openings of 1d bars on weekdays."""
    every = [float(day) for day in range(at(first), at(last) + 1, int(DAY)) if (day // DAY + 3) % 7 < 5]
    return [day for day in every if day not in map(at, missing)]


def currency_hours(first: str, last: str) -> list[float]:
    """Openings of 1h bars in a week of currencies, New York's winter: Sunday to Friday 22:00 UTC."""
    sunday = at("2024-01-07T22:00")
    return [float(hour) for hour in range(at(first), at(last), int(HOUR)) if (hour - sunday) % (7 * DAY) < 5 * DAY]


def test_two_lost_days_of_a_currency_are_a_gap(libraries):
    hours = currency_hours("2024-01-02", "2024-03-08")
    assert gaps(hours, "1h", "EURUSD") == []
    lost = [hour for hour in hours if not at("2024-01-31") <= hour < at("2024-02-02")]
    (gap,) = gaps(lost, "1h", "EURUSD")
    assert (gap.start, gap.end) == (at("2024-01-31"), at("2024-02-02"))
    assert gaps(lost, "1h", "ZZZ", Market(kind="forex")) == [gap], "by what the backend says of it"


def test_a_day_lost_of_crypto_is_a_gap(libraries):
    hours = [at("2024-01-01") + n * HOUR for n in range(24 * 60)]
    assert gaps(hours, "1h", "BTCUSD") == []
    assert gaps(hours[:500] + hours[519:], "1h", "BTCUSD") == []
    (gap,) = gaps(hours[:500] + hours[530:], "1h", "BTCUSD")
    assert (gap.start, gap.end) == (hours[500], hours[530])


@pytest.mark.parametrize("year", [2021, 2024])
def test_a_week_of_currencies_follows_new_yorks_clock(libraries, year):
    """It ends an hour earlier in summer; a bank holiday is a trading day, Christmas and New Year are none."""
    whole = days(f"{year}-01-04", f"{year + 1}-01-10", f"{year}-12-25", f"{year + 1}-01-01")
    assert gaps(whole, "1d", "EURUSD") == []
    for day in (f"{year}-07-05", f"{year}-11-03", f"{year}-12-28"):
        there = [opening for opening in whole if opening != at(day)]
        found = [gap for gap in gaps(there, "1d", "EURUSD") if gap.start <= at(day) < gap.end]
        assert len(found) == len(gaps(there, "1d", "EURUSD")) == len(whole) - len(there)


@pytest.mark.parametrize(
    "weekend", [("2024-07-05T21:00", "2024-07-07T21:00"), ("2024-01-12T22:00", "2024-01-14T22:00")]
)
def test_nineteen_hours_next_to_a_weekend_are_no_gap_and_twenty_are(libraries, weekend):
    """So the weekend's own two ends are known to the hour, in summer and in winter."""
    friday, sunday = map(at, weekend)
    before = [friday - n * HOUR for n in range(100, 0, -1)]
    after = [float(sunday + n * HOUR) for n in range(100)]
    assert gaps(before + after[19:], "1h", "EURUSD") == gaps(before[:-19] + after, "1h", "EURUSD") == []
    assert len(gaps(before + after[20:], "1h", "EURUSD")) == len(gaps(before[:-20] + after, "1h", "EURUSD")) == 1


def test_a_lost_session_of_an_exchange_takes_the_libraries(libraries):
    """Without them its rest is learned: a single day might be a holiday, a lost week is none."""
    assert knows_sessions() is libraries
    good_friday = days("2024-03-01", "2024-06-10", "2024-03-29", "2024-05-27")
    assert gaps(good_friday, "1d", "AAPL") == []
    one = [day for day in good_friday if day != at("2024-04-17")]
    assert len(gaps(one, "1d", "AAPL")) == libraries
    week = [day for day in good_friday if not at("2024-04-15") <= day < at("2024-04-20")]
    assert len(gaps(week, "1d", "AAPL")) == 1


def test_bars_of_long_ago_and_far_ahead_are_judged_too(libraries):
    for first in ("1900-01-01", "2199-01-01"):
        hours = [at(first) + n * HOUR for n in range(200)]
        assert len(gaps(hours[:50] + hours[100:], "1h", "BTCUSD")) == 1
        assert len(gaps(hours[:24] + hours[72:], "1h", "EURUSD")) == 1
