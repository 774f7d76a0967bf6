"""Answers of the JSON API. Scripts rely on the names: they may be added to, not changed or removed."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from panel.adapters import KINDS
from panel.domain.agents import kind_title
from panel.domain.comparable import source_of
from panel.domain.connection import Connection as Known
from panel.domain.labels import Label, Shelf
from panel.domain.observation import Cancel, Observation
from panel.domain.requests import Entry
from panel.domain.state import State
from panel.domain.state import Verdict as Judged
from panel.domain.values import utc
from panel.domain.workers import Worker as Listed

UNKNOWN = datetime.fromtimestamp(0, UTC)  # for a stored time that is no date, where the schema promises one
DATA = "Where the bars of its result are from: `sample`, `own` or `mixed`; empty when the backend does not say."


class Verdict(BaseModel):
    """What is really going on, as the panel sees it."""

    state: State
    word: str = Field(description="The state's name for people.")
    headline: str = Field(description="One sentence.")
    evidence: list[str] = Field(description="How that is known.")
    advice: str = Field(description="What to do; empty when nothing.")


class Operation(BaseModel):
    """One operation. Times are ISO 8601 in UTC; null where unknown."""

    id: str
    kind: str = Field(description=f"{', '.join(KINDS)}, or any other word of the backend's.")
    name: str = Field(description="What the panel's pages call it: the name that a user gave it, or its strategy's.")
    tags: list[str] = Field(description="What people tagged it with.")
    starred: bool
    archived: bool = Field(description="It is left out of the pages' lists.")
    strategy: str
    symbol: str
    timeframe: str
    data: str = Field(description=DATA)
    live: bool = Field(description="It may still change by itself.")
    verdict: Verdict
    backend_status: str = Field(description="The backend's own word for its state, which is not always true.")
    error: str = Field(description="The backend's own words; empty when there are none.")
    percentage: float = Field(description="0 to 100.")
    step: str
    steps_completed: int | None
    steps_total: int | None
    cancel: Cancel = Field(description="How far a cancel asked for through the panel has come; empty for none.")
    created_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None = Field(
        description="When its backend ended it; null while it is live or that is unknown."
    )
    worked_until: datetime | None = Field(
        description="Of a run whose worker died: when it was last seen at work. Its backend ends it minutes later."
    )
    seconds: float | None = Field(
        description="How long it took, to its end or until it was last seen at work; null while it is live or unknown."
    )
    changed_at: datetime = Field(description="When anything about it last changed.")
    read_at: datetime = Field(description="When it was last read from the backend: everything here is of that time.")
    failing_since: datetime | None = Field(description="Since when the backend cannot be asked about it.")


class Epoch(BaseModel):
    """One pass over the training data. A loss is null where it was not a number; accuracies are 0 to 1."""

    number: int
    train_loss: float | None
    val_loss: float | None
    train_accuracy: float | None
    val_accuracy: float | None


class Details(Operation):
    """One operation with everything that is known of it."""

    note: str = Field(description="What people noted about it; empty when nothing.")
    label_version: int = Field(description="Counts the changes of its name, note, tags and star.")
    parameters: dict[str, Any] = Field(description="What it was started with, as the backend returns it.")
    result: dict[str, Any] | None = Field(description="As the backend returns it; null until there is one.")
    epochs_done: int
    epochs: list[Epoch] | None = Field(description="Only with epochs=1.")


class Operations(BaseModel):
    """One part of a list, the newest first."""

    operations: list[Operation]
    total: int = Field(description="How many there are in all.")
    next: str | None = Field(description="The cursor of the next part; null at the end.")


class Worker(BaseModel):
    """One of the backend's workers, as it was last listed."""

    id: str
    kind: str
    status: str
    operation_id: str | None = Field(description="What it works on.")
    healthy_at: datetime | None = Field(description="When the backend last heard of it.")


class Line(BaseModel):
    """The line from the panel to the backend."""

    address: str
    up: bool = Field(description="The backend answered the last time it was asked.")
    answered_at: datetime | None
    failing_since: datetime | None
    slow_since: datetime | None = Field(description="Since when it answers late, or with errors.")
    message: str = Field(description="What is wrong; empty when nothing is.")
    workers: list[Worker]


class FieldError(BaseModel):
    field: str = Field(description="Empty for the request as a whole.")
    message: str


