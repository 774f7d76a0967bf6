"""Indicators against tables that were worked out by hand, and against what every value may know."""

import numpy as np
import pandas as pd
import pytest

from panel.embedded import market
from panel.embedded.computing import indicator
from panel.embedded.indicators import INDICATORS, NAMES
from tests.support.bars import at

NAN = np.nan


def bars(**columns) -> pd.DataFrame:
    index = pd.date_range("2024-01-01", periods=len(next(iter(columns.values()))), freq="h", tz="UTC")
    return pd.DataFrame(columns, index=index).astype(float)


# Six bars whose numbers are easy to follow: high - low is 4, 2, 4, 2, 4 and 2.
SIX = bars(
    open=[10, 11, 12, 13, 12, 11],
    high=[12, 13, 14, 14, 14, 12],
    low=[8, 11, 10, 12, 10, 10],
    close=[11, 12, 13, 13, 11, 10],
    volume=[100, 200, 100, 300, 100, 200],
)


def check(kind, parameters, output, expected, table=SIX):
    np.testing.assert_allclose(indicator(kind, parameters, output, table), expected, atol=1e-9)


def test_money_flow_by_hand():
    """((close - low) - (high - close)) / (high - low): 2/4, 0, 2/4, 0, -2/4, -1; times the volume."""
    check("cmf", {"period": 2}, "mf_multiplier", [0.5, 0, 0.5, 0, -0.5, -1])
    check("cmf", {"period": 2}, "mf_volume", [50, 0, 50, 0, -50, -200])
    check("cmf", {"period": 2}, "", [NAN, 50 / 300, 50 / 300, 50 / 400, -50 / 400, -250 / 300])
    check("cmf", {"period": 2}, "above_zero", [NAN, 1, 1, 1, 0, 0])
    check("adline", {}, "", [50, 50, 100, 100, 50, -150])
    flat = bars(open=[5] * 3, high=[5] * 3, low=[5] * 3, close=[5] * 3, volume=[0] * 3)
    check("cmf", {"period": 2}, "", [NAN, 0, 0], flat)


def test_the_relative_vigor_index_by_hand():
    """close - open is 1, 1, 1, 0, -1, -1; weighted 1-2-2-1: from the fourth bar on 5/6, 2/6, -3/6 against
    (4 + 4 + 8 + 2) / 6 = 3 and so on."""
    body = [NAN, NAN, NAN, (1 + 2 + 2 + 0) / 6, (1 + 2 + 0 - 1) / 6, (1 + 0 - 2 - 1) / 6]
    reach = [NAN, NAN, NAN, (4 + 4 + 8 + 2) / 6, (2 + 8 + 4 + 4) / 6, (4 + 4 + 8 + 2) / 6]
    ten = pd.concat([SIX] * 3)
    ours = indicator("rvi", {"period": 4, "signal_period": 1}, "", ten)
    assert np.isnan(ours[:6]).all() and np.isfinite(ours[6:]).all()
    # Bars 4 to 6 are as above; the seventh is the first one again: 0, -1, -1, 1 weighted gives -5/6 against 14/6.
    seventh = ((0 - 2 - 2 + 1) / 6, (2 + 8 + 4 + 4) / 6)
    assert ours[6] == pytest.approx((sum(body[3:]) + seventh[0]) / (sum(reach[3:]) + seventh[1]))
    signal = indicator("rvi", {"period": 4, "signal_period": 3}, "signal", ten)
    assert signal[8] == pytest.approx(ours[6:9].mean())


def test_the_fisher_transform_by_hand():
    """Middles 10, 12, 12, 13, 12, 11; ranges of two bars 8–13, 10–14, 10–14, 10–14, 10–14."""
    places = np.array([2 * 4 / 5 - 1, 2 * 2 / 4 - 1, 2 * 3 / 4 - 1, 2 * 2 / 4 - 1, 2 * 1 / 4 - 1])
    raw = 0.5 * np.log((1 + places) / (1 - places))
    check("fishertransform", {"period": 2, "smoothing": 1}, "", [NAN, *raw])
    check("fishertransform", {"period": 2, "smoothing": 1}, "signal", [NAN, NAN, *raw[:-1]])
    smooth = indicator("fishertransform", {"period": 2, "smoothing": 3}, "fisher", SIX)
    assert smooth[1] == pytest.approx(raw[0]) and smooth[2] == pytest.approx((raw[0] + raw[1]) / 2)


def test_bands_and_their_width_by_hand():
    """Closes 11, 12, 13: mean 12, deviation √(2/3)."""
    deviation = np.sqrt(2 / 3)
    parameters = {"period": 3, "multiplier": 1.5}
    assert indicator("bbands", parameters, "upper", SIX)[2] == pytest.approx(12 + 1.5 * deviation)
    assert indicator("bollingerbandwidth", parameters, "", SIX)[2] == pytest.approx(3 * deviation / 12)


