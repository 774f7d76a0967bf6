"""A lock that one process at a time holds, of all that share a folder: panels and command lines.

The lock is SQLite's own on an empty file, because it works alike on every system and is gone with the process
that held it, however that ended.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from panel.files import private


class ProcessLock:
    """Whose turn it is to start a data load. `memory` is the file whose users take turns. Raises sqlite3.Error
    or OSError when its folder is not writable."""

    def __init__(self, memory: Path) -> None:
        self._path = memory.with_suffix(".turn")
        private.make_folder(memory.parent)

    @contextmanager
    def taken(self) -> Iterator[bool]:
        """Whether it is ours until the end of the block; False at once when somebody else has it."""
        private.make_file(self._path)
        db = sqlite3.connect(self._path, isolation_level=None, timeout=0)
        try:
            try:
                db.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError as exc:
                if "locked" not in str(exc):
                    raise
                yield False
            else:
                yield True
        finally:
            db.close()
