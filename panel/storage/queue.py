"""The queue of starts, and plans that load and then train."""

import time
from collections.abc import Sequence
from typing import Any

from panel.adapters import DataLoadOperationAdapter, TrainingOperationAdapter
from panel.domain.queueing import MAX_ENTRIES
from panel.domain.requests import OPEN_ENTRIES, OPEN_PLANS, Entry, EntryState, Plan, PlanState, Request
from panel.storage.transactions import Part, as_json, at_once, durably, form_of, marks

MOVES_KEPT = 31 * 86_400.0  # seconds
REFUSED_SHOWN_FOR = 86_400.0  # seconds
ANSWERED_DIRECTLY = 4.0  # seconds after it was asked for, until which a form waits for the answer

_COLUMNS = "key, kind, form, state, operation_id, message, attempts, plan, asked_at, place, held, actor"
_ENTRY = f"SELECT {_COLUMNS} FROM queue"
_PLAN = "SELECT key, form, state, operation_id, message, asked_at FROM plans"


class QueueStore(Part):
    def add(self, requests: Sequence[Request], actor: str = "the panel") -> list[Entry] | None:
        """Entries at the end of the queue, once for each key: on disk, power cuts included. None, and nothing is added,
        when there would be more than MAX_ENTRIES open ones."""
        with durably(self._db), at_once(self._db):
            new = [request for request in requests if self.entry(request.key) is None]
            if new and self.count() + len(new) > MAX_ENTRIES:
                return None
            for request in new:
                self._insert(request.key, request.kind, request.form, actor)
        return [entry for request in requests if (entry := self.entry(request.key)) is not None]

    def _insert(self, key: str, kind: str, form: dict[str, str], actor: str, plan: str = "") -> None:
        now = time.time()
        (last,) = self._db.execute("SELECT coalesce(max(place), 0.0) FROM queue").fetchone()
        row = (key, kind, as_json(form), EntryState.WAITING, None, "", 0, plan, now, max(now, last + 0.001), 0, actor)
        self._db.execute(f"INSERT OR IGNORE INTO queue ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def entry(self, key: str) -> Entry | None:
        row = self._db.execute(f"{_ENTRY} WHERE key = ?", (key,)).fetchone()
        return _entry(row) if row else None

    def open(self, kind: str = "") -> list[Entry]:
        """Entries that wait or run, the first first; of one kind, or of all."""
        which = f"state IN ({marks(OPEN_ENTRIES)}) AND (? = '' OR kind = ?)"
        rows = self._db.execute(f"{_ENTRY} WHERE {which} ORDER BY place", (*OPEN_ENTRIES, kind, kind))
        return [_entry(row) for row in rows]

    def count(self) -> int:
        """Open entries."""
        counted = f"SELECT count(*) FROM queue WHERE state IN ({marks(OPEN_ENTRIES)})"
        return int(self._db.execute(counted, OPEN_ENTRIES).fetchone()[0])

    def of_plan(self, plan: str) -> list[Entry]:
        return [_entry(row) for row in self._db.execute(f"{_ENTRY} WHERE plan = ? ORDER BY place", (plan,))]

    def settle(self, key: str, state: EntryState, message: str = "", operation_id: str | None = None) -> bool:
        """Write down how far it is, unless it has ended, or was removed, in between: then False."""
        if not self._settle("queue", OPEN_ENTRIES, key, state, message, operation_id):
            return False
        self._db.execute("UPDATE queue SET settled_at = ? WHERE key = ?", (time.time(), key))
        return True

    def refused_late(self, now: float) -> list[Entry]:
        """Those of the last day that waited and then could not start, the latest first: neither a form nor a plan
        has shown them."""
        which = "state = ? AND plan = '' AND settled_at > ? AND settled_at > asked_at + ?"
        query = f"{_ENTRY} WHERE {which} ORDER BY settled_at DESC LIMIT 20"
        return [
            _entry(row)
            for row in self._db.execute(query, (EntryState.REFUSED, now - REFUSED_SHOWN_FOR, ANSWERED_DIRECTLY))
        ]

    def refused(self, kind: str, since: float) -> list[Entry]:
        """Of one kind, asked for since then, the latest first."""
        query = f"{_ENTRY} WHERE state = ? AND kind = ? AND asked_at > ? ORDER BY asked_at DESC LIMIT 50"
        return [_entry(row) for row in self._db.execute(query, (EntryState.REFUSED, kind, since))]

    def begin(self, key: str) -> bool:
        """It is being started; False when it was removed, or held, in between."""
        done = self._db.execute(
            "UPDATE queue SET state = ? WHERE key = ? AND state = ? AND held = 0",
            (EntryState.STARTING, key, EntryState.WAITING),
        )
        return done.rowcount == 1

    def withdraw(self, key: str, operation_id: str | None) -> bool:
        """It is cancelled, unless it has ended, or begun another operation than this one, in between: then False."""
        done = self._db.execute(
            f"UPDATE queue SET state = ?, message = '' WHERE key = ? AND state IN ({marks(OPEN_ENTRIES)})"
            " AND operation_id IS ?",
            (EntryState.CANCELLED, key, *OPEN_ENTRIES, operation_id),
        )
        return done.rowcount == 1

    def _settle(
        self, table: str, unfinished: Sequence[str], key: str, state: str, message: str, operation_id: str | None
    ) -> bool:
        done = self._db.execute(
            f"UPDATE {table} SET state = ?, message = ?, operation_id = coalesce(?, operation_id) "
            f"WHERE key = ? AND state IN ({marks(unfinished)})",
            (state, message, operation_id, key, *unfinished),
        )
        return done.rowcount == 1

    def next_attempt(self, key: str) -> None:
        """The backend did not take it, and it goes on waiting."""
        self._db.execute(
            "UPDATE queue SET attempts = attempts + 1, state = ?, message = '' WHERE key = ? AND state = ?",
            (EntryState.WAITING, key, EntryState.STARTING),
        )

    def hold(self, key: str, held: bool) -> None:
        self._db.execute("UPDATE queue SET held = ? WHERE key = ? AND state = ?", (int(held), key, EntryState.WAITING))

    def move(self, key: str, where: str, once: str = "") -> None:
        """A waiting entry one place "up" or "down" among those that wait, or to the "top"; once for each `once`."""
        with at_once(self._db):
            now = time.time()
            self._db.execute("DELETE FROM queue_moves WHERE at < ?", (now - MOVES_KEPT,))
            if once and not self._db.execute("INSERT OR IGNORE INTO queue_moves VALUES (?, ?)", (once, now)).rowcount:
                return
            waiting = self._db.execute(
                "SELECT key, place FROM queue WHERE state = ? ORDER BY place", (EntryState.WAITING,)
            ).fetchall()
            at = next((at for at, (other, _) in enumerate(waiting) if other == key), None)
            if at is None:
                return
            to = {"up": at - 1, "down": at + 1, "top": 0}[where]
            if where == "top" and at > 0:
                self._db.execute("UPDATE queue SET place = ? WHERE key = ?", (waiting[0][1] - 1.0, key))
            elif 0 <= to < len(waiting):
                for moved, place in ((key, waiting[to][1]), (waiting[to][0], waiting[at][1])):
                    self._db.execute("UPDATE queue SET place = ? WHERE key = ?", (place, moved))

    def mark_withdrawn(self, key: str, operation_id: str) -> None:
        self._db.execute(
            "UPDATE queue SET operation_id = ? WHERE key = ? AND state = ?", (operation_id, key, EntryState.CANCELLED)
        )

    def add_plan(self, key: str, form: dict[str, str], loads: list[dict[str, str]], actor: str) -> Plan | None:
        """A plan with its loads, once for each key. None when the queue is full."""
        row = (key, as_json(form), PlanState.WAITING, None, "", time.time())
        with durably(self._db), at_once(self._db):
            if self.plan(key) is None:
                if self.count() + len(loads) > MAX_ENTRIES:
                    return None
                columns = "key, form, state, operation_id, message, asked_at"
                self._db.execute(f"INSERT INTO plans ({columns}) VALUES (?, ?, ?, ?, ?, ?)", row)
                for number, load in enumerate(loads):
                    self._insert(f"{key}-load-{number}", DataLoadOperationAdapter.kind, load, actor, key)
        return self.plan(key)

    def train(self, plan: Plan) -> None:
        """Put the plan's training into the queue, once, unless the plan was cancelled in between."""
        with durably(self._db), at_once(self._db):
            if self.settle_plan(plan.key, PlanState.STARTING):
                self._insert(f"{plan.key}-train", TrainingOperationAdapter.kind, plan.form, "the panel", plan.key)

    def plan(self, key: str) -> Plan | None:
        row = self._db.execute(f"{_PLAN} WHERE key = ?", (key,)).fetchone()
        return _plan(row) if row else None

    def open_plans(self) -> list[Plan]:
        rows = self._db.execute(f"{_PLAN} WHERE state IN ({marks(OPEN_PLANS)}) ORDER BY asked_at", OPEN_PLANS)
        return [_plan(row) for row in rows]

    def shown_plans(self, since: float) -> list[Plan]:
        """Plans that are under way, and those that stopped since then: the newest first."""
        rows = self._db.execute(
            f"{_PLAN} WHERE state IN ({marks(OPEN_PLANS)}) OR (state = ? AND asked_at > ?)"
            " ORDER BY asked_at DESC LIMIT 20",
            (*OPEN_PLANS, PlanState.STOPPED, since),
        )
        return [_plan(row) for row in rows]

    def settle_plan(self, key: str, state: PlanState, message: str = "", operation_id: str | None = None) -> bool:
        """As `settle`."""
        return self._settle("plans", OPEN_PLANS, key, state, message, operation_id)

    def cancel_plan(self, key: str) -> None:
        """With what waits of it, unless it has ended: nothing more of it begins, also after a kill."""
        with at_once(self._db):
            if self.settle_plan(key, PlanState.CANCELLED):
                waiting = "UPDATE queue SET state = ? WHERE plan = ? AND state = ?"
                self._db.execute(waiting, (EntryState.CANCELLED, key, EntryState.WAITING))

    def unwanted(self) -> list[Entry]:
        """Open entries of cancelled plans."""
        cancelled = "plan IN (SELECT key FROM plans WHERE state = ?)"
        query = f"{_ENTRY} WHERE state IN ({marks(OPEN_ENTRIES)}) AND plan != '' AND {cancelled} ORDER BY place"
        return [_entry(row) for row in self._db.execute(query, (*OPEN_ENTRIES, PlanState.CANCELLED))]


def _entry(row: tuple[Any, ...]) -> Entry:
    key, kind, form, state, *rest = row
    rest[6] = bool(rest[6])  # held
    return Entry(key, kind, form_of(form), EntryState(state), *rest)


def _plan(row: tuple[Any, ...]) -> Plan:
    key, form, state, *rest = row
    return Plan(key, form_of(form), PlanState(state), *rest)
