"""What the panel keeps of operations besides the latest observation: readings, actions, and how they are searched."""

from dataclasses import dataclass
from typing import NamedTuple

from panel.domain.state import State

MAX_WORDS, MAX_SEARCH = 10, 200  # words of a search, and its characters
SORTS = ("created", "ended", "took", "name", "state")  # besides the keys of measures


class EndedRow(NamedTuple):
    """One that ended, as the listing has it. `number`: its place there; `state`: of its last verdict."""

    number: int
    id: str
    state: str
    ended_at: float
    kind: str
    strategy: str
    symbol: str
    timeframe: str

    @property
    def same(self) -> tuple[str, ...]:
        """What runs of the same have in common."""
        return self[4:]


@dataclass(frozen=True, slots=True)
class OperationQuery:
    """A query for operations; empty fields match everything. Times are Unix seconds, of the start.
    `search` is words that all have to occur in the id, the kind, the strategy, the symbol, the error, the name, the
    tags or the note, as `searchable` returns them; `tag:x` is a whole tag. `sort`: one of SORTS, or the key of a
    measure. `archived`: None asks for both those that are and those that are not."""

    kind: str = ""
    states: tuple[State, ...] = ()
    strategy: str = ""
    symbol: str = ""
    timeframe: str = ""
    since: float | None = None
    until: float | None = None
    search: str = ""
    starred: bool = False
    archived: bool | None = False
    sort: str = "created"
    ascending: bool = False
    limit: int = 50
    offset: int = 0


def searchable(typed: str) -> tuple[str, str]:
    """The words of a search that are looked for, and what is left of it: words beyond MAX_WORDS or MAX_SEARCH."""
    words = typed.split()
    fit = words[:MAX_WORDS]
    while len(" ".join(fit)) > MAX_SEARCH:
        fit.pop()
    return " ".join(fit), " ".join(words[len(fit) :])


@dataclass(frozen=True, slots=True)
class RecordedReading:
    """One reading that differed from the one before, and its verdict. `epochs`: how many were done."""

    at: float
    state: str
    word: str
    headline: str
    percentage: float
    step: str
    epochs: int


@dataclass(frozen=True, slots=True)
class ActionRecord:
    """A request through the panel: start, cancel, resume. `outcome`: its result."""

    at: float
    what: str
    actor: str
    outcome: str
