"""What the network sees: nothing of the future, and labels that mean what they say."""

import numpy as np
import pandas as pd
import pytest

from panel.embedded import market, strategy
from panel.embedded.computing import indicator
from panel.embedded.features import Samples, Unusable, as_known, membership, samples, split
from panel.embedded.indicators import INDICATORS
from panel.embedded.labels import CLASSES, zigzag_labels
from panel.embedded.plan import Plan
from panel.embedded.timeframes import complete
from tests.support.bars import at

BUY, HOLD, SELL = range(3)


def plan(name: str = "multi_timeframe_trend") -> Plan:
    found = strategy.find(name, [strategy.STARTERS])
    assert found is not None and found.plan is not None, found
    return found.plan


def stored(until: str):
    """A store that ends at `until`, as it stood then: only bars that had closed."""

    def load(symbol: str, timeframe: str) -> pd.DataFrame | None:
        from panel.embedded.timeframes import closing

        frame = market.bars(symbol, timeframe, at("2024-01-01"), at("2024-07-01"))
        return frame[closing(frame.index.as_unit("s").asi8, timeframe) <= at(until)]

    return load


def made(until: str) -> Samples:
    return samples(plan(), ["EURUSD"], ["1h", "4h", "1d"], stored(until))


def test_no_input_knows_the_future():
    """Whatever the store gains later, what was known at a moment stays what it was."""
    then, later = made("2024-05-15"), made("2024-06-20")
    common = np.isin(later.times, then.times)
    assert len(then.times) > 1000 and common.sum() == len(then.times)
    np.testing.assert_array_equal(later.inputs[common], then.inputs)
    np.testing.assert_array_equal(later.labels[common], then.labels)


def test_a_day_is_known_only_when_it_is_over():
    """The inputs of the daily bar change with the first bar that closes in the new day, never within it."""
    whole = made("2024-06-20")
    names = [feature["feature_id"] for feature in plan().features(["1h", "4h", "1d"])]
    daily = whole.inputs[:, [name.startswith("1d") for name in names]]
    changed = np.flatnonzero(np.any(np.diff(daily, axis=0) != 0, axis=1)) + 1
    day = whole.times // 86_400
    assert len(changed) > 50 and (day[changed] != day[changed - 1]).all()


def walk(openings: pd.DatetimeIndex) -> pd.DataFrame:
    """A bar for each opening, with prices of their own."""
    closes = 100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.01, len(openings))))
    columns = dict.fromkeys(("open", "high", "low", "close", "volume"), closes)
    return pd.DataFrame(columns, index=openings.tz_convert("UTC").as_unit("s"))


DAYS_OF_TRADE = pd.bdate_range("2019-12-02", "2024-12-31")
IN_CHINA = DAYS_OF_TRADE[~((DAYS_OF_TRADE.month == 10) & (DAYS_OF_TRADE.day < 8))]  # a week of holidays


@pytest.mark.parametrize(
    ("timeframe", "openings"),
    [
        *(("1M", pd.date_range("2019-12-01", "2024-12-31", freq="MS", tz=zone)) for zone in ("UTC", "Europe/Berlin")),
        *(("1M", pd.date_range("2019-12-01", "2024-12-31", freq="MS", tz=z)) for z in ("Asia/Tokyo", "Etc/GMT+5")),
        ("1M", pd.date_range("2019-12-01", "2024-12-31", freq="MS", tz="America/New_York")),
        ("1M", pd.DatetimeIndex(DAYS_OF_TRADE.to_series().resample("MS").first()).tz_localize("UTC")),
        ("1M", pd.DatetimeIndex(IN_CHINA.to_series().resample("MS").first()).tz_localize("UTC")),
        ("1M", pd.date_range("2019-12-01", "2024-12-31", freq="MS", tz="UTC") + pd.Timedelta(days=14)),
        ("1w", pd.date_range("2019-12-01", "2024-12-31", freq="W-SUN", tz="America/New_York") + pd.Timedelta(hours=17)),
        ("1w", pd.date_range("2019-12-01", "2024-12-31", freq="W-MON", tz="Europe/Berlin")),
        ("1d", pd.date_range("2019-12-01", "2024-12-31", freq="D", tz="Europe/Berlin")),
    ],
)
def test_a_bar_counts_only_when_the_next_one_opens(timeframe, openings):
    """Whatever the moment at which a file's bars open: in which zone, on which day, with clocks that change."""
    stored = walk(openings)
    opens, values = np.asarray(stored.index.asi8), stored["close"].to_numpy()
    lasts = np.diff(opens)[-12:].min()  # the newest bar has no next one: it lasts as long as such a bar does
    moments = np.arange(opens[3], opens[-1] + lasts, 3600)
    number = {value: place for place, value in enumerate(values)}
    known = np.array([number[value] for value in as_known(values, stored, timeframe, moments)])
    assert (known <= np.searchsorted(opens, moments, side="right") - 2).all()
    assert (known >= np.searchsorted(opens, moments - 3 * 86_400, side="right") - 2).all(), "soon after"


