"""Gaps are holes that a market's rest does not explain; thinned candles leave nothing out."""

import pandas as pd
import pytest

from panel.backend.market_data import candles_of
from panel.backend.openings import gaps
from panel.domain.gaps import DAY, HOUR, LENGTHS, NOTHING_STORED, Gap, left_by
from panel.views.charts import thin
from panel.web.routes import export
from tests.support.bars import at, hours, without

START = 1_704_067_200.0  # Monday, 2024-01-01


@pytest.mark.parametrize("stock", [False, True])
def test_nights_weekends_and_a_holiday_are_no_gaps(stock):
    assert gaps(hours(30, stock=stock), "1h") == []
    assert gaps(without(hours(30, stock=stock), 7 * 9, 1), "1h") == []  # a Monday off


@pytest.mark.parametrize("stock", [False, True])
@pytest.mark.parametrize("days", [8, 20])
def test_a_missing_stretch_is_a_gap(stock, days):
    (gap,) = gaps(without(hours(30, stock=stock), 70, days), "1h")
    assert gap.start <= START + 70 * DAY and gap.end >= START + (70 + days) * DAY
    assert gap.days[0] <= "2024-03-11"


def test_a_market_that_never_rests_shows_two_missing_days():
    always = [START + hour * HOUR for hour in range(5000)]
    assert gaps(always, "1h") == []
    assert len(gaps(without(always, 50, 2), "1h")) == 1
    for hours_lost, count in ((19, 0), (20, 1)):
        assert len(gaps(without(always, 50, hours_lost / 24), "1h")) == count


def test_a_short_history_is_given_its_weekend():
    assert gaps(hours(2), "1h") == []
    assert len(gaps(without(hours(3), 7, 7), "1h")) == 1


@pytest.mark.parametrize("timeframe", ["1d", "1w", "1M"])
def test_longer_timeframes(timeframe):
    length = LENGTHS[timeframe]
    whole = [START + n * length for n in range(60)]
    assert gaps(whole, timeframe) == []
    assert len(gaps(whole[:20] + whole[30:], timeframe)) == 1


def opened(days: pd.DatetimeIndex, zone: str = "UTC") -> list[float]:
    local = days.tz_localize(zone) if days.tz is None else days
    return [float(at) for at in local.tz_convert("UTC").as_unit("s").asi8]


TRADED = pd.bdate_range("2015-01-01", "2024-12-31")
REST = {(1, 1), (12, 25), (12, 26), *((10, day) for day in range(1, 8))}  # a whole week of October, in some years
TRADED = TRADED[[(day.month, day.day) not in REST for day in TRADED]]
WEEKS_OF_TRADE = pd.DatetimeIndex(TRADED.to_series().resample("W-SUN").first().dropna())
MONTHS_OF_TRADE = pd.DatetimeIndex(TRADED.to_series().resample("MS").first())


@pytest.mark.parametrize(
    ("timeframe", "symbol", "openings"),
    [
        ("1w", "BTCUSD", opened(pd.date_range("2015-01-05", "2024-12-31", freq="7D", tz="UTC"))),
        ("1w", "EURUSD", opened(pd.date_range("2015-01-04T17:00", "2024-12-31", freq="7D"), "America/New_York")),
        ("1w", "XYZ", opened(pd.date_range("2015-01-05", "2024-12-31", freq="7D"), "Europe/Berlin")),
        ("1w", "XYZ", opened(WEEKS_OF_TRADE)),  # on Mondays, else on their first day of trade
        ("1w", "XYZ", opened(pd.DatetimeIndex(TRADED.to_series().resample("W-SUN").last().dropna()))),
        ("1M", "BTCUSD", opened(pd.date_range("2015-01-01", "2024-12-31", freq="MS"))),
        ("1M", "EURUSD", opened(pd.date_range("2015-01-01", "2024-12-31", freq="MS"), "Europe/Berlin")),
        ("1M", "XYZ", opened(MONTHS_OF_TRADE)),
        ("1M", "AAPL", opened(pd.date_range("2015-01-01", "2024-12-31", freq="MS"), "America/New_York")),
    ],
)
def test_every_missing_week_and_month_is_a_gap_and_no_holiday_is(timeframe, symbol, openings):
    assert gaps(openings, timeframe, symbol) == []
    for first in (2, 20, 57):
        for count in (1, 2, 3):
            there = openings[:first] + openings[first + count :]
            (gap,) = gaps(there, timeframe, symbol)
            assert gap.end == openings[first + count]


def test_a_week_without_a_session_is_no_gap():
    """Ten days of Tokyo's in 2019; and the new year of the moon, where nobody knows the sessions."""
    weeks = opened(pd.date_range("2018-01-01", "2022-01-01", freq="7D"))
    golden = float(at("2019-04-29"))
    there = [week for week in weeks if week != golden]
    assert gaps(there, "1w", "7203.T") == []
    assert len(gaps([week for week in there if week != float(at("2019-05-13"))], "1w", "7203.T")) == 1
    moon = [float(at(day)) for day in ("2019-02-04", "2020-01-27", "2021-02-15")]
    there = [week for week in weeks if week not in moon]
    assert gaps(there, "1w", "600519") == []
    assert len(gaps([week for week in there if week != golden], "1w", "600519")) == 1
    assert len(gaps(there, "1w", "BTCUSD")) == 3


def test_nothing_stored_has_no_gaps():
    assert gaps([], "1h") == gaps([START], "1h") == []


def test_thinned_candles_keep_the_highest_the_lowest_and_all_volume():
    candles = [[float(n), 1.0 + n, 2.0 + n, 0.5 + n, 1.5 + n, 1.0] for n in range(1000)]
    drawn, each = thin(candles, 300)
    assert each == 4 and len(drawn) == 250
    assert drawn[0] == [0.0, 1.0, 5.0, 0.5, 4.5, 4.0]
    assert max(candle[2] for candle in drawn) == candles[-1][2] and sum(candle[5] for candle in drawn) == 1000
    assert thin(candles, 1000) == (candles, 1) and thin([], 10) == ([], 1)


def test_an_unknown_volume_stays_unknown():
    """Of a backend that sends none: when it is read, in a thinned candle, and as a line of an export."""
    dates = [f"2024-01-01T0{hour}:00:00" for hour in range(4)]
    read = candles_of({"dates": dates, "ohlcv": [[1, 2, 0.5, 1.5, volume] for volume in (None, 3, None, None)]})
    assert [candle[5] for candle in read] == [None, 3, None, None]
    assert [candle[5] for candle in thin(read, 2)[0]] == [3, None]
    assert export._line(read[0]) == "2024-01-01T00:00:00Z,1,2,0.5,1.5,\n"


@pytest.mark.parametrize(("reached", "left"), [(16, 2), (27, 1), (29, 1), (None, NOTHING_STORED)])
def test_bars_that_end_before_the_period_of_their_load_are_one_more_gap(reached, left):
    """A weekend and a holiday at its end are none."""
    load = {"mode": "full", "start_date": "2024-01-01", "end_date": "2024-01-31"}
    found = [Gap(START + 5 * DAY, START + 9 * DAY), Gap(START + 50 * DAY, START + 60 * DAY)]
    assert left_by(load, None, found, None if reached is None else START + reached * DAY) == left
