"""The queue of data loads, and plans that load and then train."""

import sqlite3
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from panel.domain.requests import OPEN_LOADS, OPEN_PLANS, Load, LoadState, Plan, PlanState
from panel.storage.transactions import at_once, durably, marks

_LOAD = "SELECT key, form, state, operation_id, message, attempts, plan, asked_at FROM loads"
_PLAN = "SELECT key, form, state, operation_id, message, asked_at FROM plans"


class QueueStore:
    """The part of the store that is about loads and plans; over the store's own connection."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def add_load(self, key: str, form: dict[str, str], plan: str = "") -> Load:
        """A load at the end of the queue, once for each key: on disk, power cuts included."""
        with durably(self._db):
            self._insert_load(key, form, plan)
        found = self.load(key)
        assert found is not None  # noqa: S101  it was just written, or was there before
        return found

    def _insert_load(self, key: str, form: dict[str, str], plan: str) -> None:
        row = (key, msgspec.json.encode(form).decode(), LoadState.WAITING, None, "", 0, plan, time.time())
        self._db.execute(
            "INSERT OR IGNORE INTO loads (key, form, state, operation_id, message, attempts, plan, asked_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        )

    def load(self, key: str) -> Load | None:
        row = self._db.execute(f"{_LOAD} WHERE key = ?", (key,)).fetchone()
        return _load(row) if row else None

    def open_loads(self) -> list[Load]:
        """The queue, its first first."""
        rows = self._db.execute(f"{_LOAD} WHERE state IN ({marks(OPEN_LOADS)}) ORDER BY asked_at", OPEN_LOADS)
        return [_load(row) for row in rows]

    def loads_of(self, plan: str) -> list[Load]:
        return [_load(row) for row in self._db.execute(f"{_LOAD} WHERE plan = ? ORDER BY asked_at", (plan,))]

    def settle_load(self, key: str, state: LoadState, message: str = "", operation_id: str | None = None) -> bool:
        """Write down how far it is, unless it has ended, or was removed, in between: then False."""
        return self._settle("loads", OPEN_LOADS, key, state, message, operation_id)

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
        self._db.execute(
            "UPDATE loads SET attempts = attempts + 1, state = ? WHERE key = ? AND state = ?",
            (LoadState.WAITING, key, LoadState.STARTING),
        )

    def mark_withdrawn(self, key: str, operation_id: str) -> None:
        for table, cancelled in (("loads", LoadState.CANCELLED), ("plans", PlanState.CANCELLED)):
            self._db.execute(
                f"UPDATE {table} SET operation_id = ? WHERE key = ? AND state = ?", (operation_id, key, cancelled)
            )

    def add_plan(self, key: str, form: dict[str, str], loads: list[dict[str, str]]) -> Plan:
        """A plan with its loads, once for each key."""
        row = (key, msgspec.json.encode(form).decode(), PlanState.WAITING, None, "", time.time())
        with durably(self._db), at_once(self._db):
            columns = "key, form, state, operation_id, message, asked_at"
            if self._db.execute(f"INSERT OR IGNORE INTO plans ({columns}) VALUES (?, ?, ?, ?, ?, ?)", row).rowcount:
                for number, load in enumerate(loads):
                    self._insert_load(f"{key}-load-{number}", load, key)
        found = self.plan(key)
        assert found is not None  # noqa: S101
        return found

    def plan(self, key: str) -> Plan | None:
        row = self._db.execute(f"{_PLAN} WHERE key = ?", (key,)).fetchone()
        return _plan(row) if row else None

    def open_plans(self) -> list[Plan]:
        rows = self._db.execute(f"{_PLAN} WHERE state IN ({marks(OPEN_PLANS)}) ORDER BY asked_at", OPEN_PLANS)
        return [_plan(row) for row in rows]

    def told_plans(self, since: float) -> list[Plan]:
        """Plans that are under way, and those that stopped since then: the newest first."""
        rows = self._db.execute(
            f"{_PLAN} WHERE state IN ({marks(OPEN_PLANS)}) OR (state = ? AND asked_at > ?)"
            " ORDER BY asked_at DESC LIMIT 20",
            (*OPEN_PLANS, PlanState.STOPPED, since),
        )
        return [_plan(row) for row in rows]

    def settle_plan(self, key: str, state: PlanState, message: str = "", operation_id: str | None = None) -> bool:
        """As `settle_load`."""
        return self._settle("plans", OPEN_PLANS, key, state, message, operation_id)


def _load(row: tuple[Any, ...]) -> Load:
    key, form, state, *rest = row
    return Load(key, msgspec.json.decode(form), LoadState(state), *rest)


def _plan(row: tuple[Any, ...]) -> Plan:
    key, form, state, *rest = row
    return Plan(key, msgspec.json.decode(form), PlanState(state), *rest)