class Problem(BaseModel):
    """Why a request was not answered (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldError] | None = Field(default=None, description="What is wrong with each field.")
    confirm: str | None = Field(default=None, description="The confirmation that a start needs.")
    backend_said: str | None = Field(default=None, description="The backend's own words, where `detail` is plainer.")


class StartAnswer(BaseModel):
    """The outcome of a start. `unconfirmed`: it was sent and not answered; the panel looks for it, and a repeat with
    the same key returns what it found."""

    state: Literal["started", "queued", "unconfirmed"]
    operation_id: str | None = None
    queue_key: str | None = Field(default=None, description="For /api/queue/{key}/cancel.")
    message: str = ""


class QueuedLoad(BaseModel):
    """A data load in the queue."""

    key: str
    place: int = Field(description="1 is the next.")
    state: str = Field(description="waiting, starting, running or unconfirmed.")
    symbol: str
    timeframe: str
    operation_id: str | None = Field(description="Once it runs.")
    asked_at: datetime


class QueueEntry(BaseModel):
    """A start in the queue."""

    key: str
    place: int = Field(description="1 is the first of all that wait or run.")
    kind: str
    state: str = Field(description="waiting, starting, running or unconfirmed.")
    held: bool = Field(description="It does not start before it is released.")
    form: dict[str, str] = Field(description="What was asked for, as it is typed into a form.")
    message: str
    actor: str
    operation_id: str | None = Field(description="Once it runs.")
    asked_at: datetime
    begins_at: datetime | None = Field(description="An estimate by earlier runs, while it waits.")


class Queue(BaseModel):
    loads: list[QueuedLoad] = Field(description="The data loads among the entries.")
    entries: list[QueueEntry]


def operation(observation: Observation, verdict: Judged, label: Label) -> Operation:
    return Operation(**_common(observation, verdict, label))


def details(observation: Observation, verdict: Judged, label: Label, epochs: bool) -> Details:
    snapshot = observation.snapshot
    return Details(
        **_common(observation, verdict, label),
        note=label.note,
        label_version=label.version,
        parameters=snapshot.parameters,
        result=snapshot.result,
        epochs_done=len(snapshot.epochs),
        epochs=[Epoch(**asdict(epoch)) for epoch in snapshot.epochs] if epochs else None,
    )


def queued(load: Entry, place: int) -> QueuedLoad:
    return QueuedLoad(
        key=load.key,
        place=place,
        state=load.state,
        symbol=load.form.get("symbol", "").upper(),
        timeframe=load.form.get("timeframe", ""),
        operation_id=load.operation_id or None,
        asked_at=utc(load.asked_at) or UNKNOWN,
    )


def entry(queued: Entry, place: int, begins: float | None) -> QueueEntry:
    return QueueEntry(
        key=queued.key,
        place=place,
        kind=queued.kind,
        state=queued.state,
        held=queued.held,
        form={name: value for name, value in queued.form.items() if value},
        message=queued.message,
        actor=queued.actor,
        operation_id=queued.operation_id or None,
        asked_at=utc(queued.asked_at) or UNKNOWN,
        begins_at=utc(begins),
    )


def line(known: Known, workers: tuple[Listed, ...]) -> Line:
    return Line(
        address=known.address,
        up=known.answered_at is not None and known.failing_since is None,
        answered_at=utc(known.answered_at),
        failing_since=utc(known.failing_since),
        slow_since=utc(known.slow_since),
        message=known.message or known.error or ("It answers late." if known.slow_since else ""),
        workers=[
            Worker(
                id=worker.id,
                kind=worker.kind,
                status=worker.status,
                operation_id=worker.operation_id or None,
                healthy_at=utc(worker.healthy_at),
            )
            for worker in workers
        ],
    )


def _common(observation: Observation, verdict: Judged, label: Label) -> dict[str, Any]:
    snapshot, adapter = observation.snapshot, KINDS.get(observation.snapshot.kind)
    unforgotten = None if verdict.state is State.FORGOTTEN else observation.changed_at
    judged = Verdict(
        state=verdict.state,
        word=verdict.word,
        headline=verdict.headline,
        evidence=list(verdict.evidence),
        advice=verdict.advice,
    )
    return {
        "id": snapshot.id,
        "kind": snapshot.kind,
        "name": label.name or (adapter.name(snapshot) if adapter else snapshot.strategy or kind_title(snapshot.kind)),
        "tags": list(label.tags),
        "starred": label.star,
        "archived": label.shelf is Shelf.ARCHIVED,
        "strategy": snapshot.strategy,
        "symbol": snapshot.symbol,
        "timeframe": snapshot.timeframe,
        "data": source_of(snapshot),
        "live": verdict.live,
        "verdict": judged,
        "backend_status": snapshot.backend_status,
        "error": snapshot.error,
        "percentage": snapshot.percentage,
        "step": snapshot.step,
        "steps_completed": snapshot.steps_completed,
        "steps_total": snapshot.steps_total,
        "cancel": observation.cancel,
        "created_at": utc(snapshot.created_at),
        "started_at": utc(snapshot.started_at),
        "ended_at": None if verdict.live else utc(snapshot.completed_at or unforgotten),
        "worked_until": None if verdict.live else utc(observation.worked_until),
        "seconds": None if verdict.live else observation.took,
        "changed_at": utc(observation.changed_at) or UNKNOWN,
        "read_at": utc(snapshot.read_at) or UNKNOWN,
        "failing_since": utc(observation.failing_since),
    }
