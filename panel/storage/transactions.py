"""What a write promises: all or nothing, and to outlast a power cut. And SQL's placeholders."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def durably(db: sqlite3.Connection) -> Iterator[None]:
    """What is committed in here is on disk, power cuts included."""
    db.execute("PRAGMA synchronous = FULL")
    try:
        yield
    finally:
        db.execute("PRAGMA synchronous = NORMAL")


@contextmanager
def at_once(db: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing, also when the process is killed in between."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))
