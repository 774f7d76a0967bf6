"""Stored bars, and the gaps in them. Pure. Which holes are gaps is told by `panel.files.gap_rules`."""

import re
from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from panel.domain.formatting import day
from panel.domain.values import moment, utc
from panel.files.gap_rules import TOLERANCE, USUAL_REST
from panel.files.names import DAY as DAY  # these go on to who knows this module
from panel.files.names import HOUR as HOUR
from panel.files.names import LENGTHS as LENGTHS
from panel.files.names import SYMBOL as SYMBOL

NOTHING_STORED = -1  # instead of a number of gaps: it was looked, and there is not one bar
_SEGMENT = re.compile(r"Segment \d+/\d+: (\d{4}-\d\d-\d\d)")
Candle = list[Any]  # Unix seconds, open, high, low, close, volume: numbers, and None for a volume that is unknown


@dataclass(frozen=True, slots=True)
class Range:
    """Stored data of one symbol and timeframe. Times are Unix seconds; `bars` is 0 when there is none."""

    symbol: str
    timeframe: str
    start: float | None = None
    end: float | None = None
    bars: int = 0
    source: str = ""  # of the embedded backend: "sample", "own", or "mixed" when it is some of both

    @property
    def reached(self) -> float | None:
        """The end of the last bar. A month may open some days beside its first, and is as long as that month."""
        month = utc(self.end + 10 * DAY) if self.timeframe == "1M" and self.end is not None else None
        length = monthrange(month.year, month.month)[1] * DAY if month else LENGTHS.get(self.timeframe, 0.0)
        return None if self.end is None else self.end + length

    @property
    def takes_loads(self) -> bool:
        """Whether a load may add bars to it: sample data is never mixed into a file that somebody imported."""
        return self.source not in ("own", "mixed")


class Ending(StrEnum):
    """What is known of the time after the last stored bar, where a load was to bring bars of it."""

    MISSED = "missed"  # sessions were missed there, by the market's calendar
    CLOSED = "closed"  # no load of its exchange brought later bars
    UNKNOWN = "unknown"  # the symbol may not be traded any more, or its market rested


@dataclass(frozen=True, slots=True)
class Gap:
    """From the end of the last bar before it to the opening of the first one after it, Unix seconds."""

    start: float
    end: float

    @property
    def days(self) -> tuple[str, str]:
        """First and last UTC day of the hole, as a load takes them."""
        return day(self.start), day(self.end)


@dataclass(frozen=True, slots=True)
class Market:
    """Where a symbol is traded, in the backend's words, as far as it says so."""

    exchange: str = ""
    kind: str = ""  # stock, forex, crypto


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file of the backend's data folder. `reason`: why it cannot be used, "" when it can; `line`: that it is
    about, 0 for none. `bad`: bars that cannot be true, `left_out`: lines that hold no bar, both as (count, reason)."""

    file: str
    symbol: str
    timeframe: str
    reason: str = ""
    line: int = 0
    bars: int = 0
    start: float | None = None
    end: float | None = None
    bad: tuple[tuple[int, str], ...] = ()
    left_out: tuple[tuple[int, str], ...] = ()

    def holds(self, symbol: str, timeframe: str) -> bool:
        """Whether it is the file of these: one that cannot be used is not."""
        return not self.reason and (self.symbol, self.timeframe) == (symbol, timeframe)


@dataclass(frozen=True, slots=True)
class Row:
    """One symbol and timeframe of the data inventory. `asked_at` is None until the backend was asked; `gaps` is None
    until the openings were looked through; `problem`: why the backend could not say what is stored."""

    range: Range
    gaps: tuple[Gap, ...] | None = None
    asked_at: float | None = None
    problem: str = ""
    wanted_by: tuple[str, ...] = field(default=(), compare=False)  # strategies that name it

    @property
    def pair(self) -> tuple[str, str]:
        return self.range.symbol, self.range.timeframe

    @property
    def fill(self) -> dict[str, str]:
        """The load that asks again for what is missing in the stored bars, and keeps them."""
        start = "" if self.range.start is None else day(self.range.start)
        return {"symbol": self.range.symbol, "timeframe": self.range.timeframe, "mode": "tail", "start_date": start}


def left_by(
    load: Mapping[str, object],
    stored_until: float | None,
    found: Sequence[Gap],
    reached: float | None,
    ended: float | None = None,
    ending: Ending | None = Ending.MISSED,
) -> int:
    """How many of the gaps a load with these parameters was to fill: those in its period; of a load of new bars only
    those after the bars that were stored before it (`stored_until`). What lacks between the last stored bar
    (`reached`) and the end of its period is one more; without a last day, new bars reach until the load `ended`.
    NOTHING_STORED where there is no last bar: then no gap is no good sign. `ending`: what is known of that lack, None
    where none lacks; only where sessions were missed it is a gap."""
    if reached is None:
        return NOTHING_STORED
    first, last = moment(load.get("start_date")), moment(load.get("end_date"))
    if first is None and load.get("mode") == "tail" and stored_until is not None:
        first = stored_until
    inside = sum(gap.end > (first or 0.0) and (last is None or gap.start < last + DAY) for gap in found)
    return inside + (ending is Ending.MISSED and ends_early(reached, until_of(load, ended)))


def asked_from(before: float | None, step: str) -> float | None:
    """The first day that a load was seen to fetch: of what is known of it `before`, and of the segment in its step."""
    found = _SEGMENT.search(step)
    first = moment(found[1]) if found else None
    return first if before is None else before if first is None else min(first, before)


def until_of(load: Mapping[str, object], ended: float | None) -> float | None:
    """Until when a load with these parameters was to bring bars; None where that is not known."""
    last = moment(load.get("end_date"))
    return ended if last is None and load.get("mode") in ("tail", "full") else last


def ends_early(reached: float, until: float | None) -> bool:
    """Whether bars lack after the last one, by more than the market's usual rest."""
    return until is not None and until - reached > USUAL_REST + TOLERANCE
