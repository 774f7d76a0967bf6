"""Puts starts into the queue by the clock.

Each run is an entry of the queue, or a batch, whose key is made of the schedule and the due time: a panel that is
killed in between queues it once. What was missed while no panel ran is made up for by one run.

A clock that leaps makes nothing due until it has held for some minutes: it may be wrong for a moment. The next run that
a wrong clock has put off comes at its time all the same.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from weakref import WeakValueDictionary

from panel.adapters import KINDS
from panel.backend.catalogue import Catalogue
from panel.domain.clock_watch import HELD, ClockWatch
from panel.domain.formatting import rough
from panel.domain.queueing import MAX_ENTRIES
from panel.domain.schedules import (
    BATCH,
    LATE,
    MAX_SCHEDULES,
    Schedule,
    ScheduleRun,
    missed_between,
    next_due,
    time_of,
    zone_of,
)
from panel.errors import InvalidForm
from panel.observability.rounds import until_set
from panel.storage.bulk import digest_of
from panel.storage.store import Storage
from panel.storage.transactions import as_json
from panel.workflows.batches import BatchWorkflow
from panel.workflows.queue import Queue, QueueFull

ROUND = 30.0  # seconds between rounds at most: the clock may be set, or the machine have slept

log = logging.getLogger(__name__)


class FormReused(Exception):
    """The key has made another schedule before, or one that was `deleted` since."""

    def __init__(self, deleted: bool) -> None:
        super().__init__("deleted" if deleted else "another schedule")
        self.deleted = deleted


class Schedules:
    """Start with `run` in a task."""

    def __init__(
        self, store: Storage, queue: Queue, batches: BatchWorkflow, catalogue: Catalogue | None = None
    ) -> None:
        """With a catalogue, none is saved whose strategy does not exist."""
        self._store = store
        self._queue = queue
        self._batches = batches
        self._catalogue = catalogue
        self._due = asyncio.Event()
        self._clock = ClockWatch(time.time(), time.monotonic())
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # of schedules: run or change it

    async def add(
        self,
        key: str,
        kind: str,
        form: Mapping[str, str],
        days: Collection[int],
        at: str,
        zone: str,
        actor: str,
        asked: str = "",
    ) -> None:
        """Repeat a start or a batch, once for each key. `asked`: the request, where `form` says more than was typed.
        Raises InvalidForm and FormReused."""
        asked = asked or as_json([kind, dict(form), sorted(days), at, zone])
        if self.made(key, asked):
            return
        await self._check(kind, form, days, at, zone)
        now = time.time()
        first = next_due(days, at, zone, now)
        made = Schedule(key, kind, dict(form), frozenset(days), at, zone, True, first, now, actor)
        if not await self._store.write(lambda store: store.schedules.add(made, digest_of(asked))):
            raise InvalidForm({"": f"There are {MAX_SCHEDULES} schedules already. Delete one first."})
        self.made(key, asked)  # another request may have come first
        self._due.set()

    def made(self, key: str, asked: str) -> bool:
        """Whether this request was granted before. Raises FormReused."""
        before = self._store.schedules.request(key)
        if before is None:
            return False
        digest, deleted = before
        if deleted or digest not in ("", digest_of(asked)):
            raise FormReused(deleted)
        return True

    async def change(self, key: str, form: Mapping[str, str], days: Collection[int], at: str, zone: str) -> None:
        """Other values for a schedule that is there; one that is off stays off. Raises InvalidForm."""
        if (known := self._store.schedules.get(key)) is None:
            raise InvalidForm({"": "This schedule was deleted in the meantime."})
        await self._check(known.kind, form, days, at, zone)
        upcoming = next_due(days, at, zone, time.time()) if known.active else None
        changed = replace(known, form=dict(form), days=frozenset(days), at=at, zone=zone, next_at=upcoming)
        async with self._turn(key):
            await self._store.write(lambda store: store.schedules.change(changed))
        self._due.set()

    async def _check(self, kind: str, form: Mapping[str, str], days: Collection[int], at: str, zone: str) -> None:
        errors: dict[str, str] = {}
        try:
            if kind == BATCH:
                await self._batches.plan(form)
            else:
                KINDS[kind].from_form(dict(form))
        except InvalidForm as exc:
            errors |= exc.errors
        strategy = form.get("strategy_name", "").strip()
        if strategy and "strategy_name" not in errors and self._catalogue and await self._catalogue.lacks(strategy):
            errors["strategy_name"] = f"There is no strategy {strategy}."
        for name, wrong in (("at", lambda: time_of(at)), ("zone", lambda: zone_of(zone))):
            try:
                wrong()
            except ValueError as exc:
                errors[name] = str(exc)
        if not days:
            errors["days"] = "Choose at least one day."
        if errors:
            raise InvalidForm(errors)

    async def switch(self, key: str, on: bool) -> None:
        """What was due while it was off is not made up for."""
        schedule = self._store.schedules.get(key)
        if schedule is None or schedule.active is on:
            return
        first = next_due(schedule.days, schedule.at, schedule.zone, time.time()) if on else None
        async with self._turn(key):
            await self._store.write(lambda store: store.schedules.switch(key, first))
        self._due.set()

    async def delete(self, key: str) -> None:
        """What it put into the queue stays there; from now on it puts nothing more there."""
        async with self._turn(key):
            await self._store.write(lambda store: store.schedules.delete(key, time.time()))

    def _turn(self, key: str) -> asyncio.Lock:
        return self._turns.setdefault(key, asyncio.Lock())

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._due.clear()
            wait = min(ROUND, HELD)
            if self._clock.believes(time.time(), time.monotonic()):
                if self._clock.has_held(time.monotonic()):
                    await self._each(self._store.schedules.all(), self._bring_forward)
                await self._each(self._store.schedules.due(time.time()), self._run_once)
                upcoming = self._store.schedules.next_at()
                wait = ROUND if upcoming is None else min(max(upcoming - time.time(), 1.0), ROUND)
            await until_set(self._due, wait)

    async def _each(self, schedules: list[Schedule], action: Callable[[Schedule], Awaitable[None]]) -> None:
        for schedule in schedules:
            try:
                await action(schedule)
            except (sqlite3.Error, ValueError) as exc:
                log.warning("a schedule waits: %s", exc)

    async def _bring_forward(self, schedule: Schedule) -> None:
        """A clock that was ahead has put off the next run, for years perhaps: that is the first one from now."""
        key, planned = schedule.key, schedule.next_at
        if planned is None:
            return
        first = time.time()
        while (first := next_due(schedule.days, schedule.at, schedule.zone, first)) < planned:
            if not self._store.schedules.has_run(key, first):  # it was made before the clock was set back
                log.info("the next run of a schedule comes earlier: the clock was set back")
                await self._store.write(lambda store: store.schedules.bring_forward(key, planned, first))
                return

    async def _run_once(self, schedule: Schedule) -> None:
        async with self._turn(schedule.key):
            known = self._store.schedules.get(schedule.key)
            if known is not None and known.active and known.next_at == schedule.next_at:  # still, after those before it
                await self._run(known)

    async def _run(self, schedule: Schedule) -> None:
        now, due = time.time(), schedule.next_at or 0.0
        missed = missed_between(schedule, due, now)
        following = next_due(schedule.days, schedule.at, schedule.zone, now)
        key, note = f"schedule-{schedule.key}-{int(due)}", ""
        if missed or now - due > LATE:
            times = "1 time" if not missed else f"{missed + 1} times"
            note = f"Missed {times}{self._why_missed(due)}. Queued once, {rough(now - due)} late."
        if self._still_waits(schedule) and not self._knows(schedule, key):
            key, note = "", "Left out: the run before it still waits in the queue."
        else:
            try:
                await self._put(schedule, key)
            except QueueFull:
                key, note = "", f"Left out: {MAX_ENTRIES:,} starts waited in the queue."
            except InvalidForm as exc:  # of a batch, whose strategy may have changed
                key, note = "", f"Left out: {' '.join(exc.errors.values())}"
        run = ScheduleRun(schedule.key, due, key, now, missed, note)
        await self._store.write(lambda store: store.schedules.ran(run, following))

    def _why_missed(self, due: float) -> str:
        if due <= self._clock.began:
            return ", as the panel did not run"
        if self._clock.leapt_over(due):
            return ", as the machine was off or asleep, or its clock was put forward"
        return ""

    async def _put(self, schedule: Schedule, key: str) -> None:
        if schedule.kind == BATCH:
            await self._batches.begin(key, schedule.form, "a schedule")
        else:
            await self._queue.add(schedule.kind, key, schedule.form, "a schedule")

    def _knows(self, schedule: Schedule, key: str) -> bool:
        """Whether this run was made already, and the panel stopped before it was written down."""
        return self._store.batches.batch(key) is not None if schedule.kind == BATCH else self._queue.knows(key)

    def _still_waits(self, schedule: Schedule) -> bool:
        last = self._store.schedules.last_entry(schedule.key)
        if schedule.kind == BATCH:
            return any(run.open for run in self._store.batches.runs(last))
        entry = self._queue.entry(last)
        return entry is not None and entry.waiting
