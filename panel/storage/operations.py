"""What the panel remembers of operations: each one ever seen, with every reading that said something new, its
curves, and who asked for what through the panel. The backend forgets all of it, some at once.

A reading costs a few hundred bytes here, however large the backend's answer was: epochs are kept once each.
"""

import sqlite3
import time
from collections import Counter
from dataclasses import replace
from typing import Any

import msgspec

from panel.domain.history import ActionRecord, OperationQuery, RecordedReading, Sort
from panel.domain.observation import Observation
from panel.domain.snapshot import Epoch, Snapshot
from panel.domain.state import ENDS, State, Verdict

KEPT_READINGS = 1500  # of one operation: its changes of state, and of the others about so many, thinned evenly
NAMES = 500  # strategies, symbols that are offered to filter by
KNOWN_EPOCHS = 50  # operations whose written epochs are kept in mind

_ORDERS: dict[Sort, str] = {
    "created": "created_at",
    "ended": "coalesce(ended_at, 9e12)",  # what runs has not ended yet: it is the newest
    "took": "coalesce(seconds, -1.0)",  # what runs has taken nothing yet
    "name": "coalesce(nullif(strategy, ''), symbol) COLLATE NOCASE",
    "state": "CASE state " + " ".join(f"WHEN '{state}' THEN {rank}" for rank, state in enumerate(State)) + " END",
}


