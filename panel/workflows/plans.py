"""Plans: load what is missing, then train. The loads and the training are entries of the queue; the plan puts the
training there once its loads are through and the bars are really stored."""

import asyncio
import logging
import sqlite3

from panel.backend.catalogue import Catalogue
from panel.domain.events import EventBus, QueueChanged
from panel.domain.gaps import DAY
from panel.domain.kinds import traits_of
from panel.domain.requests import Entry, EntryState, Plan, PlanState
from panel.domain.values import moment
from panel.errors import CLIClientError
from panel.monitoring.poller import Monitor
from panel.observability.rounds import until_set
from panel.storage.store import Storage
from panel.workflows.queue import Queue, QueueFull
from panel.workflows.retries import Retries

ROUND = 5.0  # seconds between looks, besides those that the queue's changes ask for

_STATES = {
    EntryState.UNCONFIRMED: PlanState.UNCONFIRMED,
    EntryState.WAITING: PlanState.STARTING,
    EntryState.STARTING: PlanState.STARTING,
}

log = logging.getLogger(__name__)


class Plans:
    """Start with `run` in a task."""

    def __init__(self, store: Storage, queue: Queue, monitor: Monitor, catalogue: Catalogue, events: EventBus) -> None:
        self._store = store
        self._queue = queue
        self._catalogue = catalogue
        self._due = asyncio.Event()
        self._events = events
        self._cancelling = Retries(monitor)  # by plan
        events.subscribe(QueueChanged, lambda _: self._due.set())

    async def add(self, key: str, form: dict[str, str], loads: list[dict[str, str]], actor: str) -> Plan:
        """Load these, then train; once for each key. Raises QueueFull."""
        plan = await self._store.write(lambda store: store.queue.add_plan(key, form, loads, actor))
        if plan is None:
            raise QueueFull
        self._queue.wake()
        return plan

    async def cancel(self, key: str) -> None:
        """With all of its entries. Raises CLIClientError when one of them could not be cancelled; the others were."""
        plan = self._store.queue.plan(key)
        if plan is None or not plan.open:
            return
        self._cancelling.hold(key)
        try:
            await self._store.write(lambda store: store.queue.cancel_plan(key))
            await self._queue.cancel_all([entry.key for entry in self._store.queue.of_plan(key)])
        finally:
            self._cancelling.tried(key)
            self._queue.wake()

    async def run(self) -> None:
        """Until cancelled. What was under way when the panel stopped goes on."""
        while True:
            self._due.clear()
            plans = self._store.queue.open_plans()
            for plan in plans:
                try:
                    await self._advance(plan)
                except (CLIClientError, sqlite3.Error) as exc:
                    log.info("a plan waits: %s", exc)
            left = await self._cancel_the_rest()
            await until_set(self._due, ROUND if plans or left else None)

    async def _cancel_the_rest(self) -> bool:
        """Of cancelled plans: the panel was killed while it did that, or a cancel failed. Whether there is any."""
        left = self._store.queue.unwanted()
        for plan in dict.fromkeys(entry.plan for entry in left):
            if not self._cancelling.due(plan):
                continue
            try:
                await self._queue.cancel_all([entry.key for entry in left if entry.plan == plan])
            except (CLIClientError, sqlite3.Error) as exc:
                log.info("an entry of a cancelled plan is not cancelled yet: %s", exc)
        return bool(left)

    async def _advance(self, plan: Plan) -> None:
        entries = self._store.queue.of_plan(plan.key)
        training = next((entry for entry in entries if traits_of(entry.kind).learns), None)
        if training is not None:
            await self._follow(plan, training)
            return
        bad = next((load for load in entries if not load.open and load.state is not EntryState.DONE), None)
        if bad is not None:
            what = f"{bad.form.get('symbol')} {bad.form.get('timeframe')}"
            await self._stop(
                plan, f"The load of {what} did not succeed, so the training was not started. {bad.message}"
            )
        elif not any(load.open for load in entries):
            if short := await self._short(plan, entries):
                await self._stop(plan, short)
            else:
                await self._store.write(lambda store: store.queue.train(plan))
                self._queue.wake()

    async def _short(self, plan: Plan, loads: list[Entry]) -> str:
        """Which bars are not there although their load ended: a sentence, or "". Raises CLIClientError."""
        first, last = moment(plan.form.get("start_date")), moment(plan.form.get("end_date"))
        for load in loads:
            symbol, timeframe = load.form["symbol"].upper(), load.form["timeframe"]
            stored = await self._catalogue.range(symbol, timeframe)
            if not stored.bars or stored.start is None or stored.end is None:
                return f"The load of {symbol} {timeframe} ended, but no bars are stored."
            outside = (first or 0.0) > stored.end or (last or stored.end) + DAY < stored.start
            if outside or await self._catalogue.bars_in(stored, first, last) == 0:
                return (
                    f"{symbol} {timeframe} came back short: no stored bar lies in the training's period, so the "
                    "training was not started."
                )
        return ""

    async def _follow(self, plan: Plan, training: Entry) -> None:
        if training.operation_id:
            await self._settle(plan, PlanState.STARTED, operation_id=training.operation_id)
        elif not training.open:
            await self._stop(plan, training.message or "Its training was taken out of the queue.")
        elif (state := _STATES.get(training.state)) is not None and state is not plan.state:
            await self._settle(plan, state, training.message)

    async def _stop(self, plan: Plan, message: str) -> None:
        await self._settle(plan, PlanState.STOPPED, message)

    async def _settle(self, plan: Plan, state: PlanState, message: str = "", operation_id: str | None = None) -> None:
        await self._store.write(lambda store: store.queue.settle_plan(plan.key, state, message, operation_id))
        self._events.publish(QueueChanged())
