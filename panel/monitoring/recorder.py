"""Writes observations to the memory, and keeps those that it does not take until it does."""

import functools
import logging
import sqlite3
import time
from collections.abc import Callable

from panel.domain.events import ConnectionChanged, EventBus
from panel.domain.observation import Observation
from panel.domain.state import Verdict
from panel.storage.store import Storage

log = logging.getLogger(__name__)


class Recorder:
    """A full disk, or a lock that another program holds, costs no operation its poller, and no end is lost."""

    def __init__(self, store: Storage, bus: EventBus) -> None:
        self._store = store
        self._bus = bus
        self._unwritten: dict[str, tuple[Observation, Verdict, float]] = {}  # what the memory has not taken yet
        self.failing_since: float | None = None  # the memory takes nothing since then (Unix seconds)
        self.reason = ""

    def remember(self, observation: Observation, verdict: Verdict, at: float) -> None:
        """Write it now, or as soon as that is possible."""
        operation_id = observation.snapshot.id
        self._unwritten[operation_id] = (observation, verdict, at)
        self._write(operation_id)

    def recall(self, operation_id: str) -> Observation | None:
        unwritten = self._unwritten.get(operation_id)
        return unwritten[0] if unwritten else self._store.memory.recall(operation_id)

    def unwritten_ends(self) -> list[Observation]:
        """Operations whose end could not be written yet, the latest end first."""
        ended = [observation for observation, verdict, _ in self._unwritten.values() if not verdict.live]
        return sorted(ended, key=lambda each: -(each.snapshot.completed_at or each.changed_at))

    def retry(self) -> None:
        """Write what the memory has not taken yet, until it refuses."""
        for operation_id in list(self._unwritten):
            if not self._write(operation_id):
                return

    def attempt(self, write: Callable[[], object]) -> bool:
        """Whether the memory took it; what does not have to be kept is simply left out when it did not."""
        try:
            write()
        except sqlite3.Error as exc:
            if self.failing_since is None:
                log.warning("the memory cannot be written: %s", exc)
                self.failing_since, self.reason = time.time(), str(exc)
                self._bus.publish(ConnectionChanged())
            return False
        if self.failing_since is not None and not self._store.write_problem():
            log.info("the memory can be written again")
            self.failing_since = None
            self._bus.publish(ConnectionChanged())
        return True

    def _write(self, operation_id: str) -> bool:
        if not self.attempt(functools.partial(self._store.memory.remember, *self._unwritten[operation_id])):
            return False
        del self._unwritten[operation_id]
        return True
