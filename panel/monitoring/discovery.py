"""Finds operations of other programs with one small request every few seconds.

The backend's list and its workers are asked in turn. The list shows a training only after someone has asked
for it, and forgets finished loads; a worker names the operation that it is busy with. Their values are never
taken for current: they freeze at whatever the last reading of the operation was.
"""

import asyncio
import time
from collections import deque
from dataclasses import replace

from panel.backend.answers import own_failure
from panel.backend.ktrdr import Ktrdr
from panel.domain.agents import parts
from panel.domain.history import OperationQuery
from panel.domain.observation import Observation, forgotten
from panel.domain.snapshot import Snapshot, Status
from panel.domain.state import State
from panel.domain.workers import Worker
from panel.errors import BackendTimeout, CLIClientError
from panel.monitoring.pace import LONGEST_QUIET
from panel.monitoring.poller import READ_TIMEOUT, Monitor
from panel.observability.rounds import pause, until_set
from panel.storage.operations import OperationStore

INTERVAL = 5.0  # seconds between rounds: one request each
RECOVERY = 1.5  # seconds between rounds while the backend is silent and a page is open
CATCH_UP_INTERVAL = 0.2  # seconds between rounds while the list goes on with what was not known
TAKEN_BACK_WITHIN = 120.0  # seconds after a worker turned free in which the backend corrects an end
LOOK_AGAIN = 60.0  # seconds until an operation whose end the backend has not noticed is read again
RARELY = 300.0  # seconds until those that are only remembered, and have probably ended, are read again
GIVEN_UP = 20  # of them, the newest
FIRST, LATER = 100, 20  # entries of the list that are asked for
BATCH = 10  # entries of the list that are taken in before the loop is given back
OVERLAP = 10  # entries by which a page begins before the end of the last one: the list may have become shorter
MAX_OFFSET = 200_000  # entries; nothing beyond them is looked for
ROUND_TIME = 4.0  # seconds that one round goes on reading the list
PAGE_PAUSE = 0.02  # seconds between two pages, for the backend and for the memory
COMPLETED = 5  # ended operations that are read in one round