def test_channels_by_hand():
    check("donchianchannels", {"period": 3}, "", [NAN, NAN, 14, 14, 14, 14])
    check("donchianchannels", {"period": 3}, "middle", [NAN, NAN, 11, 12, 12, 12])
    # The true ranges after the first bar are 2, 4, 2, 4, 2: a mean of 3, then (3 + 2) / 2, (2.5 + 4) / 2, (3.25 + 2) / 2.
    check("atr", {"period": 2}, "", [NAN, NAN, 3, 2.5, 3.25, 2.625])
    # The average of two closes begins at 11.5 and moves two thirds of the way to each next close.
    middle = [NAN, 11.5, 12.5, 12.5 + 1 / 3, 12.5 + 1 / 3 - 11 / 9, 0]
    middle[5] = middle[4] + 2 / 3 * (10 - middle[4])
    check("keltnerchannels", {"period": 2, "atr_period": 2}, "middle", middle)
    upper = indicator("keltnerchannels", {"period": 2, "atr_period": 2, "multiplier": 2}, "upper", SIX)
    assert upper[3] == pytest.approx(middle[3] + 5)


def test_the_squeeze_by_hand():
    """Constant closes: Bollinger's bands are one line in the middle of Keltner's, so half of the width on each side."""
    calm = bars(open=[10] * 30, high=[11] * 30, low=[9] * 30, close=[10] * 30, volume=[1] * 30)
    values = indicator("squeezeintensity", {}, "", calm)
    assert np.isnan(values[:19]).all() and values[-1] == pytest.approx(0.5)
    wide = bars(open=[10] * 30, high=[11] * 30, low=[9] * 30, close=[8, 12] * 15, volume=[1] * 30)
    wide["high"], wide["low"] = wide["close"], wide["close"]
    assert indicator("squeezeintensity", {"kc_multiplier": 0.1}, "", wide)[-1] == 0


def test_the_supertrend_follows_turns_and_comes_back():
    """Up by 1 a bar, then down by 3 a bar: the line is below the price, then above it."""
    closes = [10 + n for n in range(12)] + [21 - 3 * n for n in range(1, 7)]
    table = bars(open=closes, high=[c + 1 for c in closes], low=[c - 1 for c in closes], close=closes, volume=closes)
    line, way = (
        indicator("supertrend", {"period": 3, "multiplier": 1}, name, table) for name in ("trend", "direction")
    )
    # True ranges are 2: the lower band lies 2 below the middle.
    assert line[5] == pytest.approx(closes[5] - 2) and way[5] == 1
    assert way[-1] == -1 and line[-1] > closes[-1]
    assert np.isnan(line[:3]).all() and (np.diff(line[3:12]) >= 0).all()


def test_volumes_by_hand():
    check("volumeratio", {"period": 2}, "", [NAN, 200 / 150, 100 / 150, 300 / 200, 100 / 200, 200 / 150])
    typical = [31 / 3, 12, 37 / 3, 13, 35 / 3, 32 / 3]
    expected = [typical[0], (typical[0] * 100 + typical[1] * 200) / 300]
    np.testing.assert_allclose(indicator("vwap", {"period": 2}, "", SIX)[:2], expected)
    total = indicator("vwap", {"period": 0, "use_typical_price": False}, "", SIX)[-1]
    assert total == pytest.approx((1100 + 2400 + 1300 + 3900 + 1100 + 2000) / 1000)


def test_distances_and_lines_by_hand():
    check(
        "distancefromma", {"period": 2}, "", [NAN, 100 * 0.5 / 11.5, 100 * 0.5 / 12.5, 0, -100 / 12, -100 * 0.5 / 10.5]
    )
    parameters = {"tenkan_period": 2, "kijun_period": 3, "senkou_b_period": 4}
    check("ichimoku", parameters, "", [NAN, 10.5, 12, 12, 12, 12])
    check("ichimoku", parameters, "senkou_a", [NAN, NAN, 11.5, 12, 12, 12])
    check("ichimoku", parameters, "senkou_b", [NAN, NAN, NAN, 11, 12, 12])


def test_aroon_by_hand():
    """Highs 12, 13, 14, 14, 14, 12 with a period of 2: the highest of the last three bars, how long ago."""
    check("aroon", {"period": 2}, "up", [NAN, NAN, 100, 100, 100, 50])
    check("aroon", {"period": 2}, "", indicator("aroon", {"period": 2}, "up", SIX))


def test_macd_with_exchanged_periods_turns_its_sign():
    table = market.bars("AAPL", "1d", at("2023-01-01"), at("2024-01-01"))
    one = indicator("macd", {"fast_period": 5, "slow_period": 20}, "", table)
    np.testing.assert_allclose(indicator("macd", {"fast_period": 20, "slow_period": 5}, "", table), -one)


@pytest.mark.parametrize("kind", [kind for kind, known in INDICATORS.items() if not known.future])
def test_no_value_knows_the_bars_that_follow(kind):
    table = market.bars("AAPL", "1d", at("2023-01-01"), at("2024-06-01"))
    for output in ("", *INDICATORS[kind].outputs):
        whole = indicator(kind, {}, output, table)
        np.testing.assert_array_equal(indicator(kind, {}, output, table[:200]), whole[:200])


def test_every_indicator_has_a_longer_name_too():
    assert NAMES["rsiindicator"] == "rsi" and NAMES["sma"] == "simplemovingaverage" and NAMES["bbands"]
    assert len(set(NAMES.values())) == len(INDICATORS) == 31


@pytest.mark.parametrize("kind", ["ema", "stochastic", "atr", "momentum", "distancefromma", "ichimoku"])
def test_periods_of_one_bar_are_computed(kind):
    known = INDICATORS[NAMES[kind]].parameters
    ones = {name: 1 for name, parameter in known.items() if parameter.kind is int and parameter.low == 1}
    assert np.isfinite(indicator(kind, ones, "", SIX)[-1])
