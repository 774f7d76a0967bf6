"""The gateway's requests about market data, and what the answers are decoded to."""

from dataclasses import dataclass
from typing import Any, Protocol

from panel.backend.decoding import bounded, count, each, items, line
from panel.domain.gaps import LENGTHS, SYMBOL, Candle, DataFile, Gap, Market, Range
from panel.domain.values import mapping, moment
from panel.errors import APIError

LIST_TIMEOUT = 15.0  # seconds for what the backend reads from its disk
BARS_TIMEOUT = 30.0
MAX_BARS = 100_000
MAX_FAULTS = 1000
MAX_FILES = 5000  # of a data folder


class Client(Protocol):
    async def get(self, path: str, params: Any = None, timeout: float | None = None) -> Any: ...
    async def post(self, path: str, json: Any = None, params: Any = None, timeout: float | None = None) -> Any: ...
    async def delete(self, path: str, json: Any = None, params: Any = None, timeout: float | None = None) -> Any: ...


@dataclass(frozen=True, slots=True)
class Listed:
    """What the backend lists of a symbol: the timeframes that are stored, where it is traded, and, of the embedded
    backend, where its bars come from: "own" when its sample market does not have it."""

    timeframes: tuple[str, ...]
    market: Market
    source: str = ""


@dataclass(frozen=True, slots=True)
class Candles:
    """Candles, how many bars each combines, the number of all bars, and the faults of some, by opening."""

    candles: list[Candle]
    each: int
    bars: int
    bad: dict[float, str]


class MarketData:
    """The gateway's methods for market data."""

    _client: Client

    async def symbols(self) -> dict[str, Listed]:
        """By symbol. It takes the backend half a second."""
        answer = await self._client.get("/symbols", timeout=20.0)
        return dict(each(symbol_of, mapping(answer).get("data")))

    async def data_files(self) -> list[DataFile]:
        """The files of the embedded backend's data folder, usable or not."""
        answer = await self._client.get("/data/files", timeout=BARS_TIMEOUT)
        return each(data_file_of, mapping(answer).get("data"), MAX_FILES)

    async def gaps(self, symbol: str, timeframe: str) -> list[Gap]:
        """As the embedded backend finds them, where the panel can read the bars."""
        answer = await self._client.get(f"/data/gaps/{symbol}/{timeframe}", timeout=BARS_TIMEOUT)
        return each(gap_of, mapping(mapping(answer).get("data")).get("gaps"))

    async def stored_range(self, symbol: str, timeframe: str) -> Range:
        """An empty range when nothing is stored, or the backend knows no such data."""
        try:
            body = {"symbol": symbol, "timeframe": timeframe}
            answer = await self._client.post("/data/range", json=body, timeout=LIST_TIMEOUT)
        except APIError as exc:
            if exc.status_code in (400, 404, 422):
                return Range(symbol, timeframe)
            raise
        return range_of(symbol, timeframe, mapping(answer).get("data"))

    async def bars(self, symbol: str, timeframe: str, **bounds: Any) -> list[Candle]:
        """In order of time; `bounds`: `start_date` and `end_date` (days), or `limit` for the newest."""
        return candles_of(await self._bars(symbol, timeframe, bounds))

    async def marked_bars(self, symbol: str, timeframe: str, **bounds: Any) -> tuple[list[Candle], dict[float, str]]:
        """As `bars`, and the faults of some, by their openings: of the embedded backend."""
        data = await self._bars(symbol, timeframe, bounds)
        return candles_of(data), faults_of(data)

    async def candles(self, symbol: str, timeframe: str, start: float, end: float, most: int) -> Candles:
        """All bars between two times (Unix seconds), thinned by the embedded backend."""
        asked = {"start": int(start), "end": int(end), "most": most}
        answer = await self._client.get(f"/data/candles/{symbol}/{timeframe}", params=asked, timeout=BARS_TIMEOUT)
        data = mapping(mapping(answer).get("data"))
        rows = [[bounded(value) for value in items(row, 6)] for row in items(data.get("candles"), MAX_BARS)]
        found = [row for row in rows if len(row) == 6 and None not in row[:5]]
        pairs = [items(pair, 2) for pair in items(data.get("bad"), MAX_FAULTS)]
        bad = {at: line(pair[1], 200) for pair in pairs if len(pair) == 2 and (at := bounded(pair[0])) is not None}
        return Candles(found, count(data.get("each")) or 1, count(data.get("bars")) or 0, bad)

    async def openings(self, symbol: str, timeframe: str, **bounds: Any) -> list[float]:
        """When bars open (Unix seconds), in order; `bounds` as in `bars`."""
        return openings_of(await self._bars(symbol, timeframe, bounds))

    async def _bars(self, symbol: str, timeframe: str, bounds: dict[str, Any]) -> Any:
        answer = await self._client.get(f"/data/{symbol}/{timeframe}", params=bounds, timeout=BARS_TIMEOUT)
        return mapping(answer).get("data")