class Discovery:
    """Start with `run` in a task."""

    def __init__(self, ktrdr: Ktrdr, monitor: Monitor, memory: OperationStore, every: float | None = None) -> None:
        self._ktrdr = ktrdr
        self._monitor = monitor
        self._memory = memory
        self._every = INTERVAL if every is None else every
        self._asked_for = 0.0  # seconds of quiet that the last answer asked for (Retry-After)
        self._partial: deque[str] = deque()  # ended operations known from a list only, the latest last
        self._offset: int | None = None  # where the walk through the whole list goes on
        self._walked: list[str] = []  # the ids of its last page
        self._doubted: dict[str, float] = {}  # ended while a worker was on it: until when it is read again, monotonic
        self._given_up: deque[str] = deque()  # probably ended, and not noticed by the backend
        self._given_up_at: float | None = None  # when they were last looked up, monotonic
        self._failed = False  # the backend could not tell of something that runs
        self._behind = False  # that page had something new: the next one is read soon

    async def run(self) -> None:
        """Until cancelled."""
        self._partial.extend(self._memory.partially_known())
        turn = 0
        await self._ask(1)  # without its workers nothing that runs can be judged
        connection, up_since = self._monitor.connection, self._monitor.connection.up_since
        while True:
            await self._ask(turn)
            if connection.up_since != up_since and turn % 2 == 0:
                await self._ask(1)  # it may have been restarted, and its workers come back later
            up_since = connection.up_since
            for _ in range(COMPLETED):
                await self._complete_one()
            await self._read_given_up()
            await self._parts_of_running()
            turn += 1
            await asyncio.sleep(min(self._asked_for, LONGEST_QUIET))
            silent = self._monitor.connection.failing_since is not None
            usual = RECOVERY if silent and self._monitor.anyone() else INTERVAL
            rest = CATCH_UP_INTERVAL if self._behind and not silent else usual
            await self._rest(min(rest, self._every))

    async def _ask(self, turn: int) -> None:
        self._asked_for = 0.0
        try:
            if turn % 2 == 0:
                await self._list(LATER if turn else FIRST)
            else:
                await self._workers(await self._ktrdr.workers(READ_TIMEOUT))
        except BackendTimeout as exc:
            await self._late(exc)
        except CLIClientError as exc:
            self._asked_for = exc.retry_after
            self._monitor.failed(exc)
        else:
            # Only the list waits for a worker that hangs: an answer about the workers says nothing of that. Of what a
            # worker is busy with the backend may know nothing without its database, and lists nothing.
            self._monitor.answered(slow=False if turn % 2 == 0 and not self._failed else None)

    async def _late(self, error: BackendTimeout) -> None:
        """The list waits for a worker that hangs, for half a minute; the backend itself answers meanwhile."""
        try:
            await self._ktrdr.health(3.0)
        except CLIClientError:
            self._monitor.failed(error)
        else:
            self._monitor.answered(slow=True)

    async def _list(self, limit: int) -> None:
        """The list's first page; then, after each start and whenever that page is full of news, page after page until
        the end: at once while they have news, one a round while they have none."""
        found = await self._ktrdr.operations(limit=limit, timeout=READ_TIMEOUT)
        self._monitor.listed()
        if await self._listed(found) == limit or (limit == FIRST and len(found) == FIRST):
            self._offset = limit - OVERLAP
        end = time.monotonic() + ROUND_TIME
        while self._offset is not None:
            page = await self._ktrdr.operations(limit=FIRST, offset=self._offset, timeout=READ_TIMEOUT)
            ids = [each.id for each in page]
            # Some entries may be invalid. A backend without offsets returns the same page again.
            last = len(ids) < FIRST // 2 or ids == self._walked or self._offset > MAX_OFFSET
            self._offset, self._walked = None if last else self._offset + FIRST - OVERLAP, ids
            self._behind = bool(await self._listed(page)) and not last
            if not self._behind or time.monotonic() > end or not await self._monitor.recorder.caught_up(end):
                return
            await asyncio.sleep(PAGE_PAUSE)

    async def _listed(self, snapshots: list[Snapshot]) -> int:
        """Take in entries of the list; returns how many operations were not known before."""
        new = 0
        for number, snapshot in enumerate(snapshots):
            if number and number % BATCH == 0:
                await asyncio.sleep(0)  # a page of changes takes a while to draw and store
            if self._monitor.polled(snapshot.id) or self._memory.deleted(snapshot.id):
                continue
            observation = self._monitor.known(snapshot.id)
            new += observation is None
            if not snapshot.status.finished:
                if (
                    observation is None
                    or observation.forgotten
                    or self._monitor.verdict(observation).live
                    or (snapshot.status is Status.RESUMING and observation.snapshot.status.finished)  # by somebody else
                    or time.time() - observation.snapshot.read_at > LOOK_AGAIN
                ):
                    await self._read_new(snapshot.id)
            elif observation is not None and (
                observation.forgotten
                or observation.given_up  # cancelled, perhaps, by somebody else
                or (snapshot.status is Status.COMPLETED and observation.snapshot.status is not Status.COMPLETED)
            ):
                await self._read_new(snapshot.id)  # the "failed" that was believed after all was wrong
            elif observation is not None and self._monitor.verdict(observation).live:
                # Its poller broke off before it read the end. A load whose end was read waits for a look at the stored
                # bars, which has a limit: another reading would restart that.
                if not observation.snapshot.finished:
                    await self._read_new(snapshot.id)
            elif observation is None:
                ended = snapshot.completed_at or snapshot.created_at or time.time()
                self._monitor.keep(None, Observation(snapshot, ended))
                if snapshot.traits.loads:
                    self._partial.append(snapshot.id)  # next: what is stored says whether all of it came
                else:
                    self._partial.appendleft(snapshot.id)  # the list has the latest first
        return new

    async def _workers(self, workers: tuple[Worker, ...]) -> None:
        self._monitor.answered()
        self._failed = False  # it is asked again what they are busy with
        before, busy = self._monitor.take_worker_list(workers)
        self._note_begun(busy)
        for operation_id in before | busy:
            if self._monitor.polled(operation_id) or self._memory.deleted(operation_id):
                continue
            observation = self._monitor.known(operation_id)
            if operation_id in busy and (observation is None or not observation.snapshot.status.finished):
                await self._read_new(operation_id)
            elif observation is not None:  # ended for the backend, and perhaps still worked on
                self._monitor.keep(observation, observation)
                if not observation.snapshot.succeeded:
                    self._doubted[operation_id] = time.monotonic() + TAKEN_BACK_WITHIN
        for operation_id, until in list(self._doubted.items()):
            if time.monotonic() > until or self._succeeded(operation_id):
                del self._doubted[operation_id]
            elif not self._monitor.polled(operation_id) and not self._memory.deleted(operation_id):
                await self._read_new(operation_id)

    def _note_begun(self, busy: set[str]) -> None:
        """Of starts that the backend cannot tell of so far: it may never."""
        for operation_id in busy:
            known = self._monitor.known(operation_id, epochs=False)
            if known is not None and not known.snapshot.backend_status and known.snapshot.traits.worker:
                self._monitor.keep(known, replace(known, busy_at=time.time()))

    def _succeeded(self, operation_id: str) -> bool:
        observation = self._monitor.known(operation_id, epochs=False)
        return observation is not None and observation.snapshot.succeeded

    async def _complete_one(self) -> None:
        """Read one of the ended operations of which only the list's few fields are known: one a round, the
        latest first. The backend may forget them."""
        while self._partial and self._monitor.connection.failing_since is None:
            operation_id = self._partial.pop()
            observation = self._monitor.known(operation_id)
            if observation is None or observation.snapshot.full or observation.forgotten:
                continue
            reading = await self._ktrdr.operation(operation_id, READ_TIMEOUT)
            if reading.snapshot is not None:
                self._monitor.observe(reading)
            elif reading.error is not None and reading.error.unknown:
                self._monitor.keep(observation, forgotten(observation))
            else:
                self._partial.append(operation_id)
            return

    async def _read_given_up(self) -> None:
        """One of those that have probably ended: by now the backend may know better, and what its list forgot it still
        tells."""
        if self._monitor.connection.failing_since is not None:
            return
        if self._given_up_at is None or time.monotonic() - self._given_up_at > RARELY:
            self._given_up_at = time.monotonic()
            wanted = OperationQuery(states=(State.VANISHED,), archived=None, limit=GIVEN_UP)
            self._given_up.extend(each.snapshot.id for each in self._memory.page(wanted))
        if self._given_up and not self._monitor.polled(operation_id := self._given_up.popleft()):
            await self._read_new(operation_id)

    async def _parts_of_running(self) -> None:
        """A research names its operations before they were read."""
        named = [part for each in self._monitor.running() for part in parts(each.snapshot)]
        for operation_id in named:
            if self._monitor.known(operation_id) is None and not self._memory.deleted(operation_id):
                await self._read_new(operation_id)

    async def _read_new(self, operation_id: str) -> None:
        reading = await self._ktrdr.operation(operation_id, READ_TIMEOUT)
        if reading.snapshot is not None:
            self._monitor.observe(reading)
        elif reading.error is not None and own_failure(reading.error):
            self._failed = True
            self._monitor.answered(slow=True, error=reading.error.message)

    async def _rest(self, seconds: float) -> None:
        self._monitor.wake_requested.clear()
        await until_set(self._monitor.wake_requested, pause(seconds))
