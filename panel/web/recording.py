"""What a request adds to the audit trail."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fastapi import Request

from panel.domain.audit import AuditEntry, Outcome, plain
from panel.domain.requests import Entry
from panel.observability import trace
from panel.web.auth.identity import address_of, identity_of
from panel.workflows.audit import about, start_outcome
from panel.workflows.submit import SubmitResult


@dataclass(slots=True)
class Note:
    """What a route knows better than its answer's status and path: a form is refused with a 200 for htmx."""

    outcome: Outcome | None = None
    subject: str = ""
    detail: str = ""
    asked: bool = False  # only a confirmation was asked for


def only_asked(request: Request) -> None:
    """Nothing was done: record nothing."""
    request.scope.setdefault("note", Note()).asked = True


def note(request: Request, outcome: Outcome | None = None, subject: str = "", detail: str = "") -> None:
    """Set the audit trail's text for this request. Never pass the value of a field that may be secret."""
    known = request.scope.setdefault("note", Note())
    known.outcome = outcome or known.outcome
    known.subject = subject or known.subject
    known.detail = detail or known.detail


def note_start(request: Request, kind: str, values: Mapping[str, str], result: SubmitResult) -> None:
    subject, outcome, detail = start_outcome(kind, values, result)
    note(request, outcome, subject, detail)


def note_entries(request: Request, entries: Iterable[Entry | None]) -> None:
    """The entries of the queue that it concerns."""
    note(request, subject=", ".join(about(each.kind, each.form) for each in entries if each is not None))


def entry(
    request: Request, what: str, outcome: Outcome, subject: str = "", detail: str = "", who: str = ""
) -> AuditEntry:
    """`who`: where it differs from the request's identity."""
    via = "program" if request.url.path.startswith("/api/") or "authorization" in request.headers else "browser"
    return AuditEntry(
        at=time.time(),
        who=who or identity_of(request).name,
        via=via,
        address=plain(address_of(request)),
        what=what,
        subject=plain(subject),
        outcome=outcome,
        detail=plain(detail),
        request=trace.REQUEST_ID.get(),
    )


def outcome_of(status: int) -> Outcome:
    if status in (401, 403):
        return Outcome.FORBIDDEN
    if status >= 500 or status == 0:
        return Outcome.FAILED
    return Outcome.REFUSED if status >= 400 else Outcome.DONE
