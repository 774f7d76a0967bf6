"""Stored market data: KTRDR's CSV files, one for each symbol and timeframe.

`EURUSD_1h.csv`: a first column without a name holding each bar's opening (2024-01-01T00:00:00Z), then
open, high, low, close and volume. A file of the user's own is used as it is and never written to.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from panel.embedded import market
from panel.embedded.timeframes import TIMEFRAMES, closing

SYMBOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,19}")
SAMPLED = 64  # places of a file that are compared with the sample market


@dataclass(frozen=True, slots=True)
class Stored:
    """What one file holds. `source` is "sample", "own", or "mixed" when it is some of both."""

    start: pd.Timestamp
    end: pd.Timestamp
    bars: int
    source: str


class Bars:
    """The files in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: dict[Path, tuple[tuple[int, int], Stored]] = {}

    def file(self, symbol: str, timeframe: str) -> Path:
        if not SYMBOL.fullmatch(symbol) or timeframe not in TIMEFRAMES:
            raise ValueError(f"not a symbol and timeframe: {symbol[:40]} {timeframe[:10]}")
        return self.folder / f"{symbol}_{timeframe}.csv"

    def read(self, symbol: str, timeframe: str) -> pd.DataFrame | None:
        """OHLCV indexed by opening in UTC, ascending, each bar once; None when there is no file. Raises
        ValueError with a sentence when the file cannot be understood."""
        return self._read(self.file(symbol, timeframe))[0]

    def _read(self, file: Path) -> tuple[pd.DataFrame | None, int]:
        """The bars, and how many rows hold none."""
        try:
            frame = pd.read_csv(file)
            frame.columns = [str(column).strip().lower() for column in frame.columns]
            index = pd.to_datetime(frame.iloc[:, 0].astype(str), utc=True, format="ISO8601")
            frame = frame[market.COLUMNS].astype(float)
        except FileNotFoundError:
            return None, 0
        except pd.errors.EmptyDataError as exc:
            raise ValueError(f"{file.name} cannot be read as market data: the file is empty") from exc
        except (KeyError, IndexError, ValueError, OSError) as exc:
            raise ValueError(f"{file.name} cannot be read as market data: {str(exc).strip(chr(34))[:200]}") from exc
        frame.index = pd.DatetimeIndex(index).as_unit("s").rename(None)
        if list(frame.columns) != market.COLUMNS:
            raise ValueError(f"{file.name} cannot be read as market data: there are two columns of one name")
        rows = len(frame)
        frame = frame.dropna(subset=market.COLUMNS[:4])
        frame = frame[~frame.index.duplicated()].sort_index()
        if not len(frame):
            raise ValueError(f"{file.name} cannot be read as market data: no row has open, high, low and close")
        return frame, rows - len(frame)

    def add(self, symbol: str, timeframe: str, new: pd.DataFrame) -> tuple[int, int]:
        """Add bars that are not stored yet; what is stored is never changed. Returns how many bars were
        added, and in how many separate stretches. Raises ValueError, and leaves the file as it is, when not
        every row of it is understood: writing it again would lose the others."""
        old, lost = self._read(self.file(symbol, timeframe))
        if lost:
            raise ValueError(f"{self.file(symbol, timeframe).name}: {lost:,} rows hold no bar of their own")
        if old is not None:
            new = new[~new.index.isin(old.index)]
        if not len(new):
            return 0, 0
        merged = new if old is None else pd.concat([old, new]).sort_index()
        file = self.file(symbol, timeframe)
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(f".{os.getpid()}.tmp")
        merged.to_csv(draft, date_format="%Y-%m-%dT%H:%M:%SZ", index_label="")
        os.replace(draft, file)
        places = merged.index.get_indexer(new.index)
        return len(new), 1 + int((np.diff(np.sort(places)) > 1).sum())

    def stored(self, symbol: str, timeframe: str) -> Stored | None:
        """What is there, read again only when the file has changed."""
        file = self.file(symbol, timeframe)
        try:
            status = file.stat()
        except OSError:
            return None
        stamp = (status.st_mtime_ns, status.st_size)
        if file not in self._seen or self._seen[file][0] != stamp:
            frame = self.read(symbol, timeframe)
            if frame is None:
                return None
            found = Stored(frame.index[0], frame.index[-1], len(frame), _source(symbol, timeframe, frame))
            self._seen[file] = (stamp, found)
        return self._seen[file][1]

    def all(self) -> dict[str, list[str]]:
        """Symbol -> timeframes that have a file, shortest first."""
        found: dict[str, list[str]] = {}
        for file in sorted(self.folder.glob("*.csv")):
            symbol, _, timeframe = file.stem.rpartition("_")
            if SYMBOL.fullmatch(symbol) and timeframe in TIMEFRAMES:
                found.setdefault(symbol, []).append(timeframe)
        order = list(TIMEFRAMES)
        return {symbol: sorted(timeframes, key=order.index) for symbol, timeframes in found.items()}


def _source(symbol: str, timeframe: str, frame: pd.DataFrame) -> str:
    """Told from the bars themselves: a note beside the file would not follow it when it is replaced."""
    if symbol not in market.INSTRUMENTS:
        return "own"
    places = np.unique(np.linspace(0, len(frame) - 1, min(SAMPLED, len(frame))).astype(int))
    same = [_is_sample(symbol, timeframe, frame.index[place], frame.iloc[place]) for place in places]
    return "sample" if all(same) else "mixed" if any(same) else "own"


def _is_sample(symbol: str, timeframe: str, at: pd.Timestamp, bar: Any) -> bool:
    start = int(at.timestamp())
    made = market.bars(symbol, timeframe, start, int(closing(start, timeframe)))
    return len(made) > 0 and made.index[0] == at and abs(made["close"].iloc[0] / bar["close"] - 1) < 1e-9
