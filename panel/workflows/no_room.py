"""Why a backend has no room for a start: KTRDR gives one hint, about container logs, whether its workers are busy or
there are none."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from panel.adapters import KINDS
from panel.domain.estimate import left
from panel.domain.formatting import ago, per_cent
from panel.domain.snapshot import Snapshot
from panel.domain.state import State, Verdict
from panel.domain.workers import WorkerList
from panel.monitoring.poller import Monitor
from panel.storage.labels import LabelStore

ENDED = {
    State.COMPLETED: "has just ended",
    State.PROBLEMS: "has just ended",
    State.FAILED: "has just ended",
}
STUCK = {  # what keeps a worker listed as busy for as long as nobody does anything
    State.LOST: "which died when its worker was restarted: cancel that, and a worker is free",
    State.STALLED: "which has not moved for long: if it is dead, cancel it, and a worker is free",
}
NAMED = 3  # workers that are named; of more the number


@dataclass(frozen=True, slots=True)
class Work:
    """The operation that a worker is listed as busy with, in words. `ended`: it has, and the list is some seconds
    late; `stuck`: it is dead or may be, and `words` say what to do."""

    words: str
    ended: bool = False
    stuck: bool = False


def just_ended(verdict: Verdict) -> str:
    """What became of what its worker is still listed as busy with; "" where the worker may go on with it."""
    if verdict.state is State.CANCELLED and not verdict.advice:  # with one, a worker may work on
        return "was just cancelled"
    return ENDED.get(verdict.state, "")


def busy_with(listed: WorkerList, kind: str) -> list[str]:
    """Ids of the operations that keep its workers busy; a worker that does not answer may be dead."""
    return [worker.operation_id for worker in listed.answering_for(kind) if worker.operation_id]


def none_takes(listed: WorkerList, kind: str, now: float) -> str:
    """What is wrong where no worker of this kind answers, as the rest of a sentence that begins with “No … worker”; ""
    where one does."""
    if listed.answering_for(kind):
        return ""
    last = listed.last_able(kind)
    since = f" {last[0].id} last answered {ago(last[0].healthy_at or last[1], now)}." if last else ""
    return f"{'answers the backend' if listed.able(kind) else 'is registered with the backend'}.{since}"


def no_room(listed: WorkerList, kind: str, now: float, described: Mapping[str, Work] | None = None) -> str:
    """A sentence; "" when the list does not show it, and for a kind that no worker does. `described`: operations in
    words, by their ids."""
    if not KINDS[kind].traits.worker:
        return ""
    word = KINDS[kind].title.lower()
    if none := none_takes(listed, kind, now):
        return f"No {word} worker {none}"
    able = listed.answering_for(kind)
    at_work = [worker for worker in able if worker.operation_id]
    if len(at_work) < len(able):  # one is free by now, or was when they were listed
        return ""
    which = "" if len(able) == len(listed.able(kind)) else " that answers" if len(able) == 1 else " that answer"
    works = {each.id: (described or {}).get(each.operation_id, Work(each.operation_id)) for each in at_work}
    at_work.sort(key=lambda each: not works[each.id].stuck)  # the ones that somebody can do something about
    late = any(work.ended or work.stuck for work in works.values())
    busy = "listed as busy" if late else "busy"
    every = (
        f"The only {word} worker{which} is {busy}"
        if len(able) == 1
        else f"All {len(able)} {word} workers{which} are {busy}"
    )
    what = "with" if late else "works on"
    named = "; ".join(f"{worker.id} {what} {works[worker.id].words}" for worker in at_work[:NAMED])
    return f"{every}: {named}."


def descriptions_of(monitor: Monitor, labels: LabelStore, operations: Sequence[str], now: float) -> dict[str, Work]:
    """What each that is known is called, how far it is, and how much longer it takes."""
    found = {}
    for known in filter(None, map(monitor.known, operations)):
        name = labels.of(known.snapshot.id).name or _name(known.snapshot)
        verdict = monitor.verdict(known)
        if what := just_ended(verdict):
            found[known.snapshot.id] = Work(f"{name}, which {what}", ended=True)
            continue
        if what := STUCK.get(verdict.state, ""):
            found[known.snapshot.id] = Work(f"{name}, {what}", stuck=True)
            continue
        estimate = monitor.estimates.current(known, verdict, now)
        reached = per_cent(known.snapshot.percentage) if known.snapshot.percentage else ""
        parts = [part for part in (reached, left(estimate) if estimate else "") if part]
        found[known.snapshot.id] = Work(f"{name} ({', '.join(parts)})" if parts else name)
    return found


def _name(snapshot: Snapshot) -> str:
    """As pages call it: swing EURUSD 1h. Its id where that says nothing."""
    adapter = KINDS.get(snapshot.kind)
    named = adapter.name(snapshot) if adapter else snapshot.strategy
    title = " ".join(dict.fromkeys(filter(None, (named, snapshot.symbol, snapshot.timeframe))))
    return title or snapshot.id


def seen_from(monitor: Monitor, labels: LabelStore, kind: str) -> tuple[str, tuple[str, ...]]:
    """The sentence by what the panel knows, and the operations that it names."""
    now, listed = time.time(), monitor.worker_list
    described = descriptions_of(monitor, labels, busy_with(listed, kind), now)
    busy = sorted(busy_with(listed, kind), key=lambda each: each not in described or not described[each].stuck)
    return no_room(listed, kind, now, described), tuple(busy[:NAMED])


def stuck_work(monitor: Monitor, labels: LabelStore) -> dict[str, str]:
    """Operation -> what it is called and what to do about it, for those that keep a worker listed as busy for ever."""
    described = descriptions_of(monitor, labels, sorted(monitor.worker_list.operations), time.time())
    return {operation_id: work.words for operation_id, work in described.items() if work.stuck}
