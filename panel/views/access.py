"""What the pages about users, tokens, sessions and the audit trail need."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from panel.accounts.file import Accounts, Role
from panel.domain.audit import AuditEntry, AuditQuery


@dataclass(frozen=True, slots=True)
class UserRow:
    name: str
    role: Role
    since: float
    sessions: int


@dataclass(frozen=True, slots=True)
class TokenRow:
    """`used_at`: None when it never was."""

    name: str
    role: Role
    since: float
    used_at: float | None
    address: str


@dataclass(frozen=True, slots=True)
class SessionRow:
    """`since` and `seen`: None where that is not known."""

    id: str
    who: str
    since: float | None
    seen: float | None
    address: str
    browser: str
    own: bool


@dataclass(frozen=True, slots=True)
class AccessView:
    users: list[UserRow]
    tokens: list[TokenRow]
    sessions: list[SessionRow]


def access_view(
    accounts: Accounts, uses: Mapping[str, tuple[float, str]], sessions: Iterable[SessionRow]
) -> AccessView:
    listed = list(sessions)
    open_of = Counter(each.who for each in listed)
    users = [UserRow(each.name, each.role, each.since, open_of[each.name]) for each in accounts.users.values()]
    tokens = []
    for token in accounts.tokens.values():
        used_at, address = uses.get(token.digest, (None, ""))
        tokens.append(TokenRow(token.name, token.role, token.since, used_at, address))
    return AccessView(sorted(users, key=lambda each: each.name), sorted(tokens, key=lambda each: each.name), listed)


@dataclass(frozen=True, slots=True)
class AuditView:
    """`older`: the address of the part that follows; "" at the end. `newest`: of the first part, "" on it."""

    entries: list[AuditEntry]
    people: list[str]
    query: AuditQuery
    older: str
    newest: str


def audit_view(found: list[AuditEntry], people: list[str], query: AuditQuery) -> AuditView:
    """`found` has one entry more than asked for when there is a further part."""
    shown = found[: query.limit]
    older = _address(query, before=shown[-1].number) if len(found) > query.limit else ""
    return AuditView(shown, people, query, older, _address(query) if query.before else "")


def _address(query: AuditQuery, before: int = 0) -> str:
    given = {name: value for name, value in (("who", query.who), ("what", query.what), ("before", before)) if value}
    return f"/audit?{urlencode(given)}" if given else "/audit"


def audit_line(entry: AuditEntry) -> dict[str, Any]:
    """An entry as programs read it; `at` is ISO 8601 in UTC."""
    return {
        "number": entry.number,
        "at": datetime.fromtimestamp(entry.at, UTC).isoformat(timespec="milliseconds"),
        "who": entry.who,
        "via": entry.via,
        "address": entry.address,
        "what": entry.what,
        "subject": entry.subject,
        "outcome": entry.outcome.value,
        "detail": entry.detail,
        "request_id": entry.request,
    }
