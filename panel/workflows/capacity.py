"""Which starts the backend has room for now, whoever started what runs there: free workers, and the one load."""

import time
from collections.abc import Collection, Sequence
from contextlib import suppress

from panel.adapters import KINDS
from panel.backend.ktrdr import Ktrdr
from panel.domain.queueing import due, free_workers
from panel.domain.requests import Entry
from panel.errors import CLIClientError
from panel.monitoring.poller import READ_TIMEOUT, Monitor
from panel.storage.store import Storage
from panel.workflows.no_room import just_ended

WORKERS_EVERY = 3.0  # seconds between questions about the workers while something waits for one that may be free

ALONE = tuple(kind for kind, adapter in KINDS.items() if adapter.traits.alone)


class Capacity:
    def __init__(self, ktrdr: Ktrdr, store: Storage, monitor: Monitor) -> None:
        self._ktrdr = ktrdr
        self._store = store
        self._monitor = monitor
        self._asked_at = -WORKERS_EVERY  # when the workers were last requested here, monotonic

    def loads(self) -> list[str]:
        """Ids of data loads that run now, whoever started them."""
        return running_loads(self._monitor)

    def load_in_doubt(self) -> bool:
        """Whether a load may be about to begin, also one of a command line or one that was removed."""
        return bool(self._store.possibly_running_loads(time.time()))

    async def load_elsewhere(self) -> bool:
        """Asks the backend before a load starts: another tool may have begun one just now."""
        unknown = False
        for load in await self._ktrdr.active_loads():
            known = await self._monitor.look(load.id)
            unknown = unknown or known is None or known.forgotten  # it is listed as active, and cannot be read
        return unknown or bool(self.loads())

    def due(self, entries: Sequence[Entry], *, in_doubt: bool = False) -> list[Entry]:
        """Those that may start now. `in_doubt`: a load that may be about to begin counts as one that runs."""
        blocked = ALONE if self.loads() or (in_doubt and self.load_in_doubt()) else ()
        return due(entries, free_places(self._store, self._monitor), blocked)

    async def ask_for_workers(self, kinds: Collection[str]) -> None:
        """Discovery lists the workers every ten seconds. While one may be free and a start of these kinds waits for
        it, they are asked for sooner. Raises CLIClientError."""
        listed, now = self._monitor.worker_list, time.monotonic()
        if now - self._asked_at < WORKERS_EVERY:
            return
        free = free_places(self._store, self._monitor)
        running = [each.snapshot.kind for each in self._monitor.running()]
        for kind in kinds:
            if len(listed.able(kind)) > running.count(kind) and not free[kind]:
                self._asked_at = now
                _, busy = self._monitor.take_worker_list(await self._ktrdr.workers(READ_TIMEOUT))
                for operation_id in busy:  # perhaps another program's: it is shown, and its end is waited for
                    if self._monitor.known(operation_id) is None and not self._store.memory.deleted(operation_id):
                        with suppress(CLIClientError):
                            await self._monitor.look(operation_id)
                return


def running_loads(monitor: Monitor) -> list[str]:
    return [each.snapshot.id for each in monitor.running() if each.snapshot.kind in ALONE]


def free_places(store: Storage, monitor: Monitor) -> dict[str, int]:
    """Kind -> how many more of it may start now, for each kind that needs a worker or runs alone."""
    listed, now = monitor.worker_list, time.time()
    places = {
        kind: free_workers(listed, kind, store.sent_since(kind, listed.heard_at or now), now)
        for kind, adapter in KINDS.items()
        if adapter.traits.worker
    }
    taken = running_loads(monitor) or store.possibly_running_loads(now)
    return places | dict.fromkeys(ALONE, 0 if taken else 1)


def ended_work(monitor: Monitor) -> dict[str, str]:
    """Operation -> what became of it, for those that have ended and that workers are listed as busy with: the list is
    up to ten seconds late."""
    listed = filter(None, map(monitor.known, monitor.worker_list.operations))
    found = {known.snapshot.id: just_ended(monitor.verdict(known)) for known in listed}
    return {operation_id: what for operation_id, what in found.items() if what}
