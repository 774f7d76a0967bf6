"""Schedules and their runs."""

from typing import Any

from panel.domain.schedules import MAX_SCHEDULES, Schedule, ScheduleRun
from panel.storage.transactions import Part, as_json, at_once, durably, form_of

RUNS_KEPT = 100  # of each schedule

_COLUMNS = "key, kind, form, days, at, zone, active, next_at, made_at, actor"
_THERE = "deleted_at IS NULL"
_RUN = "schedule, due, entry, queued_at, missed, note"


class ScheduleStore(Part):
    def add(self, made: Schedule, digest: str = "") -> bool:
        """Once for each key, power cuts and deleted ones included; False when there are MAX_SCHEDULES already.
        `digest`: of the request."""
        when = (_days(made), made.at, made.zone, int(made.active), made.next_at)
        row = (made.key, made.kind, as_json(made.form), *when, made.made_at, made.actor, digest)
        with durably(self._db), at_once(self._db):
            if self.request(made.key) is None:
                if len(self.all()) >= MAX_SCHEDULES:
                    return False
                values = ", ".join("?" * len(row))
                self._db.execute(f"INSERT INTO schedules ({_COLUMNS}, digest) VALUES ({values})", row)
        return True

    def request(self, key: str) -> tuple[str, bool] | None:
        """The digest of the request that this key made a schedule with, and whether that was deleted since."""
        row = self._db.execute("SELECT digest, deleted_at FROM schedules WHERE key = ?", (key,)).fetchone()
        return (str(row[0]), row[1] is not None) if row else None

    def get(self, key: str) -> Schedule | None:
        row = self._db.execute(f"SELECT {_COLUMNS} FROM schedules WHERE key = ? AND {_THERE}", (key,)).fetchone()
        return _schedule(row) if row else None

    def all(self) -> list[Schedule]:
        """The newest first."""
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM schedules WHERE {_THERE} ORDER BY made_at DESC")
        return [_schedule(row) for row in rows]

    def due(self, now: float) -> list[Schedule]:
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM schedules WHERE active = 1 AND next_at <= ? ORDER BY next_at", (now,)
        )
        return [_schedule(row) for row in rows]

    def next_at(self) -> float | None:
        """When the first of all is due."""
        found = self._db.execute("SELECT min(next_at) FROM schedules WHERE active = 1").fetchone()[0]
        return None if found is None else float(found)

    def switch(self, key: str, next_at: float | None) -> None:
        """On, with its next run, or off: None."""
        self._db.execute(
            f"UPDATE schedules SET active = ?, next_at = ? WHERE key = ? AND {_THERE}",
            (next_at is not None, next_at, key),
        )

    def bring_forward(self, key: str, next_at: float | None, earlier: float) -> None:
        """An earlier next run; nothing when the schedule was changed in between."""
        self._db.execute("UPDATE schedules SET next_at = ? WHERE key = ? AND next_at = ?", (earlier, key, next_at))

    def change(self, changed: Schedule) -> None:
        """Other values of a schedule that is there; what it has run stays."""
        self._db.execute(
            "UPDATE schedules SET form = ?, days = ?, at = ?, zone = ?, next_at = ?"
            f" WHERE key = ? AND active = ? AND {_THERE}",
            (
                *(as_json(changed.form), _days(changed), changed.at, changed.zone, changed.next_at),
                *(changed.key, int(changed.active)),
            ),
        )

    def delete(self, key: str, at: float) -> None:
        """Its key stays for a while: a late repeat of its request does not make it again."""
        with at_once(self._db):
            self._db.execute(
                "UPDATE schedules SET active = 0, next_at = NULL, form = '{}', deleted_at = ?"
                f" WHERE key = ? AND {_THERE}",
                (at, key),
            )
            self._db.execute("DELETE FROM schedule_runs WHERE schedule = ?", (key,))

    def ran(self, run: ScheduleRun, next_at: float) -> None:
        """Write down a run and when the next one is due; nothing when it was deleted or switched off in between."""
        with at_once(self._db):
            moved = self._db.execute(
                "UPDATE schedules SET next_at = ? WHERE key = ? AND next_at = ?", (next_at, run.schedule, run.due)
            )
            if moved.rowcount:
                row = (run.schedule, run.due, run.entry, run.queued_at, run.missed, run.note)
                self._db.execute(f"INSERT OR IGNORE INTO schedule_runs ({_RUN}) VALUES (?, ?, ?, ?, ?, ?)", row)
                self._db.execute(
                    "DELETE FROM schedule_runs WHERE schedule = ? AND rowid <= (SELECT rowid FROM schedule_runs"
                    " WHERE schedule = ? ORDER BY rowid DESC LIMIT 1 OFFSET ?)",
                    (run.schedule, run.schedule, RUNS_KEPT),
                )

    def last_entry(self, key: str) -> str:
        """The key of what it has queued last, or ""; by a clock that was wrong that may have been due later."""
        row = self._db.execute(
            "SELECT entry FROM schedule_runs WHERE schedule = ? AND entry != '' ORDER BY rowid DESC LIMIT 1", (key,)
        ).fetchone()
        return str(row[0]) if row else ""

    def has_run(self, key: str, due: float) -> bool:
        """Whether the run of this moment was made, or left out."""
        found = self._db.execute("SELECT 1 FROM schedule_runs WHERE schedule = ? AND due = ?", (key, due))
        return found.fetchone() is not None

    def last_run(self, key: str) -> ScheduleRun | None:
        row = self._db.execute(
            f"SELECT {_RUN} FROM schedule_runs WHERE schedule = ? ORDER BY rowid DESC LIMIT 1", (key,)
        ).fetchone()
        return ScheduleRun(*row) if row else None


def _days(schedule: Schedule) -> str:
    """As they are stored: the digits of the days, 0 for Monday."""
    return "".join(map(str, sorted(schedule.days)))


def _schedule(row: tuple[Any, ...]) -> Schedule:
    key, kind, form, days, at, zone, active, *rest = row
    return Schedule(key, kind, form_of(form), frozenset(map(int, days)), at, zone, bool(active), *rest)
