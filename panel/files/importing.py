"""Imports files in three steps: preview, questions, storing. Pages and the command line share it.

for name, data in unpacked(data, name):
    looked = preview(data, name, Answers(), folder)         # shows what it is, and what has to be asked
    looked = preview(data, name, Answers(zone="UTC"), folder)
    store(looked.reading, folder, "EURUSD", "1h", leave_out=True, existing="merge")
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from panel.files import faults
from panel.files.archive import unpacked
from panel.files.folder import Entry, Folder, entry_of
from panel.files.names import LENGTHS, length_text
from panel.files.reading import read
from panel.files.regular import stamp
from panel.files.roles import PRICES
from panel.files.storing import keep, merged, overlap, target, write
from panel.files.summary import Held, Imported, Summary
from panel.files.values import Answers, Bars, Overlap, Progress, Reading, Refused

CHART_POINTS = 200
Existing = Literal["refuse", "merge", "replace"]


class Exists(Refused):
    """There are bars of this symbol and timeframe already; `overlap` shows both, unless they cannot be read."""

    def __init__(self, sentence: str, both: Overlap | None) -> None:
        super().__init__(sentence)
        self.overlap = both


@dataclass(frozen=True, slots=True)
class Preview:
    """`chart`: (time, close) of at most CHART_POINTS bars that are good. `stored`: what is there under the
    proposed symbol and timeframe."""

    reading: Reading
    chart: tuple[tuple[int, float], ...]
    stored: Entry | None
    overlap: Overlap | None


def preview(
    data: bytes, name: str, answers: Answers | None = None, folder: Path | None = None,
    symbol: str = "", timeframe: str = "", progress: Progress | None = None, cached: bool = True,
) -> Preview:  # fmt: skip
    """Read a file and change nothing. Raises Refused when it cannot be used at all. `cached`: as Folder's."""
    reading = read(data, name, answers, progress=progress)
    symbol, timeframe = symbol or reading.symbol, timeframe or reading.timeframe
    good = reading.bars.good()
    places = np.unique(np.linspace(0, max(len(good) - 1, 0), min(CHART_POINTS, len(good))).astype(int))
    chart = tuple((int(good.times[place]), float(good.close[place])) for place in places)
    stored, both = None, None
    if folder and symbol and timeframe in LENGTHS:
        held = Folder(folder, cached=cached)
        name = held.name_of(symbol, timeframe)
        stored = held.entry(name) if stamp(folder / name) else None
        old = held.bars(symbol, timeframe) if stored and not stored.problem else None
        both = overlap(old, reading.bars) if old is not None else None
    return Preview(reading, chart, stored, both)


def store(
    reading: Reading, folder: Path, symbol: str, timeframe: str, *,
    leave_out: bool = False, keep_bad: bool = False, existing: Existing = "refuse",
    progress: Progress | None = None, cached: bool = True,
) -> Imported:  # fmt: skip
    """Store a reading as KTRDR's CSV. `leave_out`: yes to leaving out lines that cannot be read and bars that
    cannot be true; `keep_bad`: the latter are stored as they are. Raises Refused, and then nothing was changed."""
    bars = _chosen(reading, timeframe, leave_out, keep_bad)
    file, held = target(folder, symbol, timeframe), Folder(folder, cached=cached)
    name = held.name_of(symbol, timeframe)  # perhaps another spelling of the name
    there, before = stamp(folder / name), stamp(file)
    if there is not None and existing == "refuse":
        raise _exists(held, name, symbol, timeframe, bars)
    new = len(bars)
    if there is not None and existing == "merge":
        old = held.bars(symbol, timeframe)  # raises Unusable when it is not wholly understood
        if old is not None:
            bars = faults.marked(merged(old, bars), timeframe)
            new = len(bars) - len(old)
            if not new and name == file.name:
                return Imported(file, len(old), 0, 0, None)
    kept = write(file, bars, before, backup=True, progress=progress)
    if there is not None and name != file.name:
        kept = keep(folder / name)
        (folder / name).unlink()
    written = Bars(
        bars.times, bars.open, bars.high, bars.low, bars.close, bars.volume, np.arange(len(bars)) + 2, bars.fault
    )
    found = faults.counts(written.fault, written.lines)
    entry = Entry(
        file.name, symbol, timeframe, None, len(bars), int(bars.times[0]), int(bars.times[-1]), found, (), (), "KTRDR"
    )
    held.remember(file.name, written, entry)
    lines = sum(count.count for count in reading.left_out)
    return Imported(
        file, len(bars), new, lines + (0 if keep_bad else len(reading.bars) - len(reading.bars.good())), kept
    )


