"""Collects what a view shows from the components that know it. It only reads."""

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from panel.adapters import KINDS, DataLoadOperationAdapter, ResearchOperationAdapter
from panel.adapters.command_lines import commands_of
from panel.backend.openings import knows_sessions
from panel.domain.agents import parts
from panel.domain.comparison import Changes, changes
from panel.domain.history import OperationQuery
from panel.domain.kinds import traits_of
from panel.domain.labels import Label
from panel.domain.model_paths import path_to_try
from panel.domain.models import replaced
from panel.domain.observation import Observation
from panel.domain.requests import Entry, EntryState, Start
from panel.domain.snapshot import Snapshot
from panel.domain.state import State
from panel.domain.strategies import Strategy
from panel.domain.system_health import Link
from panel.domain.timeline import Moment, timeline
from panel.live.begins import begins
from panel.live.home import SHOWN_RUNNING, attention, memory_links, runs_links
from panel.monitoring.inventory import DataInventory
from panel.monitoring.live import keep_latest
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
    fold,
    home_view,
    workers_view,
)
from panel.views.naming import differences
from panel.views.operation import (
    REPORTED,
    DetailsView,
    OperationView,
    TimelineView,
    curves_until,
    estimate_view,
    notes_of,
    operation_view,
    report_of,
    timeline_view,
    with_start,
)
from panel.views.queue import QueuePageView, queue_page, titled
from panel.views.research import FamilyView, ResearchView, research_view
from panel.views.templating import keyed
from panel.workflows.capacity import ended_work, free_places
from panel.workflows.load_remedies import troubled_loads
from panel.workflows.no_room import stuck_work
from panel.workflows.resuming import ResumeWorkflow
from panel.workflows.retraining import remedy
from panel.workflows.run_settings import RunSettings

ESTIMATED = 12  # operations on home with the time they still take, the newest
NEIGHBOURS = 12  # runs from which one is distinguished on its own page
KEPT_DIFFERENCES = 2000  # operations
HEAD_FOR = 10.0  # seconds for which the head may say the same of runs, where nothing but time has passed
LATER = 100  # the latest trainings of one strategy, among which the one that replaced a model is looked for
RESEARCHES = 50  # the latest, among which the one that a run is part of is looked for