def test_a_month_in_a_gap_is_complete_at_its_end():
    openings = np.array([at("2024-01-01"), at("2024-03-31") + 79_200, at("2024-09-01")])
    assert complete(openings, "1M").tolist() == [at("2024-02-01"), at("2024-05-01"), at("2024-10-01")]


def test_a_label_says_which_move_comes_first():
    closes = np.array([100, 100.5, 99, 102, 102, 102, 102.0])
    assert zigzag_labels(closes, 0.01, 3).tolist() == [SELL, SELL, BUY, HOLD, -1, -1, -1]


def test_the_last_bars_have_no_label_yet():
    assert zigzag_labels(np.arange(1.0, 11.0), 0.01, 4)[-4:].tolist() == [-1] * 4
    assert set(zigzag_labels(np.arange(1.0, 4.0), 0.01, 50)) == {-1}


def test_the_split_goes_forward_and_its_parts_share_no_bar():
    parts = split(made("2024-06-20"), plan())
    for earlier, later in ((parts.train, parts.validation), (parts.validation, parts.test)):
        # Not even the bars that a label looks at reach into the next part.
        assert earlier.decided.max() < later.times.min()
    sizes = [len(part.labels) for part in (parts.train, parts.validation, parts.test)]
    assert sizes[0] / sum(sizes) == pytest.approx(0.7, abs=0.03)


def test_a_split_can_be_repeated_when_more_data_has_come():
    before = split(made("2024-05-15"), plan())
    after = split(made("2024-06-20"), plan(), before.cutoffs)
    np.testing.assert_array_equal(before.train.times, after.train.times)
    np.testing.assert_array_equal(before.test.times, after.test.times)


def test_missing_data_is_named():
    with pytest.raises(Unusable, match="No data found in cache for EURUSD 4h"):
        samples(
            plan(),
            ["EURUSD"],
            ["1h", "4h"],
            lambda symbol, timeframe: None if timeframe == "4h" else stored("2024-05-15")(symbol, timeframe),
        )


def test_a_period_without_data_says_what_is_stored():
    with pytest.raises(Unusable, match=r"No data found in cache for EURUSD 1h .*2024-01-02 to 2024-05-14"):
        samples(plan(), ["EURUSD"], ["1h", "4h", "1d"], stored("2024-05-15"), at("2030-01-01"), at("2031-01-01"))


def test_too_little_data_says_how_little():
    few = samples(plan(), ["EURUSD"], ["1h", "4h", "1d"], stored("2024-05-15"), at("2024-05-01"), at("2024-05-08"))
    with pytest.raises(Unusable, match="too little data"):
        split(few, plan())


def test_dates_bound_the_samples_but_not_the_warm_up():
    part = samples(plan(), ["EURUSD"], ["1h", "4h", "1d"], stored("2024-06-20"), at("2024-04-01"), at("2024-05-01"))
    assert at("2024-04-01") < part.times.min() <= at("2024-04-01") + 3600 and part.times.max() <= at("2024-05-01")


@pytest.mark.parametrize("kind", [kind for kind, known in INDICATORS.items() if not known.future])
def test_every_indicator_has_its_outputs(kind):
    bars = market.bars("AAPL", "1d", at("2023-01-01"), at("2024-01-01"))
    for output in ("", *INDICATORS[kind].outputs):
        values = indicator(kind, {}, output, bars)
        assert len(values) == len(bars) and np.isfinite(values[-1])


def test_indicators_are_what_textbooks_say():
    bars = market.bars("AAPL", "1d", at("2023-01-01"), at("2024-01-01"))
    closes = bars["close"]
    np.testing.assert_allclose(indicator("sma", {"period": 10}, "", bars)[9:], closes.rolling(10).mean()[9:])
    middle, upper = (indicator("bbands", {"period": 10, "multiplier": 2}, name, bars) for name in ("middle", "upper"))
    np.testing.assert_allclose(upper[9:] - middle[9:], 2 * closes.rolling(10).std(ddof=0)[9:])
    assert 0 <= np.nanmin(indicator("rsi", {"period": 14}, "", bars)) <= 100


@pytest.mark.parametrize(
    ("shape", "parameters", "expected"),
    [
        ("triangular", (0, 50, 100), [0, 0.5, 1, 0.5, 0]),
        ("triangular", (0, 0, 100), [1, 0.75, 0.5, 0.25, 0]),
        ("trapezoidal", (0, 25, 75, 100), [0, 1, 1, 1, 0]),
        ("trapezoidal", (50, 60, 100, 100), [0, 0, 0, 1, 1]),
        ("gaussian", (50, 25), [np.exp(-2), np.exp(-0.5), 1, np.exp(-0.5), np.exp(-2)]),
    ],
)
def test_memberships(shape, parameters, expected):
    x = np.array([0, 25, 50, 75, 100.0])
    np.testing.assert_allclose(membership(shape, x, *parameters), expected, atol=1e-9)
    assert np.isnan(membership(shape, np.array([np.nan]), *parameters)).all()


def test_the_classes_are_ktrdrs():
    assert CLASSES == ("BUY", "HOLD", "SELL")