def _chosen(reading: Reading, timeframe: str, leave_out: bool, keep_bad: bool) -> Bars:
    if reading.questions:
        raise Refused(f"{reading.questions[0].text} This has to be answered first.", reading.first_line)
    if timeframe not in LENGTHS:
        raise Refused(f"“{timeframe[:20]}” is none of the timeframes: {', '.join(LENGTHS)}.")
    if faults.conflict(reading.bars.times, timeframe):
        apart = length_text(reading.spacing)
        raise Refused(f"The bars are {apart} apart; they cannot be stored as {timeframe}.", reading.first_line)
    if reading.unread and not leave_out:
        first = reading.unread[0]
        count = sum(c.count for c in reading.unread)
        raise Refused(f"{first.sentence} {count:,} lines would be left out; say whether they may be.", first.lines[0])
    bars = reading.bars if timeframe == reading.timeframe else faults.marked(reading.bars, timeframe)
    bad = [*faults.counts(bars.fault, bars.lines), *(c for c in reading.faults if c.kind == "two of one time")]
    if bad and not (leave_out or keep_bad):
        count = sum(c.count for c in bad)
        raise Refused(
            f"{bad[0].sentence} {count:,} bars cannot be true; say whether to leave them out.", bad[0].lines[0]
        )
    bars = bars if keep_bad or not bars.fault.any() else bars.good()
    if not len(bars):
        raise Refused("No bar is left.", reading.first_line)
    return bars


def _exists(held: Folder, name: str, symbol: str, timeframe: str, new: Bars) -> Exists:
    entry = held.entry(name)
    if entry.problem:
        return Exists(f"{name} is there already, and cannot be read: {entry.problem}", None)
    old = held.bars(symbol, timeframe)
    both = overlap(old, new) if old is not None else None
    return Exists(
        f"{symbol} {timeframe} is stored already, with {entry.bars:,} bars. Merge them, or replace them?", both
    )


def summary(found: Preview) -> Summary:
    """What a page shows of it, without the bars."""
    reading, bars, entry = found.reading, found.reading.bars, found.stored
    held = None
    if entry is not None:
        held = Held(entry.file, entry.bars, entry.start, entry.end, str(entry.problem) if entry.problem else "")
    return Summary(
        file=reading.file,
        dialect=reading.dialect,
        bars=len(bars),
        start=int(bars.times[0]),
        end=int(bars.times[-1]),
        symbol=reading.symbol,
        timeframe=reading.timeframe,
        spacing=length_text(reading.spacing) if reading.spacing else "",
        conflict=reading.conflict,
        left_out=reading.left_out,
        unread=sum(count.count for count in reading.unread),
        faults=reading.faults,
        questions=reading.questions,
        warnings=reading.warnings,
        first=tuple(rows_of(bars.take(slice(0, 5)))),
        last=tuple(rows_of(bars.take(slice(max(len(bars) - 3, 5), None)))),
        chart=found.chart,
        held=held,
        overlap=found.overlap,
    )


def rows_of(bars: Bars) -> list[tuple[str, ...]]:
    """Bars as texts: time in UTC, open, high, low, close, volume ("" when it is unknown)."""
    found = []
    for at in range(len(bars)):
        moment = str(np.datetime64(int(bars.times[at]), "s")).replace("T", " ")
        prices = tuple(f"{getattr(bars, role)[at]:.10g}" for role in PRICES)
        volume = bars.volume[at]
        found.append((moment, *prices, "" if np.isnan(volume) else f"{volume:.10g}"))
    return found


__all__ = [
    "Answers", "Entry", "Exists", "Existing", "Folder", "Imported", "Overlap", "Preview", "Reading", "Refused",
    "entry_of", "preview", "read", "rows_of", "store", "summary", "unpacked",
]  # fmt: skip