@dataclass(frozen=True, slots=True)
class Reader:
    storage: Storage
    monitor: Monitor
    inventory: DataInventory
    resume: ResumeWorkflow
    listed_strategy: Callable[[str], Strategy | None]
    settings: RunSettings
    unanswered: Collection[str]  # the queue's own: it changes
    embedded: bool
    _differs: dict[str, str] = field(default_factory=dict)  # by operation, as last drawn on a list
    _head: list[tuple[float, list[Link]]] = field(default_factory=list)  # when it was found, and what of runs it says

    @property
    def address(self) -> str:
        """Of the backend, as a command line wants it; "" for the embedded one."""
        return "" if self.embedded else self.monitor.connection.address

    def connection(self) -> ConnectionView:
        now, monitor, loads = time.time(), self.monitor, self.inventory.latest_loads()
        if not self._head or not 0 <= now - self._head[0][0] < HEAD_FOR:
            self._head[:] = [(now, runs_links(self.storage, monitor, now))]
        own = memory_links(monitor), self._head[0][1]
        return connection_view(monitor.connection, monitor.worker_list, loads, now, *own, embedded=self.embedded)

    def listed(self) -> None:
        """What home lists has changed."""
        self._head.clear()

    def workers(self) -> WorkersView:
        workers, rows = self.monitor.worker_list, []
        for worker in sorted(workers.workers, key=lambda worker: (worker.kind, worker.id)):
            observation = self.monitor.known(worker.operation_id) if worker.operation_id else None
            rows.append(WorkerView(worker, self.operation(observation) if observation else None))
        return workers_view(rows, workers, self.monitor.connection, time.time())

    def home(self) -> HomeView:
        """What wants attention, what runs, and what ended lately."""
        now, queue = time.time(), self.storage.queue
        found = attention(self.storage, self.monitor, now)
        rest, folded = fold(found.ended, found.batches)
        stuck, wanting = found.stuck[:SHOWN_RUNNING], found.wanting[:RECENT]
        running = found.running[: SHOWN_RUNNING - len(stuck)]
        live, first = len(stuck) + len(running), [each for each, _ in (*stuck, *running, *wanting)]
        views = iter(self.operations([*first, *rest[:RECENT]], estimated=min(ESTIMATED, live)))
        drawn = [list(islice(views, len(each))) for each in (stuck, running, wanting)]
        work = found.unsure, queue.open(), found.plans
        view = home_view(drawn[0], drawn[1], drawn[2], list(views), self.monitor.connection, *work, now)
        more = len(found.running) - len(running)
        unlisted = len(found.stuck) + len(found.wanting) - len(stuck) - len(wanting)
        tallies, refused = tuple(found.batches.tallies.values()), titled(found.refused)
        return replace(view, more=more, unlisted=unlisted, batches=tallies, folded=folded, refused=refused)

    def stored(self) -> StoredView:
        loading, data, connection, now = self.loading(), self.inventory, self.monitor.connection, time.time()
        about = {"embedded": self.embedded, "listed": data.listed, "sessions": knows_sessions()}
        view = stored_view(data.rows(loading), loading, data.symbols, data.files, connection, now, **about)
        return replace(view, troubles=troubled_loads(self.storage, self.monitor, now))

    def loading(self) -> dict[Pair, Snapshot]:
        """The load of each symbol and timeframe that runs."""
        return {(load.symbol, load.timeframe): load for load in self._running_loads()}

    def queue(self) -> QueueView:
        own = self.storage.queue.open(DataLoadOperationAdapter.kind)
        uncertain = bool(self.storage.possibly_running_loads(time.time()))
        operations = self._snapshots(load.operation_id for load in own)
        return queue_view(own, self._running_loads(), operations, self._unconfirmed(own), uncertain=uncertain)

    def entries(self, page: int = 1) -> QueuePageView:
        """The whole queue, a page of it."""
        now, entries, free = time.time(), self.storage.queue.open(), free_places(self.storage, self.monitor)
        started = (self.monitor.known(entry.operation_id) for entry in entries if entry.operation_id)
        views = {each.snapshot.id: self.operation(each, estimated=True) for each in started if each is not None}
        starts, begins, workers = self._unconfirmed(entries), self.begins(entries), self.monitor.worker_list
        ended, away = ended_work(self.monitor), self.monitor.connection.failing_since is not None
        about = (starts, begins, free, workers, ended, self.unanswered)
        stuck = stuck_work(self.monitor, self.storage.labels)
        found = queue_page(entries, page, views, *about, now, unreachable=away, stuck=stuck)
        return replace(found, refused=titled(self.storage.queue.refused_late(now)))

    def _unconfirmed(self, entries: Sequence[Entry]) -> dict[str, Start]:
        """Entry -> its start, for those whose answer was lost."""
        lost = (each for each in entries if each.state is EntryState.UNCONFIRMED)
        return {start.owner: start for each in lost if (start := self.storage.start_for(each.key, each.attempts))}

    def begins(self, entries: Sequence[Entry]) -> dict[str, float]:
        """Entry -> when it probably starts (Unix seconds), where that can be estimated."""
        return begins(entries, self.storage, self.monitor, time.time())

    def plan(self, key: str) -> PlanView | None:
        plan, entries = self.storage.queue.plan(key), self.storage.queue.of_plan(key)
        if plan is None:
            return None
        training = next((entry for entry in entries if traits_of(entry.kind).learns), None)
        start = self.storage.start_for(training.key, training.attempts) if training else None
        loads = [entry for entry in entries if entry is not training]
        return plan_view(plan, loads, self._snapshots(load.operation_id for load in loads), start, time.time())

    def operation(
        self, observation: Observation, *, estimated: bool = False, label: Label | None = None
    ) -> OperationView:
        """One operation on a list; the time left is only estimated for open pages. `label`: if it was read already."""
        now, verdict, snapshot = time.time(), self.monitor.verdict(observation), observation.snapshot
        estimate = self.monitor.estimates.current(observation, verdict, now) if estimated else None
        row = self.inventory.row_after(snapshot) if snapshot.traits.loads and not verdict.live else None
        return operation_view(
            observation,
            verdict,
            now,
            embedded=self.embedded,
            row=row,
            estimate=estimate,
            label=self.storage.labels.of(snapshot.id) if label is None else label,
            differs=self._differs.get(snapshot.id, ""),
        )

    def operations(self, observations: Sequence[Observation], *, estimated: int = 0) -> list[OperationView]:
        """Several on one page, with names that distinguish them, and the time left of the first `estimated`."""
        self._compare([each.snapshot for each in observations])
        labels = self.storage.labels.of_several(each.snapshot.id for each in observations)
        return [
            self.operation(each, estimated=place < estimated, label=labels[each.snapshot.id])
            for place, each in enumerate(observations)
        ]

    def among_neighbours(self, observation: Observation) -> OperationView:
        """One on a page of its own, with a name unlike those of the latest others of its kind and strategy."""
        snapshot = observation.snapshot
        if snapshot.strategy:
            wanted = OperationQuery(snapshot.kind, strategy=snapshot.strategy, archived=None, limit=NEIGHBOURS)
            others = (each.snapshot for each in self.storage.memory.page(wanted) if each.snapshot.id != snapshot.id)
            self._compare([snapshot, *others])
        return self.operation(observation)

    def _compare(self, snapshots: Sequence[Snapshot]) -> None:
        for operation_id, text in differences(snapshots, self.settings.of).items():
            keep_latest(self._differs, operation_id, text, KEPT_DIFFERENCES)

    def details(self, view: OperationView) -> DetailsView:
        observation, verdict, estimates = view.seen, view.verdict, self.monitor.estimates
        estimate = estimates.current(observation, verdict, view.now)
        adapter, strategy = KINDS.get(view.snapshot.kind), self.listed_strategy(view.snapshot.strategy)
        start, report = self.storage.start_of(view.snapshot.id), ""
        commands = commands_of(adapter, view.snapshot, start, self.address, strategy)
        if verdict.state in REPORTED:
            report = report_of(view, self.moments(observation, view.now), commands, self.address)
        return DetailsView(
            estimate=estimate_view(estimate, estimates.earlier(view.snapshot) if estimate else ()),
            tables=adapter.tables(view.snapshot) if adapter else (),
            notes=notes_of(observation, verdict),
            curves_until=curves_until(observation),
            resume=self.resume.offer(observation, verdict),
            commands=commands,
            report=report,
            mend=remedy(self.storage, self.inventory, observation, verdict, keyed, embedded=self.embedded),
            model_to_try=path_to_try(view.snapshot) if verdict.state is State.FAILED else "",
            replaced_by=self._replaced_by(view.snapshot),
        )

    def _replaced_by(self, training: Snapshot) -> str:
        """The latest training that saved its model where this one's was; "" where there is none."""
        if not (training.result or {}).get("model_path"):
            return ""
        wanted = OperationQuery(
            training.kind, strategy=training.strategy, since=training.created_at, archived=None, limit=LATER
        )
        later = (each.snapshot for each in self.storage.memory.page(wanted))
        return replaced([training, *later]).get(training.id, "")

    def family(self, observation: Observation) -> FamilyView:
        """What belongs together, as far as the panel knows it."""
        snapshot = observation.snapshot
        if snapshot.traits.has_parts:
            return FamilyView(None, self.study(observation))
        research = self._research_with(snapshot.id)
        return FamilyView(self.operation(research) if research else None, None)

    def study(self, observation: Observation) -> ResearchView:
        """What a research consists of."""
        known = (self.monitor.known(operation_id) for operation_id in parts(observation.snapshot))
        runs = {each.snapshot.id: self.operation(each) for each in known if each}
        return research_view(observation.snapshot, self.monitor.verdict(observation).live, runs)

    def _research_with(self, operation_id: str) -> Observation | None:
        """The latest researches are few: each takes hours."""
        wanted = OperationQuery(kind=ResearchOperationAdapter.kind, limit=RESEARCHES)
        found = (each for each in self.storage.memory.page(wanted) if operation_id in parts(each.snapshot))
        return next(found, None)

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
        return timeline(snapshot, readings, actions, self.storage.estimates.absences(since, until))

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
        return [each.snapshot for each in self.monitor.running() if each.snapshot.traits.loads]

    def _snapshots(self, ids: Iterable[str | None]) -> dict[str, Snapshot]:
        known = [self.monitor.known(operation_id) for operation_id in ids if operation_id]
        return {observation.snapshot.id: observation.snapshot for observation in known if observation}
