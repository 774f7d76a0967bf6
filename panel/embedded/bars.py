"""Stored market data: KTRDR's CSV files, one for each symbol and timeframe.

`EURUSD_1h.csv`: a first column without a name holding each bar's opening (2024-01-01T00:00:00Z), then
open, high, low, close and volume. A file of the user's own is used as it is and never written to.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from panel.embedded import market
from panel.embedded.origin import source
from panel.embedded.timeframes import TIMEFRAMES
from panel.files import storing
from panel.files.folder import Entry, Folder, Unusable
from panel.files.names import SYMBOL, canonical
from panel.files.regular import Stamp, stamp
from panel.files.values import Bars as Arrays
from panel.files.values import Count


@dataclass(frozen=True, slots=True)
class Stored:
    """What one file holds. `source` is "sample", "own", or "mixed" when it is some of both."""

    start: pd.Timestamp
    end: pd.Timestamp
    bars: int
    source: str
    faults: tuple[Count, ...] = ()
    left_out: tuple[Count, ...] = ()


class Bars:
    """The files in `folder`. Reading raises Unusable, a ValueError, when a file cannot be used."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = Folder(folder)
        self._sources: dict[str, tuple[Stamp | None, str]] = {}

    def file(self, symbol: str, timeframe: str) -> Path:
        """The file in KTRDR's form, whether it exists or not."""
        if not SYMBOL.fullmatch(symbol) or timeframe not in TIMEFRAMES:
            raise ValueError(f"not a symbol and timeframe: {symbol[:40]} {timeframe[:10]}")
        return self.folder / canonical(symbol, timeframe)

    def read(
        self, symbol: str, timeframe: str, start: int | None = None, end: int | None = None, *, good: bool = False
    ) -> pd.DataFrame | None:
        """OHLCV indexed by opening in UTC, ascending, each bar once; None when there is no file. From `start` to
        `end`, seconds, both included. `good`: without bars that cannot be true."""
        self.file(symbol, timeframe)
        bars = self.files.bars(symbol, timeframe, start, end)
        if bars is None:
            return None
        return _frame(bars.good() if good else bars)

    def add(self, symbol: str, timeframe: str, new: pd.DataFrame) -> tuple[int, int]:
        """Add bars that are not stored yet; what is stored is never changed. Returns how many bars were
        added, and in how many separate stretches. Raises ValueError, and leaves the file as it is, when not
        every line of it holds a bar: writing it again would lose the others."""
        file = self.file(symbol, timeframe)
        before = stamp(file)
        entry = self.files.stored(symbol, timeframe)
        if entry and (entry.left_out or entry.faults):
            first = (*entry.left_out, *entry.faults)[0]
            raise ValueError(f"{entry.file}: line {first.lines[0]}: {first.sentence}")
        if entry and entry.file != file.name:
            raise ValueError(f"{entry.file} holds {symbol} {timeframe} already.")
        old = self.files.bars(symbol, timeframe)
        arrays = _arrays(new)
        if old is not None:
            arrays = arrays.take(~np.isin(arrays.times, old.times))
        if not len(arrays):
            return 0, 0
        merged = arrays if old is None else storing.merged(old, arrays)
        storing.write(file, merged, before, backup=False)
        about = Entry(
            file.name, symbol, timeframe, None, len(merged), int(merged.times[0]), int(merged.times[-1]), form="KTRDR"
        )
        self.files.remember(file.name, merged, about)
        places = np.searchsorted(merged.times, arrays.times)
        return len(arrays), 1 + int((np.diff(places) > 1).sum())

    def stored(self, symbol: str, timeframe: str) -> Stored | None:
        """The file's bars, read again only when it has changed; None when there is no file."""
        self.file(symbol, timeframe)
        entry = self.files.stored(symbol, timeframe)
        if entry is None or entry.start is None or entry.end is None:
            return None
        start, end = (pd.Timestamp(at, unit="s", tz="UTC") for at in (entry.start, entry.end))
        return Stored(start, end, entry.bars, self.source(entry), entry.faults, entry.left_out)

    def source(self, entry: Entry) -> str:
        """As `origin` has it, found once for each state of a file."""
        if entry.symbol not in market.INSTRUMENTS or entry.problem:
            return "own"
        now = stamp(self.folder / entry.file)
        known = self._sources.get(entry.file)
        if known is None or known[0] != now:
            bars = self.files.bars(entry.symbol, entry.timeframe)
            known = now, "own" if bars is None else source(entry.symbol, entry.timeframe, bars)
            self._sources[entry.file] = known
        return known[1]

    def all(self) -> dict[str, list[str]]:
        """Symbol -> timeframes that have a file that can be used, shortest first."""
        found: dict[str, set[str]] = {}
        for entry in self.files.entries():
            if not entry.problem:
                found.setdefault(entry.symbol, set()).add(entry.timeframe)
        order = list(TIMEFRAMES)
        return {symbol: sorted(timeframes, key=order.index) for symbol, timeframes in sorted(found.items())}


def _frame(bars: Arrays) -> pd.DataFrame:
    index = pd.DatetimeIndex(np.asarray(bars.times).astype("datetime64[s]")).tz_localize("UTC")
    return pd.DataFrame({name: np.asarray(getattr(bars, name), np.float64) for name in market.COLUMNS}, index=index)


def _arrays(frame: pd.DataFrame) -> Arrays:
    """In order of time, each time once."""
    frame = frame[~frame.index.duplicated()].sort_index()
    columns = [frame[name].to_numpy(np.float64) for name in market.COLUMNS]
    count = len(frame)
    times = np.asarray(frame.index.as_unit("s").asi8)
    fault = np.zeros(count, np.uint8)
    return Arrays(times, columns[0], columns[1], columns[2], columns[3], columns[4], np.zeros(count, np.int64), fault)


__all__ = ["SYMBOL", "Bars", "Stored", "Unusable"]
