"""Problems of the panel's memory, and advice. Pure."""

GONE = "its file was deleted or replaced"
DAMAGED = ("malformed", "not a database", "disk image", "damaged")  # parts of SQLite's messages


def damaged(why: str) -> bool:
    return any(part in why for part in DAMAGED)


def damage(why: str) -> str:
    """The storage's message, where it tells of damage; "" for any other."""
    return why if damaged(why) else ""


def remedy(why: str) -> str:
    """What to do when nothing can be written; `why`: the storage's message."""
    if GONE in why:
        return (
            "Put the same file back, or restart the panel: it then goes on with what is there, and begins an empty "
            "memory where nothing does. `ktrdr-panel restore` brings a backup back."
        )
    if damaged(why):
        return (
            "Stop the panel. `ktrdr-panel restore` puts a backup in its place and keeps the damaged file; without a "
            "backup, move the file away and the panel begins with an empty memory."
        )
    return "Look whether its disk is full, or another program holds the file."
