"""Symbols and timeframes, and how names of files spell them. Pure."""

import re
from dataclasses import dataclass
from itertools import pairwise

MINUTE, HOUR, DAY, WEEK = 60, 3600, 86_400, 604_800

# id -> seconds; a month has 30 days here, as a length only
LENGTHS = {
    "1m": MINUTE, "5m": 5 * MINUTE, "15m": 15 * MINUTE, "30m": 30 * MINUTE, "1h": HOUR,
    "2h": 2 * HOUR, "4h": 4 * HOUR, "1d": DAY, "1w": WEEK, "1M": 30 * DAY,
}  # fmt: skip
SYMBOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,19}")

_MINUTES = {seconds // MINUTE: timeframe for timeframe, seconds in LENGTHS.items()} | {43_200: "1M"}
_UNITS = (
    (re.compile(r"(\d{1,5})(?:m|min|mins|minute|minutes|_?minutes)", re.I), 1),
    (re.compile(r"(\d{1,3})(?:h|hr|hour|hours)", re.I), 60),
    (re.compile(r"(\d{1,3})(?:d|day|days)", re.I), 1440),
    (re.compile(r"(\d{1,3})(?:w|wk|week|weeks)", re.I), 10_080),
    (re.compile(r"(\d{1,3})(?:mo|mn|month|months)", re.I), 43_200),
    (re.compile(r"m(\d{1,5})", re.I), 1),  # MetaTrader's M1, H4, D1, W1, MN1
    (re.compile(r"h(\d{1,3})", re.I), 60),
    (re.compile(r"d(1)", re.I), 1440),
    (re.compile(r"w(1)", re.I), 10_080),
    (re.compile(r"mn(1)", re.I), 43_200),
)
ENDINGS = (".csv", ".txt", ".tsv")  # of files that may be market data, in any case
_WORDS = {
    "d": "1d", "day": "1d", "daily": "1d", "w": "1w", "week": "1w", "weekly": "1w", "mo": "1M", "month": "1M",
    "monthly": "1M", "h": "1h", "hour": "1h", "hourly": "1h", "minute": "1m", "min": "1m",
}  # fmt: skip
_NOISE = {
    "dat", "ascii", "mt", "candlestick", "bid", "ask", "historical", "data", "history", "price", "intraday",
    "prices", "stock", "historische", "daten", "to", "quote", "equity", "eq", "ohlcv", "ohlc", "us", "usa",
}  # fmt: skip
_SOURCES = {  # of data, as they stand before the symbol in the names of exports
    "binance", "bitfinex", "bitmex", "bitstamp", "bybit", "coinbase", "gemini", "kraken", "kucoin", "okx", "poloniex",
    "dukascopy", "fxcm", "oanda", "forexcom", "capitalcom", "pepperstone", "nasdaq", "nyse", "amex", "bats", "cboe",
}  # fmt: skip
_DATE = re.compile(  # its month is no timeframe
    r"(?<!\d)(?:(?:19|20)\d\d[-_. ]?[01]\d(?:[-_. ]?[0-3]\d)?|[0-3]\d([-_.])[0-3]\d\1(?:19|20)\d\d)(?!\d)"
)
_CURRENCIES = {
    "EUR", "USD", "GBP", "JPY", "CHF", "AUD", "NZD", "CAD", "SEK", "NOK", "XAU", "XAG", "BTC", "ETH", "USDT", "TRY",
    "MXN", "ZAR", "PLN", "CNH", "SGD", "HKD", "DKK", "HUF", "CZK",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Named:
    """What a file's name says; either is "" when it says nothing."""

    symbol: str = ""
    timeframe: str = ""


def canonical(symbol: str, timeframe: str) -> str:
    return f"{symbol}_{timeframe}.csv"


def timeframe_of(text: str) -> str:
    """The timeframe that a word spells ("H1", "60", "1 hour", "daily", "1H"), or ""."""
    text = text.strip()
    if text in LENGTHS:
        return text
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if text.isascii() and text.isdigit() and len(text) < 6:
        return _MINUTES.get(int(text), "")
    for pattern, minutes in _UNITS:
        if found := pattern.fullmatch(text.replace(" ", "")):
            return _MINUTES.get(int(found[1]) * minutes, "")
    return ""


def named(name: str) -> Named:
    """Symbol and timeframe from a file's name: KTRDR's own EURUSD_1h.csv as it is, others as exports have
    them: EURUSD60, EURUSD_H1_202401010000, UPPER_1H, BTCUSDT-1h-2024-01, "FX_EURUSD, 60", AAPL."""
    stem = re.sub(r"(\.(csv|txt|tsv|prn|dat))+$", "", name.replace("\\", "/").rpartition("/")[2], flags=re.I)
    symbol, _, timeframe = stem.rpartition("_")
    if timeframe in LENGTHS and SYMBOL.fullmatch(symbol):
        return Named(symbol, timeframe)
    words = [word for word in re.split(r"[\s_,()\[\]-]+", _DATE.sub(" ", stem)) if word and word.lower() not in _NOISE]
    for place in range(1, len(words)):
        two = timeframe_of(words[place] + words[place + 1]) if place + 1 < len(words) else ""
        found = two or timeframe_of(words[place])
        if found:
            return Named(_symbol(words[:place]), found)
    if words and (joined := re.fullmatch(r"([A-Za-z.]{3,})(\d{1,5})", words[0])):
        letters, digits = joined[1], joined[2]
        pair = letters[:3].upper() in _CURRENCIES and letters[3:].upper() in _CURRENCIES
        unit = re.search(r"(MN|[MHDW])$", letters[3:])
        if unit and not pair and timeframe_of(unit[1] + digits):
            return Named(letters.removesuffix(unit[1]).upper(), timeframe_of(unit[1] + digits))
        if timeframe_of(digits) and len(letters) > 3:  # DAX30 is an index
            return Named(letters.upper(), timeframe_of(digits))
    return Named(_symbol(words), "")


def _symbol(words: list[str]) -> str:
    for first, second in pairwise(words):
        if first.upper() in _CURRENCIES and second.upper() in _CURRENCIES:
            return first.upper() + second.upper()
    candidates = [word for word in words if SYMBOL.fullmatch(word) and not word.isdigit()]
    return candidates[-1].upper().removesuffix(".US") if candidates else ""  # Stooq's aapl.us.txt


def without_source(symbol: str) -> str:
    """BTCUSDT of "Binance_BTCUSDT": where the data is from is no part of the symbol."""
    source, _, rest = symbol.partition("_")
    return rest if source.lower() in _SOURCES and SYMBOL.fullmatch(rest) else symbol


def length_text(seconds: float) -> str:
    """A length as text: "1 minute", "4 hours", "1 day"."""
    for length, name in ((WEEK, "week"), (DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"), (1, "second")):
        if seconds >= length and seconds % length == 0:
            count = int(seconds // length)
            return f"{count} {name}" if count == 1 else f"{count:,} {name}s"
    return f"{seconds:g} seconds"