class OperationStore:
    """The part of the store that is about operations; over the store's own connection."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._written: dict[str, tuple[Epoch, ...]] = {}
        self._unthinned: Counter[str] = Counter()  # readings kept since an operation's were last thinned

    def remember(self, observation: Observation, verdict: Verdict, at: float) -> None:
        """Keep the latest of one operation, and what is observed at `at` if it says something that the last
        reading did not."""
        snapshot = observation.snapshot
        started = snapshot.started_at or snapshot.created_at
        ended = None if verdict.live else snapshot.completed_at or observation.changed_at
        seconds = ended - started if ended and started and ended > started else None  # equal: the end is not known
        about = (snapshot.id, snapshot.kind, snapshot.strategy, snapshot.symbol, snapshot.timeframe, snapshot.error)
        row = (
            snapshot.id,
            snapshot.kind,
            verdict.live,
            verdict.state.value,
            snapshot.strategy,
            snapshot.symbol,
            snapshot.timeframe,
            snapshot.created_at or observation.changed_at,
            ended,
            seconds,
            " ".join(about).lower(),
            msgspec.json.encode(replace(observation, snapshot=replace(snapshot, epochs=()))).decode(),
        )
        self._db.execute(
            "INSERT OR REPLACE INTO operations (id, kind, live, state, strategy, symbol, timeframe, created_at,"
            " ended_at, seconds, words, evidence) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        )
        self._db.execute("INSERT OR REPLACE INTO changes (operation_id) VALUES (?)", (snapshot.id,))
        self._keep_epochs(snapshot.id, snapshot.epochs, snapshot.read_at)
        self._keep_reading(observation, verdict, at)

    def recall(self, operation_id: str) -> Observation | None:
        row = self._db.execute(f"{_SELECT} WHERE id = ?", (operation_id,)).fetchone()
        return self._whole(_evidence(row[0])) if row else None

    def recent(self, limit: int) -> list[Observation]:
        """The newest first; without their epochs."""
        rows = self._db.execute(f"{_SELECT} ORDER BY created_at DESC LIMIT ?", (limit,))
        return [_evidence(row[0]) for row in rows]

    def best_before(self, snapshot: Snapshot, path: str) -> tuple[float | None, int]:
        """The highest number at this path in the results of other completed runs of its kind and strategy, and how many
        have one."""
        found = self._db.execute(
            "SELECT max(reached), count(reached) FROM (SELECT json_extract(evidence, ?) AS reached FROM operations"
            " WHERE kind = ? AND state = ? AND strategy = ? AND id != ?) WHERE typeof(reached) IN ('real', 'integer')",
            (f"$.snapshot.result.{path}", snapshot.kind, State.COMPLETED, snapshot.strategy, snapshot.id),
        ).fetchone()
        return found[0], found[1]

    def ended(self, limit: int, since: float = 0.0) -> list[Observation]:
        """Those that ended, the latest end first; without their epochs."""
        rows = self._db.execute(f"{_SELECT} WHERE ended_at > ? ORDER BY ended_at DESC LIMIT ?", (since, limit))
        return [_evidence(row[0]) for row in rows]

    def unfinished(self) -> list[Observation]:
        rows = self._db.execute(f"{_SELECT} WHERE live = 1").fetchall()
        return [self._whole(_evidence(row[0])) for row in rows]

    def partially_known(self) -> list[str]:
        """Ids of ended operations of which only a list's few fields are known, the latest last."""
        few = "json_extract(evidence, '$.snapshot.full') = 0 AND json_extract(evidence, '$.forgotten') = 0"
        rows = self._db.execute(f"SELECT id FROM operations WHERE live = 0 AND {few} ORDER BY created_at")
        return [row[0] for row in rows]

    def find(self, wanted: OperationQuery) -> tuple[list[Observation], int]:
        """One page of what is wanted, without epochs, and how many there are in all."""
        return self.page(wanted), self.count(wanted)

    def page(self, wanted: OperationQuery) -> list[Observation]:
        """One page of what is wanted, without epochs. The newest are found without reading the rest."""
        tests, values = _tests(wanted)
        where = f"WHERE {' AND '.join(tests)}" if tests else ""
        direction = "ASC" if wanted.ascending else "DESC"
        # Found and sorted in the index alone; what was read of an operation is fetched for the page's few. A cross
        # join keeps their order.
        found = f"SELECT rowid AS found FROM operations {where} ORDER BY {_ORDERS[wanted.sort]} {direction}"
        page = f"{found}, created_at DESC LIMIT ? OFFSET ?"
        rows = self._db.execute(
            f"SELECT evidence FROM ({page}) CROSS JOIN operations ON operations.rowid = found",
            (*values, wanted.limit, wanted.offset),
        ).fetchall()
        return [_evidence(row[0]) for row in rows]

    def changed_since(self, seq: int, limit: int) -> list[tuple[int, Observation]]:
        """Operations that changed after the change of this number, in the order of their last changes, each with the
        number of its last one; without their epochs."""
        rows = self._db.execute(
            "SELECT seq, evidence FROM changes JOIN operations ON id = operation_id WHERE seq > ? ORDER BY seq LIMIT ?",
            (seq, limit),
        )
        return [(row[0], _evidence(row[1])) for row in rows]

    def last_change(self) -> int:
        """The highest number that was ever given."""
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'changes'").fetchone()
        return row[0] if row else 0

    def count(self, wanted: OperationQuery) -> int:
        """How many there are of what is wanted, on all pages."""
        tests, values = _tests(wanted)
        where = f"WHERE {' AND '.join(tests)}" if tests else ""
        return int(self._db.execute(f"SELECT count(*) FROM operations {where}", values).fetchone()[0])

    def names(self) -> tuple[list[str], list[str], list[str]]:
        """The kinds, strategies and symbols that there are to filter by, in order; one look for all three."""
        rows = self._db.execute("SELECT DISTINCT kind, strategy, symbol FROM operations").fetchall()
        kinds, strategies, symbols = ({row[at] for row in rows} - {""} for at in range(3))
        return sorted(kinds)[:NAMES], sorted(strategies)[:NAMES], sorted(symbols)[:NAMES]

    def counts(self) -> dict[tuple[str, str], int]:
        """(kind, state) -> how many are remembered."""
        rows = self._db.execute("SELECT kind, state, count(*) FROM operations GROUP BY kind, state")
        return {(kind, state): count for kind, state, count in rows}

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

    def asked(self, operation_id: str, what: str, by_whom: str, outcome: str = "") -> int:
        """Write down that somebody asked for something; returns what `answered` wants."""
        row = (operation_id, time.time(), what, by_whom, outcome)
        insert = "INSERT INTO requests (operation_id, at, what, by_whom, outcome) VALUES (?, ?, ?, ?, ?)"
        return self._db.execute(insert, row).lastrowid or 0

    def answered(self, request: int, outcome: str) -> None:
        """What came of it."""
        self._db.execute("UPDATE requests SET outcome = ? WHERE rowid = ?", (outcome, request))

    def requests(self, operation_id: str) -> list[ActionRecord]:
        rows = self._db.execute(
            "SELECT at, what, by_whom, outcome FROM requests WHERE operation_id = ? ORDER BY at", (operation_id,)
        )
        return [ActionRecord(*row) for row in rows]

    def forget(self, before: float, limit: int = -1) -> int:
        """Drop what ended before then, the oldest first; returns how many operations that were."""
        old = "SELECT id FROM operations WHERE live = 0 AND ended_at < ? ORDER BY ended_at LIMIT ?"
        for table in ("epochs", "readings", "requests", "starts", "promises", "changes"):
            self._db.execute(f"DELETE FROM {table} WHERE operation_id IN ({old})", (before, limit))
        return self._db.execute(f"DELETE FROM operations WHERE id IN ({old})", (before, limit)).rowcount

    def _whole(self, observation: Observation) -> Observation:
        return replace(observation, snapshot=replace(observation.snapshot, epochs=self.epochs(observation.snapshot.id)))

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
        said = (verdict.state.value, verdict.word, snapshot.percentage, snapshot.step, len(snapshot.epochs))
        last = self._db.execute(
            "SELECT state, word, percentage, step, epochs FROM readings"
            " WHERE operation_id = ? ORDER BY at DESC LIMIT 1",
            (snapshot.id,),
        ).fetchone()
        if last == said:
            return
        row = (snapshot.id, at, *said[:2], verdict.headline, *said[2:])
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


_SELECT = "SELECT evidence FROM operations"


def _evidence(text: str) -> Observation:
    return msgspec.json.decode(text, type=Observation)


def _tests(wanted: OperationQuery) -> tuple[list[str], list[Any]]:
    tests: list[str] = []
    values: list[Any] = []
    for column in ("kind", "strategy", "symbol"):
        if given := getattr(wanted, column):
            tests.append(f"{column} = ?")
            values.append(given)
    if wanted.states:
        tests.append(f"state IN ({', '.join('?' * len(wanted.states))})")
        values += [state.value for state in wanted.states]
    if wanted.since is not None:
        tests.append("created_at >= ?")
        values.append(wanted.since)
    if wanted.until is not None:
        tests.append("created_at < ?")
        values.append(wanted.until)
    for word in wanted.search.lower().split()[:10]:
        tests.append("instr(words, ?) > 0")
        values.append(word[:100])
    return tests, values
