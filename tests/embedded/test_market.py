"""The sample market: the same bar for everybody, and one market behind all timeframes."""

import numpy as np
import pandas as pd
import pytest

from panel.embedded import market
from panel.embedded.timeframes import TIMEFRAMES, closing, opening
from panel.files.calendars import _sessions, gaps
from tests.support.bars import at


def bars(symbol: str, timeframe: str, start: str, end: str) -> pd.DataFrame:
    return market.bars(symbol, timeframe, at(start), at(end))


@pytest.mark.parametrize("timeframe", ["1m", "1h", "4h", "1d"])
def test_a_bar_does_not_depend_on_what_else_is_asked_for(timeframe):
    long = bars("EURUSD", timeframe, "2024-03-01", "2024-04-15")
    short = bars("EURUSD", timeframe, "2024-03-20", "2024-03-23")
    assert len(short) > 2
    pd.testing.assert_frame_equal(short, long.loc[short.index[0] : short.index[-1]])


@pytest.mark.parametrize("timeframe", [timeframe for timeframe in TIMEFRAMES if timeframe != "1m"])
def test_a_long_bar_is_what_its_minutes_add_up_to(timeframe):
    minutes = bars("TSLA", "1m", "2024-01-01", "2024-04-01")
    made = bars("TSLA", timeframe, "2024-01-01", "2024-04-01")
    place = opening(minutes.index.as_unit("s").asi8, timeframe)
    whole = minutes.groupby(place).agg({"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"})
    whole = whole[whole.index >= at("2024-01-01")]
    made = made[made.index.as_unit("s").asi8 < at("2024-03-25")]  # bars that lie wholly inside
    np.testing.assert_array_equal(made.to_numpy(), whole.loc[made.index.as_unit("s").asi8].to_numpy())
    assert len(made) > 1


def test_prices_are_possible():
    for symbol in market.INSTRUMENTS:
        made = bars(symbol, "1h", "2023-01-01", "2023-06-01")
        assert (made["low"] <= made[["open", "close"]].min(axis=1)).all()
        assert (made["high"] >= made[["open", "close"]].max(axis=1)).all()
        assert (made["low"] > 0).all() and (made["volume"] > 0).all()


def test_markets_rest_when_such_markets_do():
    forex, stock = bars("EURUSD", "1h", "2024-01-01", "2025-01-01"), bars("AAPL", "1m", "2024-02-01", "2024-03-01")
    crypto = bars("BTCUSD", "1d", "2024-02-01", "2024-03-01")
    assert set(forex.index.day_of_week) == {0, 1, 2, 3, 4}
    assert forex[forex.index.day_of_week == 4].index.hour.max() == 21
    assert set(stock.index.day_of_week) == {0, 1, 2, 3, 4}
    assert min(stock.index.time).isoformat() == "14:30:00" and max(stock.index.time).isoformat() == "20:59:00"
    summer = bars("AAPL", "1m", "2024-07-01", "2024-08-01")
    assert min(summer.index.time).isoformat() == "13:30:00" and max(summer.index.time).isoformat() == "19:59:00"
    assert len(crypto) == 29
    holidays = forex[[day.isoformat() in ("2024-01-01", "2024-12-25") for day in forex.index.date]]
    assert len(forex) > 5000 and len(holidays) == 0


def test_stocks_rest_on_the_exchanges_holidays():
    """By the library's calendar, which does not make them: whole days that it closed for once aside."""
    days = bars("AAPL", "1d", "2015-01-01", "2026-01-01")
    traded = np.asarray(days.index.as_unit("s").asi8)
    assert gaps(traded, "1d", "AAPL") == []
    calendar = _sessions("XNYS", 2015, 2025)[0]
    once = {"2018-12-05", "2025-01-09"}  # days of mourning
    assert {str(day)[:10] for day in np.setdiff1d(traded, calendar).astype("datetime64[s]")} == once


