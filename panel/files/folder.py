"""The files in a folder of market data, read by the same code as imports. One bad file never hides another.

What was found out about a file is kept beside it in `.cache/`, for as long as the file stays as it is: its
bars as one array that is mapped into memory, so that a few of two million are there at once.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from panel.files.drafts import draft_of
from panel.files.names import ENDINGS, LENGTHS, Named, canonical, named
from panel.files.reading import read
from panel.files.regular import Stamp, regular, stamp
from panel.files.summary import FileRead
from panel.files.values import Array, Bars, Count, Reading, Refused

VERSION = 1  # of what is kept; another version is rebuilt
CACHED_FROM = 1 << 18  # bytes: smaller files are read faster than looked up
_ROWS = ("times", "open", "high", "low", "close", "volume", "fault")


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a file cannot be used, in one sentence; `line` is 0 when it is about no line."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}" if self.line else self.reason


@dataclass(frozen=True, slots=True)
class Entry:
    """One file. `bars` is 0 and `start` and `end` are None when there is a problem; times are seconds, UTC."""

    file: str
    symbol: str
    timeframe: str
    problem: Problem | None = None
    bars: int = 0
    start: int | None = None
    end: int | None = None  # the last bar's opening
    faults: tuple[Count, ...] = ()
    left_out: tuple[Count, ...] = ()
    warnings: tuple[str, ...] = ()
    form: str = ""

    @property
    def bad_bars(self) -> int:
        return sum(count.count for count in self.faults)

    @property
    def as_file_read(self) -> FileRead:
        """The same for another process."""
        reason, line = (self.problem.reason, self.problem.line) if self.problem else ("", 0)
        bad, left_out = (
            tuple((count.count, count.reason) for count in counts) for counts in (self.faults, self.left_out)
        )
        return FileRead(
            self.file, self.symbol, self.timeframe, self.form, reason, line, self.bars, self.start, self.end, bad,
            left_out,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Kept:
    version: int
    stamp: Stamp
    entry: Entry


class Unusable(Refused):
    """The file of this symbol and timeframe cannot be used."""

    def __init__(self, file: str, problem: Problem) -> None:
        ValueError.__init__(self, f"{file}: {problem}")
        self.sentence, self.line, self.file = problem.reason, problem.line, file


class Folder:
    """`cached`: what is known of large files is kept in the folder; not in one that belongs to another program."""

    def __init__(self, folder: Path, *, cached: bool = True) -> None:
        self.folder = folder
        self._cached = cached
        self._cache = folder / ".cache"
        self._known: dict[str, tuple[Stamp, Entry]] = {}
        self._small: dict[str, tuple[Stamp, Bars]] = {}

    def files(self) -> dict[str, Named]:
        """Every file that may be market data, and what its name says; those in KTRDR's form first."""
        try:
            found = sorted(item.name for item in os.scandir(self.folder) if item.name.lower().endswith(ENDINGS))
        except FileNotFoundError:
            return {}
        from_name = {name: named(name) for name in found if not name.startswith(".")}
        own = {name: what for name, what in from_name.items() if name == canonical(what.symbol, what.timeframe)}
        return own | from_name

    def entries(self) -> list[Entry]:
        """Every file, by symbol and timeframe."""
        order, taken, found = list(LENGTHS), dict[tuple[str, str], str](), []
        for name in self.files():
            entry = self.entry(name)
            pair = (entry.symbol, entry.timeframe)
            if not entry.problem and pair in taken:
                reason = f"{taken[pair]} holds {entry.symbol} {entry.timeframe}; of two files only one is used."
                entry = Entry(name, *pair, Problem(0, reason))
            elif not entry.problem:
                taken[pair] = name
            found.append(entry)
        return sorted(found, key=lambda e: (e.symbol, order.index(e.timeframe) if e.timeframe in order else 99, e.file))

    def name_of(self, symbol: str, timeframe: str) -> str:
        """The file that is used for these, or would be; KTRDR's name when there is none."""
        own = canonical(symbol, timeframe)
        if stamp(self.folder / own) is not None:
            return own
        for name, from_name in self.files().items():
            if from_name == Named(symbol, timeframe):
                return name
            if from_name.symbol == symbol and not from_name.timeframe and self.entry(name).timeframe == timeframe:
                return name
        return own

    def entry(self, name: str) -> Entry:
        """What is known of one file; read again only when it has changed."""
        now = stamp(self.folder / name)
        kept = self._known.get(name)
        if now is not None and kept and kept[0] == now:
            return kept[1]
        entry = (now and self._recall(name, now)) or self._look(name, now)
        if now is not None:
            self._known[name] = (now, entry)
        return entry

    def stored(self, symbol: str, timeframe: str) -> Entry | None:
        """None when there is no file. Raises Unusable."""
        name = self.name_of(symbol, timeframe)
        if stamp(self.folder / name) is None:
            return None
        entry = self.entry(name)
        if entry.problem:
            raise Unusable(name, entry.problem)
        return entry

    def bars(self, symbol: str, timeframe: str, start: int | None = None, end: int | None = None) -> Bars | None:
        """The bars that open from `start` to `end`, both included; None when there is no file. Raises Unusable."""
        entry = self.stored(symbol, timeframe)
        if entry is None:
            return None
        whole = self._bars(entry.file)
        first = 0 if start is None else int(np.searchsorted(whole.times, start))
        last = len(whole) if end is None else int(np.searchsorted(whole.times, end, side="right"))
        return whole.take(slice(first, max(first, last)))

    def remember(self, name: str, bars: Bars, entry: Entry) -> None:
        """Keep what is known of a file that was just written."""
        now = stamp(self.folder / name)
        if now is None:
            return
        self._known[name] = (now, entry)
        self._small.pop(name, None)
        if now.size < CACHED_FROM or not self._cached:
            return
        try:
            self._cache.mkdir(exist_ok=True)
            with draft_of(self._cache / f"{name}.npy") as draft, draft.open("wb") as out:
                _save(out, bars)
            with draft_of(self._cache / f"{name}.json") as draft:
                draft.write_bytes(msgspec.json.encode(_Kept(VERSION, now, entry)))
        except OSError:  # a read-only folder: its files are read again each time
            return

    def _recall(self, name: str, now: Stamp) -> Entry | None:
        """What is kept of this very state of the file."""
        if now.size < CACHED_FROM:
            return None
        try:
            kept = msgspec.json.decode((self._cache / f"{name}.json").read_bytes(), type=_Kept)
        except (OSError, msgspec.MsgspecError):
            return None
        return kept.entry if kept.version == VERSION and kept.stamp == now else None

    def _bars(self, name: str) -> Bars:
        now = stamp(self.folder / name)
        small = self._small.get(name)
        if small and small[0] == now:
            return small[1]
        entry = self._recall(name, now) if now else None
        if entry is not None:
            try:
                rows = np.load(self._cache / f"{name}.npy", mmap_mode="r")
                if rows.shape == (len(_ROWS), entry.bars):
                    return _mapped(rows)
            except (OSError, ValueError):
                pass  # rebuilt
        reading = self._read(name)
        self._settle(name, reading)
        if now is not None and now.size < CACHED_FROM:
            self._small = {**dict(list(self._small.items())[-20:]), name: (now, reading.bars)}
        return reading.bars

    def _look(self, name: str, now: Stamp | None) -> Entry:
        try:
            reading = self._read(name)
        except Refused as exc:
            from_name = named(name)
            entry = Entry(name, from_name.symbol, from_name.timeframe, Problem(exc.line, exc.sentence))
            if now is not None and now.size >= CACHED_FROM:
                self.remember(name, _mapped(np.empty((len(_ROWS), 0))), entry)
            return entry
        return self._settle(name, reading)

    def _settle(self, name: str, reading: Reading) -> Entry:
        entry = entry_of(name, reading)
        self.remember(name, reading.bars, entry)
        return entry

    def _read(self, name: str) -> Reading:
        return read(regular(self.folder / name), name, trust_iso=True)


