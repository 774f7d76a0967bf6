"""When what waits in the queue probably starts: by what runs, and by how long earlier runs took."""

from collections.abc import Callable, Sequence

from panel.adapters import KINDS
from panel.domain.attention import NEEDS_ATTENTION
from panel.domain.queueing import starts_at
from panel.domain.requests import Entry
from panel.domain.snapshot import Snapshot
from panel.domain.state import State
from panel.monitoring.poller import Monitor
from panel.storage.store import Storage

ENDLESS = NEEDS_ATTENTION | {State.SILENT, State.UNREPORTED}  # when it ends cannot be told from earlier runs


def begins(entries: Sequence[Entry], storage: Storage, monitor: Monitor, now: float) -> dict[str, float]:
    """Entry -> when it probably starts (Unix seconds), where that can be estimated."""
    away = monitor.connection.failing_since is not None
    return {} if away else starts_at(entries, _busy(storage, monitor, now), _lasts(storage), now)


def _busy(storage: Storage, monitor: Monitor, now: float) -> dict[str, list[float | None]]:
    """Kind -> seconds until each of its workers, or its one place, is free; None where that is not known."""
    left, running = {}, monitor.running()
    for each in running:
        verdict = monitor.verdict(each)
        found = monitor.estimates.current(each, verdict, now)
        usual = None if verdict.state in ENDLESS else _left(storage, each.snapshot, now)
        left[each.snapshot.id] = (found.low + found.high) / 2 if found else usual
    loads = [left[each.snapshot.id] for each in running if each.snapshot.traits.loads]
    busy: dict[str, list[float | None]] = {}
    for kind, adapter in KINDS.items():
        if adapter.traits.alone:
            busy[kind] = loads[:1] or [0.0]
        elif adapter.traits.worker and monitor.worker_list.fresh(now):
            able = [each for each in monitor.worker_list.able(kind) if each.reachable]
            listed = {each.operation_id for each in able}
            # A start may not be on any of them yet.
            ids = [each.snapshot.id for each in running if each.snapshot.kind == kind]
            more = [left[each] for each in ids if each not in listed]
            free = sum(each.status == "available" for each in able)
            busy[kind] = [left.get(each.operation_id) for each in able if each.status != "available"]
            busy[kind] += [*more, *[0.0] * free][:free]
    return busy


def _left(storage: Storage, snapshot: Snapshot, now: float) -> float | None:
    """By earlier runs, while its own pace says nothing yet."""
    typical = storage.estimates.typical(snapshot.kind, snapshot.strategy)
    began = snapshot.started_at or snapshot.created_at
    return max(began + typical - now, 1.0) if typical is not None and began else None


def _lasts(storage: Storage) -> Callable[[Entry], float | None]:
    """How long an entry takes, by earlier runs of its kind and strategy."""
    known: dict[tuple[str, str], float | None] = {}

    def lasts(entry: Entry) -> float | None:
        what = entry.kind, entry.form.get("strategy_name", "")
        if what not in known:
            known[what] = storage.estimates.typical(*what)
        return known[what]

    return lasts
