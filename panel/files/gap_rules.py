"""Which holes between bars are gaps: those that the market's rest does not explain. Pure, and without any library.

Currencies rest from Friday to Sunday evening in New York, crypto never. An exchange's sessions have to be counted by
who knows them; else, and for unknown symbols, the usual rest is learned from the bars: a hole that comes back in most
weeks is a night or a weekend, and a gap is longer than the longest of those by more than a day and a half, so that a
single holiday is none. Bars that show no such rest trade round the clock.

Weeks and months know no rest: a hole that one of them fits into is a gap, unless the exchange has no session in it, or,
where that is not known, the same week is missing in another year.
"""

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from panel.files.names import DAY, HOUR, LENGTHS, WEEK

LEARNED, FOREX, ALWAYS = "learned", "forex", "always"
TOLERANCE = 36 * HOUR  # beyond the usual rest, where it is learned
USUAL_REST = 3 * DAY  # assumed of a history too short to learn from: a weekend
TRADED = 20 * HOUR  # of missing trading hours are a gap where trading goes round the clock
NEARLY = 0.65  # of a week or month: its first day of trade may be a Friday, or the 9th, so that holes are shorter
YEAR = 365.25 * DAY
YEARLY = 21 * DAY  # by which the new year of the moon moves
SHORTEST = HOUR / 2  # a shorter hole is a gap by no rule

_EXCHANGES = {
    "NYSE": "XNYS", "NASDAQ": "XNYS", "ARCA": "XNYS", "AMEX": "XNYS", "BATS": "XNYS", "ISLAND": "XNYS", "LSE": "XLON",
    "XETRA": "XETR", "IBIS": "XETR", "FWB": "XFRA", "TSX": "XTSE", "TSE": "XTSE", "TSEJ": "XTKS", "SEHK": "XHKG",
    "HKEX": "XHKG", "ASX": "XASX", "SBF": "XPAR", "EURONEXT": "XPAR", "AEB": "XAMS", "BVME": "XMIL", "EBS": "XSWX",
    "NSE": "XBOM", "BSE": "XBOM", "SMART": "",
}  # fmt: skip
_ENDINGS = {
    "US": "XNYS", "L": "XLON", "DE": "XETR", "F": "XFRA", "PA": "XPAR", "AS": "XAMS", "MI": "XMIL", "SW": "XSWX",
    "TO": "XTSE", "HK": "XHKG", "T": "XTKS", "AX": "XASX", "NS": "XBOM", "BO": "XBOM", "MC": "XMAD", "ST": "XSTO",
}  # fmt: skip
_AMERICAN = re.compile(
    r"AAPL|MSFT|NVDA|AMZN|GOOG|GOOGL|META|TSLA|AVGO|JPM|V|MA|UNH|XOM|JNJ|PG|HD|KO|PEP|MRK|ABBV|CVX|WMT|"
    r"COST|DIS|CSCO|ORCL|CRM|AMD|INTC|IBM|NKE|MCD|CAT|BA|GE|GS|MMM|AXP|HON|TRV|VZ|NFLX|ADBE|QCOM|TXN|BAC|C|"
    r"WFC|T|PFE|LLY|BRK[.]B|SPY|QQQ|DIA|IWM|VTI|VOO|GLD|SLV|TLT|XLF|XLK|XLE|EEM|EFA"
)
_MONEY = "EUR|USD|GBP|JPY|CHF|AUD|NZD|CAD|SEK|NOK|DKK|PLN|HUF|CZK|TRY|MXN|ZAR|SGD|HKD|CNH|XAU|XAG|XPT|XPD"
_FOREX = re.compile(rf"(?:{_MONEY})[./_-]?(?:{_MONEY})")
_CRYPTO = re.compile(
    r"(?:BTC|XBT|ETH|XRP|LTC|BCH|ADA|SOL|DOT|DOGE|BNB|AVAX|LINK)[./_-]?(?:USDT?|USDC|EUR|GBP|BUSD|BTC)"
)


class Hole(NamedTuple):
    """From the end of the last bar before it to the opening of the first one after it, seconds, UTC."""

    start: float
    end: float

    @property
    def length(self) -> float:
        return self.end - self.start


Missed = Callable[[str, Sequence[Hole], int], Sequence[int]]  # an exchange's code, holes, the bars' length


