"""Collects what home lists, for home itself and for the head of every page. It only reads."""

import sqlite3
from contextlib import suppress

from panel.domain.attention import (
    Attention,
    Batches,
    Judged,
    failed_lately,
    needs_look,
    partition_by_attention,
    row_of,
    runs_link,
)
from panel.domain.observation import Observation
from panel.domain.system_health import Link, memory_link
from panel.monitoring.poller import Monitor
from panel.storage.store import Storage

SHOWN_RUNNING = 50  # on home, the newest; where there are more, a few of each batch
LOOKED_THROUGH = 50  # ends among which home finds those that want attention; of a batch a few count
CHUNKS = (50, 450, 1500)  # ends read at a time, until LOOKED_THROUGH are listed
PLANS_SHOWN_FOR = 86_400.0  # seconds after their end


def attention(storage: Storage, monitor: Monitor, now: float) -> Attention:
    """What wants attention, what runs, and what ended lately."""
    every, unwritten = monitor.running(), monitor.recorder.unwritten_ends()
    listed = {each.snapshot.id for each in [*unwritten, *every]}
    batches = Batches()
    for each in unwritten:
        batches.last.add(row_of((each, monitor.verdict(each))))
    ended = _ended(storage, listed, batches, now)
    if unwritten:
        batches.of.update(storage.batches.of([each.snapshot.id for each in unwritten]))
        ended = sorted([*unwritten, *ended], key=lambda each: -(each.snapshot.completed_at or each.changed_at))
    silent = monitor.connection.failing_since is not None
    live = [(each, monitor.verdict(each)) for each in every]
    stuck, running = list[Judged](), list[Judged]()
    for judged in live:
        (stuck if needs_look(judged[1], silent=silent) else running).append(judged)
    ends = [(each, monitor.verdict(each)) for each in ended]
    if len(live) > SHOWN_RUNNING:
        batches.of.update(storage.batches.of([each.snapshot.id for each in every]))
        stuck, running = batches.few(stuck, "stuck"), batches.few(running, "running")
    wanting, others = partition_by_attention(ends, now, batches.last)
    return Attention(
        stuck=stuck,
        running=running,
        wanting=wanting,
        ended=others,
        failed=failed_lately(ends, now, batches.last),
        unsure=[start for start in storage.unsettled_starts() if start.unanswered(now)],
        plans=storage.queue.shown_plans(now - PLANS_SHOWN_FOR),
        refused=storage.queue.refused_late(now),
        batches=batches,
    )


def _ended(storage: Storage, listed: set[str], batches: Batches, now: float) -> list[Observation]:
    """The latest ends, without those `listed` elsewhere; `batches` learns which they are of."""
    numbers, skip = list[int](), 0
    for size in CHUNKS:
        rows = storage.memory.ends(size, skip)
        batches.of.update(storage.batches.of([row.id for row in rows]))
        numbers += [row.number for row in rows if row.id not in listed and batches.lists(row, now)]
        skip += size
        if len(rows) < size or len(numbers) >= LOOKED_THROUGH:
            break
    return storage.memory.numbered(numbers[:LOOKED_THROUGH])


def memory_links(monitor: Monitor) -> list[Link]:
    """One while the memory cannot be written."""
    recorder = monitor.recorder
    return [memory_link(recorder.failing_since, recorder.reason)] if recorder.failing_since is not None else []


def runs_links(storage: Storage, monitor: Monitor, now: float) -> list[Link]:
    """One while home paints anything red or amber."""
    with suppress(sqlite3.Error):  # every page asks, also the one that says that the memory cannot be read
        link = runs_link(attention(storage, monitor, now))
        return [link] if link is not None else []
    return []
