"""What home, the workers' page and the state of the connection show. Pure: values in, typed views out."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from panel.domain.attention import NEEDS_ATTENTION
from panel.domain.batches import Batch
from panel.domain.connection import Connection
from panel.domain.observation import Observation
from panel.domain.queueing import held_up
from panel.domain.requests import Entry, EntryState, Plan, Start
from panel.domain.state import State, Verdict
from panel.domain.system_health import Link, system_health, trouble
from panel.domain.workers import Worker, WorkerList
from panel.views.operation import OperationView

RECENT = 12  # ended operations that home shows
GONE = 3600.0  # seconds for which a worker that is gone is still named


@dataclass(frozen=True, slots=True)
class Folded:
    """What home shows of a batch: how many of its runs ended lately, how many of these failed, and one of them stands
    for all, the latest."""

    batch: Batch
    ended: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeView:
    """`stuck` and `wanting` ask for attention: they run, or have ended. `unsure`: starts with an unknown outcome;
    `silent`: the backend does not answer; `asking`: it is asked for the first time; `unsaid`: why it does not tell what
    runs, "" when it does."""

    stuck: list[OperationView]
    running: list[OperationView]
    wanting: list[OperationView]
    ended: list[OperationView]
    unsure: list[Start]
    silent: bool
    asking: bool
    unsaid: str
    now: float
    waiting: list[Entry]
    queued: str  # what `waiting` is about, in words
    held_up: bool  # some of it waits for a person: a load before it is not confirmed
    plans: list[Plan]
    more: int = 0  # that run and are not shown
    folded: Mapping[str, Folded] = field(default_factory=dict)  # by the operation in `ended` that stands for a batch
    refused: Sequence[tuple[str, Entry]] = ()  # starts that waited and then could not start, with what they are called


@dataclass(frozen=True, slots=True)
class ConnectionView:
    """The system health, link by link, and the worst of what is wrong."""

    connection: Connection
    links: list[Link]
    trouble: Link | None
    now: float
    embedded: bool


@dataclass(frozen=True, slots=True)
class WorkerView:
    worker: Worker
    doing: OperationView | None


@dataclass(frozen=True, slots=True)
class WorkersView:
    """The workers, and those that are gone lately, with when they were last listed."""

    workers: list[WorkerView]
    gone: list[tuple[str, float]]
    listed: WorkerList
    connection: Connection
    now: float


def fold(
    ended: Sequence[tuple[Observation, Verdict]], batches: Mapping[str, Batch]
) -> tuple[list[Observation], dict[str, Folded]]:
    """Of each batch only the run that comes first, with how many there are. `batches`: by operation."""
    runs: dict[str, list[State]] = {}
    shown: dict[str, Observation] = {}
    for observation, verdict in ended:
        batch = batches.get(name := observation.snapshot.id)
        group = batch.key if batch else name
        runs.setdefault(group, []).append(verdict.state)
        shown.setdefault(group, observation)
    folded = {}
    for group, one in shown.items():
        if (batch := batches.get(one.snapshot.id)) is not None:
            failed = sum(state in (State.FAILED, State.PROBLEMS) for state in runs[group])
            folded[one.snapshot.id] = Folded(batch, len(runs[group]), failed)
    return list(shown.values()), folded


def queued_names(entries: Sequence[Entry], most: int = 6) -> str:
    """The names of what waits, the same ones counted, in the order in which they first stand in the queue."""
    names = Counter(entry.form.get("strategy_name") or _market(entry.form) for entry in entries)
    words = [f"{count} × {name}" if count > 1 else name for name, count in list(names.items())[:most]]
    return ", ".join(words + ["…"] * (len(names) > most))


def _market(form: Mapping[str, str]) -> str:
    return f"{form.get('symbol', '').upper()} {form.get('timeframe', '')}".strip()


def home_view(
    running: Sequence[OperationView],
    wanting: list[OperationView],
    ended: list[OperationView],
    connection: Connection,
    starts: list[Start],
    loads: Sequence[Entry],
    plans: list[Plan],
    now: float,
) -> HomeView:
    waiting, held = [load for load in loads if load.state is EntryState.WAITING], held_up(loads)
    return HomeView(
        stuck=[item for item in running if item.verdict.state in NEEDS_ATTENTION],
        running=[item for item in running if item.verdict.state not in NEEDS_ATTENTION],
        wanting=wanting,
        ended=ended,
        unsure=[start for start in starts if start.unanswered(now)][:20],
        silent=connection.failing_since is not None,
        asking=not connection.listed,
        unsaid=_unsaid(connection),
        now=now,
        waiting=waiting,
        queued=queued_names(waiting),
        held_up=any(load.kind in held for load in waiting),
        plans=plans,
    )


def _unsaid(connection: Connection) -> str:
    if connection.failing_since is not None:
        return "does not answer"
    if connection.slow_since is not None:
        return "answers with errors" if connection.error else "answers late"
    return "" if connection.listed else "has not told yet what runs"


def connection_view(
    connection: Connection,
    workers: WorkerList,
    loads: Sequence[Observation],
    now: float,
    memory: Sequence[Link] = (),
    *,
    embedded: bool,
) -> ConnectionView:
    """`memory`: a link for the panel's memory while it cannot be written."""
    links = [*memory, *system_health(connection, workers, loads, now, embedded=embedded)]
    return ConnectionView(connection, links, trouble(links), now, embedded)


def workers_view(rows: list[WorkerView], workers: WorkerList, connection: Connection, now: float) -> WorkersView:
    there = {worker.id for worker in workers.workers}
    gone = [(id_, at) for id_, at in workers.listed_at.items() if id_ not in there and now - at < GONE]
    return WorkersView(rows, sorted(gone, key=lambda item: -item[1]), workers, connection, now)
