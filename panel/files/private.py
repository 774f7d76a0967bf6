"""Folders and files that only their user may read: they hold the audit trail, and addresses of channels."""

import os
from pathlib import Path

FOLDER, FILE = 0o700, 0o600


def make_folder(folder: Path) -> None:
    """Create the missing parts of it, for this user only. Raises OSError."""
    for each in reversed([folder, *folder.parents]):
        if not each.exists():
            each.mkdir(mode=FOLDER, exist_ok=True)


def make_file(file: Path) -> None:
    """An empty file, unless there is one: then it is closed to others, if it is this user's. Raises OSError."""
    make_folder(file.parent)
    file.touch(mode=FILE)
    if hasattr(os, "geteuid") and (status := file.stat()).st_uid == os.geteuid() and status.st_mode & 0o077:
        file.chmod(FILE)


def opener(file: str, flags: int) -> int:
    """For `open`: a file that it makes is this user's only."""
    return os.open(file, flags, FILE)
