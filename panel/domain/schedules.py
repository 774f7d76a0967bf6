"""Starts that are repeated by the clock of a place. Pure.

A time of day is looked up in the zone's own calendar, so 18:30 stays 18:30 when clocks change. A time that a change
leaves out comes as much later as the clocks leap; one that comes twice is meant once, the first time.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from datetime import time as clock_time
from zoneinfo import ZoneInfo

BATCH = "batch"  # a schedule's kind beside those of operations
MAX_SCHEDULES = 200
LATE = 300.0  # seconds after which a run counts as missed and made up for

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_EVERY, _WEEKDAYS, _WEEKEND = frozenset(range(7)), frozenset(range(5)), frozenset((5, 6))


@dataclass(frozen=True, slots=True)
class Schedule:
    """`days`: 0 is Monday; `at`: HH:MM in `zone`, a name of the IANA database; `next_at`: Unix seconds, None while it
    is switched off."""

    key: str
    kind: str
    form: dict[str, str]
    days: frozenset[int]
    at: str
    zone: str
    active: bool
    next_at: float | None
    made_at: float
    actor: str


@dataclass(frozen=True, slots=True)
class ScheduleRun:
    """`entry`: the key of its entry in the queue, "" when it was left out; `missed`: how many before it were not run;
    `note`: what was unusual, a sentence."""

    schedule: str
    due: float
    entry: str
    queued_at: float
    missed: int
    note: str


def next_due(days: Collection[int], at: str, zone: str, after: float) -> float:
    """The first time after `after` (both Unix seconds). Raises ValueError for an unknown zone or time, or no days."""
    place, hours = zone_of(zone), time_of(at)
    today = datetime.fromtimestamp(after, place).date()
    for ahead in range(9):  # a week, and a day more where the clocks have just changed
        day = today + timedelta(days=ahead)
        due = datetime.combine(day, hours, place).timestamp()
        if day.weekday() in days and due > after:
            return due
    raise ValueError("Choose at least one day.")


def missed_between(schedule: Schedule, first: float, now: float) -> int:
    """How many more than the one at `first` were due until now; a year's at most."""
    count, due = 0, first
    while count < 366 and (due := next_due(schedule.days, schedule.at, schedule.zone, due)) <= now:
        count += 1
    return count


def zone_of(name: str) -> ZoneInfo:
    """Raises ValueError."""
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError) as exc:  # a folder's name is an OSError
        raise ValueError(f"“{name[:60]}” is not a known time zone; write it like Europe/Athens.") from exc


def time_of(at: str) -> clock_time:
    """Raises ValueError."""
    try:
        return datetime.strptime(at, "%H:%M").time()
    except ValueError as exc:
        raise ValueError("Write the time like 18:30.") from exc


def repeat_text(days: Collection[int], at: str) -> str:
    """As “every weekday at 18:30”."""
    chosen = frozenset(days)
    named = {_EVERY: "every day", _WEEKDAYS: "every weekday", _WEEKEND: "every weekend day"}
    if chosen in named:
        return f"{named[chosen]} at {at}"
    each = [DAYS[day] for day in sorted(chosen)]
    return f"every {' and '.join(filter(None, (', '.join(each[:-1]), each[-1])))} at {at}"


def shown(at: float, zone: str) -> str:
    """A moment by the clock of the zone: “Fri 27 Nov 2026, 18:30”."""
    return datetime.fromtimestamp(at, zone_of(zone)).strftime("%a %d %b %Y, %H:%M")
