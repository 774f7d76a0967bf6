"""Operations and checkpoints in SQLite, shared by every process that works in the same folder."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from panel.files import private

ACTIVE = ("pending", "running", "resuming")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS operations (
  id TEXT PRIMARY KEY, type TEXT NOT NULL, status TEXT NOT NULL, created_at TEXT NOT NULL, started_at TEXT,
  completed_at TEXT, percentage REAL NOT NULL DEFAULT 0, step TEXT, steps_completed INTEGER NOT NULL DEFAULT 0,
  steps_total INTEGER NOT NULL DEFAULT 0, items INTEGER NOT NULL DEFAULT 0, context TEXT NOT NULL DEFAULT '{}',
  metadata TEXT NOT NULL, request TEXT NOT NULL, error TEXT, result TEXT, epochs TEXT NOT NULL DEFAULT '[]',
  cancel TEXT);
CREATE INDEX IF NOT EXISTS by_time ON operations (created_at DESC);
CREATE TABLE IF NOT EXISTS checkpoints (
  operation_id TEXT PRIMARY KEY, type TEXT NOT NULL, created_at TEXT NOT NULL, state TEXT NOT NULL,
  size INTEGER NOT NULL);
"""
_JSON = ("context", "metadata", "request", "result", "epochs", "state")

Row = dict[str, Any]


def stamp() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


class Ledger:
    """Short statements on short connections: several processes and threads write here."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def create(self) -> None:
        private.make_file(self.file)
        with self._open() as db:
            db.execute("PRAGMA journal_mode=WAL")
            db.executescript(_SCHEMA)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self.file, timeout=10)
        db.row_factory = sqlite3.Row
        try:
            with db:
                yield db
        finally:
            db.close()

    def add(self, operation_id: str, kind: str, metadata: Row, request: Row) -> bool:
        """A new pending operation; False when the id is taken."""
        with self._open() as db:
            values = (operation_id, kind, stamp(), json.dumps(metadata), json.dumps(request))
            added = db.execute(
                "INSERT OR IGNORE INTO operations (id, type, status, created_at, metadata, request)"
                " VALUES (?, ?, 'pending', ?, ?, ?)",
                values,
            )
            return added.rowcount == 1

    def operation(self, operation_id: str) -> Row | None:
        with self._open() as db:
            return _row(db.execute("SELECT * FROM operations WHERE id = ?", (operation_id,)).fetchone())

    def operations(self, where: Row, limit: int, offset: int) -> tuple[list[Row], int]:
        """Newest first, without the long columns, and how many there are in all. A value of `where` may be
        a tuple of alternatives."""
        given = {name: value if isinstance(value, tuple) else (value,) for name, value in where.items() if value}
        tests = [f"{name} IN ({', '.join('?' * len(values))})" for name, values in given.items()]
        clause = f"WHERE {' AND '.join(tests)}" if tests else ""
        values = [value for each in given.values() for value in each]
        columns = "id, type, status, created_at, started_at, completed_at, percentage, step, metadata"
        with self._open() as db:
            rows = db.execute(
                f"SELECT {columns} FROM operations {clause} ORDER BY created_at DESC LIMIT ? OFFSET ?",
                (*values, limit, offset),
            ).fetchall()
            total = db.execute(f"SELECT count(*) FROM operations {clause}", values).fetchone()[0]
        return [row for row in map(_row, rows) if row], total

    def update(self, operation_id: str, only_if: tuple[str, ...] = ACTIVE, **changes: Any) -> bool:
        """Change an operation that is in one of these states; False when it is in another."""
        values = [json.dumps(value) if name in _JSON else value for name, value in changes.items()]
        sets = ", ".join(f"{name} = ?" for name in changes)
        marks = ", ".join("?" * len(only_if))
        with self._open() as db:
            done = db.execute(
                f"UPDATE operations SET {sets} WHERE id = ? AND status IN ({marks})", (*values, operation_id, *only_if)
            )
            return done.rowcount == 1

    def cancel_reason(self, operation_id: str) -> str | None:
        """The reason of its cancel, None without one."""
        with self._open() as db:
            row = db.execute("SELECT cancel FROM operations WHERE id = ?", (operation_id,)).fetchone()
            return row["cancel"] if row else None

    def save_checkpoint(self, operation_id: str, kind: str, state: Row, size: int) -> None:
        with self._open() as db:
            db.execute(
                "INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?, ?)",
                (operation_id, kind, stamp(), json.dumps(state), size),
            )

    def checkpoints(self, operation_id: str | None = None) -> list[Row]:
        clause, values = ("WHERE operation_id = ?", [operation_id]) if operation_id else ("", [])
        with self._open() as db:
            rows = db.execute(f"SELECT * FROM checkpoints {clause} ORDER BY created_at DESC", values).fetchall()
        return [row for row in map(_row, rows) if row]

    def drop_checkpoint(self, operation_id: str) -> None:
        with self._open() as db:
            db.execute("DELETE FROM checkpoints WHERE operation_id = ?", (operation_id,))


def _row(row: sqlite3.Row | None) -> Row | None:
    if row is None:
        return None
    values = {name: row[name] for name in row.keys()}  # noqa: SIM118  a Row iterates over its values
    return values | {name: json.loads(values[name]) for name in _JSON if values.get(name) is not None}
