"""Why a backend has no room for a start: KTRDR gives one hint, about container logs, whether its workers are busy or
there are none."""

import time
from collections.abc import Sequence

from panel.adapters import KINDS
from panel.domain.estimate import left
from panel.domain.formatting import ago
from panel.domain.snapshot import Snapshot
from panel.domain.workers import WorkerList
from panel.monitoring.poller import Monitor
from panel.storage.labels import LabelStore

NAMED = 3  # workers that are named; of more the number


def busy_with(listed: WorkerList, kind: str) -> list[str]:
    """Ids of the operations that keep its workers busy."""
    return [worker.operation_id for worker in listed.able(kind) if worker.operation_id]


def no_room(listed: WorkerList, kind: str, now: float, described: dict[str, str] | None = None) -> str:
    """A sentence; "" when the list does not tell, and for a kind that no worker does. `described`: operations in
    words, by their ids."""
    if not KINDS[kind].traits.worker:
        return ""
    able, word = listed.able(kind), KINDS[kind].title.lower()
    if not able:
        last = listed.last_able(kind)
        since = f" {last[0].id} last answered {ago(last[0].healthy_at or last[1], now)}." if last else ""
        return f"No {word} worker is registered with the backend.{since}"
    at_work = [worker for worker in able if worker.operation_id]
    if len(at_work) < len(able):  # one is free by now, or was when they were listed
        return ""
    every = f"The only {word} worker is busy" if len(able) == 1 else f"All {len(able)} {word} workers are busy"
    named = "; ".join(
        f"{worker.id} works on {(described or {}).get(worker.operation_id, worker.operation_id)}"
        for worker in at_work[:NAMED]
    )
    return f"{every}: {named}."


def descriptions_of(monitor: Monitor, labels: LabelStore, operations: Sequence[str], now: float) -> dict[str, str]:
    """What each that is known is called, how far it is, and how much longer it takes."""
    found = {}
    for known in filter(None, map(monitor.known, operations)):
        estimate = monitor.estimates.current(known, monitor.verdict(known), now)
        reached = f"{known.snapshot.percentage:.0f} %" if known.snapshot.percentage else ""
        parts = [part for part in (reached, left(estimate) if estimate else "") if part]
        name = labels.of(known.snapshot.id).name or _name(known.snapshot)
        found[known.snapshot.id] = f"{name} ({', '.join(parts)})" if parts else name
    return found


def _name(snapshot: Snapshot) -> str:
    """As pages call it: swing EURUSD 1h. Its id where that says nothing."""
    adapter = KINDS.get(snapshot.kind)
    named = adapter.name(snapshot) if adapter else snapshot.strategy
    words = " ".join(dict.fromkeys(filter(None, (named, snapshot.symbol, snapshot.timeframe))))
    return words or snapshot.id


def seen_from(monitor: Monitor, labels: LabelStore, kind: str) -> tuple[str, tuple[str, ...]]:
    """The sentence by what the panel knows, and the operations that it names."""
    now, listed = time.time(), monitor.worker_list
    busy = busy_with(listed, kind)[:NAMED]
    return no_room(listed, kind, now, descriptions_of(monitor, labels, busy, now)), tuple(busy)
