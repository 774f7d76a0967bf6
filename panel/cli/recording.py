"""What a command adds to the audit trail."""

import getpass
import os
import sqlite3
import time

from panel.domain.audit import AuditEntry, Outcome, plain
from panel.settings import Settings
from panel.storage.store import Storage


def entry(what: str, outcome: Outcome, subject: str = "", detail: str = "") -> AuditEntry:
    return AuditEntry(time.time(), _account(), "command line", "", what, plain(subject), outcome, plain(detail))


def record(settings: Settings, what: str, outcome: Outcome, subject: str, detail: str = "") -> str:
    """Why it could not be recorded; "" when it was."""
    try:
        store = Storage(settings.memory_file)
        try:
            store.audit.add([entry(what, outcome, subject, detail)])
        finally:
            store.close()
    except (sqlite3.Error, OSError) as exc:
        return str(exc)
    return ""


def _account() -> str:
    """Who runs the command line, which asks for no password."""
    try:
        return plain(getpass.getuser())
    except (KeyError, OSError, ImportError):
        return f"account {os.getuid()}" if hasattr(os, "getuid") else "unknown"
