"""Collects what a view shows from the components that know it. It only reads."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

from panel.adapters import KINDS
from panel.domain.attention import partition_by_attention
from panel.domain.comparison import Changes, changes
from panel.domain.history import OperationQuery
from panel.domain.observation import Observation
from panel.domain.requests import LoadState
from panel.domain.snapshot import Snapshot
from panel.domain.state import State
from panel.domain.system_health import memory_link
from panel.domain.timeline import Moment, timeline
from panel.monitoring.inventory import DataInventory
from panel.monitoring.poller import Monitor
from panel.storage.store import Storage
from panel.views.data import Pair, PlanView, QueueView, StoredView, plan_view, queue_view, stored_view
from panel.views.home import (
    RECENT,
    ConnectionView,
    HomeView,
    WorkersView,
    WorkerView,
    connection_view,
    home_view,
    workers_view,
)
from panel.views.operation import (
    REPORTED,
    DetailsView,
    OperationView,
    TimelineView,
    commands_of,
    estimate_view,
    notes_of,
    operation_view,
    report_of,
    timeline_view,
    with_start,
)
from panel.workflows.resuming import ResumeWorkflow

SHOWN_RUNNING, ESTIMATED = 50, 12  # operations on home, the newest; and how many of them with the time they still take
LOOKED_THROUGH = 50  # ends among which home finds those that want attention


@dataclass(frozen=True, slots=True)
class Reader:
    storage: Storage
    monitor: Monitor
    inventory: DataInventory
    resume: ResumeWorkflow
    embedded: bool

    @property
    def address(self) -> str:
        """Of the backend, as a command line wants it; "" for the embedded one."""
        return "" if self.embedded else self.monitor.line.address

    def connection(self) -> ConnectionView:
        monitor, loads = self.monitor, self.inventory.latest_loads()
        since, why = monitor.recorder.failing_since, monitor.recorder.reason
        memory = [memory_link(since, why)] if since is not None else []
        return connection_view(monitor.line, monitor.worker_list, loads, time.time(), memory, embedded=self.embedded)

    def workers(self) -> WorkersView:
        workers, rows = self.monitor.worker_list, []
        for worker in sorted(workers.workers, key=lambda worker: (worker.kind, worker.id)):
            observation = self.monitor.known(worker.operation_id) if worker.operation_id else None
            rows.append(WorkerView(worker, self.operation(observation) if observation else None))
        return workers_view(rows, workers, self.monitor.line, time.time())

    def home(self) -> HomeView:
        """What wants attention, what runs, and what ended lately."""
        now, monitor, every = time.time(), self.monitor, self.monitor.running()
        running = every[:SHOWN_RUNNING]
        unwritten = self.monitor.recorder.unwritten_ends()
        listed = {each.snapshot.id for each in unwritten}
        stored = self.storage.memory.ended(LOOKED_THROUGH)
        ended = [
            *unwritten,
            *(each for each in stored if not (each.snapshot.id in listed or monitor.polled(each.snapshot.id))),
        ]
        wanting, others = partition_by_attention([(each, monitor.verdict(each)) for each in ended], now)
        view = home_view(
            [self.operation(each, estimated=place < ESTIMATED) for place, each in enumerate(running)],
            [self.operation(each) for each, _ in wanting[:RECENT]],
            [self.operation(each) for each, _ in others[:RECENT]],
            monitor.line,
            self.storage.unsettled_starts(),
            self.storage.queue.open_loads(),
            self.storage.queue.told_plans(now - 86_400),
            now,
        )
        return replace(view, more=len(every) - len(running))

    def stored(self) -> StoredView:
        loading = self.loading()
        rows = self.inventory.rows(loading)
        line, symbols = self.monitor.line, self.inventory.symbols
        return stored_view(rows, loading, symbols, line, time.time(), embedded=self.embedded)

    def loading(self) -> dict[Pair, Snapshot]:
        """The load of each symbol and timeframe that runs."""
        return {(load.symbol, load.timeframe): load for load in self._running_loads()}

    def queue(self) -> QueueView:
        own = self.storage.queue.open_loads()
        uncertain = bool(self.storage.possibly_running_loads(time.time()))
        operations = self._snapshots(load.operation_id for load in own)
        asked = (self.storage.start_for(load.key, load.attempts) for load in own if load.state is LoadState.UNCONFIRMED)
        starts = {start.owner: start for start in asked if start is not None}
        return queue_view(own, self._running_loads(), operations, starts, uncertain=uncertain)

    def plan(self, key: str) -> PlanView | None:
        plan, loads = self.storage.queue.plan(key), self.storage.queue.loads_of(key)
        operations = self._snapshots(load.operation_id for load in loads)
        return plan_view(plan, loads, operations, self.storage.start_for(key), time.time()) if plan else None

    def operation(self, observation: Observation, *, estimated: bool = False) -> OperationView:
        """One operation on a list; how much longer it takes is only worked out for somebody who looks."""
        now, verdict, snapshot = time.time(), self.monitor.verdict(observation), observation.snapshot
        estimate = self.monitor.estimates.current(observation, verdict, now) if estimated else None
        row = self.inventory.row_after(snapshot) if snapshot.kind == "data_load" and not verdict.live else None
        return operation_view(observation, verdict, now, embedded=self.embedded, row=row, estimate=estimate)

    def details(self, view: OperationView) -> DetailsView:
        observation, verdict, estimates = view.seen, view.verdict, self.monitor.estimates
        estimate = estimates.current(observation, verdict, view.now)
        commands = commands_of(view.snapshot, self.storage.start_of(view.snapshot.id), self.address)
        report = ""
        if verdict.state in REPORTED:
            report = report_of(view, self.moments(observation, view.now), commands, self.address)
        return DetailsView(
            estimate=estimate_view(estimate, estimates.earlier(view.snapshot) if estimate else ()),
            notes=notes_of(observation, verdict),
            resume=self.resume.offer(observation, verdict),
            commands=commands,
            report=report,
        )

    def timeline(self, view: OperationView) -> TimelineView:
        readings = self.storage.memory.readings(view.snapshot.id)
        return timeline_view(self.moments(view.seen, view.now), readings, view.verdict)

    def moments(self, observation: Observation, now: float) -> list[Moment]:
        """Everything observed of it, the newest last."""
        memory, snapshot = self.storage.memory, observation.snapshot
        readings = memory.readings(snapshot.id)
        since = snapshot.created_at or (readings[0].at if readings else now)
        until = observation.changed_at if snapshot.finished else now
        actions = with_start(memory.requests(snapshot.id), self.storage.start_of(snapshot.id))
        return timeline(snapshot, readings, actions, self.storage.paces.absences(since, until))

    def changes(self, observation: Observation) -> Changes | None:
        """What is different from the last run of its strategy that completed before it; None without one."""
        adapter, snapshot = KINDS.get(observation.snapshot.kind), observation.snapshot
        if adapter is None or not adapter.measures or not snapshot.strategy:
            return None
        began = snapshot.created_at or observation.changed_at
        wanted = OperationQuery(snapshot.kind, (State.COMPLETED,), snapshot.strategy, until=began, limit=1)
        found = self.storage.memory.page(wanted)
        return changes(adapter.measures, found[0].snapshot, snapshot) if found else None

    def _running_loads(self) -> list[Snapshot]:
        return [each.snapshot for each in self.monitor.running() if each.snapshot.kind == "data_load"]

    def _snapshots(self, ids: Iterable[str | None]) -> dict[str, Snapshot]:
        known = [self.monitor.known(operation_id) for operation_id in ids if operation_id]
        return {observation.snapshot.id: observation.snapshot for observation in known if observation}
