"""Requests through the panel: starts, entries of the queue, plans that load and then train, and resumes."""

import re
from dataclasses import dataclass
from enum import StrEnum

FORM_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")  # what a form is sent with: it becomes part of addresses


class StartState(StrEnum):
    SENDING = "sending"
    STARTED = "started"
    REFUSED = "refused"  # refused by the backend before it did anything
    UNSENT = "unsent"  # it was not sent
    UNCONFIRMED = "unconfirmed"  # it was sent, and its outcome is unknown
    DISMISSED = "dismissed"  # a person does not want it looked for any more


class EntryState(StrEnum):
    WAITING = "waiting"
    STARTING = "starting"
    RUNNING = "running"
    UNCONFIRMED = "unconfirmed"  # it was sent, and its outcome is unknown
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"
    CANCELLED = "cancelled"


class PlanState(StrEnum):
    WAITING = "waiting"  # for its loads
    STARTING = "starting"  # its training is in the queue
    UNCONFIRMED = "unconfirmed"
    STARTED = "started"
    STOPPED = "stopped"  # a load came back short, or the start was refused
    CANCELLED = "cancelled"


class ResumeState(StrEnum):
    WAITING = "waiting"  # for a worker
    SENDING = "sending"
    TAKEN = "taken"
    REFUSED = "refused"


UNSETTLED = (StartState.SENDING, StartState.UNCONFIRMED)
ANSWERED_WITHIN = 5.0  # seconds; a backend takes some for many a start
OPEN_ENTRIES = (EntryState.WAITING, EntryState.STARTING, EntryState.RUNNING, EntryState.UNCONFIRMED)
OPEN_PLANS = (PlanState.WAITING, PlanState.STARTING, PlanState.UNCONFIRMED)


@dataclass(frozen=True, slots=True)
class Start:
    """One start asked for through a form or the command line. `owner`: the key of the queue's entry that it was made
    for, or "", and `attempt` says which of that one's starts it is."""

    key: str
    kind: str
    form: dict[str, str]
    state: StartState
    operation_id: str | None
    message: str
    asked_at: float
    actor: str
    owner: str = ""
    attempt: int = 0

    @property
    def unsettled(self) -> bool:
        return self.state in UNSETTLED

    def unanswered(self, now: float) -> bool:
        """Whether its answer has been missing for so long that somebody may be needed."""
        waits = self.state is StartState.SENDING and abs(now - self.asked_at) < ANSWERED_WITHIN
        return self.unsettled and not waits


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be queued. `key`: the asker's own, of 16 to 64 characters; the same key is queued once. `form`: the
    fields of the kind's form, as typed."""

    key: str
    kind: str
    form: dict[str, str]


@dataclass(frozen=True, slots=True)
class Entry:
    """One start in the queue, of any kind. `place`: entries start in its order, as far as they need the same thing;
    `held`: not before a person lets it go."""

    key: str
    kind: str
    form: dict[str, str]
    state: EntryState
    operation_id: str | None
    message: str
    attempts: int  # how often the backend refused it because it was busy
    plan: str  # the plan that it is part of, or ""
    asked_at: float
    place: float = 0.0
    held: bool = False
    actor: str = "the panel"

    @property
    def open(self) -> bool:
        return self.state in OPEN_ENTRIES

    @property
    def waiting(self) -> bool:
        return self.state is EntryState.WAITING


@dataclass(frozen=True, slots=True)
class Plan:
    """Loads, then the training of `form`."""

    key: str
    form: dict[str, str]
    state: PlanState
    operation_id: str | None
    message: str
    asked_at: float

    @property
    def open(self) -> bool:
        return self.state in OPEN_PLANS
