"""Data loads one after another, and plans that load what is missing and then train.

Two loads at once collide at the backend: they share a connection and a place for their progress. So each
load waits in a queue on disk until no other runs, also none that somebody else started, and is then started
exactly once. A plan is a training that waits for loads of its own.
"""

import asyncio
import logging
import time
from contextlib import suppress

from panel.adapters import KINDS
from panel.backend.catalogue import Catalogue
from panel.backend.ktrdr import Ktrdr
from panel.domain.events import EventBus, OperationsListed, QueueChanged, StartsChanged
from panel.domain.gaps import DAY
from panel.domain.requests import Load, LoadState, Plan, PlanState, Start, StartState
from panel.domain.values import moment
from panel.domain.verdict import State
from panel.errors import CLIClientError
from panel.monitoring.poller import Monitor
from panel.storage.process_lock import ProcessLock
from panel.storage.store import Storage
from panel.workflows.commands import Commands
from panel.workflows.starting import StartWorkflow, new_key

ROUND = 1.0  # seconds between looks at what the first load has come to
DECIDED_WITHIN = 3.0  # seconds that a submit waits to learn whether its load begins at once
BUSY_WORDS = ("one at a time", "busy")  # of a refusal that only means: later

log = logging.getLogger(__name__)


class LoadQueue:
    """The queue. Start with `run` in a task."""

    def __init__(
        self,
        ktrdr: Ktrdr,
        store: Storage,
        starting: StartWorkflow,
        relay: Monitor,
        commands: Commands,
        catalogue: Catalogue,
        turn: ProcessLock,
        events: EventBus,
    ) -> None:
        self._ktrdr = ktrdr
        self._store = store
        self._starting = starting
        self._relay = relay
        self._commands = commands
        self._catalogue = catalogue
        self._turn = turn
        self._events = events
        self._due = asyncio.Event()
        self._news = asyncio.Event()  # set, and replaced, whenever a load's fate may have been decided
        events.subscribe(StartsChanged, lambda _: self.wake())
        events.subscribe(OperationsListed, lambda _: self._notify())

    def add(self, key: str, form: dict[str, str]) -> Load:
        """Queue a load, once for each key."""
        load = self._store.queue.add_load(key, form)
        self.wake()
        return load

    def load(self, key: str) -> Load | None:
        return self._store.queue.load(key)

    def open_loads(self) -> list[Load]:
        """What waits or runs, in the order of its start."""
        return self._store.queue.open_loads()

    async def decided(self, load: Load) -> Load:
        """The load once it has begun, was refused or has to wait for another; as it is after DECIDED_WITHIN."""
        with suppress(asyncio.TimeoutError):
            async with asyncio.timeout(DECIDED_WITHIN):
                while load.state is LoadState.STARTING or (load.state is LoadState.WAITING and not self.others()):
                    await self._news.wait()
                    load = self._store.queue.load(load.key) or load
        return load

    def _notify(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def plan(self, key: str, form: dict[str, str], loads: list[dict[str, str]]) -> Plan:
        """Load these, then train."""
        plan = self._store.queue.add_plan(key, form, loads)
        self.wake()
        return plan

    async def cancel(self, key: str) -> None:
        """Take a load out of the queue, or cancel it when it runs; one that is just being started is cancelled
        as soon as it is known what it began. Raises CLIClientError."""
        load = self._store.queue.load(key)
        if load is None or not load.open:
            return
        if load.operation_id:
            await self._stop_operation(load.operation_id)
        self._store.queue.settle_load(key, LoadState.CANCELLED, operation_id=load.operation_id)
        start = self._store.start_for(key, load.attempts)
        if load.state is LoadState.UNCONFIRMED and start is not None:  # the person knows that, and decides
            await self._starting.dismiss(start.key)
        self.wake()

    async def cancel_plan(self, key: str) -> None:
        plan = self._store.queue.plan(key)
        if plan is None or not plan.open:
            return
        self._store.queue.settle_plan(key, PlanState.CANCELLED)
        start = self._store.start_for(key)
        if plan.state is PlanState.UNCONFIRMED and start is not None:
            await self._starting.dismiss(start.key)
        failed: CLIClientError | None = None
        for load in self._store.queue.loads_of(key):
            try:
                await self.cancel(load.key)
            except CLIClientError as exc:
                failed = exc
        self.wake()
        if failed is not None:
            raise failed

    async def run(self) -> None:
        """Until cancelled. What was waiting when the panel stopped goes on."""
        while True:
            self._due.clear()
            try:
                await self._round()
            except CLIClientError as exc:
                log.info("queue waits: %s", exc.message)
            idle = (
                not self._store.queue.open_loads()
                and not self._store.queue.open_plans()
                and not self._store.withdrawn_starts()
            )
            with suppress(asyncio.TimeoutError):
                async with asyncio.timeout(
                    None if idle else ROUND
                ):  # not `wait_for`: Python 3.11's may swallow a cancel
                    await self._due.wait()

    def wake(self) -> None:
        """Something is another than it was: look at once."""
        self._due.set()
        self._changed()

    def _changed(self) -> None:
        self._notify()
        self._events.publish(QueueChanged())

    async def _round(self) -> None:
        for start in self._store.withdrawn_starts():
            if start.operation_id:
                try:
                    await self._stop_operation(start.operation_id)
                except CLIClientError as exc:
                    log.info("a withdrawn start is not cancelled yet: %s", exc.message)
                else:
                    self._store.queue.mark_withdrawn(start.owner, start.operation_id)
        queue = self._store.queue.open_loads()
        for load in queue:
            if load.state is not LoadState.WAITING:
                await self._follow(load)
        queue = self._store.queue.open_loads()
        waiting = [load for load in queue if load.state is LoadState.WAITING]
        for operation_id in self.others() if waiting else []:
            self._relay.wake(operation_id)  # somebody waits for its end
        if waiting and len(waiting) == len(queue) and not self.others() and not self._in_doubt():
            with self._turn.taken() as ours:  # a command line may be about to start one
                if ours and not self._in_doubt() and not await self._started_elsewhere():
                    await self._start(waiting[0])
        for plan in self._store.queue.open_plans():
            await self._advance(plan)

    def others(self) -> list[str]:
        """Ids of data loads that run now, whoever started them."""
        return [
            observation.snapshot.id for observation in self._relay.running() if observation.snapshot.kind == "data_load"
        ]

    def _in_doubt(self) -> bool:
        """Whether a load may be about to begin, also one that a command line sent or that was removed."""
        return bool(self._store.possibly_running_loads(time.time()))

    async def _started_elsewhere(self) -> bool:
        """The backend itself is asked before a start: another tool may have begun a load just now."""
        for load in await self._ktrdr.active_loads():
            await self._relay.look(load.id)
        return bool(self.others())

    async def _start(self, load: Load) -> None:
        if not self._store.queue.settle_load(load.key, LoadState.STARTING):
            return  # it was removed while the backend was asked
        adapter = KINDS["data_load"].from_form(load.form)
        start = await self._starting.submit(new_key(), adapter, load.form, owner=load.key, attempt=load.attempts)
        self._started(load, start)
        if start.state is StartState.STARTED and start.operation_id:
            await self._relay.look(start.operation_id)
        elif start.state in (StartState.UNSENT, StartState.REFUSED):
            await asyncio.sleep(ROUND)

    def _started(self, load: Load, start: Start) -> None:
        """What has become of the start, written down for its load."""
        busy = start.state is StartState.REFUSED and any(word in start.message for word in BUSY_WORDS)
        if start.state is StartState.STARTED:
            self._store.queue.settle_load(load.key, LoadState.RUNNING, operation_id=start.operation_id)
        elif start.state is StartState.UNSENT or busy:
            self._store.queue.next_attempt(load.key)  # nothing began: later
        elif start.state is StartState.REFUSED:
            self._store.queue.settle_load(load.key, LoadState.REFUSED, start.message)
        elif start.state is StartState.DISMISSED:
            self._store.queue.settle_load(load.key, LoadState.CANCELLED, start.message)
        elif start.state is StartState.UNCONFIRMED and load.state is not LoadState.UNCONFIRMED:
            self._store.queue.settle_load(load.key, LoadState.UNCONFIRMED, start.message)
        else:
            return
        self._changed()

    async def _follow(self, load: Load) -> None:
        if load.operation_id is None:
            # The panel stopped in mid-start, or the answer was lost: the start's own record knows more.
            start = self._store.start_for(load.key, load.attempts)
            if start is not None:
                self._started(load, start)
            else:
                self._store.queue.settle_load(load.key, LoadState.WAITING)
                self._changed()
            return
        observation = await self._relay.look(load.operation_id)
        if observation is None:
            self._store.queue.settle_load(load.key, LoadState.FAILED, "The backend no longer knows this load.")
            self._changed()
        elif not (verdict := self._relay.verdict(observation)).live:
            good = verdict.state is State.COMPLETED or bool(observation.gaps_left)  # its bars came
            self._store.queue.settle_load(
                load.key, LoadState.DONE if good else LoadState.FAILED, "" if good else verdict.headline
            )
            self._changed()

    async def _advance(self, plan: Plan) -> None:
        """Start the plan's training once its loads are through and the bars are really there."""
        loads = self._store.queue.loads_of(plan.key)
        if plan.state is PlanState.WAITING:
            bad = next((load for load in loads if not load.open and load.state is not LoadState.DONE), None)
            if bad is not None:
                what = f"{bad.form.get('symbol')} {bad.form.get('timeframe')}"
                self._stop(plan, f"The load of {what} did not succeed, so the training was not started. {bad.message}")
                return
            if any(load.open for load in loads):
                return
            for load in loads:
                symbol, timeframe = load.form["symbol"].upper(), load.form["timeframe"]
                stored = await self._catalogue.range(symbol, timeframe)
                first, last = moment(plan.form.get("start_date")), moment(plan.form.get("end_date"))
                if not stored.bars or stored.start is None or stored.end is None:
                    self._stop(plan, f"The load of {symbol} {timeframe} ended, but no bars are stored.")
                    return
                if (first or 0.0) > stored.end or (last or stored.end) + DAY < stored.start:
                    short = "came back short: no stored bar lies in the training's period."
                    self._stop(plan, f"{symbol} {timeframe} {short}")
                    return
            if not self._store.queue.settle_plan(plan.key, PlanState.STARTING):
                return  # it was cancelled while the backend was asked
            training = KINDS["training"].from_form(plan.form)
            start = await self._starting.submit(new_key(), training, plan.form, owner=plan.key)
        else:
            found = self._store.start_for(plan.key)
            if found is None:  # the panel stopped before the intent was written: nothing was sent
                self._store.queue.settle_plan(plan.key, PlanState.WAITING)
                return
            start = found
        if start.state is StartState.SENDING:
            return
        if start.state is StartState.STARTED:
            self._store.queue.settle_plan(plan.key, PlanState.STARTED, operation_id=start.operation_id)
        elif start.state in (StartState.REFUSED, StartState.UNSENT, StartState.DISMISSED):
            self._stop(plan, start.message)
        elif plan.state is not PlanState.UNCONFIRMED:
            self._store.queue.settle_plan(plan.key, PlanState.UNCONFIRMED, start.message)
        else:
            return
        self._changed()

    async def _stop_operation(self, operation_id: str) -> None:
        """Cancel it, unless it has ended: also in between."""
        observation = await self._relay.look(operation_id)
        if observation is not None and self._relay.verdict(observation).live:
            try:
                await self._commands.cancel(operation_id)
            except CLIClientError as exc:
                if exc.status_code != 400 and not exc.unknown:
                    raise

    def _stop(self, plan: Plan, message: str) -> None:
        self._store.queue.settle_plan(plan.key, PlanState.STOPPED, message)
        self._changed()
