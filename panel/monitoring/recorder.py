"""Writes observations to the memory, and keeps those that it does not take until it does."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable
from contextvars import Context
from itertools import islice

from panel.domain.events import ConnectionChanged, EventBus, VerdictRecorded
from panel.domain.memory import damaged
from panel.domain.observation import Observation
from panel.domain.state import Verdict
from panel.storage.store import Storage

BATCH = 50  # operations that are written in one transaction
BACKLOG = 200  # operations that are not written yet, from which on nothing new is looked for
YIELD_AFTER = 10  # of them are published before the loop is given back
KEPT = 100  # unwritten readings of one operation; changes of state among them are kept before others

Entry = tuple[Observation, Verdict, float]

log = logging.getLogger(__name__)


class Recorder:
    """A poll does not wait for its reading to be written. A full disk, or a lock that another program holds, costs no
    operation its poller, and no end is lost."""

    def __init__(self, store: Storage, bus: EventBus) -> None:
        self._store = store
        self._bus = bus
        self._unwritten: dict[str, list[Entry]] = {}  # not stored yet, the oldest first
        self._task: asyncio.Task[None] | None = None
        self.failing_since: float | None = None  # writing has failed since then (Unix seconds)
        self.reason = ""

    def remember(self, observation: Observation, verdict: Verdict, at: float) -> None:
        """Write it soon, or as soon as that is possible."""
        waiting = self._unwritten.setdefault(observation.snapshot.id, [])
        if len(waiting) > 1 and _same_state(waiting[-1], waiting[-2]) and _same_state(waiting[-1], (0, verdict, 0)):
            waiting.pop()  # neither end of a state, so the next reading replaces it
        del waiting[: max(len(waiting) + 1 - KEPT, 0)]
        waiting.append((observation, verdict, at))
        if self.failing_since is None:
            self.retry()

    def recall(self, operation_id: str, *, epochs: bool = True) -> Observation | None:
        unwritten = self._unwritten.get(operation_id)
        return unwritten[-1][0] if unwritten else self._store.memory.recall(operation_id, epochs=epochs)

    def unwritten_ends(self) -> list[Observation]:
        """Operations whose end is not stored yet, the latest end first."""
        latest = [waiting[-1] for waiting in self._unwritten.values()]
        ended = [observation for observation, verdict, _ in latest if not verdict.live]
        return sorted(ended, key=lambda each: -(each.snapshot.completed_at or each.changed_at))

    @property
    def behind(self) -> bool:
        """Whether anything is not stored yet."""
        return bool(self._unwritten)

    def retry(self) -> None:
        """Store what is not stored yet, until writing fails."""
        if self._unwritten and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._write_all(), context=Context())

    async def flush(self) -> None:
        """Try once to store everything, at a stop."""
        while self._unwritten:
            self.retry()
            assert self._task is not None  # noqa: S101
            await self._task
            if self.failing_since is not None:
                return

    async def attempt(self, write: Callable[[Storage], object]) -> bool:
        """Store it; returns whether that worked. Unimportant readings are dropped when it did not."""
        try:
            await self._store.write(write)
        except sqlite3.Error as exc:
            self.failed(exc)
            return False
        if self.failing_since is not None and not damaged(self.reason) and not await self._problem():
            log.info("the memory can be written again")
            self.failing_since = None
            self._bus.publish(ConnectionChanged())
        return True

    def failed(self, error: sqlite3.Error) -> None:
        """Writing failed: every page shows it from now on. A damaged file stays damaged."""
        why = str(error)
        if self.failing_since is None or (damaged(why) and not damaged(self.reason)):
            log.warning("the memory cannot be used: %s", why)
            self.failing_since, self.reason = self.failing_since or time.time(), why
            self._bus.publish(ConnectionChanged())

    async def _problem(self) -> str:
        try:
            return await self._store.write(Storage.write_problem)
        except sqlite3.Error as exc:
            return str(exc)

    async def caught_up(self, until: float) -> bool:
        """Wait while much is to be stored, at most until then (`time.monotonic`); returns whether little is left."""
        while len(self._unwritten) > BACKLOG and self._task is not None and time.monotonic() < until:
            await asyncio.wait([self._task], timeout=max(until - time.monotonic(), 0))
        return len(self._unwritten) <= BACKLOG

    async def _write_all(self) -> None:
        while self._unwritten:
            taken = {name: tuple(self._unwritten[name]) for name in islice(self._unwritten, BATCH)}
            entries = [entry for each in taken.values() for entry in each]
            if not await self.attempt(lambda store, entries=entries: store.remember(entries)):  # type: ignore[misc]
                return
            for name, written in taken.items():
                left = [entry for entry in self._unwritten.pop(name) if entry not in written]
                if left:  # came meanwhile
                    self._unwritten[name] = left
            for number, (observation, verdict, _) in enumerate(entries, 1):
                self._bus.publish(VerdictRecorded(observation, verdict))
                if number % YIELD_AFTER == 0:
                    await asyncio.sleep(0)


def _same_state(one: tuple[object, Verdict, float], other: tuple[object, Verdict, float]) -> bool:
    return (one[1].state, one[1].word) == (other[1].state, other[1].word)
