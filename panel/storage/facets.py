"""Counts of runs by what they can be filtered by: a row for each combination, with how many runs have it.

The database's own triggers count them, so a list is counted without being read.
"""

from dataclasses import dataclass

from panel.domain.labels import Label, Shelf, spaced
from panel.storage.transactions import Part

LIVE = 9e12  # the end of what is live, in the listing
LONGEST_ERROR = 500  # characters of an error that can be searched for

_SUBJECT = "kind, state, strategy, symbol, timeframe, error"
_LABEL = "name, note, tags, star, shelf"
_SAME = " AND ".join(f"{name} = ?" for name in f"{_SUBJECT}, {_LABEL}".split(", "))


@dataclass(frozen=True, slots=True)
class Subject:
    """The facets of an operation."""

    kind: str
    state: str
    strategy: str
    symbol: str
    timeframe: str
    error: str


class Facets(Part):
    """Keeps the listing."""

    def file(
        self,
        number: int | None,
        operation_id: str,
        subject: Subject,
        label: Label,
        times: tuple[float, float | None, float | None],
    ) -> int:
        """Add or replace an operation; returns its number. `times`: when it began and ended (Unix seconds, None
        while it is live), and how many seconds it took."""
        created, ended, seconds = times
        values = (self._facet(subject, label), created, LIVE if ended is None else ended, seconds)
        if number is None:
            added = self._db.execute(
                "INSERT INTO listing (id, facet, created_at, ended_at, seconds) VALUES (?, ?, ?, ?, ?)",
                (operation_id, *values),
            )
            return added.lastrowid or 0
        self._db.execute(
            "UPDATE listing SET facet = ?, created_at = ?, ended_at = ?, seconds = ? WHERE number = ?",
            (*values, number),
        )
        return number

    def relabel(self, operation_id: str, label: Label) -> None:
        """After its label was changed."""
        found = self._db.execute(
            f"SELECT listing.number, {', '.join('facets.' + name for name in _SUBJECT.split(', '))} FROM operations"
            " JOIN listing ON listing.number = operations.number JOIN facets ON facets.id = facet"
            " WHERE operations.id = ?",
            (operation_id,),
        ).fetchone()
        if found is not None:
            facet = self._facet(Subject(*found[1:]), label)
            self._db.execute("UPDATE listing SET facet = ? WHERE number = ?", (facet, found[0]))

    def _facet(self, subject: Subject, label: Label) -> int:
        about = (subject.kind, subject.state, subject.strategy, subject.symbol, subject.timeframe)
        error, tags = subject.error[:LONGEST_ERROR].lower(), spaced(label.tags)
        row = (*about, error, label.name, label.note, tags, int(label.star), int(label.shelf))
        found = self._db.execute(f"SELECT id FROM facets WHERE {_SAME}", row).fetchone()
        if found is not None:
            return int(found[0])
        kind, _, *names = about
        words = " ".join((kind, *names, error, label.name, label.note, tags)).lower()
        insert = f"INSERT INTO facets ({_SUBJECT}, {_LABEL}, words) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        return self._db.execute(insert, (*row, words)).lastrowid or 0


def shown(archived: bool | None) -> tuple[int, ...]:
    """The shelves that a list counts."""
    if archived is None:
        return (Shelf.SHOWN, Shelf.ARCHIVED)
    return (Shelf.ARCHIVED,) if archived else (Shelf.SHOWN,)
