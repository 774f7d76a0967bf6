"""What happened to one operation, in order, from every reading and request that the panel kept. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from panel.domain.formatting import per_cent, rough
from panel.domain.history import ActionRecord, RecordedReading
from panel.domain.snapshot import Snapshot
from panel.domain.state import ENDS

MILESTONES = (25, 50, 75)
POINTS = 600  # readings that a page can go back to
ABSENT = 60.0  # seconds without a panel that are worth a line
LATE = 30.0  # seconds after its beginning at which a first reading is worth a line


@dataclass(frozen=True, slots=True)
class Moment:
    """One line. `state`: what it turned to, or "" when it did not."""

    at: float
    text: str
    detail: str = ""
    state: str = ""


def timeline(
    snapshot: Snapshot,
    readings: Sequence[RecordedReading],
    requests: Sequence[ActionRecord] = (),
    absences: Sequence[tuple[float, float]] = (),
) -> list[Moment]:
    """The newest last. `absences`: when no panel watched."""
    moments = [Moment(request.at, *_asked(request)) for request in requests]
    for since, until in absences:
        if until - since > ABSENT:
            moments.append(Moment(until, f"Not observed for {rough(until - since)}", "The panel was off."))
    if snapshot.created_at and snapshot.backend_status:  # without one, nothing was ever read of it
        moments.append(Moment(snapshot.created_at, "Created at the backend"))
    if readings and snapshot.created_at and readings[0].at - snapshot.created_at > LATE:
        share = f", at {per_cent(readings[0].percentage)}" if readings[0].state == "running" else ""
        moments.append(Moment(readings[0].at, f"First seen by the panel{share}"))
    moments += _changes(readings)
    return sorted(moments, key=lambda moment: moment.at)


def points(readings: Sequence[RecordedReading]) -> list[list[float | int | str]]:
    """Readings as a page takes them to go back to: at, percentage, step, word, headline, epochs, state. Thinned
    evenly; the first, the last and changes of state stay."""
    each = -(-len(readings) // (POINTS // 2))
    changed = [n for n in range(1, len(readings)) if readings[n].state != readings[n - 1].state]
    kept = {*range(0, len(readings), max(each, 1)), *changed[: POINTS // 2 - 1], len(readings) - 1}
    return [_point(readings[n]) for n in sorted(kept)] if len(readings) > POINTS else list(map(_point, readings))


def _point(reading: RecordedReading) -> list[float | int | str]:
    headline = "" if reading.headline == reading.step else reading.headline
    at, share = round(reading.at, 1), round(reading.percentage, 1)
    return [at, share, reading.step, reading.word, headline, reading.epochs, reading.state]


def _changes(readings: Sequence[RecordedReading]) -> list[Moment]:
    """A milestone's line says what was read when it was passed. Those passed before the first reading are left out:
    their times are unknown."""
    moments, before = [], ("", "")
    passed, learning = (readings[0].percentage, readings[0].epochs > 0) if readings else (0.0, False)
    for reading in readings:
        now = (reading.state, reading.word)
        turned = []
        if now != before:
            detail = reading.headline if reading.state != "running" else ""
            turned = [Moment(reading.at, reading.word, detail, reading.state)]
            before = now
        ended = reading.state in ENDS
        moments += [] if ended else turned
        if reading.epochs and not learning:
            learning = True
            done = "First epoch done" if reading.epochs == 1 else f"{reading.epochs} epochs done"
            moments.append(Moment(reading.at, done))
        if any(passed < milestone <= reading.percentage < 100 for milestone in MILESTONES):
            moments.append(Moment(reading.at, per_cent(reading.percentage), reading.step))
        passed = max(passed, reading.percentage)
        moments += turned if ended else []  # what an end's reading brings was there before the end
    return moments


def _asked(request: ActionRecord) -> tuple[str, str]:
    outcome = {"": "No answer yet.", "taken": "The backend took it."}.get(request.outcome, request.outcome)
    return f"{request.what.capitalize()} asked by {request.actor}", outcome
