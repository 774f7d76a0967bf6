"""The results of reading a file of market data. Pure: values only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Array = Any  # a numpy array; not named as one, so that this module needs no library
Progress = Callable[[float, str], None]  # a share from 0 to 1, and what is being done

SHOWN = 10  # lines that are named of each kind


def printable(text: str) -> str:
    """What is quoted from a file, without signs that a terminal would obey."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)


class Refused(ValueError):
    """The file cannot be used; the text is one plain sentence, `line` the line it speaks of (0: none)."""

    def __init__(self, sentence: str, line: int = 0) -> None:
        sentence = printable(sentence)
        super().__init__(f"line {line}: {sentence}" if line else sentence)
        self.sentence = sentence
        self.line = line


@dataclass(frozen=True, slots=True)
class Answers:
    """A person's decisions. Empty: none yet."""

    zone: str = ""  # an IANA name, or UTC
    dates: str = ""  # "day-first" or "month-first"
    decimals: str = ""  # "." or ","
    columns: Mapping[str, int] = field(default_factory=dict)  # role -> place of the column, from 0

    def answered(self, key: str) -> str:
        if key.startswith("column:"):
            place = self.columns.get(key.removeprefix("column:"))
            return "" if place is None else str(place)
        return str({"zone": self.zone, "dates": self.dates, "decimals": self.decimals}[key])


@dataclass(frozen=True, slots=True)
class Option:
    """One reading; `rows` are the first bars in it: time in UTC, then the prices as text."""

    value: str
    label: str
    rows: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", printable(self.label))
        object.__setattr__(self, "rows", tuple(tuple(printable(field) for field in row) for row in self.rows))


@dataclass(frozen=True, slots=True)
class Question:
    """`key` is "zone", "dates", "decimals" or "column:<role>". The reading goes on with `proposed`."""

    key: str
    text: str
    options: tuple[Option, ...]
    proposed: str


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the file is written."""

    form: str  # "KTRDR", "MetaTrader 5", … or "" when it is no known program's
    encoding: str
    delimiter: str
    decimal: str
    header: int  # the header's line, 0 when there is none
    columns: tuple[tuple[str, str], ...]  # role -> the column's name, or its place from 1
    time_format: str  # as people write it: YYYY-MM-DD HH:MM
    zone: str  # an IANA name, or UTC
    order: str  # "oldest first", "newest first" or "mixed"


@dataclass(frozen=True, slots=True)
class Count:
    """Lines or bars of one kind; `lines` are the first of them."""

    kind: str
    reason: str
    count: int
    lines: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", printable(self.reason))

    @property
    def sentence(self) -> str:
        more = f" ({self.count:,} lines are like this)" if self.count > 1 else ""
        return f"{self.reason[:1].upper()}{self.reason[1:]}{more}."


@dataclass(frozen=True, slots=True)
class Bars:
    """Numpy arrays of one length, ascending in time, each time once. `times`: seconds since 1970, UTC, int64.
    `volume` is NaN where it is unknown. `lines`: of the file. `fault`: index into faults.KINDS, 0 when good."""

    times: Array
    open: Array
    high: Array
    low: Array
    close: Array
    volume: Array
    lines: Array
    fault: Array

    def __len__(self) -> int:
        return len(self.times)

    def take(self, which: Array) -> "Bars":
        return Bars(
            self.times[which], self.open[which], self.high[which], self.low[which],
            self.close[which], self.volume[which], self.lines[which], self.fault[which],
        )  # fmt: skip

    def good(self) -> "Bars":
        return self.take(self.fault == 0)


@dataclass(frozen=True, slots=True)
class Overlap:
    """How many bars are stored, and how many are new. `differing` ones of the `common` times have other prices."""

    stored: int
    new: int
    common: int
    differing: int


@dataclass(frozen=True, slots=True)
class Reading:
    """A file as it is understood. `left_out` are lines that hold no bar, or none that can be read, `faults` bars
    that cannot be true; bars with faults are among `bars`, but for those that repeat a time."""

    file: str
    dialect: Dialect
    bars: Bars
    left_out: tuple[Count, ...]
    faults: tuple[Count, ...]
    questions: tuple[Question, ...]
    warnings: tuple[str, ...]
    symbol: str  # proposed; "" when nothing says it
    timeframe: str  # proposed from the bars' spacing, or else from the name; "" when it is none that KTRDR has
    spacing: float  # seconds between most bars, 0 for a single bar
    conflict: str  # a sentence when name and spacing disagree, else ""

    @property
    def whole(self) -> bool:
        """Whether every line of the file was understood, without anything asked."""
        return not self.questions and not self.conflict and not self.unread

    @property
    def first_line(self) -> int:
        """Of a bar."""
        return int(self.bars.lines.min())

    @property
    def unread(self) -> tuple[Count, ...]:
        """Lines that were not understood, the earliest first."""
        return tuple(sorted((c for c in self.left_out if c.kind in UNREAD), key=lambda c: c.lines[0]))


# Kinds of left-out lines that mean that something in the file was not understood. The others hold no bar.
UNREAD = ("fields", "time", "number", "incomplete", "no such time", "quotes")
