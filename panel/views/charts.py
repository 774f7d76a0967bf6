"""What the map, the candles and the curves draw: places on a line of 1,000 units, thinned candles, and
what an operation's kind calls its curves. Pure."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from panel.adapters import KINDS
from panel.domain.gaps import DAY, LENGTHS, Candle, Row
from panel.domain.snapshot import Snapshot
from panel.views.templating import rounded

WIDTH = 1000  # units of the map's line
MAX_CANDLES = 3000  # candles that are drawn at once

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class RowView:
    """One row of the map: the stretches with bars and the gaps as (x, width), and what can be done about it.
    `late`: for how many days the market has gone on without bars, 0 while they are recent."""

    row: Row
    pieces: list[tuple[float, float]]
    holes: list[tuple[float, float]]
    loading: Snapshot | None
    place: str
    late: int


def span_of(rows: Sequence[Row], now: float) -> Span:
    """The time that the map covers: from the oldest stored bar to now."""
    starts = [row.range.start for row in rows if row.range.start is not None]
    return (min(starts), now) if starts else (now - 365 * DAY, now)


def row_view(row: Row, loading: Snapshot | None, span: Span) -> RowView:
    start, reached = row.range.start, row.range.reached
    length = LENGTHS[row.range.timeframe]
    pieces: list[tuple[float, float]] = []
    holes = row.gaps or ()
    if start is not None and reached is not None:
        at = start
        for gap in holes:
            pieces.append(_place(at, gap.start, span))
            at = gap.end
        pieces.append(_place(at, reached, span))
    gaps = [_place(gap.start, gap.end, span) for gap in holes]
    since = span[1] - reached if reached is not None else 0.0
    late = int(since / DAY) if since > 4 * DAY + length else 0
    return RowView(row, pieces, gaps, loading, place_of(*row.pair), late)


def place_of(symbol: str, timeframe: str) -> str:
    """The id of the row's place for a load's progress: symbols have characters that ids may not."""
    return "load-" + f"{symbol} {timeframe}".encode().hex()


def _place(start: float, end: float, span: Span) -> tuple[float, float]:
    whole = max(span[1] - span[0], 1.0)
    x = max((start - span[0]) / whole * WIDTH, 0.0)
    return round(x, 1), round(max(min((end - start) / whole * WIDTH, WIDTH - x), 1.0), 1)


def thin(candles: Sequence[Candle], most: int = MAX_CANDLES) -> tuple[list[Candle], int]:
    """At most `most` candles, each standing for as many bars as the second value says: first open, highest
    high, lowest low, last close, all the volume. None is left out, and no gap is bridged by more than that."""
    each = -(-len(candles) // most) if candles else 1
    if each == 1:
        return list(candles), 1
    found = []
    for at in range(0, len(candles), each):
        part = candles[at : at + each]
        high, low = max(candle[2] for candle in part), min(candle[3] for candle in part)
        found.append([part[0][0], part[0][1], high, low, part[-1][4], _sum(part)])
    return found, each


def _sum(candles: Sequence[Candle]) -> float | None:
    """All the volume that is known."""
    known = [candle[5] for candle in candles if candle[5] is not None]
    return sum(known) if known else None


def curves_of(snapshot: Snapshot) -> dict[str, Any]:
    """The kind's chart as the page's script takes it; {} while it has none."""
    adapter = KINDS.get(snapshot.kind)
    chart = adapter.chart(snapshot) if adapter else None
    return asdict(chart, dict_factory=_rounded) if chart else {}


def _rounded(items: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: rounded(value) if name == "values" else value for name, value in items}
