"""What the audit trail holds: who asked for what, from where, and the outcome."""

from dataclasses import dataclass
from enum import StrEnum

MAX_TEXT = 200  # characters of a subject or detail


class Outcome(StrEnum):
    DONE = "done"
    REFUSED = "refused"
    FORBIDDEN = "not allowed"  # a viewer asked for what only an operator may do
    UNCONFIRMED = "not confirmed"  # it was sent to the backend, and whether it began is not known
    FAILED = "failed"


GROUPS = (  # the first word of what is done
    "start",
    "cancel",
    "resume",
    "queue",
    "schedule",
    "batch",
    "data",
    "runs",
    "model",
    "plan",
    "strategy",
    "notification",
    "user",
    "token",
    "session",
    "login",
    "logout",
)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """`at`: Unix seconds. `who`: a user's or token's name, "operator" for the panel's one password, "local" where
    no login is needed, "unknown". `via`: browser, program or command line. `what` begins with one of GROUPS.
    `number` counts up; 0 until it is written down."""

    at: float
    who: str
    via: str
    address: str
    what: str
    subject: str
    outcome: Outcome
    detail: str = ""
    request: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Empty fields match everything. `before` and `after`: only entries with smaller or larger
    numbers."""

    who: str = ""
    what: str = ""
    since: float = 0.0
    before: int = 0
    after: int | None = None
    limit: int = 50


def plain(text: str) -> str:
    """As one line of bounded length, without control or direction characters."""
    shown = "".join(sign if sign.isprintable() else " " for sign in text[: 4 * MAX_TEXT])
    return " ".join(shown.split())[:MAX_TEXT]
