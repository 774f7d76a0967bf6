"""Brings a file to this version's schema. Each file in `migrations/` is SQL that leads to the version in its name; the
first one starts from nothing. A new file takes what they all lead to from `schema.sql`: renaming columns on the way
there is most of 35 ms of CPU, this is 6 ms."""

import sqlite3
from importlib.resources import files
from importlib.resources.abc import Traversable

from panel.storage.transactions import at_once


def _steps() -> dict[int, Traversable]:
    found = {int(each.name[:4]): each for each in (files("panel.storage") / "migrations").iterdir()}
    return dict(sorted(found.items()))


NEW = files("panel.storage") / "schema.sql"
STEPS = _steps()
VERSION = max(STEPS)


def check_version(version: int) -> None:
    """Raises DatabaseError for a file that this panel cannot read or bring up to date."""
    if version > VERSION:
        raise sqlite3.DatabaseError("a newer version of the panel wrote it")
    if 0 < version < min(STEPS):
        raise sqlite3.DatabaseError("an unreleased version of the panel wrote it, and this one cannot read it")


def migrate(db: sqlite3.Connection) -> None:
    """Bring a database of an earlier version of the panel to this one, wholly or not at all; one of a later version is
    refused and stays as it is. Another process that opens it at the same time waits."""
    with at_once(db):
        version = db.execute("PRAGMA user_version").fetchone()[0]
        check_version(version)
        if version:
            take_steps(db, version)
        else:
            _run(db, NEW.read_text("utf-8"))
        db.execute(f"PRAGMA user_version = {VERSION}")


def take_steps(db: sqlite3.Connection, version: int) -> None:
    """All that lead on from this version; from nothing at 0."""
    for number, step in STEPS.items():
        if number > version:
            _run(db, step.read_text("utf-8"))


def _run(db: sqlite3.Connection, script: str) -> None:
    """Each statement of a script, within the transaction: `executescript` would commit it."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            db.execute(statement)
            statement = ""
