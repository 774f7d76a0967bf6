"""Whether a database is sound, by SQLite's own check of every page."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

AT_START = 1.0  # seconds that the look may take before a panel starts


def damage(path: Path, seconds: float | None = None) -> str:
    """What is damaged, in SQLite's words; "" for nothing that was found, within so many seconds if any are given.
    Raises sqlite3.OperationalError when the file cannot be opened or stays locked."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as db:
        until = None if seconds is None else time.monotonic() + seconds
        if until is not None:
            db.set_progress_handler(lambda: time.monotonic() > until, 10_000)
        try:
            found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.OperationalError as exc:
            if "interrupt" in str(exc):
                return ""
            raise
        except sqlite3.DatabaseError as exc:
            return str(exc)
    return "" if found == "ok" else "the file is damaged: " + " ".join(found.split())[:200]
