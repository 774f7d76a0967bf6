"""What the parts of the store share: transactions, durability, and how values are written into SQL."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec


class Part:
    """One group of tables, over the store's own connection."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db


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
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # SQLite itself rolls back when the disk is full
            db.execute("ROLLBACK")
        raise


def marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))


def as_json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def form_of(stored: str) -> dict[str, str]:
    return msgspec.json.decode(stored, type=dict[str, str])
