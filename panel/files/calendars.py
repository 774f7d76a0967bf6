"""Where stored bars have holes that the market's own calendar does not explain. Pure, on arrays.

The calendar is the exchange's where the symbol's exchange is known, a forex week or none at all for currencies
and crypto; else it is learned from the bars: a hole that comes back in most weeks is a night or a weekend.
"""

import re
import warnings
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from panel.files.names import DAY, HOUR, LENGTHS, WEEK
from panel.files.values import Array

LEARNED, FOREX, ALWAYS = "learned", "forex", "always"
TOLERANCE = 36 * HOUR  # beyond the usual rest, where the calendar is learned
USUAL_REST = 3 * DAY  # assumed of a history too short to learn from: a weekend
TRADED = 20 * HOUR  # of missing trading hours are a gap where trading goes round the clock

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


@dataclass(frozen=True, slots=True)
class Gap:
    """From the end of the last bar before it to the opening of the first one after it, seconds, UTC."""

    start: int
    end: int


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


def gaps(openings: Array, timeframe: str, symbol: str = "", exchange: str = "", kind: str = "") -> list[Gap]:
    """The gaps between bars that open at these times (seconds, ascending), in order. Two million bars take
    some hundredths of a second."""
    openings, length = np.asarray(openings, np.int64), LENGTHS[timeframe]
    if len(openings) < 2:
        return []
    holes = np.flatnonzero(np.diff(openings) > 1.5 * length)
    starts, ends = openings[holes] + length, openings[holes + 1]
    which = calendar_of(symbol, exchange, kind)
    if length > DAY or which == LEARNED:
        gap = ends - starts > _learned_limit(openings, ends - starts, length)
    elif which == ALWAYS:
        gap = ends - starts >= min(TRADED, DAY)
    elif which == FOREX:
        gap = _forex_hours(ends) - _forex_hours(starts) >= TRADED
    else:
        try:
            gap = _missed_sessions(which, starts, ends, length) >= 1
        except (ImportError, ValueError):  # not installed; or years that the library knows nothing about
            gap = ends - starts > _learned_limit(openings, ends - starts, length)
    return [Gap(int(start), int(end)) for start, end in zip(starts[gap], ends[gap], strict=True)]


def _learned_limit(openings: Array, holes: Array, length: int) -> float:
    weeks, usual = (openings[-1] - openings[0]) / WEEK, float(USUAL_REST)
    if weeks >= 4:
        hours, counted = np.unique(np.rint(holes / HOUR), return_counts=True)
        often = hours[counted >= weeks / 4]
        usual = float(often.max() * HOUR) if len(often) else 0.0
    return float(max(usual, length) + max(TOLERANCE, 2 * length))


def _forex_hours(times: Array) -> Array:
    """Seconds of trading from a fixed moment until each time. A week trades from Sunday 22:00 to Friday 22:00
    UTC; Christmas Day and New Year's Day rest."""
    since = np.asarray(times, np.int64) - (3 * DAY + 22 * HOUR)  # 1970-01-04 22:00 was a Sunday
    traded = since // WEEK * 5 * DAY + np.minimum(since % WEEK, 5 * DAY)
    return traded - _rested(np.asarray(times, np.int64))


def _rested(times: Array) -> Array:
    """Seconds of weekday holidays until each time."""
    years = np.arange(1960, 2101)
    days = np.array([f"{year}-{day}" for year in years for day in ("01-01", "12-25")], "datetime64[D]")
    days = np.sort(days[np.is_busday(days)]).astype("datetime64[s]").astype(np.int64)
    before = np.searchsorted(days, times, side="right")
    last = days[np.maximum(before - 1, 0)]
    partly = np.where(before > 0, np.minimum(times - last, DAY), 0)
    return np.maximum(before - 1, 0) * DAY + partly


def _missed_sessions(code: str, starts: Array, ends: Array, length: int) -> Array:
    """How many whole sessions of the exchange lie in each hole."""
    if not len(starts):
        return np.zeros(0, np.int64)
    first, last = (int(str(np.datetime64(int(at), "s"))[:4]) for at in (starts[0], ends[-1]))
    days, opens, closes = _sessions(code, first, last)
    if length == DAY:  # stamped with their day, at midnight somewhere
        since, until = starts - DAY + 6 * HOUR, ends + 6 * HOUR
        inside = np.searchsorted(days, until // DAY * DAY) - np.searchsorted(days, since // DAY * DAY, side="right")
        return np.asarray(inside)
    return np.asarray(np.searchsorted(closes, ends, side="right") - np.searchsorted(opens, starts, side="left"))


@lru_cache(maxsize=16)
def _sessions(code: str, first: int, last: int) -> tuple[Array, Array, Array]:
    """Day, opening and close of each session from one year to another, seconds, UTC."""
    import exchange_calendars

    with warnings.catch_warnings():  # it uses what pandas 3.1 is about to change
        warnings.simplefilter("ignore")
        calendar = exchange_calendars.get_calendar(code, start=f"{first}-01-01", end=f"{last}-12-31")
        table = calendar.schedule
    return (
        np.asarray(table.index.as_unit("s").asi8),
        np.asarray(table["open"].dt.as_unit("s").astype("int64")),
        np.asarray(table["close"].dt.as_unit("s").astype("int64")),
    )
