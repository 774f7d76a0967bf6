"""Data loads one after another, and plans that load what is missing and then train.

Two loads at once collide at the backend: they share a connection and a place for their progress. So each
load waits in a queue on disk until no other runs, also none that somebody else started, and is then started
exactly once. A plan is a training that waits for loads of its own.
"""

import asyncio
import logging
from collections.abc import Callable

from panel.adapters import KINDS
from panel.catalogue import Catalogue
from panel.coverage import DAY
from panel.errors import CLIClientError
from panel.execute import Client
from panel.operations import ID, moment
from panel.relay import Relay
from panel.starting import Starting
from panel.store import OPEN, Load, Plan, Start, Store
from panel.verdict import State

ROUND = 1.0  # seconds between looks at what the first load has come to
BUSY_WORDS = ("one at a time", "busy")  # of a refusal that only means: later

log = logging.getLogger(__name__)


class Loads:
    """The queue. `changed` is called when anything in it has. Start with `run` in a task."""

    def __init__(
        self,
        client: Client,
        store: Store,
        starting: Starting,
        relay: Relay,
        catalogue: Catalogue,
        changed: Callable[[], None],
    ) -> None:
        self._client = client
        self._store = store
        self._starting = starting
        self._relay = relay
        self._catalogue = catalogue
        self._changed = changed
        self._due = asyncio.Event()

    def add(self, key: str, form: dict[str, str]) -> Load:
        """Queue a load, once for each key."""
        load = self._store.add_load(key, form)
        self._wake()
        return load

    def plan(self, key: str, form: dict[str, str], loads: list[dict[str, str]]) -> Plan:
        """Load these, then train."""
        plan = self._store.add_plan(key, form, loads)
        self._wake()
        return plan

    async def cancel(self, key: str) -> None:
        """Take a load out of the queue, or cancel it when it runs. Raises CLIClientError."""
        load = self._store.load(key)
        if load is None or load.state not in OPEN:
            return
        if load.operation_id:
            await self._relay.cancel(load.operation_id)
        self._store.settle_load(key, "cancelled", operation_id=load.operation_id)
        self._wake()

    async def cancel_plan(self, key: str) -> None:
        plan = self._store.plan(key)
        if plan is None or plan.state not in OPEN:
            return
        self._store.settle_plan(key, "cancelled")
        for load in self._store.loads_of(key):
            await self.cancel(load.key)
        self._wake()

    async def run(self) -> None:
        """Until cancelled. What was waiting when the panel stopped goes on."""
        while True:
            try:
                await self._round()
            except CLIClientError as exc:
                log.info("queue waits: %s", exc.message)
            self._due.clear()
            idle = not self._store.open_loads() and not self._store.open_plans()
            try:
                await asyncio.wait_for(self._due.wait(), None if idle else ROUND)
            except TimeoutError:
                continue

    def _wake(self) -> None:
        self._due.set()
        self._changed()

    async def _round(self) -> None:
        queue = self._store.open_loads()
        for load in queue:
            if load.state != "waiting":
                await self._follow(load)
        queue = self._store.open_loads()
        waiting = [load for load in queue if load.state == "waiting"]
        for operation_id in self.others() if waiting else []:
            self._relay.wake(operation_id)  # somebody waits for its end
        if waiting and len(waiting) == len(queue) and not self.others() and not await self._started_elsewhere():
            await self._start(waiting[0])
        for plan in self._store.open_plans():
            await self._advance(plan)

    def others(self) -> list[str]:
        """Ids of data loads that run now, whoever started them."""
        return [seen.snapshot.id for seen in self._relay.running() if seen.snapshot.kind == "data_load"]

    async def _started_elsewhere(self) -> bool:
        """The backend itself is asked before a start: another tool may have begun a load just now."""
        asked = {"operation_type": "data_load", "active_only": "true", "limit": 20}
        answer = await self._client.get("/operations", params=asked, timeout=10.0)
        listed = answer.get("data") if isinstance(answer, dict) else None
        for item in listed if isinstance(listed, list) else []:
            operation_id = item.get("operation_id") if isinstance(item, dict) else None
            if isinstance(operation_id, str) and ID.fullmatch(operation_id):
                await self._relay.look(operation_id)
        return bool(self.others())

    async def _start(self, load: Load) -> None:
        self._store.settle_load(load.key, "starting")
        adapter = KINDS["data_load"].from_form(load.form)
        start = await self._starting.submit(f"{load.key}.{load.attempts}", adapter, load.form)
        removed = self._store.load(load.key)
        if removed is not None and removed.state == "cancelled":  # while it was being started
            await self._take_back(start)
        elif start.state == "started" and start.operation_id:
            self._store.settle_load(load.key, "running", operation_id=start.operation_id)
            await self._relay.look(start.operation_id)
        elif start.state == "unsent" or (start.state == "refused" and any(w in start.message for w in BUSY_WORDS)):
            self._store.next_attempt(load.key)  # nothing began: later
            await asyncio.sleep(ROUND)
        elif start.state == "refused":
            self._store.settle_load(load.key, "refused", start.message)
        else:
            self._store.settle_load(load.key, "unconfirmed", start.message)
        self._changed()

    async def _follow(self, load: Load) -> None:
        if load.operation_id is None:
            # The panel stopped in mid-start, or the answer was lost: the start's own record knows more.
            start = await self._of(f"{load.key}.{load.attempts}", load.state)
            if start is None:
                self._store.settle_load(load.key, "waiting")
            elif start.state == "started" and start.operation_id:
                self._store.settle_load(load.key, "running", operation_id=start.operation_id)
            elif start.state == "unsent":
                self._store.next_attempt(load.key)
            elif start.state == "refused":
                self._store.settle_load(load.key, "refused", start.message)
            elif load.state != "unconfirmed":
                self._store.settle_load(load.key, "unconfirmed", start.message)
            else:
                return
            self._changed()
            return
        seen = await self._relay.look(load.operation_id)
        if seen is not None and not (verdict := self._relay.verdict(seen)).live:
            good = verdict.state is State.COMPLETED
            self._store.settle_load(load.key, "done" if good else "failed", "" if good else verdict.headline)
            self._changed()

    async def _advance(self, plan: Plan) -> None:
        """Start the plan's training once its loads are through and the bars are really there."""
        loads = self._store.loads_of(plan.key)
        if plan.state == "waiting":
            bad = next((load for load in loads if load.state in ("failed", "refused", "cancelled")), None)
            if bad is not None:
                what = f"{bad.form.get('symbol')} {bad.form.get('timeframe')}"
                self._stop(plan, f"The load of {what} did not succeed, so the training was not started. {bad.message}")
                return
            if any(load.state in OPEN for load in loads):
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
            self._store.settle_plan(plan.key, "starting")
            start = await self._starting.submit(f"{plan.key}.train", KINDS["training"].from_form(plan.form), plan.form)
        else:
            found = await self._of(f"{plan.key}.train", plan.state)
            if found is None:  # the panel stopped before the intent was written: nothing was sent
                self._store.settle_plan(plan.key, "waiting")
                return
            start = found
        current = self._store.plan(plan.key)
        if current is not None and current.state == "cancelled":  # while the training was being started
            await self._take_back(start)
        elif start.state == "started":
            self._store.settle_plan(plan.key, "started", operation_id=start.operation_id)
        elif start.state in ("refused", "unsent"):
            self._stop(plan, start.message)
        elif plan.state != "unconfirmed":
            self._store.settle_plan(plan.key, "unconfirmed", start.message)
        else:
            return
        self._changed()

    async def _take_back(self, start: Start) -> None:
        """Cancel what a start has begun that nobody wants any more."""
        if start.state == "started" and start.operation_id and await self._relay.look(start.operation_id):
            await self._relay.cancel(start.operation_id)

    async def _of(self, key: str, state: str) -> Start | None:
        """What became of a start. One that is not confirmed is looked for again when the person asks."""
        return self._store.start(key) if state == "unconfirmed" else await self._starting.check_again(key)

    def _stop(self, plan: Plan, message: str) -> None:
        self._store.settle_plan(plan.key, "stopped", message)
        self._changed()
