"""A sample market: generated prices, always marked as such.

Every bar follows from its symbol and its time alone, so the same bar comes back whatever range is asked
for, and a day's bar is exactly what its minutes add up to. How it is made, from the day down to the minute:

- A day's volatility is a slowly changing factor (its logarithm an AR(1) process), so calm and wild weeks
  follow one another as in real markets. Its return is a draw of that size, with a slight drift that turns every
  few weeks, and a pull back to the first price of years ago. Stocks open with a gap.
- Within the day minutes vary with the hour (forex: London and New York; stocks: opening and close) and with
  half-hours that are calm or busy. Their steps have fat tails, and end where the day does.
- A close lies half a spread above or below the price; wicks are as long as a minute's volatility makes them.
- Volumes follow the day's volatility, the hour, the minute's step and chance, around what is usual for the
  symbol.
- Forex rests from Friday 22:00 to Monday 00:00 UTC, stocks trade from 9:30 to 16:00 in New York but for its
  holidays, crypto never rests. 1 January and 25 December are holidays of forex too, and every fortieth day or so
  lacks a few hours, as real histories do.

Sizes are chosen so that ranges are near real ones: an hour of EURUSD spans about 0.12 % of the price, a day
of AAPL about 2 %.
"""

from dataclasses import dataclass
from datetime import date, timedelta
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
    volatility: float  # of a usual trading day, as a fraction
    digits: int
    volume: float  # of a usual minute
    spread: float  # as a fraction

    @property
    def hours(self) -> str:
        sessions = {
            "forex": "Monday to Friday 22:00 UTC",
            "stock": "weekdays 9:30–16:00 in New York",
            "crypto": "always",
        }
        return sessions[self.type]


INSTRUMENTS = {
    instrument.symbol: instrument
    for instrument in (
        Instrument("EURUSD", "Euro / US dollar", "forex", "SAMPLE", "USD", 1.12, 0.0042, 5, 65, 0.00005),
        Instrument("GBPUSD", "Pound / US dollar", "forex", "SAMPLE", "USD", 1.31, 0.0050, 5, 70, 0.00007),
        Instrument("USDJPY", "US dollar / yen", "forex", "SAMPLE", "JPY", 121.0, 0.0048, 3, 75, 0.00006),
        Instrument("USDCHF", "US dollar / Swiss franc", "forex", "SAMPLE", "CHF", 0.97, 0.0042, 5, 50, 0.0001),
        Instrument("AUDUSD", "Australian dollar / US dollar", "forex", "SAMPLE", "USD", 0.76, 0.0055, 5, 55, 0.00009),
        Instrument("XAUUSD", "Gold / US dollar", "forex", "SAMPLE", "USD", 1240.0, 0.0080, 2, 110, 0.00012),
        Instrument("AAPL", "Apple", "stock", "SAMPLE", "USD", 120.0, 0.0130, 2, 150_000, 0.0001),
        Instrument("MSFT", "Microsoft", "stock", "SAMPLE", "USD", 140.0, 0.0120, 2, 65_000, 0.0001),
        Instrument("NVDA", "Nvidia", "stock", "SAMPLE", "USD", 60.0, 0.0220, 2, 110_000, 0.0002),
        Instrument("TSLA", "Tesla", "stock", "SAMPLE", "USD", 150.0, 0.0260, 2, 250_000, 0.0002),
        Instrument("SPY", "S&P 500 fund", "stock", "SAMPLE", "USD", 310.0, 0.0075, 2, 190_000, 0.00005),
        Instrument("BTCUSD", "Bitcoin / US dollar", "crypto", "SAMPLE", "USD", 9000.0, 0.0290, 2, 14, 0.00015),
    )
}

_DRIFTS = (0.06, 0.0, -0.06, 0.0)  # of a day, in units of its volatility
_STAY = 0.96  # chance that tomorrow's drift is today's
_PERSISTENCE, _VARIATION = 0.97, 0.11  # of the logarithm of volatility, from day to day
_PULL = 0.003  # of the way back to the first price, a day: prices stay plausible for decades
_GAP = {"stock": 0.6, "forex": 0.03, "crypto": 0.0}  # an opening's jump, in units of the day's volatility
_BLOCK = 30  # minutes that are equally calm or busy
_TAILS = 5  # degrees of freedom of a minute's step


def bars(symbol: str, timeframe: str, start: int, end: int) -> pd.DataFrame:
    """OHLCV of the bars that open at or after `start` and before `end` (seconds since 1970), indexed by
    their opening in UTC. Empty outside 2015–2049. Raises KeyError for an unknown symbol."""
    instrument = INSTRUMENTS[symbol]
    earlier = int(opening(start, timeframe))
    first = earlier if earlier == start else int(closing(earlier, timeframe))
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
def daily(symbol: str) -> Any:
    """Log price at open and close, and volatility, of each day from FIRST to LAST; NaN on days of rest."""
    instrument = INSTRUMENTS[symbol]
    rng = np.random.default_rng([crc32(symbol.encode()), 0])
    count = LAST - FIRST
    steps, gaps, calm = rng.standard_normal(count), rng.standard_normal(count), rng.standard_normal(count)
    moves, choices = rng.random(count), rng.integers(0, len(_DRIFTS), count)
    rests = _rests(instrument.type)
    days = np.full((count, 3), np.nan)
    anchor = price = np.log(instrument.price)
    drift, level = 0.0, 0.0
    for day in range(count):
        if moves[day] > _STAY:
            drift = _DRIFTS[choices[day]]
        if rests[day]:
            continue
        level = _PERSISTENCE * level + _VARIATION * calm[day]
        volatility = instrument.volatility * np.exp(level - 0.1)  # the mean of the square is one
        start = price + gaps[day] * volatility * _GAP[instrument.type]
        price = start + volatility * (drift + steps[day]) - _PULL * (start - anchor)
        days[day] = start, price, volatility
    return days


