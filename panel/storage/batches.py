"""Batches and their runs."""

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from panel.domain.batches import OPEN_RUNS, Batch, BatchRun, Role, RunState
from panel.storage.transactions import at_once, durably, marks

_BATCH = "SELECT key, title, form, made_at, by_whom, stopped FROM batches"
_COLUMNS = "key, batch, number, role, kind, form, settings, waits_for, state, message, operation_id"


class BatchStore:
    """The part of the store that is about batches; over the store's own connection."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def add(self, batch: Batch, runs: Sequence[BatchRun]) -> bool:
        """All of it, once for each key, power cuts included; False when it was there."""
        with durably(self._db), at_once(self._db):
            row = (batch.key, batch.title, _json(batch.form), batch.made_at, batch.by_whom, batch.stopped)
            columns = "key, title, form, made_at, by_whom, stopped"
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
            [
                (
                    run.key,
                    run.batch,
                    run.number,
                    run.role,
                    run.kind,
                    _json(run.form),
                    _json(run.settings),
                    run.waits_for,
                    run.state,
                    run.message,
                    run.operation_id,
                )
                for run in runs
            ],
        )

    def batch(self, key: str) -> Batch | None:
        row = self._db.execute(f"{_BATCH} WHERE key = ?", (key,)).fetchone()
        return _batch(row) if row else None

    def latest(self, limit: int = 50) -> list[tuple[Batch, int, int]]:
        """The newest first, each with the number of its runs and of those that are open."""
        rows = self._db.execute(
            "SELECT key, title, form, made_at, by_whom, stopped,"
            " (SELECT count(*) FROM batch_runs WHERE batch = batches.key),"
            f" (SELECT count(*) FROM batch_runs WHERE batch = batches.key AND state IN ({marks(OPEN_RUNS)}))"
            " FROM batches ORDER BY made_at DESC LIMIT ?",
            (*OPEN_RUNS, limit),
        )
        return [(_batch(row[:6]), row[6], row[7]) for row in rows]

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

    def settle(self, key: str, state: RunState, message: str = "", operation_id: str | None = None) -> None:
        """Write down how far an open run is."""
        self._db.execute(
            "UPDATE batch_runs SET state = ?, message = ?, operation_id = coalesce(?, operation_id)"
            f" WHERE key = ? AND state IN ({marks(OPEN_RUNS)})",
            (state, message, operation_id, key, *OPEN_RUNS),
        )

    def stop(self, key: str) -> None:
        """No further run of it begins."""
        with at_once(self._db):
            self._db.execute("UPDATE batches SET stopped = 1 WHERE key = ?", (key,))
            self._db.execute(
                "UPDATE batch_runs SET state = ?, message = ? WHERE batch = ? AND state = ?",
                (RunState.CANCELLED, "The batch was stopped.", key, RunState.WAITING),
            )


def _json(value: dict[str, str]) -> str:
    return msgspec.json.encode(value).decode()


def _batch(row: tuple[Any, ...]) -> Batch:
    key, title, form, made_at, by_whom, stopped = row
    return Batch(key, title, msgspec.json.decode(form, type=dict[str, str]), made_at, by_whom, bool(stopped))


def _run(row: tuple[Any, ...]) -> BatchRun:
    key, batch, number, role, kind, form, settings, waits_for, state, message, operation_id = row
    decode = msgspec.json.decode
    return BatchRun(
        key,
        batch,
        number,
        Role(role),
        kind,
        decode(form, type=dict[str, str]),
        decode(settings, type=dict[str, str]),
        waits_for,
        RunState(state),
        message,
        operation_id,
    )