def symbol_of(item: Any) -> tuple[str, Listed] | None:
    """From an entry of `GET /symbols`."""
    data = mapping(item)
    symbol = data.get("symbol")
    if not isinstance(symbol, str) or not SYMBOL.fullmatch(symbol):
        return None
    stored = items(data.get("available_timeframes"), 100)
    timeframes = tuple(found for found in stored if isinstance(found, str) and found in LENGTHS)
    market = Market(line(data.get("exchange"), 40), line(data.get("type"), 40))
    return symbol, Listed(timeframes, market, line(data.get("source"), 40))


def data_file_of(item: Any) -> DataFile | None:
    """From an entry of the embedded backend's `GET /data/files`."""
    data, problem = mapping(item), mapping(mapping(item).get("problem"))
    name = line(data.get("file"), 255)
    if not name:
        return None
    reason = line(problem.get("reason"), 400) or ("It cannot be used." if problem else "")
    return DataFile(
        name, line(data.get("symbol"), 40), line(data.get("timeframe"), 10), reason, count(problem.get("line")) or 0,
        count(data.get("bars")) or 0, bounded(data.get("start")), bounded(data.get("end")),
        _counted(data.get("bad_bars")), _counted(data.get("left_out")),
    )  # fmt: skip


def _counted(kinds: Any) -> tuple[tuple[int, str], ...]:
    """(how many, what about them) of each kind."""
    found = [mapping(about) for about in list(mapping(kinds).values())[:20]]
    return tuple((count(about.get("count")) or 0, line(about.get("reason"), 200)) for about in found)


def gap_of(item: Any) -> Gap | None:
    """From a pair of seconds since 1970."""
    pair = [bounded(value) for value in items(item, 2)]
    if len(pair) != 2 or pair[0] is None or pair[1] is None or pair[0] >= pair[1]:
        return None
    return Gap(pair[0], pair[1])


def range_of(symbol: str, timeframe: str, data: Any) -> Range:
    """From the data of `POST /data/range`; bars that lie nowhere are none."""
    fields = mapping(data)
    start, end = moment(fields.get("start_date")), moment(fields.get("end_date"))
    bars = count(fields.get("point_count")) or 0
    if start is None or end is None or start > end or bars < 1:
        return Range(symbol, timeframe)
    return Range(symbol, timeframe, start, end, bars, line(fields.get("source"), 100))


def openings_of(data: Any) -> list[float]:
    """When bars open, in order, from the data of `GET /data/{symbol}/{timeframe}`."""
    found: list[float] = []
    for date in items(mapping(data).get("dates"), MAX_BARS):
        at = moment(date)
        if at is not None and (not found or at > found[-1]):
            found.append(at)
    return found


def candles_of(data: Any) -> list[Candle]:
    """Bars in order of time; one that lacks a price is left out."""
    fields = mapping(data)
    found: list[Candle] = []
    for date, values in zip(items(fields.get("dates"), MAX_BARS), items(fields.get("ohlcv"), MAX_BARS), strict=False):
        at, row = moment(date), [bounded(value) for value in items(values, 5)]
        if at is None or len(row) != 5 or None in row[:4]:
            continue
        if not found or at > found[-1][0]:
            found.append([at, *row])
    return found


def faults_of(data: Any) -> dict[float, str]:
    """Opening -> the bar's fault."""
    found = mapping(mapping(mapping(data).get("metadata")).get("bad_bars"))
    pairs = [(moment(at), line(reason, 200)) for at, reason in list(found.items())[:MAX_FAULTS]]
    return {at: reason for at, reason in pairs if at is not None}
