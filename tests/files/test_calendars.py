"""A missing trading day is a gap, a holiday is none."""

from datetime import UTC, datetime

import numpy as np
import pytest

from panel.files.calendars import calendar_of, gaps


def at(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def days(start, end):
    return np.arange(at(start), at(end), 86_400)


def without(times, *missing):
    return times[~np.isin(times // 86_400, [at(day) // 86_400 for day in missing])]


def found(times, timeframe, symbol, **more):
    return [str(np.datetime64(gap.start, "s"))[:10] for gap in gaps(times, timeframe, symbol, **more)]


WEEKDAYS = days("2024-01-02", "2024-12-31")
WEEKDAYS = WEEKDAYS[(WEEKDAYS // 86_400 + 3) % 7 < 5]
HOLIDAYS = (
    "2024-01-15",
    "2024-02-19",
    "2024-03-29",
    "2024-05-27",
    "2024-06-19",
    "2024-07-04",
    "2024-09-02",
    "2024-11-28",
    "2024-12-25",
)


def test_a_stock_exchanges_holidays_are_no_gaps_and_a_trading_day_is():
    assert found(without(WEEKDAYS, *HOLIDAYS), "1d", "AAPL") == []
    assert found(without(WEEKDAYS, *HOLIDAYS, "2024-03-14"), "1d", "AAPL") == ["2024-03-14"]
    assert found(without(WEEKDAYS, *HOLIDAYS, "2024-03-14"), "1d", "ABC", exchange="NASDAQ") == ["2024-03-14"]
    assert found(without(WEEKDAYS, *HOLIDAYS, "2024-03-14"), "1d", "ABC") == [], "learned: one day is no gap"


def test_hours_of_a_stock_are_judged_by_its_sessions():
    hours = np.concatenate([day + np.arange(14, 21) * 3600 for day in without(WEEKDAYS, *HOLIDAYS)])
    hours = hours[hours < at("2024-03-08")]  # New York's winter
    assert found(hours, "1h", "AAPL") == []
    assert found(without(hours, "2024-02-20"), "1h", "AAPL") == ["2024-02-16"], "after a long weekend"


def test_a_forex_week_rests_from_friday_to_sunday():
    hours = np.arange(at("2023-11-05T22:00"), at("2024-02-01"), 3600)
    open_ = (hours - at("2023-11-05T22:00")) % 604_800 < 5 * 86_400
    hours = without(hours[open_], "2023-12-25", "2024-01-01")
    assert found(hours, "1h", "EURUSD") == []
    assert found(without(hours, "2024-01-16"), "1h", "EURUSD") == ["2024-01-16"]
    assert found(without(WEEKDAYS, "2024-12-25"), "1d", "EURUSD") == []
    assert found(without(WEEKDAYS, "2024-12-25", "2024-05-14"), "1d", "EURUSD") == ["2024-05-14"]


def test_crypto_never_rests():
    assert found(days("2024-01-01", "2024-03-01"), "1d", "BTCUSD") == []
    assert found(without(days("2024-01-01", "2024-03-01"), "2024-02-03"), "1d", "BTCUSD") == ["2024-02-03"]
    hours = np.arange(at("2024-01-01"), at("2024-02-01"), 3600)
    assert found(np.delete(hours, slice(100, 106)), "1h", "BTCUSD") == []
    assert found(np.delete(hours, slice(100, 124)), "1h", "BTCUSD") == ["2024-01-05"]


def test_years_before_an_exchanges_calendar_are_learned():
    old = days("1874-01-01", "1874-12-31")
    old = old[(old // 86_400 + 3) % 7 < 5]
    assert found(np.delete(old, slice(50, 60)), "1d", "AAPL") == ["1874-03-12"]


@pytest.mark.parametrize(
    ("symbol", "exchange", "kind", "calendar"),
    [
        ("EURUSD", "", "", "forex"),
        ("EUR.USD", "IDEALPRO", "forex", "forex"),
        ("BTCUSDT", "", "", "always"),
        ("AAPL", "", "", "XNYS"),
        ("SAP.DE", "", "", "XETR"),
        ("7203.T", "", "", "XTKS"),
        ("ABC", "NYSE", "stock", "XNYS"),
        ("ABC", "SAMPLE", "stock", "learned"),
        ("MINE", "", "", "learned"),
    ],
)
def test_a_calendar_is_known_or_learned(symbol, exchange, kind, calendar):
    assert calendar_of(symbol, exchange, kind) == calendar


def test_two_million_bars_are_looked_through_at_once():
    minutes = np.delete(np.arange(2_000_000) * 60 + at("2020-01-01"), slice(500_000, 503_000))
    assert len(gaps(minutes, "1m", "BTCUSD")) == 1
    assert gaps(minutes[:1], "1m", "BTCUSD") == [] and gaps(minutes[:0], "1m") == []
