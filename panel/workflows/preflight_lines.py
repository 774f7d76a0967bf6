"""One line of what is known before a start, and the lines about the files that it would read. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from panel.domain.formatting import many
from panel.domain.gaps import DataFile, Range
from panel.domain.snapshot import Snapshot
from panel.workflows.load_remedies import FailedLoad

OK, AMBER, RED = "completed", "problems", "failed"  # the marks of the states that look like it


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was checked. RED: what is started would fail; AMBER: it starts, but. `waits`: it is about a
    worker, and a start waits for one in the queue."""

    level: str
    subject: str
    text: str
    range: Range | None = None
    loading: Snapshot | None = None
    load: dict[str, str] | None = None  # the load that would mend it
    imports: str = ""  # what would have to be imported, where no load can mend it
    file: str = ""  # … and of which file of the data folder
    failed: FailedLoad | None = None  # how the last load of it ended
    details: tuple[str, ...] = ()
    waits: bool = False
    operation_id: str = ""  # what keeps the worker busy


def fault_line(file: DataFile, left_out: bool, what: str) -> Line:
    count, details = _counted(file.bad)
    subject, bars = f"{file.symbol} {file.timeframe}", f"{many(count, 'bar')} that cannot be true"
    if left_out:
        return Line(OK, subject, f"{bars} {'is' if count == 1 else 'are'} left out.", details=details)
    if any("infinite" in reason for _, reason in file.bad):
        text = f"has {bars}, one with an infinite price, so the {what} would fail. Leave them out."
        return Line(RED, subject, text, details=details)
    they, are, them = ("It", "is", "it") if count == 1 else ("They", "are", "them")
    return Line(AMBER, subject, f"has {bars}. {they} {are} used, unless you leave {them} out.", details=details)


def empty_line(file: DataFile) -> Line:
    """Of lines of a file that hold no bar: they may be bars that are missing."""
    count, details = _counted(file.left_out)
    text = f"has {many(count, 'line')} that {'holds no bar and is' if count == 1 else 'hold no bar and are'} left out."
    return Line(AMBER, f"{file.symbol} {file.timeframe}", text, details=details)


def _counted(kinds: Iterable[tuple[int, str]]) -> tuple[int, tuple[str, ...]]:
    return sum(n for n, _ in kinds), tuple(f"{n:,} × {reason}" for n, reason in kinds)
