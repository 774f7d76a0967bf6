"""Whether stored bars are the sample market's: found from the bars themselves, because a note beside a file would be
stale once the file is replaced.

To make all of them again would take a second for each year. Some are made again; all others are held against what is
known of each day without its minutes: whether the market is open, where the day's last minute closes, and how far
prices are from it before.
"""

import numpy as np

from panel.embedded import market
from panel.embedded.timeframes import DAY, Times, closing, opening, seconds
from panel.files.values import Array, Bars

SAMPLED = 64  # places of a file that are made again
FAR = 5.0  # volatilities of a day: prices that are further away are looked at


def source(symbol: str, timeframe: str, bars: Bars) -> str:
    """ "sample", "own", or "mixed" when they are some of both."""
    if symbol not in market.INSTRUMENTS or not len(bars):
        return "own"
    places = np.unique(np.linspace(0, len(bars) - 1, min(SAMPLED, len(bars))).astype(int))
    same = [_made_again(symbol, timeframe, bars, place) for place in places.tolist()]
    if not any(same):
        return "own"
    if not all(same):
        return "mixed"
    doubtful = np.flatnonzero(~plausible(symbol, timeframe, bars.times, bars.close))
    if seconds(timeframe) < DAY:  # one of a day is enough: all of that day are made again
        doubtful = doubtful[np.unique(bars.times[doubtful] // DAY, return_index=True)[1]]
    return "sample" if all(_made_again(symbol, timeframe, bars, place) for place in doubtful.tolist()) else "mixed"


def _made_again(symbol: str, timeframe: str, bars: Bars, place: int) -> bool:
    """Whether the generator makes this bar, and all others of its day."""
    part = slice(place, place + 1)
    if seconds(timeframe) < DAY:
        day = int(bars.times[place]) // DAY * DAY
        part = slice(*np.searchsorted(bars.times, (day, day + DAY)).tolist())
    times, closes = np.asarray(bars.times[part]), np.asarray(bars.close[part])
    made = market.bars(symbol, timeframe, int(times[0]), int(closing(int(times[-1]), timeframe)))
    found = np.isin(times, made.index.as_unit("s").asi8)
    if not found.all():
        return False
    again = made["close"].to_numpy()[np.searchsorted(made.index.as_unit("s").asi8, times)]
    return bool((np.abs(again - closes) < 1e-9 * np.abs(closes)).all())


def plausible(symbol: str, timeframe: str, times: Times, closes: Array) -> Array:
    """Which bars may be the generator's. Of those that hold a day's last minute it is next to certain; a bar of the
    generator is not among them only where minutes are missing, or a price went unusually far."""
    instrument, days = market.INSTRUMENTS[symbol], market.daily(symbol)
    times, closes = np.asarray(times, np.int64), np.asarray(closes, np.float64)
    after = closing(times, timeframe)
    inside = (times >= market.FIRST * DAY) & (after <= market.LAST * DAY) & (closes > 0)
    numbers = np.arange(len(days))
    traded = np.maximum.accumulate(np.where(np.isnan(days[:, 0]), -1, numbers))  # the last day of trade until each day
    last = traded[np.clip((after - 1) // DAY - market.FIRST, 0, len(days) - 1)]
    inside &= (last >= times // DAY - market.FIRST) & (opening(times, timeframe) == times)
    last = np.maximum(last, 0)
    ends = np.zeros(len(days), np.int64)
    for number in np.unique(last).tolist():
        day = number + market.FIRST
        ends[number] = day * DAY + 60 * market.session(instrument.type, day)[1]
    start, end, volatility = days[last].T
    price = np.log(np.where(closes > 0, closes, 1.0))
    rounded = 10.0**-instrument.digits / np.maximum(closes, 10.0**-instrument.digits)
    at_end = np.abs(price - end) <= instrument.spread / 2 + rounded
    near = np.abs(price - start) <= np.abs(end - start) + FAR * volatility
    return np.asarray(inside & np.where(after >= ends[last], at_end, near), bool)
