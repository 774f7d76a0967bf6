"""Collects what home lists, for home itself and for the head of every page. It only reads."""

import sqlite3
from contextlib import suppress

from panel.domain.attention import Attention, Judged, failed_lately, needs_look, partition_by_attention, runs_link
from panel.domain.system_health import Link, memory_link
from panel.monitoring.poller import Monitor
from panel.storage.store import Storage

LOOKED_THROUGH = 50  # ends among which home finds those that want attention
PLANS_SHOWN_FOR = 86_400.0  # seconds after their end


def attention(storage: Storage, monitor: Monitor, now: float) -> Attention:
    """What wants attention, what runs, and what ended lately."""
    every, unwritten = monitor.running(), monitor.recorder.unwritten_ends()
    listed = {each.snapshot.id for each in [*unwritten, *every]}
    ended = [each for each in storage.memory.ended(LOOKED_THROUGH) if each.snapshot.id not in listed]
    if unwritten:
        ended = sorted([*unwritten, *ended], key=lambda each: -(each.snapshot.completed_at or each.changed_at))
    silent = monitor.connection.failing_since is not None
    live = [(each, monitor.verdict(each)) for each in every]
    stuck, running = list[Judged](), list[Judged]()
    for judged in live:
        (stuck if needs_look(judged[1], silent=silent) else running).append(judged)
    ends = [(each, monitor.verdict(each)) for each in ended]
    wanting, others = partition_by_attention(ends, now)
    return Attention(
        stuck=stuck,
        running=running,
        wanting=wanting,
        ended=others,
        failed=failed_lately(ends, now),
        unsure=[start for start in storage.unsettled_starts() if start.unanswered(now)],
        plans=storage.queue.shown_plans(now - PLANS_SHOWN_FOR),
        refused=storage.queue.refused_late(now),
    )


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