def entry_of(name: str, reading: Reading) -> Entry:
    """The outcome of a reading, where no question can be asked."""
    from_name = named(name)
    pair = (from_name.symbol or reading.symbol, from_name.timeframe or reading.timeframe)
    bars = reading.bars
    problem = _problem(reading, *pair)
    found = Entry(name, *pair, problem, 0, None, None, reading.faults, reading.left_out, reading.warnings)
    if problem:
        return found
    return replace(found, bars=len(bars), start=int(bars.times[0]), end=int(bars.times[-1]), form=reading.dialect.form)


def _problem(reading: Reading, symbol: str, timeframe: str) -> Problem | None:
    if reading.questions:
        return Problem(reading.first_line, f"{reading.questions[0].text} Import the file to say so.")
    if reading.conflict:
        return Problem(reading.first_line, reading.conflict)
    for count in reading.unread:
        return Problem(count.lines[0], count.sentence)
    if not symbol:
        return Problem(0, "The name says no symbol. A name like EURUSD_1h.csv does.")
    if not timeframe:
        return Problem(reading.first_line, "Neither the name nor the bars say a timeframe that KTRDR has.")
    return None


def _save(out: Any, bars: Bars) -> None:
    """One array, row by row: a second copy of it all would double the memory of an import."""
    form = {"descr": "<f8", "fortran_order": False, "shape": (len(_ROWS), len(bars))}
    np.lib.format.write_array_header_1_0(out, form)
    for row in _ROWS:
        out.write(np.ascontiguousarray(getattr(bars, row), np.float64).data)


def _mapped(rows: Array) -> Bars:
    times = np.asarray(rows[0]).astype(np.int64)
    return Bars(times, rows[1], rows[2], rows[3], rows[4], rows[5], np.zeros(len(times), np.int64), rows[6])
