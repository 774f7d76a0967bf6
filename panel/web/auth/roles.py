"""Who may ask for what: one table with a row for each route of the app, which a test holds to the app.

A viewer gets nothing that is not in the table, so a route that was forgotten is closed to viewers.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from starlette.routing import compile_path

from panel.accounts.file import Role


class Needs(Enum):
    NOTHING = "nothing"  # answered to everybody, before a login
    VIEWER = "viewer"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Rule:
    """`what`: how the audit trail calls it; "" for what is not written down."""

    needs: Needs
    what: str = ""

    def allows(self, role: Role) -> bool:
        return role is Role.OPERATOR or self.needs is not Needs.OPERATOR


_OPEN, _SEES = Rule(Needs.NOTHING), Rule(Needs.VIEWER)


def _does(what: str = "") -> Rule:
    return Rule(Needs.OPERATOR, what)


TABLE: dict[str, Rule] = {
    # Before a login
    "GET /healthz": _OPEN,
    "GET /login": _OPEN,
    "POST /login": _OPEN,
    # Pages, and what they ask for
    "POST /logout": _SEES,
    "GET /static/{path:path}": _SEES,
    "GET /": _SEES,
    "POST /first": _SEES,
    "POST /look-now": _SEES,
    "GET /stream": _SEES,
    "GET /stream/operations": _SEES,
    "GET /stream/{page}": _SEES,
    "GET /operations": _SEES,
    "GET /operations/compare": _SEES,
    "GET /operations/news": _SEES,
    "GET /operations/bulk": _SEES,
    "GET /operations/bulk/{key}": _SEES,
    "GET /operations/{operation_id}": _SEES,
    "GET /operations/{operation_id}/cancel": _SEES,
    "GET /operations/{operation_id}/resume": _SEES,
    "GET /operations/{operation_id}/strategy": _SEES,
    "GET /operations/{operation_id}/trades": _SEES,
    "GET /operations/{operation_id}/trades.csv": _SEES,
    "GET /operations/{operation_id}/trades/bars": _SEES,
    "GET /start/{kind}": _SEES,
    "POST /start/{kind}/look": _SEES,
    "POST /start/{kind}/command": _SEES,
    "GET /starts/{key}": _SEES,
    "GET /starts/{key}/fate": _SEES,
    "GET /plans/{key}": _SEES,
    "GET /operations/list.csv": _SEES,
    "GET /operations/{operation_id}/label": _SEES,
    "GET /operations/{operation_id}/delete": _SEES,
    "GET /operations/{operation_id}/answer": _SEES,
    "GET /models/{strategy}/{version}": _SEES,
    "GET /models/{strategy}/{version}/download": _SEES,
    "GET /queue": _SEES,
    "GET /schedules": _SEES,
    "GET /schedules/new": _SEES,
    "GET /schedules/{key}/edit": _SEES,
    "GET /batches": _SEES,
    "GET /batches/new": _SEES,
    "POST /batches/look": _SEES,
    "GET /batches/{key}": _SEES,
    "GET /data": _SEES,
    "POST /data/look": _SEES,
    "GET /data/{symbol}/{timeframe}": _SEES,
    "GET /data/{symbol}/{timeframe}/bars": _SEES,
    "GET /data/{symbol}/{timeframe}/export": _SEES,
    "GET /data/import": _SEES,
    "GET /data/import/{token}": _SEES,
    "GET /data/import/{token}/{number}": _SEES,
    "GET /data/import/{token}/{number}/file": _SEES,
    "GET /strategies": _SEES,
    "GET /strategies-compare": _SEES,
    "GET /strategies-uploaded/{token}": _SEES,
    "POST /strategies-check": _SEES,
    "POST /strategies-text": _SEES,
    "GET /strategies/{name}": _SEES,
    "GET /strategies/{name}/download": _SEES,
    "GET /strategies/{name}/edit": _SEES,
    "GET /strategies/{name}/delete": _SEES,
    "GET /strategies/{name}/restore": _SEES,
    "GET /models": _SEES,
    "GET /checkpoints": _SEES,
    "GET /workers": _SEES,
    "GET /notifications": _SEES,
    "GET /account": _SEES,
    "POST /account/password": Rule(Needs.VIEWER, "user password"),
    "POST /account/sessions/{session}/end": Rule(Needs.VIEWER, "session end"),
    "GET /readyz": _SEES,
    "GET /metrics": _SEES,
    "GET /api/operations": _SEES,
    "GET /api/operations/{operation_id}": _SEES,
    "GET /api/operations/{operation_id}/events": _SEES,
    "GET /api/events": _SEES,
    "GET /api/line": _SEES,
    "GET /api/queue": _SEES,
    "GET /api/schedules": _SEES,
    "GET /api/batches": _SEES,
    "GET /api/batches/{key}": _SEES,
    "POST /api/batches/look": _SEES,
    "GET /api/openapi.json": _SEES,
    # What starts or changes something
    "POST /start/{kind}": _does("start"),
    "POST /api/start/{kind}": _does("start"),
    "POST /starts/{key}/check": _does("start check"),
    "POST /starts/{key}/choose": _does("start choose"),
    "POST /starts/{key}/dismiss": _does("start dismiss"),
    "POST /operations/{operation_id}/cancel": _does("cancel"),
    "POST /api/operations/{operation_id}/cancel": _does("cancel"),
    "POST /operations/{operation_id}/resume": _does("resume"),
    "POST /api/operations/{operation_id}/resume": _does("resume"),
    "POST /loads/{key}/cancel": _does("queue remove"),
    "POST /api/queue/{key}/cancel": _does("queue remove"),
    "POST /operations/bulk": _does("runs bulk"),
    "POST /operations/undo": _does("runs undo"),
    "POST /api/operations/change": _does("runs bulk"),
    "POST /api/operations/undo": _does("runs undo"),
    "POST /api/operations/{operation_id}/label": _does("runs label"),
    "POST /operations/views": _does("runs view"),
    "POST /operations/{operation_id}/label": _does("runs label"),
    "POST /operations/{operation_id}/star": _does("runs star"),
    "POST /operations/{operation_id}/archive": _does("runs archive"),
    "POST /models/{strategy}/{version}/note": _does("model note"),
    "POST /models/{strategy}/{version}/retire": _does("model retire"),
    "POST /data/import": _does("data upload"),
    "POST /data/import-stored": _does("data upload"),
    "POST /data/import/{token}/all": _does("data import"),
    "POST /data/import/{token}/forget": _does("data discard"),
    "POST /data/import/{token}/{number}": _does("data import"),
    "POST /queue/{key}/cancel": _does("queue remove"),
    "POST /queue-cancel": _does("queue remove"),
    "POST /queue/{key}/hold": _does("queue hold"),
    "POST /api/queue/{key}/hold": _does("queue hold"),
    "POST /queue/{key}/release": _does("queue release"),
    "POST /api/queue/{key}/release": _does("queue release"),
    "POST /queue/{key}/move": _does("queue move"),
    "POST /api/queue/{key}/move": _does("queue move"),
    "POST /schedules": _does("schedule add"),
    "POST /api/schedules": _does("schedule add"),
    "POST /schedules/{key}/edit": _does("schedule change"),
    "POST /api/schedules/{key}/change": _does("schedule change"),
    "POST /api/schedules/{key}/switch": _does("schedule switch"),
    "POST /api/schedules/{key}/delete": _does("schedule delete"),
    "POST /schedules/{key}/switch": _does("schedule switch"),
    "POST /schedules/{key}/delete": _does("schedule delete"),
    "POST /batches": _does("batch start"),
    "POST /api/batches": _does("batch start"),
    "POST /batches/{key}/stop": _does("batch stop"),
    "POST /api/batches/{key}/stop": _does("batch stop"),
    "POST /batches/{key}/backtest": _does("batch backtest"),
    "POST /api/batches/{key}/backtest": _does("batch backtest"),
    "POST /batches/{key}/put": _does("batch put away"),
    "POST /api/batches/{key}/archive": _does("batch put away"),
    "POST /api/batches/{key}/unarchive": _does("batch put away"),
    "POST /api/batches/{key}/delete": _does("batch put away"),
    "POST /api/batches/{key}/undo": _does("batch undo"),
    "POST /batches/{key}/undo": _does("batch undo"),
    "POST /plans": _does("plan"),
    "POST /plans/{key}/cancel": _does("plan cancel"),
    "POST /strategies": _does(),  # opens a file in the editor, and saves nothing
    "POST /strategies/{name}/edit": _does("strategy save"),
    "POST /strategies/{name}/delete": _does("strategy delete"),
    "POST /strategies/{name}/undelete": _does("strategy restore"),
    "POST /notifications/channels": _does("notification add"),
    "POST /notifications/channels/{channel}/remove": _does("notification remove"),
    "POST /notifications/channels/{channel}/test": _does("notification test"),
    "POST /notifications/rules": _does("notification rules"),
    # Who may use the panel, and what everybody did: names and addresses of people
    "GET /access": _does(),
    "POST /access/users": _does("user add"),
    "POST /access/users/{name}/change": _does("user change"),
    "POST /access/users/{name}/remove": _does("user remove"),
    "POST /access/tokens": _does("token create"),
    "POST /access/tokens/{name}/revoke": _does("token revoke"),
    "POST /access/sessions/{session}/end": _does("session end"),
    "GET /api/access": _does(),
    "POST /api/access/users": _does("user add"),
    "POST /api/access/users/{name}/change": _does("user change"),
    "POST /api/access/users/{name}/remove": _does("user remove"),
    "POST /api/access/tokens": _does("token create"),
    "POST /api/access/tokens/{name}/revoke": _does("token revoke"),
    "GET /audit": _does(),
    "GET /api/audit": _does(),
}

OPEN_ROUTES = frozenset(
    (method, path)
    for method, _, path in (row.partition(" ") for row, rule in TABLE.items() if rule.needs is Needs.NOTHING)
)

Pattern = tuple[str, re.Pattern[str], Rule]  # method, path, rule


def compiled(table: Mapping[str, Rule]) -> list[Pattern]:
    rows = ((row.partition(" "), rule) for row, rule in table.items())
    return [(method, compile_path(path)[0], rule) for (method, _, path), rule in rows]


_PATTERNS = compiled(TABLE)


def rule_of(method: str, path: str, patterns: list[Pattern] = _PATTERNS) -> tuple[Rule, tuple[str, ...]] | None:
    """A request's row and the values of its placeholders; of several rows the strictest, None without any."""
    method = "GET" if method == "HEAD" else method
    found = [
        (rule, match.groups()) for of, pattern, rule in patterns if of == method and (match := pattern.match(path))
    ]
    return max(found, key=lambda each: each[0].needs is Needs.OPERATOR, default=None)