# Of real markets, from about 2010 to 2024: mean range and standard deviation in per cent, how much the size of a
# return resembles the size of the one before, kurtosis beyond a normal distribution's, usual volume.
REAL = {
    ("EURUSD", "1h"): ((0.10, 0.14), (0.07, 0.12), (0.10, 0.45), (2, 20), (2_000, 8_000)),
    ("EURUSD", "1d"): ((0.55, 0.90), (0.40, 0.60), (0.02, 0.40), (0.5, 6), (50_000, 200_000)),
    ("AAPL", "1d"): ((1.7, 2.3), (1.4, 2.0), (0.02, 0.40), (0.5, 8), (30e6, 120e6)),
    ("SPY", "1d"): ((0.9, 1.4), (0.8, 1.3), (0.05, 0.45), (0.5, 12), (50e6, 130e6)),
    ("BTCUSD", "1d"): ((3.5, 6.0), (2.8, 4.2), (0.05, 0.45), (1, 12), (10_000, 60_000)),
}


@pytest.mark.parametrize(("symbol", "timeframe"), REAL)
def test_its_figures_are_near_real_ones(symbol, timeframe):
    ranges, deviation, clustering, kurtosis, volume = REAL[symbol, timeframe]
    made = bars(symbol, timeframe, "2018-01-01" if timeframe == "1d" else "2023-01-01", "2024-01-01")
    returns = np.log(made["close"]).diff().dropna()
    sizes = returns.abs()
    assert ranges[0] < 100 * ((made["high"] - made["low"]) / made["close"]).mean() < ranges[1]
    assert deviation[0] < 100 * returns.std() < deviation[1]
    assert clustering[0] < sizes.autocorr(1) < clustering[1] and sizes.autocorr(5) > clustering[0] / 2
    assert kurtosis[0] < returns.kurt() < kurtosis[1]
    assert abs(returns.autocorr(1)) < 0.08, "the next return does not follow from the last one"
    assert volume[0] < made["volume"].mean() < volume[1]
    assert np.corrcoef(made["volume"].iloc[1:], sizes)[0, 1] > 0.1, "busy times are wild times"


def test_hours_differ_as_they_do():
    forex, stock = bars("EURUSD", "1h", "2023-01-01", "2024-01-01"), bars("AAPL", "30m", "2023-01-01", "2024-01-01")
    size = (forex["high"] - forex["low"]).groupby(forex.index.hour).mean()
    assert size[14] > 1.5 * size[2] and size[8] > 1.2 * size[2]
    place = stock.index.tz_convert("America/New_York")
    busy = stock["volume"].groupby([place.hour, place.minute]).mean()
    assert busy[9, 30] > 1.3 * busy[12, 30] and busy[15, 30] > 1.2 * busy[12, 30]


def test_histories_have_holes_as_real_ones_do():
    minutes = bars("BTCUSD", "1m", "2024-01-02", "2024-12-01")
    holes = np.diff(minutes.index.as_unit("s").asi8)
    assert 1 <= (holes > 60).sum() < 30
    assert holes.max() <= 241 * 60


def test_there_are_calm_and_wild_times():
    """Weeks differ in volatility by more than chance would make them."""
    closes = np.log(bars("EURUSD", "1d", "2018-01-01", "2024-01-01")["close"])
    by_month = closes.diff().groupby([closes.index.year, closes.index.month]).std()
    assert by_month.quantile(0.95) / by_month.quantile(0.05) > 2


def test_every_bar_belongs_to_one_opening():
    times = np.arange(at("2024-01-01"), at("2024-03-01"), 1800)
    for timeframe in TIMEFRAMES:
        begins = opening(times, timeframe)
        assert (begins <= times).all() and (times < closing(begins, timeframe)).all()
        assert (opening(begins, timeframe) == begins).all()
    assert opening(at("2024-02-29") + 3600, "1M") == at("2024-02-01")
    assert opening(at("2024-02-29"), "1w") == at("2024-02-26")  # a Monday


def test_an_unknown_symbol_is_none_of_its_own():
    with pytest.raises(KeyError):
        bars("NOSUCH", "1h", "2024-01-01", "2024-02-01")


def test_outside_its_years_there_is_nothing():
    assert len(bars("EURUSD", "1d", "2012-01-01", "2014-01-01")) == 0
