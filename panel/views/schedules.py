"""The page of schedules. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from panel.adapters import KINDS
from panel.domain.requests import Entry, EntryState
from panel.domain.schedules import Schedule, ScheduleRun, shown, words
from panel.views.queue import title_of

_CAME_OF = {
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
    first; `came_of`: of the last run; `operation_id`: of that one, "" without."""

    schedule: Schedule
    title: str
    kind: str
    about: str
    when: str
    next_at: str
    last_at: str
    came_of: str
    operation_id: str
    note: str


def schedule_views(
    schedules: Sequence[Schedule], runs: Mapping[str, ScheduleRun | None], entries: Mapping[str, Entry | None]
) -> list[ScheduleView]:
    """`runs`: the last one of each schedule; `entries`: by the key that a run names."""
    return [_view(each, run := runs.get(each.key), entries.get(run.entry) if run else None) for each in schedules]


def _view(schedule: Schedule, run: ScheduleRun | None, entry: Entry | None) -> ScheduleView:
    title, about = title_of(schedule.kind, schedule.form)
    came_of = _CAME_OF[entry.state] if entry else ""
    if entry is not None and entry.state is EntryState.REFUSED and entry.message:
        came_of = f"{came_of}: {entry.message}"
    return ScheduleView(
        schedule,
        title,
        KINDS[schedule.kind].title,
        about,
        words(schedule.days, schedule.at),
        shown(schedule.next_at, schedule.zone) if schedule.next_at is not None else "",
        shown(run.due, schedule.zone) if run else "",
        came_of,
        (entry.operation_id or "") if entry else "",
        run.note if run else "",
    )