def calendar_of(symbol: str, exchange: str = "", kind: str = "") -> str:
    """ "always", "forex", an exchange's code (ISO 10383), or "learned". `exchange` and `kind` (stock, forex,
    crypto) are the backend's words for the symbol, where it has some."""
    symbol = symbol.upper()
    if kind == "crypto" or _CRYPTO.fullmatch(symbol):
        return ALWAYS
    if kind == "forex" or _FOREX.fullmatch(symbol):
        return FOREX
    if found := _EXCHANGES.get(exchange.upper()):
        return found
    if _AMERICAN.fullmatch(symbol):
        return "XNYS"
    return _ENDINGS.get(symbol.rpartition(".")[2], LEARNED) if "." in symbol else LEARNED


def holes_of(openings: Sequence[float], timeframe: str) -> list[Hole]:
    """Where bars that open at these times, in order, are further apart than their length."""
    length = LENGTHS[timeframe]
    apart = max(1.5 * length, length + SHORTEST)
    return [Hole(a + length, b) for a, b in zip(openings, openings[1:], strict=False) if b - a > apart]


def unexplained(
    holes: Sequence[Hole], span: float, timeframe: str, calendar: str, missed: Missed | None = None
) -> list[Hole]:
    """The gaps among the holes, in order. `span`: seconds from the first bar to the last one; `missed` counts the
    whole sessions of an exchange in each hole. Without it, or where it knows nothing (ImportError, ValueError), the
    exchange's rest is learned."""
    length = LENGTHS[timeframe]
    if length > DAY:
        return _whole_bars([hole for hole in holes if hole.length > NEARLY * length], length, calendar, missed)
    if calendar == ALWAYS:
        return [hole for hole in holes if hole.length >= TRADED]
    if calendar == FOREX:
        long = [hole for hole in holes if hole.length >= TRADED]
        return [hole for hole in long if _forex_traded(hole.end) - _forex_traded(hole.start) >= TRADED]
    if calendar != LEARNED and missed is not None and holes:
        with suppress(ImportError, ValueError):
            return [hole for hole, count in zip(holes, missed(calendar, holes, length), strict=True) if count]
    usual = _usual_rest(holes, span)
    if not usual:  # weeks without any rest: it goes round the clock, whatever it is
        return [hole for hole in holes if hole.length >= TRADED]
    limit = max(usual, length) + max(TOLERANCE, 2 * length)
    return [hole for hole in holes if hole.length > limit]


def _whole_bars(holes: list[Hole], length: float, calendar: str, missed: Missed | None) -> list[Hole]:
    if calendar in (ALWAYS, FOREX) or not holes:
        return holes
    if calendar != LEARNED and missed is not None:
        with suppress(ImportError, ValueError):
            return [hole for hole, count in zip(holes, missed(calendar, holes, int(length)), strict=True) if count]
    single = [hole.end for hole in holes if hole.length < (1 + NEARLY) * WEEK]  # of a month none is that short

    def again(about: float) -> bool:
        return bisect_right(single, about + YEARLY) > bisect_left(single, about - YEARLY)

    yearly = {end for end in single if again(end - YEAR) or again(end + YEAR)}
    return [hole for hole in holes if hole.end not in yearly]


def _usual_rest(holes: Sequence[Hole], span: float) -> float:
    weeks = span / WEEK
    if weeks < 4:
        return USUAL_REST
    counted = Counter(round(hole.length / HOUR) for hole in holes)
    return max((hours * HOUR for hours, count in counted.items() if count >= weeks / 4), default=0.0)


def _forex_traded(at: float) -> float:
    """Seconds of trading from a fixed moment until this one. The days of trade begin at five in the evening in New
    York; counted so, the week is Monday to Friday, and Christmas Day and New Year's Day rest."""
    clock = at + (datetime.fromtimestamp(at, _new_york()).utcoffset() or timedelta()).total_seconds() + 7 * HOUR
    weeks, of_week = divmod(clock - 4 * DAY, WEEK)  # 1970-01-05 was a Monday
    before = bisect_right(_holidays(), clock)
    rested = (before - 1) * DAY + min(clock - _holidays()[before - 1], DAY) if before else 0.0
    return weeks * 5 * DAY + min(of_week, 5 * DAY) - rested


@lru_cache(maxsize=1)
def _new_york() -> tzinfo:
    try:
        return ZoneInfo("America/New_York")
    except ZoneInfoNotFoundError:  # without it the week is an hour off in summer, which makes no gap
        return timezone(timedelta(hours=-5))


@lru_cache(maxsize=1)
def _holidays() -> list[int]:
    """The first seconds of those that are no weekend, of a clock that began in 1970."""
    days = [date(year, *day) for year in range(1800, 2201) for day in ((1, 1), (12, 25))]
    return [(day - date(1970, 1, 1)).days * DAY for day in days if day.weekday() < 5]
