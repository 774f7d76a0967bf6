"""What the panel remembers of operations: each one ever seen, with every reading that changed something, its
curves, and who asked for what through the panel. The backend forgets all of it, some at once.

A reading costs a few hundred bytes here, however large the backend's answer was: epochs are kept once each.
"""

import sqlite3
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from panel.adapters import KINDS
from panel.domain.comparison import measured
from panel.domain.history import ActionRecord, EndedRow, OperationQuery, RecordedReading
from panel.domain.labels import Shelf
from panel.domain.observation import Observation
from panel.domain.snapshot import Epoch, Snapshot
from panel.domain.state import ENDS, State, Verdict
from panel.storage.facets import LIVE, Facets, Subject
from panel.storage.finding import Finder
from panel.storage.labels import LabelStore
from panel.storage.packing import pack, unpack
from panel.storage.transactions import Part, as_json, marks

KEPT_READINGS = 1500  # of one operation: its changes of state, and of the others about so many, thinned evenly
KNOWN_EPOCHS = 50  # operations whose written epochs are kept in mind


class OperationStore(Part):
    def __init__(self, db: sqlite3.Connection) -> None:
        super().__init__(db)
        self._facets = Facets(db)
        self._finder = finder = Finder(db)
        self.count, self.counts, self.names, self.tags = finder.count, finder.counts, finder.names, finder.tags
        self._labels = LabelStore(db)
        self._written: dict[str, tuple[Epoch, ...]] = {}
        self._unthinned: Counter[str] = Counter()  # readings kept since an operation's were last thinned

    def remember(self, observation: Observation, verdict: Verdict, at: float) -> None:
        """Keep the latest of one operation, and what is observed at `at` if it says something that the last
        reading did not."""
        snapshot = observation.snapshot
        label, number = self._labels.of(snapshot.id), self._number(snapshot.id)
        if label.shelf is Shelf.DELETED and number is None:
            return
        created = snapshot.created_at or observation.changed_at
        moved = max(observation.changed_at, observation.moved_at or 0.0)
        ended = None if verdict.live else snapshot.completed_at or moved
        seconds = None if verdict.live else observation.took
        about = (snapshot.strategy, snapshot.symbol, snapshot.timeframe)
        subject = Subject(snapshot.kind, verdict.state.value, *about, snapshot.error)
        number = self._facets.file(number, snapshot.id, subject, label, (created, ended, seconds))
        packed = pack(replace(observation, snapshot=replace(snapshot, epochs=())))
        partial = not verdict.live and not snapshot.full and not observation.forgotten
        row = (snapshot.id, snapshot.kind, verdict.live, verdict.state.value, *about, created, ended, seconds, partial)
        self._db.execute(
            "INSERT OR REPLACE INTO operations (id, kind, live, state, strategy, symbol, timeframe, created_at,"
            " ended_at, seconds, partial, evidence, number, packed)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'null', ?, ?)",
            (*row, number, packed),
        )
        self._db.execute("INSERT OR REPLACE INTO changes (operation_id) VALUES (?)", (snapshot.id,))
        self._keep_results(number, snapshot)
        self._keep_epochs(snapshot.id, snapshot.epochs, snapshot.read_at)
        self._keep_reading(observation, verdict, at)

    def rolled_back(self) -> None:
        """What was written last is not on disk."""
        self._written.clear()

    def recall(self, operation_id: str, *, epochs: bool = True) -> Observation | None:
        row = self._db.execute(f"{_SELECT} WHERE id = ?", (operation_id,)).fetchone()
        found = unpack(*row) if row else None
        return self._whole(found) if found is not None and epochs else found

    def recent(self, limit: int) -> list[Observation]:
        """The newest first; without their epochs."""
        return self.page(OperationQuery(archived=None, limit=limit))

    def best_before(self, snapshot: Snapshot, measure: str) -> tuple[float | None, int]:
        """The highest number with this key in the results of other completed runs of its kind and strategy, and how
        many have one."""
        found = self._db.execute(
            "SELECT max(value), count(value) FROM results WHERE measure = (SELECT id FROM measures WHERE name = ?)"
            " AND facet IN (SELECT id FROM facets WHERE kind = ? AND state = ? AND strategy = ?)"
            " AND number != coalesce((SELECT number FROM operations WHERE id = ?), 0)",
            (measure, snapshot.kind, State.COMPLETED, snapshot.strategy, snapshot.id),
        ).fetchone()
        return found[0], found[1]

    def ended(self, limit: int) -> list[Observation]:
        """Those that ended and are not put away, the latest end first; without their epochs."""
        return self.numbered([row.number for row in self.ends(limit)])

    def ends(self, limit: int, skip: int = 0) -> list[EndedRow]:
        """The rows of `ended`, which cost little."""
        rows = self._db.execute(
            "SELECT number, listing.id, state, ended_at, kind, strategy, symbol, timeframe"
            " FROM listing INDEXED BY listing_ended"
            f" JOIN facets ON facets.id = facet WHERE ended_at > 0 AND ended_at < {LIVE} AND shelf = {int(Shelf.SHOWN)}"
            " ORDER BY ended_at DESC, number DESC LIMIT ? OFFSET ?",
            (limit, skip),
        )
        return [EndedRow(*row) for row in rows]

    def last_of_each_market(self, kind: str, states: Sequence[State]) -> list[Observation]:
        """Of each symbol and timeframe the latest end in one of these states, without their epochs. Of those that are
        alike in all else the one that began last counts: that is in an index, and loads go one after another."""
        rows = self._db.execute(
            "SELECT number, max(ended_at) FROM facets JOIN listing ON number = (SELECT number FROM listing AS last"
            " INDEXED BY listing_facet WHERE last.facet = facets.id ORDER BY created_at DESC LIMIT 1)"
            f" WHERE kind = ? AND state IN ({marks(states)}) AND shelf != ? AND ended_at < {LIVE}"
            " GROUP BY symbol, timeframe",
            (kind, *states, Shelf.DELETED),
        )
        return self.numbered([number for number, _ in rows])

    def unfinished(self) -> list[Observation]:
        rows = self._db.execute(f"{_SELECT} WHERE live = 1").fetchall()
        return [self._whole(unpack(*row)) for row in rows]

    def partially_known(self) -> list[str]:
        """Ids of ended operations of which only a list's few fields are known, the latest last."""
        return [row[0] for row in self._db.execute("SELECT id FROM operations WHERE partial = 1 ORDER BY created_at")]

    def find(self, wanted: OperationQuery) -> tuple[list[Observation], int]:
        """One page of what is wanted, without epochs, and how many there are in all."""
        numbers, count = self._finder.find(wanted)
        return self.numbered(numbers), count

    def page(self, wanted: OperationQuery) -> list[Observation]:
        """One page of what is wanted, without epochs."""
        return self.numbered(self._finder.page(wanted))

    def changed_since(self, seq: int, limit: int) -> list[tuple[int, Observation]]:
        """Operations that changed after the change of this number, in the order of their last changes, each with the
        number of its last one; without their epochs."""
        rows = self._db.execute(
            "SELECT seq, packed, evidence FROM changes JOIN operations ON id = operation_id WHERE seq > ?"
            " ORDER BY seq LIMIT ?",
            (seq, limit),
        )
        return [(seq, unpack(packed, evidence)) for seq, packed, evidence in rows]

    def last_change(self) -> int:
        """The highest number that was ever given."""
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'changes'").fetchone()
        return row[0] if row else 0

    def epochs(self, operation_id: str) -> tuple[Epoch, ...]:
        rows = self._db.execute(
            "SELECT number, train_loss, val_loss, train_accuracy, val_accuracy FROM epochs"
            " WHERE operation_id = ? ORDER BY number",
            (operation_id,),
        )
        return tuple(Epoch(*row) for row in rows)

    def readings(self, operation_id: str) -> list[RecordedReading]:
        """Everything observed of it, the oldest first."""
        rows = self._db.execute(
            "SELECT at, state, word, headline, percentage, step, epochs FROM readings"
            " WHERE operation_id = ? ORDER BY at",
            (operation_id,),
        )
        return [RecordedReading(*row) for row in rows]

    def asked(self, operation_id: str, what: str, actor: str, outcome: str = "") -> int:
        """Record a request; returns its number, for `answered`."""
        row = (operation_id, time.time(), what, actor, outcome)
        insert = "INSERT INTO requests (operation_id, at, what, actor, outcome) VALUES (?, ?, ?, ?, ?)"
        return self._db.execute(insert, row).lastrowid or 0

    def answered(self, request: int, outcome: str) -> None:
        """Record its outcome."""
        self._db.execute("UPDATE requests SET outcome = ? WHERE rowid = ?", (outcome, request))

    def requests(self, operation_id: str) -> list[ActionRecord]:
        rows = self._db.execute(
            "SELECT at, what, actor, outcome FROM requests WHERE operation_id = ? ORDER BY at", (operation_id,)
        )
        return [ActionRecord(*row) for row in rows]

    def forget(self, before: float, limit: int = -1) -> int:
        """Drop what ended before then, the oldest first; returns how many operations that were."""
        old = "SELECT id FROM listing WHERE ended_at < ? ORDER BY ended_at LIMIT ?"
        ids = [row[0] for row in self._db.execute(old, (before, limit))]
        some = as_json(ids)
        self._db.execute("DELETE FROM starts WHERE operation_id IN (SELECT value FROM json_each(?))", (some,))
        return self.drop(ids)

    def deleted(self, operation_id: str) -> bool:
        """Whether it was deleted: then it is not added again, though the backend may list it."""
        return self._labels.deleted(operation_id)

    def drop(self, ids: Sequence[str]) -> int:
        """Remember these operations no more; returns how many were remembered. Their starts are kept: no key of a form
        may start anything twice."""
        some = as_json(list(ids))
        among = "(SELECT value FROM json_each(?))"
        numbers = f"(SELECT number FROM operations WHERE id IN {among})"
        for table in ("epochs", "readings", "requests", "promises", "changes"):
            self._db.execute(f"DELETE FROM {table} WHERE operation_id IN {among}", (some,))
        for table in ("results", "listing"):
            self._db.execute(f"DELETE FROM {table} WHERE number IN {numbers}", (some,))
        self._labels.forget(ids)
        for operation_id in ids:
            self._written.pop(operation_id, None)
            self._unthinned.pop(operation_id, None)
        return self._db.execute(f"DELETE FROM operations WHERE id IN {among}", (some,)).rowcount

    def _number(self, operation_id: str) -> int | None:
        row = self._db.execute("SELECT number FROM operations WHERE id = ?", (operation_id,)).fetchone()
        return row[0] if row else None

    def numbered(self, numbers: list[int]) -> list[Observation]:
        """These operations in this order, without their epochs."""
        rows = self._db.execute(
            "SELECT packed, evidence FROM json_each(?) AS asked CROSS JOIN listing ON listing.number = asked.value"
            " CROSS JOIN operations ON operations.id = listing.id ORDER BY asked.key",
            (as_json(numbers),),
        )
        return [unpack(*row) for row in rows]

    def _whole(self, observation: Observation) -> Observation:
        return replace(observation, snapshot=replace(observation.snapshot, epochs=self.epochs(observation.snapshot.id)))

    def _keep_results(self, number: int, snapshot: Snapshot) -> None:
        """The numbers that runs of its kind are compared by."""
        adapter = KINDS.get(snapshot.kind)
        if adapter is None or not snapshot.result:
            return
        values = {measure.key: measured(measure, snapshot) for measure in adapter.measures}
        there = [(number, self._measure(name), value, number) for name, value in values.items() if value is not None]
        self._db.execute("DELETE FROM results WHERE number = ?", (number,))
        self._db.executemany(
            "INSERT INTO results (number, measure, value, facet)"
            " VALUES (?, ?, ?, (SELECT facet FROM listing WHERE number = ?))",
            there,
        )

    def _measure(self, name: str) -> int:
        row = self._db.execute("SELECT id FROM measures WHERE name = ?", (name,)).fetchone()
        return row[0] if row else self._db.execute("INSERT INTO measures (name) VALUES (?)", (name,)).lastrowid or 0

    def _keep_epochs(self, operation_id: str, epochs: tuple[Epoch, ...], at: float) -> None:
        if not epochs:
            return
        known = self._written.pop(operation_id, None)
        written = {epoch.number: epoch for epoch in (self.epochs(operation_id) if known is None else known)}
        new = [
            (operation_id, e.number, e.train_loss, e.val_loss, e.train_accuracy, e.val_accuracy, at)
            for e in epochs
            if written.get(e.number) != e
        ]
        if new:
            self._db.executemany(
                "INSERT OR REPLACE INTO epochs (operation_id, number, train_loss, val_loss, train_accuracy,"
                " val_accuracy, seen_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                new,
            )
        self._written[operation_id] = epochs
        while len(self._written) > KNOWN_EPOCHS:
            del self._written[next(iter(self._written))]

    def _keep_reading(self, observation: Observation, verdict: Verdict, at: float) -> None:
        snapshot = observation.snapshot
        values = (verdict.state.value, verdict.word, snapshot.percentage, snapshot.step, len(snapshot.epochs))
        last = self._db.execute(
            "SELECT state, word, percentage, step, epochs FROM readings"
            " WHERE operation_id = ? ORDER BY at DESC LIMIT 1",
            (snapshot.id,),
        ).fetchone()
        if last == values:
            return
        row = (snapshot.id, at, *values[:2], verdict.headline, *values[2:])
        self._db.execute(
            "INSERT OR REPLACE INTO readings (operation_id, at, state, word, headline, percentage, step, epochs)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        )
        self._unthinned[snapshot.id] += 1
        if verdict.state in ENDS or self._unthinned[snapshot.id] > KEPT_READINGS:
            self._thin(snapshot.id)
            del self._unthinned[snapshot.id]

    def _thin(self, operation_id: str) -> None:
        readings = self.readings(operation_id)
        each = -(-len(readings) // KEPT_READINGS)
        if each < 2:
            return
        dropped = [
            (operation_id, reading.at)
            for place, (before, reading) in enumerate(zip(readings, readings[1:], strict=False), start=1)
            if place % each and reading.state == before.state and reading is not readings[-1]
        ]
        self._db.executemany("DELETE FROM readings WHERE operation_id = ? AND at = ?", dropped)


_SELECT = "SELECT packed, evidence FROM operations"
