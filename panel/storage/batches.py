"""Batches and their runs."""

from collections.abc import Sequence
from typing import Any

from panel.domain.batches import OPEN_RUNS, Batch, BatchRun, Role, RunState
from panel.domain.labels import Shelf
from panel.storage.labels import GRACE, UNDO
from panel.storage.transactions import Part, as_json, at_once, durably, form_of, marks

_BATCH = "SELECT key, title, form, made_at, actor, stopped, shelf FROM batches"
_COLUMNS = "key, batch, number, role, kind, form, settings, waits_for, state, message, operation_id"


class BatchStore(Part):
    def add(self, batch: Batch, runs: Sequence[BatchRun]) -> bool:
        """All of it, once for each key, power cuts included; False when it was there."""
        with durably(self._db), at_once(self._db):
            row = (batch.key, batch.title, as_json(batch.form), batch.made_at, batch.actor, batch.stopped)
            columns = "key, title, form, made_at, actor, stopped"
            made = self._db.execute(f"INSERT OR IGNORE INTO batches ({columns}) VALUES (?, ?, ?, ?, ?, ?)", row)
            if made.rowcount:
                self._insert(runs)
        return made.rowcount == 1

    def extend(self, runs: Sequence[BatchRun]) -> None:
        """More runs of a batch that is there; each once for its key."""
        with durably(self._db), at_once(self._db):
            self._insert(runs)

    def _insert(self, runs: Sequence[BatchRun]) -> None:
        self._db.executemany(
            f"INSERT OR IGNORE INTO batch_runs ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [_row(run) for run in runs],
        )

    def batch(self, key: str) -> Batch | None:
        row = self._db.execute(f"{_BATCH} WHERE key = ?", (key,)).fetchone()
        return _batch(row) if row else None

    def of(self, operation_ids: Sequence[str]) -> dict[str, Batch]:
        """Operation -> the batch that it is a run of, unless that was deleted."""
        rows = self._db.execute(
            "SELECT operation_id, batches.key, title, batches.form, made_at, actor, stopped, shelf"
            " FROM batch_runs JOIN batches ON batches.key = batch"
            f" WHERE operation_id IN ({marks(operation_ids)}) AND shelf != ?",
            (*operation_ids, Shelf.DELETED),
        )
        return {row[0]: _batch(row[1:]) for row in rows}

    def latest(self, limit: int = 50, shelf: Shelf = Shelf.SHOWN) -> list[tuple[Batch, int, int]]:
        """The newest first, each with the number of its runs and of those that are open."""
        rows = self._db.execute(
            "SELECT key, title, form, made_at, actor, stopped, shelf,"
            " (SELECT count(*) FROM batch_runs WHERE batch = batches.key),"
            f" (SELECT count(*) FROM batch_runs WHERE batch = batches.key AND state IN ({marks(OPEN_RUNS)}))"
            " FROM batches WHERE shelf = ? ORDER BY made_at DESC LIMIT ?",
            (*OPEN_RUNS, shelf, limit),
        )
        return [(_batch(row[:7]), row[7], row[8]) for row in rows]

    def count(self, shelf: Shelf) -> int:
        return int(self._db.execute("SELECT count(*) FROM batches WHERE shelf = ?", (shelf,)).fetchone()[0])

    def put(self, key: str, shelf: Shelf, now: float) -> bool:
        """Archive it, delete it or bring it back; False when it is there already, or has runs that have not ended."""
        free = f"NOT EXISTS (SELECT 1 FROM batch_runs WHERE batch = batches.key AND state IN ({marks(OPEN_RUNS)}))"
        done = self._db.execute(
            "UPDATE batches SET shelf_before = shelf, shelf = ?, shelved_at = ?"
            f" WHERE key = ? AND shelf NOT IN (?, ?) AND {free}",
            (shelf, now, key, shelf, Shelf.DELETED, *OPEN_RUNS),
        )
        return done.rowcount == 1

    def put_back(self, key: str, now: float) -> bool:
        """Take the last `put` back; False when that was too long ago."""
        done = self._db.execute(
            "UPDATE batches SET shelf = shelf_before, shelved_at = 0 WHERE key = ? AND shelved_at >= ?",
            (key, now - UNDO - GRACE),
        )
        return done.rowcount == 1

    def undoable(self, key: str, now: float) -> Batch | None:
        """A batch that was put away within the last minute."""
        row = self._db.execute(f"{_BATCH} WHERE key = ? AND shelved_at >= ?", (key, now - UNDO)).fetchone()
        return _batch(row) if row else None

    def drop_deleted(self, now: float) -> None:
        """What was deleted and cannot be brought back any more. Its key stays: a batch is made once for each."""
        expired = "SELECT key FROM batches WHERE shelf = ? AND shelved_at < ? AND form != '{}'"
        found = (Shelf.DELETED, now - UNDO - 2 * GRACE)
        with at_once(self._db):
            self._db.execute(f"DELETE FROM batch_runs WHERE batch IN ({expired})", found)
            self._db.execute(f"UPDATE batches SET title = '', form = '{{}}' WHERE key IN ({expired})", found)

    def runs(self, batch: str) -> list[BatchRun]:
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM batch_runs WHERE batch = ? ORDER BY number, role DESC", (batch,)
        )
        return [_run(row) for row in rows]

    def run(self, key: str) -> BatchRun | None:
        row = self._db.execute(f"SELECT {_COLUMNS} FROM batch_runs WHERE key = ?", (key,)).fetchone()
        return _run(row) if row else None

    def open_runs(self) -> list[BatchRun]:
        """Runs that are not started yet, or of which the end is not known."""
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM batch_runs WHERE state IN ({marks(OPEN_RUNS)}) ORDER BY batch, number", OPEN_RUNS
        )
        return [_run(row) for row in rows]

    def settle(self, key: str, state: RunState, message: str = "", operation_id: str | None = None) -> bool:
        """Store the state of an open run; False when it is not open any more."""
        done = self._db.execute(
            "UPDATE batch_runs SET state = ?, message = ?, operation_id = coalesce(?, operation_id)"
            f" WHERE key = ? AND state IN ({marks(OPEN_RUNS)})",
            (state, message, operation_id, key, *OPEN_RUNS),
        )
        return done.rowcount == 1

    def stop(self, key: str) -> None:
        """Start no further run of it."""
        with at_once(self._db):
            self._db.execute("UPDATE batches SET stopped = 1 WHERE key = ?", (key,))
            self._db.execute(
                "UPDATE batch_runs SET state = ?, message = ? WHERE batch = ? AND state = ?",
                (RunState.CANCELLED, "The batch was stopped.", key, RunState.WAITING),
            )


def _row(run: BatchRun) -> tuple[Any, ...]:
    texts = (as_json(run.form), as_json(run.settings))
    state = (run.waits_for, run.state, run.message, run.operation_id)
    return (run.key, run.batch, run.number, run.role, run.kind, *texts, *state)


def _batch(row: tuple[Any, ...]) -> Batch:
    key, title, form, made_at, actor, stopped, shelf = row
    return Batch(key, title, form_of(form), made_at, actor, bool(stopped), Shelf(shelf))


def _run(row: tuple[Any, ...]) -> BatchRun:
    key, batch, number, role, kind, form, settings, waits_for, state, *rest = row
    texts = (form_of(form), form_of(settings))
    return BatchRun(key, batch, number, Role(role), kind, *texts, waits_for, RunState(state), *rest)
