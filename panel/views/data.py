"""What the pages of stored data, of the queue and of plans show. Pure: values in, typed views out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from panel.domain.connection import Connection
from panel.domain.gaps import DataFile, Row
from panel.domain.loadable import in_the_way
from panel.domain.queueing import held_up
from panel.domain.requests import Entry, EntryState, Plan, PlanState, Start
from panel.domain.snapshot import Snapshot
from panel.views.charts import RowView, Span, row_view, span_of
from panel.workflows.load_remedies import FailedLoad, helped_by_import

Pair = tuple[str, str]  # symbol, timeframe


@dataclass(frozen=True, slots=True)
class StoredView:
    """The map of what is stored. `known`: the symbols that the backend knows; `connection`: whether it answers;
    `unusable`: files of the data folder that cannot be used; `used`: those behind the rows, where they are known;
    `broken`: the unusable file that no load of its pair writes over; `listed`: what is stored was asked for, in this
    panel's life; `sessions`: gaps of exchanges are judged by their sessions and holidays; `troubles`: the last
    load of a pair, where it did not go well."""

    rows: list[RowView]
    span: Span
    known: list[str]
    now: float
    embedded: bool
    connection: Connection
    unusable: list[DataFile]
    used: dict[Pair, DataFile]
    listed: bool = True
    broken: dict[Pair, DataFile] = field(default_factory=dict)
    sessions: bool = True
    troubles: Mapping[Pair, FailedLoad] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class QueuedLoad:
    """One load, the panel's own or (without `load`) another program's. `start`: its present one, while that is not
    confirmed."""

    load: Entry | None
    snapshot: Snapshot | None
    start: Start | None


@dataclass(frozen=True, slots=True)
class QueueView:
    """The running loads first. `doubt`: the next one waits for one that may yet begin; `held_up`: for a person, who
    decides about one that is not confirmed."""

    queue: list[QueuedLoad]
    doubt: bool
    held_up: bool = False


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One load of a plan; `at`: its percentage; `imports`: the plan stopped at it, and a file of one's own may help
    where another load does not."""

    load: Entry
    snapshot: Snapshot | None
    at: float
    imports: bool = False


@dataclass(frozen=True, slots=True)
class PlanView:
    """`share`: the percentage of the whole plan; every load and the training count the same."""

    plan: Plan
    steps: list[PlanStep]
    share: int
    now: float
    open: bool
    start: Start | None


def stored_view(
    rows: Sequence[Row], loading: Mapping[Pair, Snapshot], known: list[str], files: Sequence[DataFile],
    connection: Connection, now: float, *, embedded: bool, listed: bool = True, sessions: bool = True,
) -> StoredView:  # fmt: skip
    span = span_of(rows, now)
    views = [row_view(row, loading.get(row.pair), span) for row in rows]
    unusable = [file for file in files if file.reason]
    used = {(file.symbol, file.timeframe): file for file in files if not file.reason}
    in_ways = {row.pair: in_the_way(row.range, unusable) for row in rows} if embedded else {}
    broken = {pair: file for pair, file in in_ways.items() if file}
    return StoredView(views, span, known, now, embedded, connection, unusable, used, listed, broken, sessions)


def queue_view(
    own: Sequence[Entry],
    running: Sequence[Snapshot],
    operations: Mapping[str, Snapshot],
    starts: Mapping[str, Start],
    *,
    uncertain: bool,
) -> QueueView:
    """`running`: every load that runs; `operations`: those of the panel's own loads, by id; `starts`: the
    present starts of the unconfirmed ones, by the load's key; `uncertain`: some load may be about to begin."""
    others = [snapshot for snapshot in running if snapshot.id not in operations]
    ours = [QueuedLoad(load, operations.get(load.operation_id or ""), starts.get(load.key)) for load in own]
    ours = [_begun(load, others) if load.snapshot is None else load for load in ours]
    taken = {load.snapshot.id for load in ours if load.snapshot is not None}
    elsewhere = [QueuedLoad(None, snapshot, None) for snapshot in others if snapshot.id not in taken]
    waiting = [load for load in own if load.waiting]
    held = bool(waiting and held_up(own))
    return QueueView(elsewhere + ours, bool(waiting) and len(waiting) == len(own) and uncertain, held)


def _begun(load: QueuedLoad, others: Sequence[Snapshot]) -> QueuedLoad:
    """With what the backend lists already of a load that is being started, before it has answered the start."""
    entry = load.load
    if entry is None or entry.state is not EntryState.STARTING:
        return load
    pair = entry.form.get("symbol", "").strip().upper(), entry.form.get("timeframe", "").strip()
    found = next((snapshot for snapshot in others if (snapshot.symbol, snapshot.timeframe) == pair), None)
    return replace(load, snapshot=found)


def _imports(plan: Plan, load: Entry, snapshot: Snapshot | None) -> bool:
    if plan.state is not PlanState.STOPPED:
        return False
    if load.state is EntryState.DONE:  # it brought no bar of the training's period
        return f"{load.form.get('symbol', '').upper()} {load.form.get('timeframe', '')} " in plan.message
    failed = load.state in (EntryState.FAILED, EntryState.REFUSED)
    return failed and helped_by_import((snapshot.error if snapshot else "") or load.message)


def plan_view(
    plan: Plan, loads: Sequence[Entry], operations: Mapping[str, Snapshot], start: Start | None, now: float
) -> PlanView:
    """`operations`: those of the loads that have begun, by id; `start`: that of the training."""
    steps = []
    for load in loads:
        snapshot = operations.get(load.operation_id or "")
        at = 100.0 if load.state is EntryState.DONE else min(snapshot.percentage, 99.0) if snapshot else 0.0
        steps.append(PlanStep(load, snapshot, at, _imports(plan, load, snapshot)))
    return PlanView(plan, steps, int(sum(step.at for step in steps) / (len(steps) + 1)), now, plan.open, start)