def _rests(kind: str) -> Any:
    """Which days from FIRST to LAST have no trading."""
    weekday = (np.arange(FIRST, LAST) + 3) % 7  # 0 is Monday
    if kind == "crypto":
        return np.zeros(LAST - FIRST, bool)
    holidays = _new_york_holidays() if kind == "stock" else _forex_holidays()
    return (weekday >= 5) | np.isin(np.arange(FIRST, LAST), list(holidays))


def _number(day: date) -> int:
    return day.toordinal() - date(1970, 1, 1).toordinal()


def _forex_holidays() -> set[int]:
    return {_number(date(year, month, day)) for year in range(2015, 2051) for month, day in ((1, 1), (12, 25))}


def _new_york_holidays() -> set[int]:
    """By the exchange's present rules; single closures are not in them."""
    found = set()
    for year in range(2015, 2051):
        fixed = [date(year, 1, 1), date(year, 7, 4), date(year, 12, 25)] + [date(year, 6, 19)] * (year > 2021)
        for day in fixed:
            shift = {5: -1, 6: 1}.get(day.weekday(), 0)
            if (day.month, shift) != (1, -1):  # a New Year's Day on a Saturday has no substitute day
                found.add(_number(day) + shift)
        floating = [(1, 0, 3), (2, 0, 3), (9, 0, 1), (11, 3, 4)]  # month, weekday, which one
        found |= {_number(_nth(year, *which)) for which in floating}
        last = date(year, 5, 31)
        found |= {_number(last) - last.weekday(), _number(_easter(year)) - 2}
    return found


def _nth(year: int, month: int, weekday: int, which: int) -> date:
    first = date(year, month, 1)
    return first + timedelta((weekday - first.weekday()) % 7 + 7 * (which - 1))


def _easter(year: int) -> date:
    """Gauss's rule, for 1900 to 2099."""
    moon = (19 * (year % 19) + 24) % 30
    sunday = (2 * (year % 4) + 4 * (year % 7) + 6 * moon + 5) % 7
    day = date(year, 3, 22) + timedelta(moon + sunday)
    if moon == 29 and sunday == 6:
        return date(year, 4, 19)
    if moon == 28 and sunday == 6 and year % 19 > 10:
        return date(year, 4, 18)
    return day


def session(kind: str, day: int) -> tuple[int, int]:
    """First minute of the UTC day, and the one after the last."""
    if kind == "stock":
        when = date(1970, 1, 1) + timedelta(day)
        summer = _nth(when.year, 3, 6, 2) <= when < _nth(when.year, 11, 6, 1)  # of New York's clock
        return (810, 1200) if summer else (870, 1260)
    return (0, 1320) if kind == "forex" and (day + 3) % 7 == 4 else (0, 1440)


def _activity(kind: str, minutes: Any) -> Any:
    """How busy each minute of the UTC day usually is; 1 on average."""
    hour = minutes / 60
    if kind == "stock":
        place = np.linspace(-1, 1, len(minutes))
        busy = 0.6 + 1.2 * place**4 + 0.8 * np.exp(-(place + 1) * 12)
    elif kind == "forex":
        busy = 0.45 + 0.9 * np.exp(-(((hour - 8) / 2) ** 2)) + 1.3 * np.exp(-(((hour - 14) / 2.5) ** 2))
    else:
        busy = 0.8 + 0.4 * np.exp(-(((hour - 15) / 4) ** 2))
    return busy / busy.mean()


def _minutes(instrument: Instrument, day: int) -> Any:
    """The day's minutes as rows (time, open, high, low, close, volume), or None on a day of rest."""
    start, end, volatility = daily(instrument.symbol)[day - FIRST]
    if np.isnan(start):
        return None
    begin, stop = session(instrument.type, day)
    count = stop - begin
    rng = np.random.default_rng([crc32(instrument.symbol.encode()), day])
    busy = _activity(instrument.type, np.arange(begin, stop))
    mood = np.exp(0.35 * np.repeat(rng.standard_normal(-(-count // _BLOCK)), _BLOCK)[:count])
    variance = busy * mood / (busy * mood).sum()
    scale = volatility * np.sqrt(variance)
    shocks = rng.standard_t(_TAILS, count) / np.sqrt(_TAILS / (_TAILS - 2))
    walk, share = np.cumsum(shocks * scale), np.cumsum(variance)
    path = start + (end - start) * share + walk - walk[-1] * share  # a bridge: it ends where the day does
    path = path + rng.choice((-0.5, 0.5), count) * instrument.spread
    wicks = np.abs(rng.standard_normal((2, count))) * scale * 0.4
    noise = rng.normal(-0.08, 0.4, count)
    usual = instrument.volume * (volatility / instrument.volatility) ** 0.6
    volume = np.ceil(usual * busy * mood * np.exp(noise) * (0.6 + 0.5 * np.minimum(np.abs(shocks), 6)))
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
