"""What is dropped because it is old, by days that the panel has seen: one wrong reading of the clock deletes nothing.

A clock that is years ahead once makes one or two wrong days, which are struck out when it is right again.
"""

import sqlite3

DAY = 86_400
BELIEVED = 3  # latest days on which the panel ran, of which the earliest is taken for the time now
KEPT_DAYS = 30
MAX_DROPPED = 5000  # operations that are dropped in one hour, whatever the clock says
KEPT_WATCHES = KEPT_BULK = KEPT_DELETED = 90.0 * DAY  # seconds


def note_day(db: sqlite3.Connection, now: float) -> None:
    """The panel runs on this day. Days after it were a wrong clock's."""
    today = int(now // DAY)
    db.execute("DELETE FROM days WHERE day > ?", (today,))
    db.execute("INSERT OR IGNORE INTO days (day) VALUES (?)", (today,))
    db.execute("DELETE FROM days WHERE day NOT IN (SELECT day FROM days ORDER BY day DESC LIMIT ?)", (KEPT_DAYS,))


def believed_now(db: sqlite3.Connection) -> float | None:
    """A time (Unix seconds) that is not later than now even when the clock is wrong today; None while too few days were
    seen."""
    row = db.execute("SELECT day FROM days ORDER BY day DESC LIMIT 1 OFFSET ?", (BELIEVED - 1,)).fetchone()
    return float(row[0] * DAY) if row else None


def drop_outdated(db: sqlite3.Connection, now: float) -> None:
    db.execute("DELETE FROM watches WHERE until < ?", (now - KEPT_WATCHES,))
    db.execute("DELETE FROM bulk WHERE made_at < ?", (now - KEPT_BULK,))
    db.execute("DELETE FROM schedules WHERE deleted_at < ?", (now - KEPT_DELETED,))
