"""Thinned candles leave nothing out, and are made of bars that can be true."""

import numpy as np

from panel.files.faults import marked
from panel.files.thinning import thinned
from panel.files.values import Bars


def made(count):
    n = np.arange(count, dtype=float)
    times = (1_704_067_200 + 60 * np.arange(count)).astype(np.int64)
    return Bars(times, 2 + n, 3 + n, 1 + n, 2.5 + n, np.ones(count), np.arange(count) + 2, np.zeros(count, np.uint8))


def test_each_candle_is_made_of_all_its_bars():
    rows, each = thinned(made(1001), 100)
    assert each == 11 and len(rows) == 91
    assert rows[1].tolist() == [1_704_067_200 + 660, 13.0, 24.0, 12.0, 23.5, 11.0]
    assert rows[-1].tolist()[1:] == [992.0 + 0, 1003.0, 991.0, 1002.5, 11.0] and rows[:, 5].sum() == 1001


def test_few_bars_stay_as_they_are():
    rows, each = thinned(made(5), 100)
    assert each == 1 and rows[2].tolist() == [1_704_067_320, 4.0, 5.0, 3.0, 4.5, 1.0]
    assert thinned(made(0), 100)[0].shape == (0, 6)


def test_an_unknown_volume_is_none_and_not_zero():
    bars = made(1000)
    bars.volume[:25] = np.nan
    assert np.isnan(thinned(bars, 1000)[0][:25, 5]).all()
    rows, each = thinned(bars, 100)
    assert each == 10 and np.isnan(rows[:2, 5]).all() and rows[2:, 5].tolist() == [5.0, *[10.0] * 97], "what is known"


def test_a_bar_that_cannot_be_true_bends_no_candle():
    bars = made(1000)
    bars.low[500], bars.high[700] = -5.0, np.inf
    rows, each = thinned(marked(bars, "1m"), 100)
    assert each == 10 and np.isfinite(rows).all() and rows[:, 3].min() == 1.0 and rows[:, 5].sum() == 998
