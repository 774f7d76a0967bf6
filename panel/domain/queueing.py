"""Which entries of the queue may start now. Pure.

An entry waits for what it needs: a data load for every other load to end, since two at once disturb each other at the
backend; a training or backtest for a free worker of its kind. Entries that need different things do not wait for one
another, and one in doubt holds only those that it could collide with.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from panel.domain.kinds import traits_of
from panel.domain.requests import Entry, EntryState
from panel.domain.workers import WorkerList

MAX_ENTRIES = 1000  # open ones
SETTLED = 1.0  # seconds after a start in which the backend may not show its worker as busy yet

_NO_WORKER = re.compile(r"\bno \w* ?workers? available", re.IGNORECASE)
_LATER = re.compile(r"one at a time|\bbusy\b|no \w* ?workers? available", re.IGNORECASE)


def due(
    entries: Sequence[Entry],
    free: Mapping[str, int],
    blocked: Collection[str],
) -> list[Entry]:
    """The entries to start, in order. `entries`: all open ones, the first first; `free`: how many more may start of
    each kind that needs a worker; `blocked`: kinds of which something runs, or may be about to, that must run alone."""
    left = Counter(free)
    under_way = {entry.kind for entry in entries if not entry.waiting}
    found = []
    for entry in entries:
        if not entry.waiting or entry.held:
            continue
        need = traits_of(entry.kind)
        if need.alone:
            if entry.kind in blocked or entry.kind in under_way:
                continue
            under_way.add(entry.kind)
        elif need.worker:
            if left[entry.kind] <= 0:
                continue
            left[entry.kind] -= 1
        found.append(entry)
    return found


def free_workers(listed: WorkerList, kind: str, sent: int, now: float) -> int:
    """How many more may start of this kind. `sent`: starts of which the list may say nothing yet. A list that lies
    ahead of a clock that was set back does not tell which these are: the next one does."""
    if not listed.fresh(now) or (listed.heard_at or now) > now:
        return 0
    return max(sum(each.status == "available" and each.does(kind) for each in listed.workers) - sent, 0)


def held_up(entries: Sequence[Entry]) -> dict[str, str]:
    """Kind -> the entry that holds up the others of it, of kinds that run alone: its start is not confirmed, so it may
    have begun, and a person decides."""
    return {
        entry.kind: entry.key
        for entry in entries
        if entry.state is EntryState.UNCONFIRMED and traits_of(entry.kind).alone
    }


def starts_at(
    entries: Sequence[Entry],
    busy: Mapping[str, Sequence[float | None]],
    lasts: Callable[[Entry], float | None],
    now: float,
) -> dict[str, float]:
    """Entry -> when it probably starts (Unix seconds), where that can be estimated. `busy`: for each kind, the
    seconds until each of its workers, or the one running load, is free; None where that is not known. `lasts`: how long
    an entry takes, in seconds. What waits for a person begins at no time that can be told."""
    held = held_up(entries)
    ends: dict[str, list[float | None]] = {kind: list(times) for kind, times in busy.items()}
    found: dict[str, float] = {}
    for entry in entries:
        need = traits_of(entry.kind)
        if not entry.waiting or entry.held or entry.kind in held or not (need.worker or need.alone):
            continue
        times = ends.setdefault(entry.kind, [])
        if not times or any(each is None for each in times):
            ends[entry.kind] = []  # neither this one nor any after it can be estimated
            continue
        first = min(range(len(times)), key=lambda at: times[at] or 0.0)
        begins = times[first] or 0.0
        found[entry.key] = now + begins
        length = lasts(entry)
        times[first] = None if length is None else begins + length
    return found


def plain_refusal(refusal: str) -> tuple[str, str]:
    """A backend's refusal of a start in a plain sentence, and its own words where these are others ("" where not)."""
    if _NO_WORKER.search(refusal):  # whether they are all busy or there are none, KTRDR says the same
        return "The backend had no free worker for it.", refusal
    short = refusal.partition(" (searched:")[0]  # every path at which a strategy was looked for
    return (short, refusal) if short != refusal else (refusal, "")


def means_later(refusal: str) -> bool:
    """Whether a backend's refusal only means that it is busy."""
    return _LATER.search(refusal) is not None
