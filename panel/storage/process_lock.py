"""A lock that one process at a time holds, of all that share a folder: panels and command lines."""

from pathlib import Path

from filelock import FileLock

from panel.files import private


def process_lock(memory: Path) -> FileLock:
    """Whose turn it is to start a data load, among the users of a memory file. The kernel releases it with its process.
    `with` raises filelock.Timeout at once when another process has it, and OSError when its folder is not writable."""
    # Without flock it refuses: the marker file that filelock would make instead outlives a kill.
    return FileLock(memory.with_suffix(".turn"), timeout=0, mode=private.FILE, fallback_to_soft=False)
