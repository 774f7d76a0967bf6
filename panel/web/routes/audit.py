"""The audit trail: as a page, and as JSON lines for programs. For operators."""

import json
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from panel.domain.audit import GROUPS, AuditQuery
from panel.views.access import audit_line, audit_view
from panel.web.api_requests import Moment
from panel.web.panel import PanelDep
from panel.web.respond import page

router = APIRouter()

PAGE = 50  # entries
LINES = "application/x-ndjson"

_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {LINES: {"schema": {"type": "string"}}},
        "description": "One JSON object a line: number, at, who, via, address, what, subject, outcome, detail,"
        " request_id.",
    }
}

Number = Annotated[int, Query(ge=0, lt=2**62)]
Text = Annotated[str, Query(max_length=64)]


@router.get("/audit")
async def audit(request: Request, panel: PanelDep, who: Text = "", what: Text = "", before: Number = 0) -> Response:
    query = AuditQuery(who, what if what in GROUPS else "", before=before, limit=PAGE)
    found, people = await panel.audit.find(panel.storage, replace(query, limit=PAGE + 1))
    days = panel.settings.audit_days
    return page(request, "audit.html", audit_view(found, people, query), groups=GROUPS, days=days)


api_router = APIRouter(prefix="/api")


@api_router.get(
    "/audit",
    operation_id="listAudit",
    response_class=Response,
    responses=_ANSWER,
    summary="Who started and changed what, as JSON lines",
)
async def lines(
    panel: PanelDep,
    who: Annotated[str, Query(description="Only of this user or token.", max_length=64)] = "",
    what: Annotated[str, Query(description="Only what begins with this word: start, cancel …", max_length=64)] = "",
    since: Annotated[Moment | None, Query(description="Only since then; UTC when no zone is given.")] = None,
    after: Annotated[int | None, Query(ge=0, lt=2**62, description="Only what follows this number.")] = None,
    limit: Annotated[int, Query(ge=1, le=10_000, description="How many at most.")] = 1000,
) -> Response:
    """In the order in which it happened. Without `after` the newest; with it those that come next, so that a program
    can go on where it was. For operators."""
    query = AuditQuery(who, what, 0.0 if since is None else since.timestamp(), after=after, limit=limit)
    found, _ = await panel.audit.find(panel.storage, query)
    found.sort(key=lambda each: each.number)
    text = "".join(json.dumps(audit_line(each), ensure_ascii=False) + "\n" for each in found)
    return Response(text, media_type=LINES)
