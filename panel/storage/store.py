"""The panel's memory in one SQLite file: operations (`memory`), the queue (`queue`), the audit trail (`audit`), and
here starts and ranges.

The backend forgets operations when it restarts, and some as soon as they finish; the panel does not. A
start's intent is on disk before its POST leaves, so that a panel that dies in between knows afterwards
that it may have started something.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from panel.domain.gaps import Gap, Range
from panel.domain.kinds import traits_of
from panel.domain.observation import Observation
from panel.domain.queueing import SETTLED
from panel.domain.requests import UNSETTLED, EntryState, Start, StartState
from panel.domain.state import Verdict
from panel.storage import identity, presence, retention
from panel.storage.audit import AuditStore
from panel.storage.batches import BatchStore
from panel.storage.bulk import BulkStore
from panel.storage.estimates import EstimateStore
from panel.storage.labels import LabelStore
from panel.storage.opening import open_database
from panel.storage.operations import OperationStore
from panel.storage.outbox import Outbox
from panel.storage.queue import QueueStore
from panel.storage.schedules import ScheduleStore
from panel.storage.transactions import as_json, at_once, durably, form_of, marks
from panel.storage.writer import Writer

IN_FLIGHT = 60.0  # seconds in which a start that was not answered may still reach the backend
# Of one that lies ahead of the clock, which was set back, it is not known when it was sent: within these seconds it
# counts as just sent, as a clock is often put right by a few; further ahead it says nothing about now.

_START = (
    "SELECT starts.key, starts.kind, starts.form, starts.state, starts.operation_id, starts.message, starts.asked_at,"
    " starts.actor, starts.owner, starts.attempt FROM starts"
)

_NOTHING = (StartState.REFUSED, StartState.UNSENT)  # states of starts that have begun nothing, and will not

T = TypeVar("T")

log = logging.getLogger(__name__)


WRITE_LOCK_TIMEOUT = 2.0  # seconds that a write on the writer's thread waits for another program's lock
BATCH = 200  # operations that are dropped in one transaction


class Storage:
    """One file; `memory` is its part about operations. Every method is synchronous, over one connection and from one
    thread; in WAL mode a reader waits for no writer. `write` runs one of them on the writer's thread, over a
    connection of its own. The panel and command lines may share the file. Raises sqlite3.Error or OSError when the
    folder is not writable."""

    def __init__(self, path: Path, lock_timeout: float = 10.0) -> None:
        """`lock_timeout`: seconds that a later statement waits for a lock which another program holds."""
        self.path = path
        self._presence = presence.enter(path)
        try:
            self._db = open_database(path, lock_timeout)
        except BaseException:
            self._presence.close()
            raise
        self.memory = OperationStore(self._db)
        self.labels = LabelStore(self._db)
        self.estimates = EstimateStore(self._db)
        self.outbox = Outbox(self._db)
        self.audit = AuditStore(self._db)
        self.queue = QueueStore(self._db)
        self.batches = BatchStore(self._db)
        self.bulk = BulkStore(self._db)
        self.schedules = ScheduleStore(self._db)
        self._opened = identity.identity(path)
        self._writer = Writer(self._for_writing, Storage.close)

    def close(self) -> None:
        self._writer.close()
        self._db.close()
        self._presence.close()

    def only_read(self) -> None:
        """From now on a write over this connection fails: it would wait on the event loop. `write` has another one."""
        self._db.execute("PRAGMA query_only = 1")

    async def write(self, action: Callable[["Storage"], T]) -> T:
        """What the action returns, committed and on disk as far as the action promises. Raises sqlite3.Error, and
        FileGone when the file is not the one that was opened: before the action, or after it, which then counts for
        nothing."""
        return await self._writer.write(lambda store: self._in_place(store, action))

    def _for_writing(self) -> "Storage":
        identity.expect(self.path, self._opened)  # a missing file would be created
        return Storage(self.path, WRITE_LOCK_TIMEOUT)

    def _in_place(self, store: "Storage", action: Callable[["Storage"], T]) -> T:
        identity.expect(self.path, self._opened)
        done = action(store)
        identity.expect(self.path, self._opened)
        return done

    def remember(self, entries: Sequence[tuple[Observation, Verdict, float]]) -> None:
        """All of these observations, in one transaction."""
        try:
            with at_once(self._db):
                for entry in entries:
                    self.memory.remember(*entry)
        except BaseException:
            self.memory.rolled_back()
            raise

    async def keep(self, days: int) -> None:
        """Drop what was deleted, and what ended longer ago than so many days, now and every hour; runs until
        cancelled."""
        while True:
            if dropped := await self.drop_old(days):
                log.info("forgot %d operations that ended more than %d days ago", dropped, days)
            await asyncio.sleep(3600)

    async def drop_old(self, days: int) -> int:
        """How many operations were dropped: a bounded number, and none for one wrong reading of the clock."""
        now, dropped = await self.write(lambda store: store.day_seen(time.time())), 0
        while now is not None and await self.write(lambda store: store.purge(now)) > 0:
            pass
        if now is not None:
            await self.write(lambda store: store.batches.drop_deleted(now))
        if now is not None and days:
            before = now - days * 86_400
            while dropped < retention.MAX_DROPPED and (batch := await self.write(lambda store: store.drop(before))):
                dropped += batch
        return dropped

    def day_seen(self, now: float) -> float | None:
        """Note that the panel runs on this day; returns the time that retention may believe."""
        with at_once(self._db):
            retention.note_day(self._db, now)
            believed = retention.believed_now(self._db)
            if believed is not None:
                retention.drop_outdated(self._db, believed)
            return believed

    def drop(self, before: float) -> int:
        """Forget some operations that ended before then; returns how many."""
        with at_once(self._db):
            return self.memory.forget(before, BATCH)

    def purge(self, now: float) -> int:
        """Drop some of what was deleted and cannot be brought back any more; returns how many operations."""
        with at_once(self._db):
            return self.memory.drop(self.labels.expired(now, BATCH))

    def write_problem(self) -> str:
        """Why nothing can be written down now; "" when it can, which was tried."""
        try:
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            self._db.execute(f"PRAGMA user_version = {version}")
        except sqlite3.Error as exc:
            return str(exc)
        return ""

    def claim(
        self,
        key: str,
        kind: str,
        form: dict[str, str],
        operation_id: str | None,
        actor: str = "the panel",
        owner: str = "",
        attempt: int = 0,
    ) -> tuple[Start, bool]:
        """The start with this key, or of this attempt of its owner, and whether it is this call that made it: on
        disk, power cuts included."""
        row = (key, kind, as_json(form), StartState.SENDING, operation_id, "", time.time(), actor, owner, attempt)
        with durably(self._db):
            done = self._db.execute(
                "INSERT OR IGNORE INTO starts (key, kind, form, state, operation_id, message, asked_at, actor, owner,"
                " attempt) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )
        start = self.start_for(owner, attempt) if owner else self.start(key)
        assert start is not None  # noqa: S101  it was just written, or was there before
        return start, done.rowcount == 1

    def settle(self, key: str, state: StartState, message: str = "", operation_id: str | None = None) -> Start:
        """Record the outcome of a start, unless it is known: two may look for it at once, and the one
        that has not found it must not win."""
        self._db.execute(
            "UPDATE starts SET state = ?, message = ?, operation_id = coalesce(?, operation_id) "
            f"WHERE key = ? AND state IN ({marks(UNSETTLED)})",
            (state, message, operation_id, key, *UNSETTLED),
        )
        start = self.start(key)
        assert start is not None  # noqa: S101
        return start

    def start(self, key: str) -> Start | None:
        row = self._db.execute(f"{_START} WHERE key = ?", (key,)).fetchone()
        return _start(row) if row else None

    def start_for(self, owner: str, attempt: int = 0) -> Start | None:
        """The start that was made for an entry of the queue."""
        row = self._db.execute(f"{_START} WHERE owner = ? AND attempt = ? AND owner != ''", (owner, attempt)).fetchone()
        return _start(row) if row else None

    def unsettled_starts(self) -> list[Start]:
        """Starts whose outcome is unknown."""
        return self._starts_in(*UNSETTLED)

    def _starts_in(self, *states: StartState) -> list[Start]:
        rows = self._db.execute(f"{_START} WHERE state IN ({marks(states)})", states)
        return [_start(row) for row in rows]

    def unanswered_starts(self) -> list[Start]:
        """Starts that may yet begin something, or have: open ones, and those that a person put aside. What was
        sent is on its way, whether anybody wants it or not."""
        return self._starts_in(*UNSETTLED, StartState.DISMISSED)

    def possibly_running_loads(self, now: float) -> list[Start]:
        """Of these, data loads that may be about to run. One that was sent long ago is in the backend's list."""
        loads = [start for start in self.unanswered_starts() if traits_of(start.kind).loads]
        return [start for start in loads if abs(now - start.asked_at) < IN_FLIGHT]

    def sent_since(self, kind: str, heard_at: float) -> int:
        """How many starts of this kind were sent that a list of workers from `heard_at` (Unix seconds) may not show:
        sent after it or just before, or a while ago without an answer."""
        since, until = heard_at - IN_FLIGHT, time.time() + IN_FLIGHT
        found = self._db.execute(
            "SELECT count(*) FROM starts WHERE kind = ? AND asked_at > ? AND asked_at < ?"
            f" AND state NOT IN ({marks(_NOTHING)}) AND (asked_at > ? OR state != ?)",
            (kind, since, until, *_NOTHING, heard_at - SETTLED, StartState.STARTED),
        )
        return int(found.fetchone()[0])

    def starts_without_operation(self, since: float) -> list[Start]:
        """Starts that have begun an operation of which nothing is written down yet."""
        missing = "operation_id NOT IN (SELECT id FROM operations UNION ALL SELECT operation_id FROM labels)"
        rows = self._db.execute(f"{_START} WHERE state = ? AND asked_at > ? AND {missing}", (StartState.STARTED, since))
        return [_start(row) for row in rows]

    def starts_of(self, operation_ids: list[str]) -> dict[str, Start]:
        """The starts that asked for these operations, by operation: one statement, however many there are."""
        among = "operation_id IN (SELECT value FROM json_each(?))"
        rows = self._db.execute(f"{_START} WHERE {among}", (as_json(operation_ids),))
        return {start.operation_id: start for start in map(_start, rows) if start.operation_id}

    def start_of(self, operation_id: str) -> Start | None:
        """The start that asked for this operation, through the panel."""
        row = self._db.execute(f"{_START} WHERE operation_id = ?", (operation_id,)).fetchone()
        return _start(row) if row else None

    def keep_row(self, stored: Range, gaps: tuple[Gap, ...] | None, asked_at: float | None) -> None:
        """What is known of one symbol's stored bars, and the gaps that were found in them."""
        found = None if gaps is None else as_json(gaps)
        row = (stored.symbol, stored.timeframe, as_json(stored), found, asked_at)
        self._db.execute(
            "INSERT OR REPLACE INTO ranges (symbol, timeframe, range, gaps, asked_at) VALUES (?, ?, ?, ?, ?)", row
        )

    def rows(self) -> list[tuple[Range, tuple[Gap, ...] | None, float | None]]:
        decode = msgspec.json.decode
        return [
            (decode(stored, type=Range), None if found is None else decode(found, type=tuple[Gap, ...]), asked_at)
            for stored, found, asked_at in self._db.execute("SELECT range, gaps, asked_at FROM ranges")
        ]

    def withdrawn_starts(self) -> list[Start]:
        """Starts of the queue's entries that were cancelled meanwhile, once they are known to have begun an operation,
        which is no longer wanted."""
        rows = self._db.execute(
            f"{_START} JOIN queue ON starts.owner = queue.key AND starts.attempt = queue.attempts AND owner != ''"
            " WHERE queue.state = ? AND queue.operation_id IS NULL AND starts.state = ?",
            (EntryState.CANCELLED, StartState.STARTED),
        )
        return [_start(row) for row in rows]


def _start(row: tuple[Any, ...]) -> Start:
    key, kind, form, state, *rest = row
    return Start(key, kind, form_of(form), StartState(state), *rest)
