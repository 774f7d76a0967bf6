"""The sample market: the same bar for everybody, and one market behind all timeframes."""

import numpy as np
import pandas as pd
import pytest

from panel.embedded import market
from panel.embedded.timeframes import TIMEFRAMES, closing, opening
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
    assert len(crypto) == 29
    holidays = forex[[day.isoformat() in ("2024-01-01", "2024-12-25") for day in forex.index.date]]
    assert len(forex) > 5000 and len(holidays) == 0


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
