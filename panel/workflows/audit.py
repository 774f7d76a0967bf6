"""The audit trail: whatever starts or changes something, and every failed login, is recorded beside the request
that asked for it, which never waits for that."""

import asyncio
import logging
import sqlite3
import time
from collections import deque
from collections.abc import Mapping

from panel.domain.audit import AuditEntry, AuditQuery, Outcome
from panel.observability.rounds import until_set
from panel.storage.store import Storage
from panel.workflows import submit as submitted

WAITING = 10_000  # entries that wait while the memory cannot be written; further ones are lost
AGAIN = 5.0  # seconds until a write that failed is tried again
USES_EVERY = 60.0  # seconds between two written uses of one token
TRIM_EVERY = 3600.0  # seconds
NAMING = ("strategy_name", "symbol", "symbols", "timeframe", "timeframes", "model_path")  # what it is about

log = logging.getLogger(__name__)


class AuditTrail:
    """`record` and `token_used` only keep it in memory; `run` stores it on the writer's thread."""

    def __init__(self) -> None:
        self._waiting: deque[AuditEntry] = deque()
        self._uses: dict[str, tuple[float, str]] = {}  # of tokens, by digest: when, and from where
        self._written: dict[str, float] = {}  # when the last written use of each token was
        self._pending = asyncio.Event()
        self._one = asyncio.Lock()
        self.lost = 0

    def record(self, entry: AuditEntry) -> None:
        if len(self._waiting) >= WAITING:
            self.lost += 1
            log.warning("the audit trail cannot be written: %s of %s is lost", entry.what, entry.who)
            return
        self._waiting.append(entry)
        self._pending.set()

    def token_used(self, digest: str, address: str) -> None:
        now = time.time()
        if not 0 <= now - self._written.get(digest, 0.0) < USES_EVERY:
            self._written[digest] = now
            self._uses[digest] = now, address
            self._pending.set()

    async def run(self, storage: Storage, days: int) -> None:
        """Runs until cancelled. Entries older than so many days are dropped; 0 keeps them until they are too many."""
        trimmed = -TRIM_EVERY
        while True:
            if time.monotonic() - trimmed >= TRIM_EVERY:
                trimmed = time.monotonic()
                await self._trim(storage, days)
            await until_set(self._pending, TRIM_EVERY)
            if not await self._flushed(storage):
                await asyncio.sleep(AGAIN)

    async def flush(self, storage: Storage) -> None:
        """Store what waits. Raises sqlite3.Error or OSError, and then it still waits."""
        async with self._one:
            self._pending.clear()
            entries, uses = list(self._waiting), self._uses
            if not entries and not uses:
                return
            self._waiting.clear()
            self._uses = {}
            try:  # a write that began is completed, also when this is cancelled
                await storage.write(lambda store: store.audit.add(entries, uses))
            except (sqlite3.Error, OSError):
                self._waiting.extendleft(reversed(entries))
                self._uses = uses | self._uses
                self._pending.set()
                raise

    async def find(self, storage: Storage, query: AuditQuery) -> tuple[list[AuditEntry], list[str]]:
        """The entries of the query, and every name in the trail. Read on the writer's thread: it may be long."""
        await self._flushed(storage)
        return await storage.write(lambda store: (store.audit.find(query), store.audit.people()))

    async def uses(self, storage: Storage) -> dict[str, tuple[float, str]]:
        """When each token was last used, and from where, by its digest."""
        await self._flushed(storage)
        return await storage.write(lambda store: store.audit.token_uses())

    async def close(self, storage: Storage) -> None:
        await self._flushed(storage)

    async def _flushed(self, storage: Storage) -> bool:
        try:
            await self.flush(storage)
        except (sqlite3.Error, OSError) as exc:
            log.warning("the audit trail cannot be written now: %s", exc)
            return False
        return True

    async def _trim(self, storage: Storage, days: int) -> None:
        try:
            now = await storage.write(lambda store: store.day_seen(time.time()))  # one wrong clock deletes nothing
            before = now - days * 86_400 if days and now is not None else 0.0
            while await storage.write(lambda store: store.audit.trim(before)):
                pass
        except (sqlite3.Error, OSError) as exc:
            log.warning("old entries of the audit trail cannot be dropped now: %s", exc)


def about(kind: str, values: Mapping[str, str]) -> str:
    """A short text about a start."""
    return " ".join([kind, *(values[field] for field in NAMING if values.get(field))])


def start_outcome(kind: str, values: Mapping[str, str], result: submitted.SubmitResult) -> tuple[str, Outcome, str]:
    """Subject, outcome and detail of a start."""
    subject = about(kind, values)
    match result:
        case submitted.Started(operation_id):
            return subject, Outcome.DONE, operation_id
        case submitted.Queued():
            return subject, Outcome.DONE, "queued"
        case submitted.Unconfirmed():
            return subject, Outcome.UNCONFIRMED, ""
        case submitted.NotSent(message):
            return subject, Outcome.FAILED, message
        case submitted.NeedsConfirmation(_, why):
            return subject, Outcome.REFUSED, f"It needs a confirmation. {why}"
        case _:
            return subject, Outcome.REFUSED, submitted.message_of(result)
