"""The queue's page: what waits for what, and when it probably starts. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from panel.adapters import KINDS
from panel.domain.queueing import MAX_ENTRIES, held_up
from panel.domain.requests import Entry, Start
from panel.domain.workers import Worker, WorkerList
from panel.views.operation import OperationView

PAGE = 50  # entries
START_NEXT = "about to start"
BUSY = "every worker is busy"
ONE_AT_A_TIME = "one load runs at a time"
HELD_UP = "a load before it is not confirmed: check it or remove it"


@dataclass(frozen=True, slots=True)
class EntryView:
    """`place`: among those that wait, 1 is the next; None for what runs. `why`: what it waits for, a clause.
    `starts_at`: Unix seconds, None where that is unknown. `start`: its present one, while that is not confirmed;
    `behind`: that of the one that is not confirmed and holds it up; `stuck`: the dead operation that its worker is
    listed as busy with."""

    entry: Entry
    title: str
    kind: str
    about: str
    place: int | None
    why: str
    starts_at: float | None
    view: OperationView | None
    start: Start | None
    behind: Start | None = None
    stuck: str = ""


@dataclass(frozen=True, slots=True)
class QueuePageView:
    entries: Sequence[EntryView]
    waiting: int
    running: int
    page: int
    pages: int
    now: float
    refused: Sequence[tuple[str, Entry]] = ()  # that waited and then could not start, with what they are called
    max_entries: int = MAX_ENTRIES


def queue_page(
    entries: Sequence[Entry],
    page: int,
    views: Mapping[str, OperationView],
    starts: Mapping[str, Start],
    starts_at: Mapping[str, float],
    free: Mapping[str, int],
    workers: WorkerList,
    ended: Mapping[str, str],
    unanswered: Collection[str],
    now: float,
    *,
    unreachable: bool = False,
    stuck: Mapping[str, str] | None = None,
) -> QueuePageView:
    """`entries`: all open ones; `views`: by operation; `starts`: by entry; `free`: how many more may start,
    by kind; `ended`: what became of operations that have ended, and that workers are listed as busy with;
    `unanswered`: keys of entries about which the backend did not answer; `unreachable`: it answers nothing;
    `stuck`: what dead operations that workers are listed as busy with are called, and what to do about them."""
    waiting = [entry for entry in entries if entry.waiting]
    places = {entry.key: place for place, entry in enumerate(waiting, 1)}
    ordered = [*(entry for entry in entries if not entry.waiting), *waiting]
    pages = max(-(-len(ordered) // PAGE), 1)
    page = min(max(page, 1), pages)
    held = held_up(entries)
    first: set[str] = set()  # kinds of which an entry before this one waits
    shown = []
    for entry in ordered:
        adapter = KINDS[entry.kind]
        why, blocker, dead = "", None, ""
        if entry.waiting:
            behind = entry.kind in first
            why = _why(entry, free, workers, ended, now, behind=behind, unreachable=unreachable)
            if why == BUSY and (worker := _stuck_worker(entry, workers, stuck or {})):
                why, dead = f"{worker.id} lists {(stuck or {})[worker.operation_id]}", worker.operation_id
            if entry.kind in held and why in (START_NEXT, ONE_AT_A_TIME):
                why, blocker = HELD_UP, starts.get(held[entry.kind])
            if why == START_NEXT and entry.key in unanswered:
                why = "the backend did not answer what was asked before its start; it is asked again"
        if entry.waiting and not entry.held:
            first.add(entry.kind)
        title, about = title_of(entry.kind, entry.form)
        shown.append(
            EntryView(
                entry,
                title,
                adapter.title,
                about,
                places.get(entry.key),
                why,
                starts_at.get(entry.key),
                views.get(entry.operation_id or ""),
                starts.get(entry.key),
                blocker,
                dead,
            )
        )
    part = shown[(page - 1) * PAGE : page * PAGE]
    return QueuePageView(part, len(waiting), len(entries) - len(waiting), page, pages, now)


def titled(entries: Sequence[Entry]) -> list[tuple[str, Entry]]:
    """Each with what it is called."""
    return [(f"{KINDS[entry.kind].title} {title_of(entry.kind, entry.form)[0]}", entry) for entry in entries]


def title_of(kind: str, form: Mapping[str, str]) -> tuple[str, str]:
    """What a start is called, and the market and days that it is about."""
    market = form.get("symbol") or form.get("symbols") or ""
    market = f"{market.upper()} {form.get('timeframe') or form.get('timeframes') or ''}".strip()
    days = " to ".join(filter(None, (form.get("start_date", ""), form.get("end_date", ""))))
    strategy = form.get("strategy_name", "")
    if not strategy:
        return market or KINDS[kind].title, days
    return strategy, " · ".join(filter(None, (market, days)))


def _why(
    entry: Entry,
    free: Mapping[str, int],
    workers: WorkerList,
    ended: Mapping[str, str],
    now: float,
    *,
    behind: bool,
    unreachable: bool,
) -> str:
    traits = KINDS[entry.kind].traits
    if entry.held:
        return "held"
    if unreachable:
        return "the backend cannot be reached"
    if behind:
        return "after those before it"
    if traits.alone and not free.get(entry.kind):
        return ONE_AT_A_TIME
    if not traits.worker:
        return START_NEXT
    if not workers.fresh(now):
        return "the workers are not known now"
    if not workers.able(entry.kind):
        return f"no {traits.worker} worker is registered with the backend"
    if not workers.answering_for(entry.kind):
        return f"no {traits.worker} worker answers the backend"
    if free.get(entry.kind):
        return START_NEXT
    for worker in workers.answering_for(entry.kind):
        if worker.operation_id in ended:
            return f"the backend still lists {worker.id} as busy, whose work {ended[worker.operation_id]}"
    return BUSY


def _stuck_worker(entry: Entry, workers: WorkerList, stuck: Mapping[str, str]) -> Worker | None:
    return next((each for each in workers.answering_for(entry.kind) if each.operation_id in stuck), None)
