"""A sample market: made-up prices that stand in for a market's, and never claim to be one's.

Every bar follows from its symbol and its time alone, so the same bar comes back whatever range is asked
for, and a day's bar is exactly what its minutes add up to. A symbol has one price a day, walking through
regimes (trend up, range, trend down, storm); within a day the price wanders by the minute from the day's
open to its close. Forex rests from Friday 22:00 to Monday 00:00 UTC, stocks trade on weekdays from 14:30
to 21:00 UTC with gaps overnight, crypto never rests. 1 January and 25 December are holidays, and every
fortieth day or so lacks a few hours, as real histories do.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd

from panel.embedded.timeframes import DAY, MINUTE, closing, opening

NAME = "sample market generator"
FIRST = 16_436  # 2015-01-01 as days since 1970: the market's first day
LAST = 29_220  # 2050-01-01

COLUMNS = ["open", "high", "low", "close", "volume"]


@dataclass(frozen=True, slots=True)
class Instrument:
    symbol: str
    name: str
    type: str  # forex, stock or crypto
    exchange: str
    currency: str
    price: float  # on the first day
    volatility: float  # of one day, as a fraction
    digits: int

    @property
    def hours(self) -> str:
        sessions = {"forex": "Monday to Friday 22:00 UTC", "stock": "weekdays 14:30–21:00 UTC", "crypto": "always"}
        return sessions[self.type]


INSTRUMENTS = {
    instrument.symbol: instrument
    for instrument in (
        Instrument("EURUSD", "Euro / US dollar", "forex", "SAMPLE", "USD", 1.12, 0.0055, 5),
        Instrument("GBPUSD", "Pound / US dollar", "forex", "SAMPLE", "USD", 1.31, 0.0065, 5),
        Instrument("USDJPY", "US dollar / yen", "forex", "SAMPLE", "JPY", 121.0, 0.006, 3),
        Instrument("USDCHF", "US dollar / Swiss franc", "forex", "SAMPLE", "CHF", 0.97, 0.005, 5),
        Instrument("AUDUSD", "Australian dollar / US dollar", "forex", "SAMPLE", "USD", 0.76, 0.0065, 5),
        Instrument("XAUUSD", "Gold / US dollar", "forex", "SAMPLE", "USD", 1240.0, 0.009, 2),
        Instrument("AAPL", "Apple", "stock", "SAMPLE", "USD", 120.0, 0.016, 2),
        Instrument("MSFT", "Microsoft", "stock", "SAMPLE", "USD", 140.0, 0.015, 2),
        Instrument("NVDA", "Nvidia", "stock", "SAMPLE", "USD", 60.0, 0.026, 2),
        Instrument("TSLA", "Tesla", "stock", "SAMPLE", "USD", 150.0, 0.03, 2),
        Instrument("SPY", "S&P 500 fund", "stock", "SAMPLE", "USD", 310.0, 0.01, 2),
        Instrument("BTCUSD", "Bitcoin / US dollar", "crypto", "SAMPLE", "USD", 9000.0, 0.03, 2),
    )
}

# Regimes: drift of a day in units of its volatility, and how much wilder than usual.
_REGIMES = ((0.30, 1.0), (0.0, 0.75), (-0.30, 1.0), (0.0, 1.9))
_STAY = 0.94  # chance that tomorrow is like today
_PULL = 0.004  # of the way back to the first price, a day: prices stay plausible for decades


def bars(symbol: str, timeframe: str, start: int, end: int) -> pd.DataFrame:
    """OHLCV of the bars that open at or after `start` and before `end` (seconds since 1970), indexed by
    their opening in UTC. Empty outside 2015–2049. Raises KeyError for an unknown symbol."""
    instrument = INSTRUMENTS[symbol]
    around = int(opening(start, timeframe))
    first = around if around == start else int(closing(around, timeframe))
    stop = int(closing(opening(end - 1, timeframe), timeframe)) if end > first else first
    days = [_minutes(instrument, day) for day in range(max(first // DAY, FIRST), min(-(-stop // DAY), LAST))]
    whole = np.concatenate([day for day in days if day is not None] or [np.empty((0, 6))])
    times = whole[:, 0].astype(np.int64)
    whole, times = whole[(times >= first) & (times < stop)], times[(times >= first) & (times < stop)]
    bucket = opening(times, timeframe)
    begins = np.flatnonzero(np.diff(bucket, prepend=-1)) if len(bucket) else np.empty(0, int)
    if not len(begins):
        return pd.DataFrame({column: pd.Series(dtype=float) for column in COLUMNS}, index=_index(times[:0]))
    ends = np.append(begins[1:], len(bucket)) - 1
    columns = {
        "open": whole[begins, 1],
        "high": np.maximum.reduceat(whole[:, 2], begins),
        "low": np.minimum.reduceat(whole[:, 3], begins),
        "close": whole[ends, 4],
        "volume": np.add.reduceat(whole[:, 5], begins),
    }
    return pd.DataFrame(columns, index=_index(bucket[begins]))


def _index(times: Any) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(pd.to_datetime(times, unit="s", utc=True))


@lru_cache(maxsize=32)
def _days(symbol: str) -> Any:
    """Log price at open and close, and volatility, of each day from FIRST to LAST; NaN on days of rest."""
    instrument = INSTRUMENTS[symbol]
    rng = np.random.default_rng([crc32(symbol.encode()), 0])
    count = LAST - FIRST
    steps, gaps = rng.standard_normal(count), rng.standard_normal(count)
    moves, choices = rng.random(count), rng.integers(0, len(_REGIMES), count)
    calendar = np.arange(FIRST, LAST).astype("datetime64[D]")
    weekday = (np.arange(FIRST, LAST) + 3) % 7  # 0 is Monday
    of_year = (calendar - calendar.astype("datetime64[Y]")).astype(int)
    christmas = calendar == calendar.astype("datetime64[Y]") + np.timedelta64(11, "M") + np.timedelta64(24, "D")
    rests = (of_year == 0) | christmas
    if instrument.type != "crypto":
        rests |= weekday >= 5
    jump = {"stock": 0.35, "forex": 0.03, "crypto": 0.0}[instrument.type]
    days = np.full((count, 3), np.nan)
    anchor = price = np.log(instrument.price)
    regime = 1
    for day in range(count):
        if moves[day] > _STAY:
            regime = choices[day]
        if rests[day]:
            continue
        drift, wildness = _REGIMES[regime]
        volatility = instrument.volatility * wildness
        start = price + gaps[day] * volatility * jump
        price = start + volatility * (drift + steps[day]) - _PULL * (start - anchor)
        days[day] = start, price, volatility
    return days


def _minutes(instrument: Instrument, day: int) -> Any:
    """The day's minutes as rows (time, open, high, low, close, volume), or None on a day of rest."""
    start, end, volatility = _days(instrument.symbol)[day - FIRST]
    if np.isnan(start):
        return None
    begin, stop = 0, 1440
    if instrument.type == "stock":
        begin, stop = 870, 1260
    elif instrument.type == "forex" and (day + 3) % 7 == 4:
        stop = 1320
    count = stop - begin
    rng = np.random.default_rng([crc32(instrument.symbol.encode()), day])
    scale = volatility / np.sqrt(count)
    walk = np.cumsum(rng.standard_normal(count)) * scale * 2.0
    share = np.arange(1, count + 1) / count
    path = start + (end - start) * share + walk - walk[-1] * share  # a bridge: it ends where the day does
    wicks = np.abs(rng.standard_normal((2, count))) * scale * 0.6
    volume = np.rint(np.exp(rng.normal(4.0, 0.5, count)) * (1.5 - np.sin(np.pi * share)))
    outage = rng.random(), rng.random(), rng.integers(60, 240)

    closes = np.round(np.exp(path), instrument.digits)
    opens = np.append(np.round(np.exp(start), instrument.digits), closes[:-1])
    highs = np.round(np.maximum(opens, closes) * np.exp(wicks[0]), instrument.digits)
    lows = np.round(np.minimum(opens, closes) * np.exp(-wicks[1]), instrument.digits)
    times = day * DAY + np.arange(begin, stop) * MINUTE
    rows = np.column_stack([times, opens, highs, lows, closes, volume])
    if outage[0] < 1 / 40:
        first = int(outage[1] * count)
        rows = np.delete(rows, slice(first, first + outage[2]), axis=0)
    return rows
