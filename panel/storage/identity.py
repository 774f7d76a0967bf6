"""Whether a database's file is still the one that was opened.

SQLite goes on with a file that was deleted or replaced under it: what is written then is nowhere any more.
"""

import os
import sqlite3
from pathlib import Path

from panel.domain.memory import GONE

Identity = tuple[tuple[int, int] | None, ...]


class FileGone(sqlite3.OperationalError):
    """The file, or its write-ahead log, is not where it was."""


def identity(path: Path) -> Identity:
    """(device, inode) of the database and of its write-ahead log, None for one that is not there."""
    return tuple(_one(path.with_name(path.name + end)) for end in ("", "-wal"))


def _one(file: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def expect(path: Path, opened: Identity) -> None:
    """Raises FileGone when it is another file than the one that was opened."""
    if identity(path) != opened:
        raise FileGone(GONE)
