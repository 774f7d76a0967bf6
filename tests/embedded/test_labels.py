"""Labels: each says what came next, and none is told before it can be known."""

import numpy as np
import pandas as pd
import pytest

from panel.embedded.labels import BUY, HOLD, SELL, UNKNOWN, barrier_labels, forward_returns, labels
from panel.embedded.plan import ForwardReturn, TripleBarrier, ZigZag


def table(highs, lows, closes) -> pd.DataFrame:
    index = pd.date_range("2024-01-01", periods=len(closes), freq="h", tz="UTC")
    return pd.DataFrame({"high": highs, "low": lows, "close": closes}, index=index, dtype=float)


def bars_of(closes, reach=1.0) -> pd.DataFrame:
    closes = np.array(closes, float)
    return table(closes + reach, closes - reach, closes)


def test_forward_returns_by_hand():
    returns = forward_returns(np.array([100, 110, 121, 100.0]), 2)
    np.testing.assert_allclose(returns, [0.21, 100 / 110 - 1, np.nan, np.nan])
    values, known = labels(ForwardReturn(2), bars_of([100, 110, 121, 100]))
    assert known.tolist() == [True, True, False, False] and values[0] == pytest.approx(0.21)


def test_barriers_by_hand():
    """Every bar is 2 wide at 100: the volatility is 0.02. Barriers 2 volatilities up (104) and 1 down (98)."""
    asked = TripleBarrier(take=2, stop=1, horizon=2, span=50)
    up = bars_of([100, 100, 103.5, 100, 100])  # the third bar's high is 104.5
    assert barrier_labels(up, asked)[0] == BUY
    down = bars_of([100, 100, 98.5, 100, 100])  # its low is 97.5
    assert barrier_labels(down, asked)[0] == SELL
    calm = bars_of([100, 100, 100.2, 100, 100])
    assert barrier_labels(calm, asked)[0] == HOLD


def test_the_first_barrier_that_is_touched_counts():
    asked = TripleBarrier(take=1, stop=1, horizon=3, span=50)  # 102 and 98
    falls_first = table([101, 101, 101, 109, 101, 101, 101], [99, 97, 99, 99, 99, 99, 99], [100] * 7)
    assert barrier_labels(falls_first, asked)[0] == SELL
    both = table([101, 110, 101, 101, 101], [99, 90, 99, 99, 99], [100, 101, 100, 100, 100])
    assert barrier_labels(both, asked)[0] == BUY, "its close is above the entry"
    both.loc[both.index[1], "close"] = 99
    assert barrier_labels(both, asked)[0] == SELL


def test_at_the_end_of_the_horizon_a_far_return_has_its_sign():
    """Barriers out of reach; half the volatility expected in four bars of 0.02 is 0.02."""
    asked = TripleBarrier(take=50, stop=50, horizon=4, span=50)
    assert barrier_labels(bars_of([100, 100, 101, 102, 102.5, 100, 100, 100, 100]), asked)[0] == BUY
    assert barrier_labels(bars_of([100, 100, 99, 98, 97.5, 100, 100, 100, 100]), asked)[0] == SELL
    assert barrier_labels(bars_of([100, 100, 99, 98, 99, 100, 100, 100, 100]), asked)[0] == HOLD


def test_the_volatility_of_closes_needs_two_of_them():
    closes = 100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.01, 50)))
    found = barrier_labels(bars_of(closes), TripleBarrier(horizon=5, method="close"))
    assert (found[:2] == UNKNOWN).all() and (found[2:45] != UNKNOWN).all()


@pytest.mark.parametrize("asked", [ZigZag(0.01, 6), TripleBarrier(horizon=6), ForwardReturn(6)])
@pytest.mark.parametrize("count", [3, 6, 7, 60])
def test_the_last_bars_are_unknown_whatever_is_asked(asked, count):
    values, known = labels(asked, bars_of(100 + np.sin(np.arange(count)) * 3))
    assert len(values) == len(known) == count
    assert known.sum() == max(count - 6, 0) and not known[-6:].any()
    if not isinstance(asked, ForwardReturn):
        assert set(values[known]) <= {BUY, HOLD, SELL}


@pytest.mark.parametrize("asked", [ZigZag(0.01, 6), TripleBarrier(horizon=6), ForwardReturn(6)])
def test_a_label_knows_no_bar_beyond_its_horizon(asked):
    closes = 100 * np.exp(np.cumsum(np.random.default_rng(2).normal(0, 0.01, 200)))
    whole, _ = labels(asked, bars_of(closes))
    part, known = labels(asked, bars_of(closes[:150]))
    np.testing.assert_array_equal(part[known], whole[:150][known])
