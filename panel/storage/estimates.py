"""The pace of runs, their first estimates, and when a panel watched."""

import sqlite3
from statistics import median

from panel.domain.estimate import Break, Earlier, Promise
from panel.domain.history import OperationQuery
from panel.domain.snapshot import Snapshot
from panel.domain.state import GOOD
from panel.domain.values import mapping, number
from panel.storage.finding import Finder
from panel.storage.packing import unpack
from panel.storage.transactions import Part, as_json


class EstimateStore(Part):
    def __init__(self, db: sqlite3.Connection) -> None:
        super().__init__(db)
        self._finder = Finder(db)

    def pace(self, operation_id: str, points: int = 200) -> list[tuple[float, float]]:
        """(when, percentage) while it ran, of about so many of its readings, evenly over its time; since it was
        resumed, if it was."""
        asked = (operation_id, self._restarted(operation_id))
        running = "FROM readings WHERE operation_id = ?1 AND state = 'running' AND at > ?2"
        first, last = self._db.execute(f"SELECT min(at), max(at) {running}", asked).fetchone()
        if first is None:
            return []
        width = max((last - first) / points, 1e-3)
        # min(at) makes SQLite take the percentage from that same row.
        rows = self._db.execute(
            f"SELECT min(at), percentage {running} GROUP BY cast((at - ?3) / ?4 AS INTEGER) ORDER BY 1",
            (*asked, first, width),
        )
        return [(at, percentage) for at, percentage in rows]

    def breaks(self, operation_id: str) -> list[Break]:
        """The readings around each time in which nothing was heard of it while it ran, or its worker did not answer:
        whether it worked in between is not known."""
        restarted = self._restarted(operation_id)
        silent = "SELECT at FROM readings WHERE operation_id = ? AND state IN ('silent', 'lost') AND at > ? ORDER BY at"
        ran = "SELECT at, percentage FROM readings WHERE operation_id = ? AND state = 'running'"
        found: list[Break] = []
        for (at,) in self._db.execute(silent, (operation_id, restarted)).fetchall():
            if found and at < found[-1][1][0]:
                continue
            earlier = f"{ran} AND at > ? AND at < ? ORDER BY at DESC LIMIT 1"
            before = self._db.execute(earlier, (operation_id, restarted, at)).fetchone()
            after = self._db.execute(f"{ran} AND at > ? ORDER BY at LIMIT 1", (operation_id, at)).fetchone()
            if after is None:
                break
            if before is not None:
                found.append((before, after))
        return found

    def _restarted(self, operation_id: str) -> float:
        """When it was last resumed, if it was: its pace begins there."""
        ended = "SELECT max(at) FROM readings WHERE operation_id = ? AND state IN ('cancelled', 'failed', 'starting')"
        return self._db.execute(ended, (operation_id,)).fetchone()[0] or 0.0

    def earlier(self, snapshot: Snapshot, limit: int = 20) -> list[Earlier]:
        """Completed runs of the same thing, the newest first."""
        rows = self._db.execute(
            "SELECT listing.seconds, packed, evidence FROM json_each(?) AS asked"
            " CROSS JOIN listing ON listing.number = asked.value CROSS JOIN operations ON operations.id = listing.id"
            " WHERE listing.seconds > 0 AND listing.id != ? ORDER BY asked.key LIMIT ?",
            (self._completed(snapshot, limit + 1), snapshot.id, limit),
        )
        return [Earlier(seconds, _share_done(unpack(*stored).snapshot)) for seconds, *stored in rows]

    def typical(self, kind: str, strategy: str) -> float | None:
        """Seconds that a run of this kind and strategy takes, by the last ones that completed; None without any."""
        rows = self._db.execute(
            "SELECT seconds FROM operations WHERE state = 'completed' AND seconds > 0 AND kind = ? AND strategy = ?"
            " ORDER BY created_at DESC LIMIT 10",
            (kind, strategy),
        ).fetchall()
        return median(row[0] for row in rows) if rows else None

    def promise(self, operation_id: str, at: float, low: float, high: float) -> None:
        """Store the first estimate of a run; later ones are not kept."""
        self._db.execute(
            "INSERT OR IGNORE INTO promises (operation_id, at, low, high) VALUES (?, ?, ?, ?)",
            (operation_id, at, low, high),
        )

    def promised(self, operation_id: str) -> bool:
        return bool(self._db.execute("SELECT 1 FROM promises WHERE operation_id = ?", (operation_id,)).fetchone())

    def promises(self, snapshot: Snapshot, limit: int = 20) -> list[Promise]:
        """First estimates of completed runs of the same thing, and how long those then took."""
        rows = self._db.execute(
            "SELECT low, high, ended_at - at FROM json_each(?) AS asked CROSS JOIN listing ON number = asked.value"
            " CROSS JOIN promises ON operation_id = listing.id WHERE ended_at > at ORDER BY asked.key",
            (self._completed(snapshot, limit),),
        )
        return [Promise(*row) for row in rows]

    def _completed(self, snapshot: Snapshot, limit: int) -> str:
        """The numbers of the latest completed runs of the same thing, as JSON."""
        same = (snapshot.strategy, snapshot.symbol, snapshot.timeframe)
        return as_json(self._finder.page(OperationQuery(snapshot.kind, GOOD, *same, archived=None, limit=limit)))

    def note_watch(self, since: float, now: float) -> None:
        """The panel that began at `since` still watches."""
        self._db.execute("INSERT OR REPLACE INTO watches (since, until) VALUES (?, ?)", (since, now))

    def absences(self, since: float, until: float) -> list[tuple[float, float]]:
        """The times in between in which no panel watched, as far as that is known."""
        rows = self._db.execute("SELECT until, lead(since) OVER (ORDER BY since) FROM watches ORDER BY since")
        return [(max(end, since), min(begin, until)) for end, begin in rows if begin and end < until and begin > since]


def _share_done(snapshot: Snapshot) -> float:
    """0 to 1: less where a training was stopped early."""
    training = mapping((snapshot.result or {}).get("training_metrics"))
    done = number(training.get("epochs_trained"))
    return min((done or 0) / snapshot.steps_total, 1.0) if done is not None and snapshot.steps_total else 1.0
