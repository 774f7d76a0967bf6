"""The states of an operation, and their names. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    STALLED = "stalled"  # no change for much longer than usual
    LOST = "lost"  # its worker is dead, or no worker has it
    UNREPORTED = "unreported"  # the work goes on, the backend reports nothing of it
    CANCELLING = "cancelling"
    DOUBTFUL = "doubtful"  # called failed, or brought back after its end, and probably not so
    SILENT = "silent"
    VANISHED = "vanished"  # its worker is free, and the backend did not notice the end
    FORGOTTEN = "forgotten"
    COMPLETED = "completed"
    UNCHECKED = "unchecked"  # a load that completed, and whether all of its bars came is not known
    PROBLEMS = "problems"
    FAILED = "failed"
    CANCELLED = "cancelled"
    STRAY = "stray"  # called cancelled, and still worked on


GOOD = (State.COMPLETED, State.UNCHECKED)  # it succeeded, as far as is known

ENDS = frozenset(
    {
        *GOOD,
        State.PROBLEMS,
        State.FAILED,
        State.CANCELLED,
        State.STRAY,
        State.FORGOTTEN,
        State.VANISHED,
    }
)

RED_STATES = frozenset({State.FAILED, State.LOST})  # as pages paint them (static/panel.css)
AMBER_STATES = frozenset(
    {
        State.PROBLEMS,
        State.DOUBTFUL,
        State.SILENT,
        State.FORGOTTEN,
        State.CANCELLING,
        State.STALLED,
        State.STRAY,
        State.VANISHED,
    }
)

GROUPS: dict[str, tuple[State, ...]] = {  # groups of the list's filter; a state may be in several, or in none
    "running": tuple(state for state in State if state not in ENDS),
    "attention": (
        State.STALLED,
        State.LOST,
        State.UNREPORTED,
        State.DOUBTFUL,
        State.SILENT,
        State.VANISHED,
        State.FORGOTTEN,
        State.PROBLEMS,
        State.STRAY,
    ),
    "completed": (*GOOD, State.PROBLEMS),
    "failed": (State.FAILED,),
    "cancelled": (State.CANCELLED, State.STRAY),
}
GROUP_TITLES = {
    "running": "Running",
    "attention": "Needs attention",
    "completed": "Completed",
    "failed": "Failed",
    "cancelled": "Cancelled",
}
STATE_TITLES = {  # states that the filter offers beside the groups
    State.QUEUED: "Queued",
    State.STARTING: "Starting or resuming",
    State.STALLED: "Stalled",
    State.LOST: "Worker lost",
    State.UNREPORTED: "Working, unreported",
    State.CANCELLING: "Being cancelled",
    State.DOUBTFUL: "Doubtful",
    State.SILENT: "No answer",
    State.VANISHED: "Probably ended",
    State.FORGOTTEN: "Forgotten by the backend",
    State.UNCHECKED: "Completed, not checked",
    State.PROBLEMS: "Completed with problems",
    State.STRAY: "Cancelled, still worked on",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`word` names the state, `headline` says it in a sentence, `evidence` says how that is known, `advice`
    what to do ("" when nothing)."""

    state: State
    word: str
    headline: str
    advice: str = ""
    evidence: tuple[str, ...] = ()

    @property
    def live(self) -> bool:
        """Worth watching: it may still change by itself."""
        return self.state not in ENDS
