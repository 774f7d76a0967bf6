"""How runs went over time: their pace, what was promised of them, and when a panel watched at all."""

import sqlite3

from panel.domain.estimate import Earlier, Promise
from panel.domain.snapshot import Snapshot
from panel.domain.values import number

_SAME = "kind = ? AND strategy = ? AND symbol = ? AND timeframe = ?"


class EstimateStore:
    """The part of the store that estimates are made from; over the store's own connection."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def pace(self, operation_id: str, points: int = 200) -> list[tuple[float, float]]:
        """(when, percentage) while it ran, of about so many of its readings, evenly over its time; since it was
        resumed, if it was."""
        begun = "SELECT max(at) FROM readings WHERE operation_id = ?1 AND state IN ('cancelled', 'failed', 'starting')"
        running = f"FROM readings WHERE operation_id = ?1 AND state = 'running' AND at > coalesce(({begun}), 0)"
        first, last = self._db.execute(f"SELECT min(at), max(at) {running}", (operation_id,)).fetchone()
        if first is None:
            return []
        width = max((last - first) / points, 1e-3)
        # min(at) makes SQLite take the percentage from that same row.
        rows = self._db.execute(
            f"SELECT min(at), percentage {running} GROUP BY cast((at - ?2) / ?3 AS INTEGER) ORDER BY 1",
            (operation_id, first, width),
        )
        return [(at, percentage) for at, percentage in rows]

    def earlier(self, snapshot: Snapshot, limit: int = 20) -> list[Earlier]:
        """Completed runs of the same thing, the newest first."""
        rows = self._db.execute(
            "SELECT seconds, json_extract(evidence, '$.snapshot.result.training_metrics.epochs_trained'),"
            " json_extract(evidence, '$.snapshot.steps_total') FROM operations"
            f" WHERE state = 'completed' AND seconds > 0 AND id != ? AND {_SAME} ORDER BY created_at DESC LIMIT ?",
            (snapshot.id, *_same(snapshot), limit),
        )
        return [
            Earlier(seconds, min((number(done) or 0) / total, 1.0) if number(done) and total else 1.0)
            for seconds, done, total in rows
        ]

    def promise(self, operation_id: str, at: float, low: float, high: float) -> None:
        """Write down the first estimate of a run; later ones are not kept."""
        self._db.execute(
            "INSERT OR IGNORE INTO promises (operation_id, at, low, high) VALUES (?, ?, ?, ?)",
            (operation_id, at, low, high),
        )

    def promised(self, operation_id: str) -> bool:
        return bool(self._db.execute("SELECT 1 FROM promises WHERE operation_id = ?", (operation_id,)).fetchone())

    def promises(self, snapshot: Snapshot, limit: int = 20) -> list[Promise]:
        """First estimates of completed runs of the same thing, and how long those then took."""
        rows = self._db.execute(
            "SELECT low, high, ended_at - at FROM promises JOIN operations ON operation_id = id"
            f" WHERE state = 'completed' AND ended_at > at AND {_SAME} ORDER BY at DESC LIMIT ?",
            (*_same(snapshot), limit),
        )
        return [Promise(*row) for row in rows]

    def awake(self, since: float, now: float) -> None:
        """The panel that began at `since` still watches."""
        self._db.execute("INSERT OR REPLACE INTO watches (since, until) VALUES (?, ?)", (since, now))

    def absences(self, since: float, until: float) -> list[tuple[float, float]]:
        """The times in between in which no panel watched, as far as that is known."""
        rows = self._db.execute("SELECT until, lead(since) OVER (ORDER BY since) FROM watches ORDER BY since")
        return [(max(end, since), min(begin, until)) for end, begin in rows if begin and end < until and begin > since]


def _same(snapshot: Snapshot) -> tuple[str, str, str, str]:
    return snapshot.kind, snapshot.strategy, snapshot.symbol, snapshot.timeframe
