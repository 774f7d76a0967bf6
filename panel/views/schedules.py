"""The page of schedules. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from panel.adapters import KINDS
from panel.domain.queueing import plain_refusal
from panel.domain.requests import Entry, EntryState
from panel.domain.schedules import BATCH, Schedule, ScheduleRun, repeat_text, shown
from panel.views.queue import title_of

_OUTCOMES = {
    EntryState.WAITING: "waits in the queue",
    EntryState.STARTING: "is being started",
    EntryState.RUNNING: "runs",
    EntryState.DONE: "completed",
    EntryState.FAILED: "failed",
    EntryState.REFUSED: "refused",
    EntryState.CANCELLED: "cancelled",
    EntryState.UNCONFIRMED: "not confirmed",
}


@dataclass(frozen=True, slots=True)
class ScheduleView:
    """`when`: in words; `next_at`: by the schedule's own clock, "" while it is off; `last_at`: likewise, "" before the
    first; `outcome`: of the last run; `address`: its page, "" without; `gone`: its strategy does not exist."""

    schedule: Schedule
    title: str
    kind: str
    about: str
    when: str
    next_at: str
    last_at: str
    outcome: str
    address: str
    note: str
    gone: bool


def schedule_views(
    schedules: Sequence[Schedule],
    runs: Mapping[str, ScheduleRun | None],
    entries: Mapping[str, Entry | None],
    batches: Mapping[str, int] = MappingProxyType({}),
    gone: Collection[str] = (),
) -> list[ScheduleView]:
    """`runs`: the last one of each schedule; `entries` of the queue, and `batches` with the number of their runs that
    have not ended: by the key that a run names. `gone`: strategies that do not exist any more."""
    return [_view(each, runs.get(each.key), entries, batches, gone) for each in schedules]


def name_of(schedule: Schedule) -> str:
    """Of its kind."""
    return "Batch" if schedule.kind == BATCH else KINDS[schedule.kind].title


def _view(
    schedule: Schedule,
    run: ScheduleRun | None,
    entries: Mapping[str, Entry | None],
    batches: Mapping[str, int],
    gone: Collection[str],
) -> ScheduleView:
    title, about = title_of(schedule.kind, schedule.form)
    outcome, address = "", ""
    if run is not None and run.entry in batches:
        left = batches[run.entry]
        outcome, address = f"{left} to go" if left else "ended", f"/batches/{run.entry}"
    elif run is not None and (entry := entries.get(run.entry)) is not None:
        outcome = _OUTCOMES[entry.state]
        address = f"/operations/{entry.operation_id}" if entry.operation_id else ""
        if entry.state is EntryState.REFUSED and entry.message:
            outcome = f"{outcome}: {plain_refusal(entry.message)[0]}"
    return ScheduleView(
        schedule,
        title,
        name_of(schedule),
        about,
        repeat_text(schedule.days, schedule.at),
        shown(schedule.next_at, schedule.zone) if schedule.next_at is not None else "",
        shown(run.due, schedule.zone) if run else "",
        outcome,
        address,
        run.note if run else "",
        schedule.form.get("strategy_name", "").strip() in gone,
    )
