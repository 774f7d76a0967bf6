"""Limits viewers to reading, and records who starts or changes something. Pure ASGI, inside the authentication."""

from fastapi import Request
from fastapi.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from panel.domain.audit import Outcome
from panel.web.auth.identity import identity_of
from panel.web.auth.roles import Rule, rule_of
from panel.web.panel import panel_of
from panel.web.recording import Note, entry, outcome_of
from panel.web.respond import by_htmx, for_programs, fragment, refusal

Named = tuple[str, ...]  # the values of a path's placeholders

NOT_ALLOWED = "You are logged in as a viewer: you can see everything, and start or change nothing. Ask an operator."


class RolesMiddleware:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        identity = identity_of(request)
        if identity.operates and scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        found = rule_of(scope["method"], scope["path"])
        if identity.operates and found is None:
            await self._app(scope, receive, send)
        elif found is None:
            await _refusal(request, 404, "There is nothing at this address.")(scope, receive, send)
        elif not found[0].allows(identity.role):
            self._record(request, *found, Outcome.FORBIDDEN)
            await _refusal(request, 403, NOT_ALLOWED)(scope, receive, send)
        elif found[0].what:
            await self._recorded(request, *found, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _recorded(self, request: Request, rule: Rule, named: Named, receive: Receive, send: Send) -> None:
        note, status = Note(), 0
        request.scope["note"] = note

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(request.scope, receive, noted)
        finally:
            if not note.asked:
                self._record(request, rule, named, note.outcome or outcome_of(status), note)

    def _record(self, request: Request, rule: Rule, named: Named, outcome: Outcome, note: Note | None = None) -> None:
        if rule.what:
            subject, detail = (note.subject, note.detail) if note else ("", "")
            trail = panel_of(request).audit
            trail.record(entry(request, rule.what, outcome, subject or " ".join(named), detail))


def _refusal(request: Request, status: int, message: str) -> Response:
    if by_htmx(request) and not for_programs(request.url.path):
        return fragment("fragments/trouble.html", status=status, what="Not allowed", message=message)
    return refusal(request, status, "Not allowed" if status == 403 else "Not found", message)
