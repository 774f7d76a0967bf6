"""The store's tables, as a list of steps: a database at step n has had the first n applied."""

import sqlite3
import time
from collections.abc import Callable

import msgspec

from panel.domain.snapshot import Snapshot
from panel.domain.verdict import Cancel, Observation, judge
from panel.storage.operations import OperationStore


def _copy_operations(db: sqlite3.Connection) -> None:
    """From one row with everything in it to operations, epochs and readings."""
    memory = OperationStore(db)
    old = "SELECT snapshot, changed_at, forgotten, cancel, cancel_at FROM operations_before"
    for snapshot, changed_at, forgotten, cancel, cancel_at in db.execute(old).fetchall():
        decoded = msgspec.json.decode(snapshot, type=Snapshot)
        observation = Observation(
            decoded, changed_at, forgotten=bool(forgotten), cancel=Cancel(cancel), cancel_at=cancel_at
        )
        memory.remember(observation, judge(observation, time.time()), changed_at)


_STEPS: tuple[str | Callable[[sqlite3.Connection], None], ...] = (
    """
    CREATE TABLE operations (
        id TEXT PRIMARY KEY, kind TEXT NOT NULL, finished INTEGER NOT NULL, forgotten INTEGER NOT NULL,
        created_at REAL NOT NULL, changed_at REAL NOT NULL, cancel TEXT NOT NULL, cancel_at REAL,
        snapshot TEXT NOT NULL
    ) STRICT;
    CREATE INDEX operations_by_age ON operations (created_at DESC);
    CREATE INDEX operations_unfinished ON operations (finished) WHERE finished = 0;
    CREATE TABLE starts (
        key TEXT PRIMARY KEY, kind TEXT NOT NULL, form TEXT NOT NULL, state TEXT NOT NULL,
        operation_id TEXT, message TEXT NOT NULL, asked_at REAL NOT NULL
    ) STRICT;
    CREATE INDEX starts_open ON starts (state) WHERE state IN ('sending', 'unconfirmed');
    """,
    """
    CREATE TABLE ranges (
        symbol TEXT NOT NULL, timeframe TEXT NOT NULL, range TEXT NOT NULL, gaps TEXT, asked_at REAL,
        PRIMARY KEY (symbol, timeframe)
    ) STRICT;
    CREATE TABLE loads (
        key TEXT PRIMARY KEY, form TEXT NOT NULL, state TEXT NOT NULL, operation_id TEXT, message TEXT NOT NULL,
        attempts INTEGER NOT NULL, plan TEXT NOT NULL, asked_at REAL NOT NULL
    ) STRICT;
    CREATE TABLE plans (
        key TEXT PRIMARY KEY, form TEXT NOT NULL, state TEXT NOT NULL, operation_id TEXT, message TEXT NOT NULL,
        asked_at REAL NOT NULL
    ) STRICT;
    """,
    """
    ALTER TABLE operations RENAME TO operations_before;
    DROP INDEX operations_by_age;
    DROP INDEX operations_unfinished;
    CREATE TABLE operations (
        id TEXT PRIMARY KEY, kind TEXT NOT NULL, live INTEGER NOT NULL, state TEXT NOT NULL, strategy TEXT NOT NULL,
        symbol TEXT NOT NULL, timeframe TEXT NOT NULL, created_at REAL NOT NULL, ended_at REAL, seconds REAL,
        words TEXT NOT NULL, evidence TEXT NOT NULL
    ) STRICT;
    CREATE INDEX operations_by_age ON operations (created_at DESC);
    CREATE INDEX operations_by_end ON operations (ended_at DESC);
    CREATE INDEX operations_live ON operations (live) WHERE live = 1;
    CREATE INDEX operations_by_strategy ON operations (strategy, created_at DESC);
    CREATE INDEX starts_by_operation ON starts (operation_id);
    CREATE TABLE epochs (
        operation_id TEXT NOT NULL, number INTEGER NOT NULL, train_loss REAL, val_loss REAL, train_accuracy REAL,
        val_accuracy REAL, seen_at REAL NOT NULL, PRIMARY KEY (operation_id, number)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE readings (
        operation_id TEXT NOT NULL, at REAL NOT NULL, state TEXT NOT NULL, word TEXT NOT NULL, headline TEXT NOT NULL,
        percentage REAL NOT NULL, step TEXT NOT NULL, epochs INTEGER NOT NULL, PRIMARY KEY (operation_id, at)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE requests (
        operation_id TEXT NOT NULL, at REAL NOT NULL, what TEXT NOT NULL, by_whom TEXT NOT NULL, outcome TEXT NOT NULL
    ) STRICT;
    CREATE INDEX requests_of ON requests (operation_id, at);
    """,
    _copy_operations,
    "DROP TABLE operations_before;",
    # All that lists are filtered and sorted by, in one index: a table's row holds some kilobytes besides.
    """
    DROP INDEX operations_by_age;
    DROP INDEX operations_by_strategy;
    CREATE INDEX operations_listed ON operations (
        created_at DESC, kind, state, strategy, symbol, ended_at, seconds, words
    );
    """,
    """
    CREATE TABLE promises (
        operation_id TEXT PRIMARY KEY, at REAL NOT NULL, low REAL NOT NULL, high REAL NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE watches (since REAL PRIMARY KEY, until REAL NOT NULL) STRICT, WITHOUT ROWID;
    """,
    "ALTER TABLE starts ADD COLUMN by_whom TEXT NOT NULL DEFAULT 'the panel';",
    """
    CREATE TABLE messages (
        id TEXT NOT NULL, channel TEXT NOT NULL, title TEXT NOT NULL, body TEXT NOT NULL, state TEXT NOT NULL,
        attempts INTEGER NOT NULL, made_at REAL NOT NULL, due_at REAL NOT NULL, problem TEXT NOT NULL,
        PRIMARY KEY (id, channel)
    ) STRICT;
    CREATE INDEX messages_waiting ON messages (channel, made_at) WHERE state = 'waiting';
    CREATE TABLE channels (id TEXT PRIMARY KEY, url TEXT NOT NULL, added_at REAL NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE notification_rules (rule TEXT PRIMARY KEY, is_on INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    """,
)


def migrate(db: sqlite3.Connection) -> None:
    """Bring a database of any earlier version of the panel to this one, wholly or not at all; one of a later
    version is refused and stays as it is. Another process that opens it at the same time waits."""
    db.execute("BEGIN IMMEDIATE")
    try:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > len(_STEPS):
            raise sqlite3.DatabaseError("a newer version of the panel wrote it")
        for step in _STEPS[version:]:
            if callable(step):
                step(db)
            else:
                for statement in filter(str.strip, step.split(";")):
                    db.execute(statement)
        db.execute(f"PRAGMA user_version = {len(_STEPS)}")
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")
