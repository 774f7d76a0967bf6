"""A shared lock of every panel and command line that has a memory open; a restore takes it alone.

The lock is SQLite's own on an empty file beside it, because it works alike on every system, is gone with the process
that held it, and can be had when the memory itself is damaged.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from panel.files import private


class InUse(sqlite3.OperationalError):
    """Another process has it open."""


def enter(memory: Path) -> sqlite3.Connection:
    """Have it open until the connection is closed. Raises InUse while a backup is restored into it."""
    db = _connected(memory)
    try:
        db.execute("BEGIN")
        db.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # takes the shared lock, and the BEGIN keeps it
    except sqlite3.OperationalError as exc:
        db.close()
        if "locked" not in str(exc):
            raise
        raise InUse("a backup is being restored into it") from exc
    return db


@contextmanager
def alone(memory: Path) -> Iterator[None]:
    """Raises InUse while anybody has it open."""
    with closing(_connected(memory)) as db:
        try:
            db.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as exc:
            if "locked" not in str(exc):
                raise
            raise InUse("a panel or a command has it open") from exc
        yield


def _connected(memory: Path) -> sqlite3.Connection:
    file = memory.with_suffix(".open")
    private.make_file(file)
    return sqlite3.connect(file, isolation_level=None, timeout=0.2)
