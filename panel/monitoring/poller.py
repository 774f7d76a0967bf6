"""Asks the backend once, however many browsers watch: one poller for each operation that is not finished, and one state
of the connection to the backend. What they and `discovery` find is stored and published as domain events."""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextvars import Context
from dataclasses import replace
from typing import Any

from panel.backend.ktrdr import Ktrdr, Reading
from panel.domain import events
from panel.domain.connection import Connection
from panel.domain.estimate import Estimate
from panel.domain.events import EventBus
from panel.domain.observation import Observation, differs, forgotten, observed, promised, unread, watched_again
from panel.domain.requests import Start
from panel.domain.state import State, Verdict
from panel.domain.verdict import judge
from panel.domain.workers import Worker, WorkerList
from panel.errors import BackendTimeout, CLIClientError
from panel.monitoring.audience import Audience, watched
from panel.monitoring.estimates import Estimates
from panel.monitoring.live import LiveOperations, keep_latest
from panel.monitoring.lookup import Lookup
from panel.monitoring.pace import TURN, Pace
from panel.monitoring.recorder import Recorder
from panel.observability.rounds import IDLE, cancel_all, until_next
from panel.storage.store import Storage

READ_TIMEOUT = 10.0  # seconds; a hung worker holds a reading for 24 s, and a page should say so before
MAX_POLLERS = 50  # operations that are read by turns when there are more
RETRY = 1.0  # seconds between attempts to write what could not be written
KEPT_ANSWERS = 50  # of the backend's own words
SIGN_OF_LIFE = 10.0  # seconds between notes in the memory that a panel watches

log = logging.getLogger(__name__)


