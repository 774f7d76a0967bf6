"""Opens the memory's file: for its owner only, in WAL mode, and brought to this version's schema."""

import sqlite3
import time
from pathlib import Path

from panel.files import private
from panel.storage.schema import migrate


def open_database(path: Path, lock_timeout: float) -> sqlite3.Connection:
    """`lock_timeout`: seconds that a later statement waits for another program's lock."""
    private.make_file(path)
    db = sqlite3.connect(path, isolation_level=None, timeout=10)
    try:
        db.execute("PRAGMA busy_timeout = 10000")
        _write_ahead(db)
        db.execute("PRAGMA synchronous = NORMAL")
        migrate(db)
        db.execute(f"PRAGMA busy_timeout = {round(lock_timeout * 1000)}")
    except BaseException:
        db.close()
        raise
    return db


def _write_ahead(db: sqlite3.Connection) -> None:
    """SQLite does not wait for a lock here, as it does everywhere else: others may be opening the file too."""
    for _ in range(100):
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as exc:
            if "locked" not in str(exc):
                raise
            time.sleep(0.05)
        else:
            return
    raise sqlite3.OperationalError("The panel's memory stays locked by another program.")
