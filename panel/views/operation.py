"""What an operation's card, row and page show. Pure: values in, typed views out."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from panel import __version__
from panel.adapters import KINDS
from panel.domain.agents import kind_title
from panel.domain.checkpoints import Checkpoint
from panel.domain.diagnostics import Note, notes
from panel.domain.estimate import Estimate, Promise, left, record
from panel.domain.formatting import duration
from panel.domain.gaps import Row
from panel.domain.history import ActionRecord, RecordedReading
from panel.domain.labels import Label
from panel.domain.observation import Observation
from panel.domain.report import report
from panel.domain.requests import Start, StartState
from panel.domain.results import Figure, ResultTable
from panel.domain.snapshot import Snapshot
from panel.domain.state import State, Verdict
from panel.domain.timeline import Moment, points
from panel.domain.values import number
from panel.workflows.retraining import Remedy

_UNLABELLED = Label()
REPORTED = (State.FAILED, State.PROBLEMS, State.LOST, State.VANISHED, State.STRAY, State.FORGOTTEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationView:
    """One operation. Times are Unix seconds; `took_words`: how long it took, and how sure that is; `worked_until`: when
    a run whose worker died was last seen at work, since its backend ended it later; `row`: what is stored now of what a
    load was for; `left`: how much longer it takes, in words; `about`: what sets it apart from others of its name;
    `since`: what `started` and `took` count from, where that is not the first start: backends put the time of a resume
    in its place."""

    seen: Observation
    snapshot: Snapshot
    verdict: Verdict
    title: str
    kind: str
    figures: Sequence[Figure]
    started: float | None
    ended: float | None
    took: float | None
    took_words: str
    worked_until: float | None
    row: Row | None
    left: str
    now: float
    embedded: bool
    label: Label = _UNLABELLED
    about: str = ""
    since: str = ""


@dataclass(frozen=True, slots=True)
class EstimateView:
    """How much longer it takes, how that is known, and how good that was for earlier runs."""

    left: str
    basis: str
    record: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DetailsView:
    """What an operation's own page shows beside its OperationView, and its stream draws again when it changes. `mend`:
    the load that makes it run."""

    estimate: EstimateView | None
    tables: Sequence[ResultTable]
    notes: list[Note]
    curves_until: str
    resume: Checkpoint | None
    commands: list[str]
    report: str
    mend: Remedy | None
    model_to_try: str = ""  # the path by which its model may be found
    replaced_by: str = ""  # the later training whose model is in the place of its own


@dataclass(frozen=True, slots=True)
class TimelineView:
    """What happened, and how many readings one can go back to after the end. `points`: these as JSON."""

    moments: list[Moment]
    readings: int
    points: str


def operation_view(
    observation: Observation,
    verdict: Verdict,
    now: float,
    *,
    embedded: bool,
    row: Row | None = None,
    estimate: Estimate | None = None,
    label: Label = _UNLABELLED,
    differs: str = "",
) -> OperationView:
    """`differs`: its settings that are not its neighbours'."""
    snapshot = observation.snapshot
    adapter = KINDS.get(snapshot.kind)
    started = snapshot.started_at or snapshot.created_at
    ended = None if verdict.live else snapshot.completed_at or max(observation.changed_at, observation.moved_at or 0.0)
    if verdict.state is State.FORGOTTEN:
        ended = snapshot.completed_at  # all that is known otherwise is when it was last read
    took = None if verdict.live else observation.took
    made = adapter.name(snapshot) if adapter else snapshot.strategy or kind_title(snapshot.kind)
    return OperationView(
        seen=observation,
        snapshot=snapshot,
        verdict=verdict,
        title=label.name or made,
        kind=adapter.title if adapter else kind_title(snapshot.kind),
        figures=adapter.figures(snapshot) if adapter else [],
        started=started,
        ended=ended,
        took=took,
        took_words=_took(observation, took),
        worked_until=None if verdict.live else observation.worked_until,
        row=row,
        left=left(estimate) if estimate else "",
        now=now,
        embedded=embedded,
        label=label,
        about=" · ".join(filter(None, (made if label.name and made != label.name else "", differs))),
        since=" since resume" if observation.resumed else "",
    )


def _took(observation: Observation, took: float | None) -> str:
    if took is None or observation.worked_until is None:
        return "under 1 s" if took is not None and took < 0.5 else duration(took)
    return f"{'about' if observation.stood_still else 'at least'} {duration(took)}"


def estimate_view(found: Estimate | None, promises: Sequence[Promise]) -> EstimateView | None:
    return EstimateView(left(found), found.basis, record(promises)) if found else None


def end_sentence(view: OperationView) -> str:
    """An end in one line: “Training rsi_swing completed: test accuracy 61.0 %”."""
    verdict, figures = view.verdict, view.figures
    name = view.kind if view.title == view.kind else f"{view.kind} {view.title}"
    result = f"{figures[0].label.lower()} {figures[0].value}" if figures else ""
    return f"{name} {verdict.word.lower()}: {result if result and verdict.word == 'Completed' else verdict.headline}"


def curves_until(observation: Observation) -> str:
    """Which epochs the curves are of, where more were done."""
    if not observation.curves_end_early:
        return ""
    first, last = (observation.snapshot.epochs[place].number + 1 for place in (0, -1))
    told = f"Epochs {first:,} to {last:,}" if last > first else f"Epoch {last:,}"
    since = "after a resume" if observation.resumed else "of a run that it lost track of"
    return f"{told}. The backend passes on no curves and no result {since}."


def notes_of(observation: Observation, verdict: Verdict) -> list[Note]:
    """None where later epochs, which are not known, may show the opposite."""
    if observation.curves_end_early:
        return []
    snapshot = observation.snapshot
    baseline = number(snapshot.measured.get("baseline_accuracy"))
    return notes(snapshot.epochs, total=snapshot.steps_total, baseline=baseline, live=verdict.state is State.RUNNING)


def timeline_view(moments: list[Moment], readings: Sequence[RecordedReading], verdict: Verdict) -> TimelineView:
    past = points(readings) if not verdict.live and len(readings) > 2 else []
    return TimelineView(moments, len(past), json.dumps(past, separators=(",", ":"), ensure_ascii=False))


def with_start(actions: Sequence[ActionRecord], start: Start | None) -> list[ActionRecord]:
    """What was asked for through the panel, its start included."""
    if start is None or any(action.what == "start" for action in actions):
        return list(actions)
    outcome = "taken" if start.state is StartState.STARTED else start.message
    return [*actions, ActionRecord(start.asked_at, "start", start.actor, outcome)]


def report_of(view: OperationView, moments: list[Moment], commands: list[str], address: str) -> str:
    """Of a run that did not go well, as text to copy."""
    versions = (f"ktrdr-panel {__version__}", f"backend {address or 'embedded'}")
    return report(
        view.snapshot,
        view.verdict,
        moments,
        title=view.title,
        took=view.took_words + view.since if view.took is not None else "",
        commands=commands,
        versions=versions,
    )