class Monitor:
    """Start with `run` in a task; everything else is called from the same event loop."""

    def __init__(self, ktrdr: Ktrdr, store: Storage, bus: EventBus, audience: Audience, address: str) -> None:
        self.connection = Connection(address)
        self.worker_list = WorkerList()
        self._ktrdr = ktrdr
        self._store = store
        self._bus = bus
        self._audience = audience
        self.estimates = Estimates(store.estimates)
        self._live = LiveOperations()
        self._lookup = Lookup(lambda operation_id: ktrdr.operation(operation_id, READ_TIMEOUT))
        self._answers: dict[str, dict[str, Any]] = {}
        self._pollers: dict[str, asyncio.Task[None]] = {}
        self._paces: dict[str, Pace] = {}
        self.recorder = Recorder(store, bus)
        self._queued: dict[str, None] = {}  # operations that wait for a poller, the one that waits longest first
        self._judged: dict[str, tuple[State, str]] = {}  # what was last stored of the live ones
        self._promises: set[asyncio.Task[None]] = set()
        self._stopping = False  # stopping: new operations are read after the next start
        self.wake_requested = asyncio.Event()  # set when the backend shall be asked now
        bus.subscribe(events.StartConfirmed, lambda event: self.expect(event.start))
        bus.subscribe(events.LoadedBarsChecked, self.gaps_found)
        bus.subscribe(events.OperationFound, lambda event: self.observe(Reading(event.snapshot, event.answer)))

    async def run(self) -> None:
        """Poll what is not finished, until cancelled."""
        self._stopping, began, signed = False, time.time(), 0.0
        for observation in self._store.memory.unfinished():
            self._adopt(watched_again(observation, began))
        try:
            while True:
                self.recorder.retry()
                for each in list(self._live.values()):
                    if each.snapshot.finished:  # a load whose stored bars could not be looked through in time
                        self.keep(each, each)
                    elif not self.polled(each.snapshot.id):  # its poller broke off
                        self._adopt(each)
                if time.monotonic() - signed > SIGN_OF_LIFE - RETRY or not signed:
                    signed = time.monotonic()
                    await self.recorder.attempt(lambda store: store.estimates.note_watch(began, time.time()))
                await until_next(RETRY if self._live or self.recorder.behind else IDLE)
        finally:
            self._stopping = True
            await cancel_all(self._pollers.values())
            await self._lookup.close()
            await self.recorder.flush()

    def running(self) -> list[Observation]:
        """Everything not finished, the newest first."""
        return self._live.newest_first()

    def known(self, operation_id: str, *, epochs: bool = True) -> Observation | None:
        return self._live.get(operation_id) or self.recorder.recall(operation_id, epochs=epochs)

    def verdict(self, observation: Observation) -> Verdict:
        """What is really going on with it now."""
        return judge(observation, time.time(), self.worker_list, away=self.connection.failing_since is not None)

    def anyone(self) -> bool:
        """Whether a page is open."""
        return bool(self._audience.readers("line"))

    def polled(self, operation_id: str) -> bool:
        """It is read again and again, until it is finished."""
        return operation_id in self._pollers or operation_id in self._queued

    def answer(self, operation_id: str) -> dict[str, Any] | None:
        """The backend's answer of the latest reading, while it is in memory."""
        return self._answers.get(operation_id)

    async def look(self, operation_id: str) -> Observation | None:
        """What is known of an operation, asked from the backend when that is little; None when neither
        the panel nor the backend knows it. Raises CLIClientError when that is unknown."""
        observation = self.known(operation_id)
        if observation is not None and (observation.fully_read or (observation.given_up and self.polled(operation_id))):
            return observation
        reading = await self._lookup.read(operation_id)
        if reading.snapshot is not None:
            return self.observe(reading)
        if observation is None and reading.error is not None and not reading.error.unknown:
            raise reading.error
        return observation

    def expect(self, start: Start) -> None:
        """Something was started: it is shown, and read, from now on."""
        if start.operation_id and self.known(start.operation_id) is None:
            self.keep(None, promised(start, start.operation_id))

    def observe(self, reading: Reading) -> Observation:
        """Take in a good reading, from whichever side it came; starts a poller when it is not finished."""
        snapshot = reading.snapshot
        assert snapshot is not None  # noqa: S101
        before = self.known(snapshot.id)
        start = self._store.start_of(snapshot.id) if before is None else None
        observation = observed(promised(start, snapshot.id) if start else before, snapshot)
        if reading.answer is not None:
            keep_latest(self._answers, snapshot.id, reading.answer, KEPT_ANSWERS)
        self.keep(before, observation)
        return observation

    def wake(self, operation_id: str | None = None) -> None:
        """It is watched now, or was acted on: read soon (never faster than FASTEST)."""
        for each in [operation_id] if operation_id else list(self._paces):
            if each in self._paces:
                self._paces[each].wake.set()
        if operation_id in self._queued:  # it is watched: it is next
            self._queued = {operation_id: None, **self._queued}
        if self.connection.failing_since is not None:
            self.wake_requested.set()

    def gaps_found(self, found: events.LoadedBarsChecked) -> None:
        observation = self.known(found.operation_id)
        if observation is not None and observation.gaps_left != found.gaps_left:
            checked = replace(observation, gaps_left=found.gaps_left, stored_from=found.first)
            self.keep(observation, replace(checked, none_after=found.none_after, ending=found.ending))

    def keep(self, before: Observation | None, observation: Observation) -> None:
        """Store what is new and publish it; `before` is what was known until now."""
        operation_id, verdict = observation.snapshot.id, self.verdict(observation)
        was_listed = operation_id in self._live
        if verdict.live:
            self._adopt(observation)
        else:
            self._live.pop(operation_id, None)
        judged = (verdict.state, verdict.word)
        if before is None or differs(before, observation) or self._judged.get(operation_id) != judged:
            self.recorder.remember(observation, verdict, time.time())
        self._judged[operation_id] = judged
        if not verdict.live:
            self._judged.pop(operation_id)
        if (found := self.estimates.first(observation, verdict, time.time())) is not None:
            promise = asyncio.get_running_loop().create_task(self._promise(operation_id, found), context=Context())
            self._promises.add(promise)
            promise.add_done_callback(self._promises.discard)
        self._bus.publish(events.OperationChanged(observation, verdict))
        if was_listed != verdict.live or before is None:
            self._bus.publish(events.OperationsListed())
        if was_listed and not verdict.live:
            self._bus.publish(events.OperationEnded(observation, verdict))
        if was_listed != verdict.live:
            self._log(observation, verdict, before)

    async def _promise(self, operation_id: str, found: Estimate) -> None:
        """Keep the first estimate of a run."""
        now = time.time()
        if await self.recorder.attempt(lambda store: store.estimates.promise(operation_id, now, found.low, found.high)):
            self.estimates.recorded(operation_id)

    def _log(self, observation: Observation, verdict: Verdict, before: Observation | None) -> None:
        """One line when an operation begins, or goes on after an end, and one when it ends."""
        fields = {"operation": observation.snapshot.id, "kind": observation.snapshot.kind}
        if verdict.live:
            start = self._store.start_of(observation.snapshot.id)
            by = start.actor if start else "somebody else"
            log.info("operation started" if before is None else "operation goes on", extra=fields | {"by": by})
        else:
            log.info("operation ended", extra=fields | {"state": verdict.state.value})

    def _adopt(self, observation: Observation) -> None:
        operation_id = observation.snapshot.id
        self._live[operation_id] = observation
        if operation_id in self._pollers or self._stopping or observation.snapshot.finished:
            return  # what has ended says nothing new, and is live only until something else is known
        if len(self._pollers) >= MAX_POLLERS:
            self._queued[operation_id] = None
        else:
            self._queued.pop(operation_id, None)
            self._paces[operation_id] = Pace()
            poll = self._poll(operation_id)  # in no request's context: it outlives the request that started it
            self._pollers[operation_id] = asyncio.create_task(poll, context=Context())

    async def _poll(self, operation_id: str) -> None:
        pace = self._paces[operation_id]
        pace.asked_at = time.monotonic()
        try:
            async for reading in self._ktrdr.follow(operation_id, lambda: self._pause(operation_id), READ_TIMEOUT):
                if reading.snapshot is not None:
                    pace.took, before = time.monotonic() - pace.asked_at, self._live.get(operation_id)
                    pace.unknown_since, observation = None, self.observe(reading)
                    pace.unchanged = 0 if before is None or differs(before, observation) else pace.unchanged + 1
                    self.answered()
                    if operation_id not in self._live:
                        break  # for the backend it goes on; the verdict is that it has ended
                    if self._queued and pace.turn_ends(self._audience.readers(f"op:{operation_id}")):
                        await asyncio.sleep(TURN)
                        break  # another operation's turn
                elif not self._unread(operation_id, reading.error):
                    break
            else:
                # `follow` ended on a "failed" that was long in doubt and is now believed.
                last = self._live.get(operation_id)
                if last is not None:
                    self.keep(last, replace(last, snapshot=replace(last.snapshot, settled=True)))
        finally:
            self._pollers.pop(operation_id, None)
            self._paces.pop(operation_id, None)
            self._next_turn(operation_id)

    def _next_turn(self, operation_id: str) -> None:
        """A poller is done: the operation that waits longest is read next, and this one, if it is live, waits."""
        if not self._queued or self._stopping:
            return
        if operation_id in self._live:
            self._queued[operation_id] = None
        while self._queued:
            following = next(iter(self._queued))
            del self._queued[following]
            if (observation := self._live.get(following)) is not None:
                self._adopt(observation)
                return

    def _unread(self, operation_id: str, error: CLIClientError | None) -> bool:
        """A reading failed; returns whether to go on reading."""
        observation = self._live.get(operation_id)
        if observation is None or error is None:
            return False
        if error.unknown and self._paces[operation_id].unknown():
            self.keep(observation, forgotten(observation))
            return False
        now, slow, message = time.time(), isinstance(error, BackendTimeout), error.message if error.status_code else ""
        self._paces[operation_id].asked_for = error.retry_after
        self.keep(observation, unread(observation, now, timed_out=slow, error=message))
        if error.status_code is None and not slow:  # one worker that hangs is not a silent backend
            self.failed(error)
        elif not error.unknown and self.worker_list.answering(now) and self.connection.late(now, message):
            self._bus.publish(events.ConnectionChanged())
        return True

    async def _pause(self, operation_id: str) -> None:
        known = self._live.get(operation_id)
        kind, new = known.snapshot.kind if known else "", known is not None and not known.snapshot.percentage
        await self._paces[operation_id].pause(watched(self._audience, operation_id, kind), new, self.anyone())

    def answered(self, slow: bool | None = None, error: str = "") -> None:
        """The backend has answered; `slow`: whether it did so late or with this `error`, where that was seen."""
        now = time.time()
        self.worker_list = self.worker_list.answered(now)
        if slow is False and any(each.timed_out or each.error for each in self._live.values()):
            slow = None  # the list comes, and one of its operations does not
        if self.connection.answered(now, slow, error):
            self._bus.publish(events.ConnectionChanged())
            self.wake()

    def listed(self) -> None:
        if self.connection.mark_listed():
            self._bus.publish(events.OperationsListed())

    def failed(self, error: CLIClientError) -> None:
        """The backend did not answer."""
        if self.connection.failed(error.message, time.time()):
            log.warning("backend silent: %s", error.message)
            self._bus.publish(events.ConnectionChanged())

    def take_worker_list(self, workers: Sequence[Worker]) -> tuple[set[str], set[str]]:
        """Take in a list of workers; returns the operations they were busy with before, and are now."""
        before, self.worker_list = self.worker_list, self.worker_list.heard(workers, time.time())
        self._bus.publish(events.WorkersChanged())
        return before.operations, self.worker_list.operations
