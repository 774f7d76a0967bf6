"""What is shown of an import, without its bars: small, and needs no library, so that it can pass between processes."""

from dataclasses import dataclass
from pathlib import Path

from panel.files.values import Count, Dialect, Overlap, Question


@dataclass(frozen=True, slots=True)
class Held:
    """The file that is stored under a symbol and timeframe. Times are seconds since 1970, None when it cannot be
    used; `problem` then says why."""

    file: str
    bars: int
    start: int | None
    end: int | None
    problem: str


@dataclass(frozen=True, slots=True)
class Summary:
    """A file as it is understood. `symbol` and `timeframe` are proposals, "" when nothing says them; `spacing` is that
    of most bars, in words. `unread`: lines that were not understood. `first` and `last` are bars as texts: time in UTC,
    open, high, low, close, volume. `chart`: (time, close) of some bars from all over the file. `held`: what is stored
    already under the symbol and timeframe that were asked for, or else proposed; `overlap` compares both."""

    file: str
    dialect: Dialect
    bars: int
    start: int
    end: int
    symbol: str
    timeframe: str
    spacing: str
    conflict: str
    left_out: tuple[Count, ...]
    unread: int
    faults: tuple[Count, ...]
    questions: tuple[Question, ...]
    warnings: tuple[str, ...]
    first: tuple[tuple[str, ...], ...]
    last: tuple[tuple[str, ...], ...]
    chart: tuple[tuple[int, float], ...]
    held: Held | None
    overlap: Overlap | None

    @property
    def bad(self) -> int:
        """Bars that cannot be true."""
        return sum(count.count for count in self.faults)


@dataclass(frozen=True, slots=True)
class FileRead:
    """One file of a data folder: what it holds, or why it cannot be used. Times are seconds since 1970."""

    file: str
    symbol: str
    timeframe: str
    form: str
    reason: str
    line: int
    bars: int
    start: int | None
    end: int | None
    bad: tuple[tuple[int, str], ...]  # bars that cannot be true: (how many, what about them)
    left_out: tuple[tuple[int, str], ...] = ()  # lines that hold no bar, in the same way


@dataclass(frozen=True, slots=True)
class Imported:
    """What was stored: the file, its bars, how many of them are new, and where the old file is kept."""

    file: Path
    bars: int
    added: int
    left_out: int
    kept: Path | None
