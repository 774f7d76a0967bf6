"""Opens regular files only: follows no link, waits for no pipe. Also identifies a file's state."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from panel.files.values import Refused


@dataclass(frozen=True, slots=True)
class Stamp:
    """Which state of a file it is."""

    mtime: int
    size: int
    inode: int


def stamp(file: Path) -> Stamp | None:
    """None when there is no such file. Links are not followed."""
    try:
        status = file.lstat()
    except FileNotFoundError:
        return None
    return Stamp(status.st_mtime_ns, status.st_size, status.st_ino)


def opened(file: Path) -> BinaryIO:
    """For reading. Raises Refused for links, pipes and the like."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        handle = os.open(file, flags)
    except OSError as exc:
        if file.is_symlink():
            raise Refused("This is a link; only regular files are read.") from exc
        raise Refused(f"The file cannot be opened: {exc.strerror}.") from exc
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise Refused("This is not a regular file.")
    return os.fdopen(handle, "rb")


def regular(file: Path) -> bytes:
    """The bytes of a regular file. Raises Refused."""
    with opened(file) as source:
        return source.read()
