"""The columns of the list of runs, on the page and in a CSV file. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from panel.adapters import KINDS
from panel.domain.comparable import source_of
from panel.domain.comparison import measured, shown
from panel.domain.results import Measure
from panel.domain.values import utc
from panel.views.operation import OperationView

MAX_COLUMNS = 14  # that are chosen at once


@dataclass(frozen=True, slots=True)
class Column:
    """`sort`: what a click on its heading sorts by, "" for nothing. A measure's column has the number of a result."""

    key: str
    heading: str
    sort: str = ""
    numbers: bool = False
    measure: Measure | None = None

    def cell(self, view: OperationView) -> str:
        """A measure as it is written on pages; "" where there is none."""
        return "" if self.measure is None else shown(self.measure, view.snapshot)


STATE, NAME = Column("state", "State", "state"), Column("name", "Run", "name")
PLAIN = (
    Column("result", "Result"),
    Column("started", "Started", "created", numbers=True),
    Column("took", "Took", "took", numbers=True),
    Column("ended", "Ended", "ended", numbers=True),
    Column("tags", "Tags"),
    Column("note", "Note"),
)
BY_KIND: dict[str, tuple[Column, ...]] = {  # kind -> the numbers of its results
    kind: tuple(Column(each.key, each.label, each.key, numbers=True, measure=each) for each in adapter.measures)
    for kind, adapter in KINDS.items()
    if adapter.measures
}
COLUMNS = {column.key: column for column in (*PLAIN, *(each for several in BY_KIND.values() for each in several))}
USUAL = ("result", "started", "took", "ended")
SORTABLE = {column.sort for column in (STATE, NAME, *COLUMNS.values()) if column.sort}


def chosen(keys: Iterable[str]) -> tuple[str, ...]:
    """The keys of columns that there are, each once, in the order of the list; the usual ones when none is left."""
    wanted = set(keys)
    return tuple(key for key in COLUMNS if key in wanted)[:MAX_COLUMNS] or USUAL


def headings(keys: Sequence[str]) -> list[Column]:
    return [STATE, NAME, *(COLUMNS[key] for key in keys)]


def csv_head(keys: Sequence[str]) -> list[str]:
    return ["id", "name", "kind", "state", "strategy", "symbol", "timeframe", *keys, "data"]


def csv_row(view: OperationView, keys: Sequence[str]) -> list[str]:
    """One run. Times are ISO 8601 in UTC, durations are seconds, shares are fractions; `data`: sample, own, mixed, or
    nothing where the backend does not say."""
    snapshot = view.snapshot
    about = (snapshot.strategy, snapshot.symbol, snapshot.timeframe)
    row = [snapshot.id, view.title, snapshot.kind, view.verdict.state.value, *about]
    return [harmless(text) for text in (*row, *(_plain(view, COLUMNS[key]) for key in keys), source_of(snapshot))]


def harmless(text: str) -> str:
    """A spreadsheet would take such a text for a formula: an apostrophe before it keeps it a text."""
    if text[:1] not in tuple("=+-@\t\r\n") or _is_number(text):
        return text
    return f"'{text}"


def _plain(view: OperationView, column: Column) -> str:
    if column.measure is not None:
        value = measured(column.measure, view.snapshot)
        return "" if value is None else f"{value:.10g}"
    match column.key:
        case "result":
            return "; ".join(f"{figure.label} {figure.value}" for figure in view.figures if figure.lead)
        case "started":
            return _iso(view.started)
        case "ended":
            return _iso(view.ended)
        case "took":
            return "" if view.took is None else f"{view.took:.3f}"
        case "tags":
            return " ".join(view.label.tags)
        case _:
            return view.label.note


def _iso(at: float | None) -> str:
    moment = utc(at)
    return moment.isoformat() if moment else ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
