"""What was asked for through the panel: starts, loads in the queue, and plans that load and then train."""

from dataclasses import dataclass

OPEN = ("waiting", "starting", "running", "unconfirmed")  # states of loads and plans that may still change


@dataclass(frozen=True, slots=True)
class Start:
    """One start asked for through a form or the command line. `state`: sending, started, refused (the backend
    said no), unsent (it never left), unconfirmed (it left, and its outcome is unknown) or
    dismissed (a person does not want it looked for any more)."""

    key: str
    kind: str
    form: dict[str, str]
    state: str
    operation_id: str | None
    message: str
    asked_at: float
    by_whom: str


@dataclass(frozen=True, slots=True)
class Load:
    """One data load in the queue. `state`: waiting, starting, running, unconfirmed (it may have begun, nobody
    knows), done (its operation ended, however), refused or cancelled."""

    key: str
    form: dict[str, str]
    state: str
    operation_id: str | None
    message: str
    attempts: int  # starts that the backend refused because it was busy
    plan: str  # the plan that it is part of, or ""
    asked_at: float


@dataclass(frozen=True, slots=True)
class Plan:
    """Loads, then the training of `form`. `state`: waiting (for its loads), starting, unconfirmed, started,
    stopped (a load came back short, or the start was refused) or cancelled."""

    key: str
    form: dict[str, str]
    state: str
    operation_id: str | None
    message: str
    asked_at: float
