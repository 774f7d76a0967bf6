"""Labels: for each bar, the outcome of the bars that follow."""

from typing import Any

import numpy as np
import pandas as pd

from panel.embedded.plan import ForwardReturn, Labels, TripleBarrier, ZigZag

CLASSES = ("BUY", "HOLD", "SELL")
BUY, HOLD, SELL = range(3)
UNKNOWN = -1  # too few bars follow

Array = np.ndarray[Any, np.dtype[Any]]


def labels(asked: Labels, bars: pd.DataFrame) -> tuple[Array, Array]:
    """The labels of all bars, and which of them are known: indices into CLASSES, or returns for a ForwardReturn."""
    closes = bars["close"].to_numpy(np.float64)
    if isinstance(asked, ForwardReturn):
        returns = forward_returns(closes, asked.horizon)
        return returns, np.isfinite(returns)
    if isinstance(asked, ZigZag):
        found = zigzag_labels(closes, asked.threshold, asked.horizon)
    else:
        found = barrier_labels(bars, asked)
    return found, found != UNKNOWN


def zigzag_labels(closes: Array, threshold: float, horizon: int) -> Array:
    """For each bar which comes first within `horizon` bars: a rise of `threshold` (BUY), a fall (SELL), or neither
    (HOLD)."""
    found = np.full(len(closes), HOLD)
    undecided = np.ones(len(closes), bool)
    for ahead in range(1, min(horizon, len(closes) - 1) + 1):
        change = closes[ahead:] / closes[:-ahead] - 1
        for label, hit in ((BUY, change >= threshold), (SELL, change <= -threshold)):
            now = undecided[:-ahead] & hit
            found[:-ahead][now] = label
            undecided[:-ahead][now] = False
    found[-horizon:] = UNKNOWN
    return found


def barrier_labels(bars: pd.DataFrame, asked: TripleBarrier) -> Array:
    """The triple-barrier method (López de Prado, 2018). A bar's barriers lie `take` volatilities above and `stop` below
    its close; the first one that a later bar's high or low touches within `horizon` bars is its label, BUY or SELL.
    When one bar touches both, its close decides. At the end of the horizon a return beyond half the volatility
    expected by then has its sign for a label, and a smaller one is a HOLD."""
    high, low, close = (bars[name].to_numpy(np.float64) for name in ("high", "low", "close"))
    horizon, count = asked.horizon, len(close) - asked.horizon
    found = np.full(len(close), UNKNOWN)
    if count <= 0:
        return found
    volatility = _volatility(high, low, close, asked)[:count]
    entry = close[:count]
    above, below = entry * (1 + asked.take * volatility), entry * (1 - asked.stop * volatility)
    label, undecided = np.full(count, HOLD), np.isfinite(volatility)
    known = undecided.copy()
    for ahead in range(1, horizon + 1):
        later = slice(ahead, ahead + count)
        up, down = undecided & (high[later] >= above), undecided & (low[later] <= below)
        rises = up & (~down | (close[later] >= entry))
        label[rises], label[down & ~rises] = BUY, SELL
        undecided &= ~(up | down)
    final = close[horizon:] / entry - 1
    far = undecided & (np.abs(final) >= volatility * np.sqrt(horizon) / 2)
    label[far & (final > 0)], label[far & (final < 0)] = BUY, SELL
    found[:count] = np.where(known, label, UNKNOWN)
    return found


def _volatility(high: Array, low: Array, close: Array, asked: TripleBarrier) -> Array:
    if asked.method == "atr":
        return np.asarray(pd.Series((high - low) / close).ewm(span=asked.span).mean())
    return np.asarray(pd.Series(np.log(close)).diff().ewm(span=asked.span).std())


def forward_returns(closes: Array, horizon: int) -> Array:
    """The change of the close over the next `horizon` bars as a share; NaN where they do not exist yet."""
    found = np.full(len(closes), np.nan)
    found[:-horizon] = closes[horizon:] / closes[:-horizon] - 1
    return found
