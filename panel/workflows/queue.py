"""The queue of starts: each waits on disk until it can run, and is then started exactly once.

A data load waits until no other runs, also none of another program: two at once share a connection and a place
for their progress at the backend. A training or backtest waits for a free worker. What is due is decided in
`panel.domain.queueing`; how a start stays one start, in `panel.workflows.starting`.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

from filelock import FileLock, Timeout

from panel.adapters import KINDS
from panel.backend.ktrdr import Ktrdr
from panel.domain.events import EventBus, OperationEnded, OperationsListed, QueueChanged, StartsChanged, WorkersChanged
from panel.domain.outcomes import ended_well
from panel.domain.queueing import MAX_ENTRIES, means_later
from panel.domain.requests import Entry, EntryState, Request, Start, StartState
from panel.errors import AlreadyEnded, CLIClientError, InvalidForm
from panel.monitoring.poller import Monitor
from panel.observability.rounds import pause, until_set
from panel.storage.store import Storage
from panel.workflows.capacity import Capacity
from panel.workflows.commands import Commands
from panel.workflows.retries import Retries
from panel.workflows.starting import StartWorkflow, new_key

ROUND = 1.0  # seconds between rounds while anything waits or runs
IDLE_ROUND = 5.0  # … while nothing does: a command line may add something
DECIDED_WITHIN = 3.0  # seconds that a submit waits to see whether its start begins at once
REFUSED_PAUSE = 5.0  # seconds after a refusal that means "later"

T = TypeVar("T")

log = logging.getLogger(__name__)


class QueueFull(CLIClientError):
    """Nothing was added."""

    def __init__(self) -> None:
        super().__init__(f"The queue is full: {MAX_ENTRIES:,} starts wait in it already.", sent=False)


class Queue:
    """Start with `run` in a task."""

    def __init__(
        self,
        ktrdr: Ktrdr,
        store: Storage,
        starting: StartWorkflow,
        monitor: Monitor,
        commands: Commands,
        load_lock: FileLock,
        events: EventBus,
        ready: Callable[[Mapping[str, str]], Awaitable[dict[str, str]]] | None = None,
    ) -> None:
        """`ready`: a load's form as it has to be sent, or InvalidForm when it would destroy bars. It is asked when its
        turn comes: loads before it may have changed what is stored."""
        self._ktrdr = ktrdr
        self._ready = ready
        self._store = store
        self._starting = starting
        self._monitor = monitor
        self._capacity = Capacity(ktrdr, store, monitor)
        self._commands = commands
        self._withdrawing = Retries(monitor)  # by key of a start
        self._load_lock = load_lock
        self._events = events
        self._due = asyncio.Event()
        self._changed = asyncio.Event()  # set, and replaced, whenever an entry's fate may have been decided
        self._adding: set[str] = set()  # keys that are being written
        self._shown: list[tuple[str, str, bool, bool]] = []  # what waited or ran when pages were last updated
        self.unanswered: set[str] = set()  # keys of entries whose last question to the backend failed
        self._not_before: dict[str, float] = {}  # kind -> monotonic: the backend has just refused for lack of room
        events.subscribe(StartsChanged, lambda _: self.wake())
        events.subscribe(OperationsListed, lambda _: self._notify())
        events.subscribe(OperationEnded, lambda _: self._due.set())
        events.subscribe(WorkersChanged, lambda _: self._due.set())

    async def add(self, kind: str, key: str, form: Mapping[str, str], actor: str = "the panel") -> Entry:
        """Queue one start. Raises QueueFull."""
        return (await self.enqueue([Request(key, kind, dict(form))], actor))[0]

    async def enqueue(self, requests: Sequence[Request], actor: str) -> list[Entry]:
        """Queue starts, in this order, each once for its key; all of them, or, raising QueueFull, none."""
        keys = [request.key for request in requests]
        self._adding.update(keys)
        try:
            entries = await self._store.write(lambda store: store.queue.add(requests, actor))
        finally:
            self._adding.difference_update(keys)  # what was added is on disk
        if entries is None:  # nothing changed: who is woken by a change would ask again at once
            raise QueueFull
        self.wake()
        return entries

    def knows(self, key: str) -> bool:
        """Whether this key was queued, also when that is not on disk yet."""
        return key in self._adding or self.entry(key) is not None

    def entry(self, key: str) -> Entry | None:
        return self._store.queue.entry(key)

    def open(self, kind: str = "") -> list[Entry]:
        """What waits or runs, in the order of its start; of one kind, or of all."""
        return self._store.queue.open(kind)

    async def decided(self, entry: Entry) -> Entry:
        """The entry once it has begun, was refused or has to wait; at the latest after DECIDED_WITHIN."""
        with suppress(asyncio.TimeoutError):
            async with asyncio.timeout(DECIDED_WITHIN):
                while True:
                    changed = self._changed
                    may_start = any(each.key == entry.key for each in self._capacity.due(self.open()))
                    entry = self.entry(entry.key) or entry  # read last: what begins in between is not called waiting
                    if entry.state is not EntryState.STARTING and not (entry.waiting and may_start):
                        break
                    await changed.wait()
        return entry

    async def cancel(self, key: str) -> None:
        """Take an entry out of the queue, or cancel it when it runs; one that is just being started is cancelled as
        soon as it is known what it began. Raises CLIClientError."""
        while (entry := self.entry(key)) is not None and entry.open:
            operation_id = entry.operation_id
            if operation_id:
                await self._stop_operation(operation_id)
            if await self._write(lambda store, operation_id=operation_id: store.queue.withdraw(key, operation_id)):  # type: ignore[misc]
                start = self._store.start_for(key, entry.attempts)
                if entry.state is EntryState.UNCONFIRMED and start is not None:  # a person decides about that
                    await self._starting.dismiss(start.key)
                return

    async def cancel_all(self, keys: Iterable[str]) -> None:
        """Each of them. Raises CLIClientError when one could not be cancelled; the others were."""
        failed: CLIClientError | None = None
        for key in keys:
            try:
                await self.cancel(key)
            except CLIClientError as exc:
                failed = exc
        if failed is not None:
            raise failed

    async def hold(self, key: str, held: bool) -> None:
        """Hold a waiting entry, or release it."""
        await self._write(lambda store: store.queue.hold(key, held))

    async def move(self, key: str, where: str, once: str = "") -> None:
        """Move a waiting entry "up" or "down" by one, or to the "top". `once`: of several calls with it one moves."""
        await self._write(lambda store: store.queue.move(key, where, once))

    async def run(self) -> None:
        """Until cancelled. What was waiting when the panel stopped goes on."""
        while True:
            self._due.clear()
            try:
                await self._round()
            except (CLIClientError, OSError, sqlite3.Error) as exc:
                log.info("queue waits: %s", exc)
            idle = not self._store.queue.count() and not self._store.withdrawn_starts()
            await until_set(self._due, pause(IDLE_ROUND) if idle else ROUND)

    def wake(self) -> None:
        """Something changed: run a round now."""
        self._due.set()
        self._notify()
        self._events.publish(QueueChanged())

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _write(self, action: Callable[[Storage], T]) -> T:
        done = await self._store.write(action)
        self.wake()
        return done

    async def _settle(
        self, entry: Entry, state: EntryState, message: str = "", operation_id: str | None = None
    ) -> None:
        await self._write(lambda store: store.queue.settle(entry.key, state, message, operation_id))

    async def _round(self) -> None:
        for start in self._store.withdrawn_starts():
            if start.operation_id and self._withdrawing.due(start.key):
                try:
                    await self._stop_operation(start.operation_id)
                except CLIClientError as exc:
                    log.info("a withdrawn start is not cancelled yet: %s", exc.message)
                else:
                    owner, found = start.owner, start.operation_id
                    await self._write(lambda store, owner=owner, found=found: store.queue.mark_withdrawn(owner, found))  # type: ignore[misc]
        entries = self.open()
        self.unanswered &= {each.key for each in entries}
        shown = [(each.key, str(each.state), each.held, each.key in self.unanswered) for each in entries]
        if shown != self._shown:  # also changed by a command line, which publishes nothing
            self._shown = shown
            self._notify()
            self._events.publish(QueueChanged())
        for entry in entries:
            if not entry.waiting:
                await self._attempt(entry, self._follow)
        waiting = [entry for entry in self.open() if entry.waiting and not entry.held]
        if not waiting or self._starting.damage():
            return
        kinds = {entry.kind for entry in waiting}
        for each in self._monitor.running():
            if each.snapshot.kind in kinds:
                self._monitor.wake(each.snapshot.id)  # something waits for its end
        with suppress(CLIClientError):  # a load needs none
            await self._capacity.ask_for_workers(kinds)
        now, due = time.monotonic(), self._capacity.due(self.open(), in_doubt=True)
        # A load's turn begins with a question to the backend: what needs none goes first.
        for entry in sorted(due, key=lambda each: KINDS[each.kind].traits.alone):
            if self._not_before.get(entry.kind, now) <= now:
                await self._attempt(entry, self._start_alone if KINDS[entry.kind].traits.alone else self._start)

    async def _attempt(self, entry: Entry, step: Callable[[Entry], Awaitable[None]]) -> None:
        """One entry's part of a round: what goes wrong with it does not hold up the others."""
        try:
            await step(entry)
        except (CLIClientError, OSError) as exc:
            log.info("an entry of the queue waits: %s", exc)
            self.unanswered.add(entry.key)
        else:
            self.unanswered.discard(entry.key)

    async def _start_alone(self, entry: Entry) -> None:
        with suppress(Timeout), self._load_lock:  # a command line may be about to start one
            if not self._capacity.load_in_doubt() and not await self._capacity.load_elsewhere():
                await self._start(entry)

    async def _start(self, entry: Entry) -> None:
        form = entry.form
        try:
            if self._ready and KINDS[entry.kind].traits.loads:
                form = await self._ready(form)
            made = KINDS[entry.kind].from_form(form)
        except InvalidForm as exc:  # as a start's first day that no longer fits
            await self._settle(entry, EntryState.REFUSED, " ".join(exc.errors.values()))
            return
        if not await self._write(lambda store: store.queue.begin(entry.key)):
            return  # it was removed while the backend was asked
        start = await self._starting.submit(new_key(), made, form, entry.actor, owner=entry.key, attempt=entry.attempts)
        await self._started(entry, start)
        if start.state is StartState.STARTED and start.operation_id:
            await self._monitor.look(start.operation_id)
        elif start.state in (StartState.UNSENT, StartState.REFUSED):
            await asyncio.sleep(ROUND)

    async def _started(self, entry: Entry, start: Start) -> None:
        """Store the start's outcome in its entry."""
        later = start.state is StartState.REFUSED and means_later(start.message)
        if start.state is StartState.STARTED:
            await self._settle(entry, EntryState.RUNNING, operation_id=start.operation_id)
        elif start.state is StartState.UNSENT or later:
            if later and KINDS[entry.kind].traits.worker:
                self._not_before[entry.kind] = time.monotonic() + REFUSED_PAUSE
            await self._write(lambda store: store.queue.next_attempt(entry.key))
        elif start.state is StartState.REFUSED:
            await self._settle(entry, EntryState.REFUSED, start.message)
        elif start.state is StartState.DISMISSED:
            await self._settle(entry, EntryState.CANCELLED, start.message)
        elif start.state is StartState.UNCONFIRMED and entry.state is not EntryState.UNCONFIRMED:
            await self._settle(entry, EntryState.UNCONFIRMED, start.message)

    async def _follow(self, entry: Entry) -> None:
        if entry.operation_id is None:
            # The panel stopped during the start, or the answer was lost: the start's own record has more.
            start = self._store.start_for(entry.key, entry.attempts)
            if start is not None:
                await self._started(entry, start)
            else:
                await self._settle(entry, EntryState.WAITING)
            return
        observation = await self._monitor.look(entry.operation_id)
        if observation is None:
            await self._settle(entry, EntryState.FAILED, "The backend no longer knows this operation.")
        elif not (verdict := self._monitor.verdict(observation)).live:
            good = ended_well(observation, verdict)
            ended = EntryState.DONE if good else EntryState.FAILED
            await self._settle(entry, ended, "" if good else verdict.headline)

    async def _stop_operation(self, operation_id: str) -> None:
        """Cancel it, unless it has ended: also in between."""
        observation = await self._monitor.look(operation_id)
        if observation is not None and self._monitor.verdict(observation).live:
            try:
                await self._commands.cancel(operation_id)
            except CLIClientError as exc:
                if not (isinstance(exc, AlreadyEnded) or exc.unknown):
                    raise
