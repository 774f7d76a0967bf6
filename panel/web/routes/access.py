"""Who may use the panel: users, tokens for programs, and sessions. For operators."""

import asyncio
from collections.abc import Awaitable, Iterable

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from panel.accounts import password
from panel.accounts.file import Accounts, Refused, Role, Unreadable, check_password, new_token
from panel.domain.audit import Outcome
from panel.views.access import SessionRow, access_view
from panel.web.auth.identity import SHARED, identity_of
from panel.web.auth.sessions import Session
from panel.web.panel import Panel, PanelDep
from panel.web.recording import note
from panel.web.respond import page, redirect, refused_status, typed

router = APIRouter(prefix="/access")


@router.get("")
async def access(request: Request, panel: PanelDep) -> Response:
    return await _page(request, panel)


@router.post("/users")
async def add_user(request: Request, panel: PanelDep) -> Response:
    form = await typed(request)
    name = form.get("name", "").strip().lower()
    note(request, subject=name if len(name) <= 32 else "")

    async def add() -> None:
        role = _role(form)
        hashed = await asyncio.to_thread(password.hashed, check_password(form.get("password", "")))
        await panel.access.change(lambda accounts: accounts.add_user(name, role, hashed))
        note(request, detail=role)

    return await _changed(request, panel, "user", add(), {"user_name": name, "user_role": form.get("role", "")})


@router.post("/users/{name}/change")
async def change_user(request: Request, panel: PanelDep, name: str) -> Response:
    """Another role, or another password, or both; what is left empty stays."""
    form = await typed(request)

    async def change() -> None:
        role, word = _role(form) if form.get("role") else None, form.get("password", "")
        hashed = await asyncio.to_thread(password.hashed, check_password(word)) if word else None
        await panel.access.change(lambda accounts: accounts.change_user(name, role, hashed))
        note(request, detail=", ".join(each for each in (role or "", "new password" if hashed else "") if each))

    return await _changed(request, panel, f"user-{name}", change())


@router.post("/users/{name}/remove")
async def remove_user(request: Request, panel: PanelDep, name: str) -> Response:
    return await _changed(
        request, panel, f"user-{name}", panel.access.change(lambda accounts: accounts.remove_user(name))
    )


@router.post("/tokens")
async def create_token(request: Request, panel: PanelDep) -> Response:
    """The token is in this answer, and nowhere else ever."""
    form = await typed(request)
    name, word = form.get("name", "").strip().lower(), new_token()
    note(request, subject=name if len(name) <= 32 else "")
    try:
        role = _role(form)
        await panel.access.change(lambda accounts: accounts.add_token(name, role, word))
    except (Refused, Unreadable, OSError) as exc:
        return await _refused(request, panel, "token", exc, {"token_name": name, "token_role": form.get("role", "")})
    note(request, detail=role)
    return await _page(request, panel, created={"name": name, "word": word})


@router.post("/tokens/{name}/revoke")
async def revoke_token(request: Request, panel: PanelDep, name: str) -> Response:
    return await _changed(
        request, panel, f"token-{name}", panel.access.change(lambda accounts: accounts.remove_token(name))
    )


@router.post("/sessions/{session}/end")
async def end_session(request: Request, panel: PanelDep, session: str) -> Response:
    ended = panel.access.sessions.end_where(lambda each: each.id == session)
    if not ended:
        raise HTTPException(404, "This session has ended already.")
    note(request, subject=ended[0].user or SHARED, detail=ended[0].browser)
    return redirect(request, "/access#sessions")


async def _changed(
    request: Request, panel: Panel, place: str, change: Awaitable[None], values: dict[str, str] | None = None
) -> Response:
    try:
        await change
    except (Refused, Unreadable, OSError) as exc:
        return await _refused(request, panel, place, exc, values)
    return redirect(request, "/access")


async def _refused(
    request: Request, panel: Panel, place: str, exc: Exception, values: dict[str, str] | None = None
) -> Response:
    note(request, Outcome.REFUSED if isinstance(exc, Refused) else Outcome.FAILED, detail=str(exc))
    refused = isinstance(exc, Refused)
    wrong = exc.field if isinstance(exc, Refused) else ""
    status = refused_status(request, 422 if refused else 503)
    return await _page(request, panel, {place: str(exc)}, values, wrong=wrong, status=status)


async def _page(
    request: Request,
    panel: Panel,
    errors: dict[str, str] | None = None,
    values: dict[str, str] | None = None,
    created: dict[str, str] | None = None,
    wrong: str = "",
    status: int = 200,
) -> Response:
    """`errors`: a sentence by the place that it belongs to; `wrong`: the field of it that is at fault, if one;
    `created`: a new token's name and the token itself."""
    accounts: Accounts = panel.access.accounts
    own = identity_of(request).session
    return page(
        request,
        "access.html",
        access_view(accounts, await panel.audit.uses(panel.storage), session_rows(panel.access.sessions.listed(), own)),
        status=status,
        errors=errors or {},
        values=values or {},
        wrong=wrong,
        created=created,
        protected=panel.access.protected,
        shared=panel.access.shared,
        roles=list(Role),
    )


def _role(form: dict[str, str]) -> Role:
    try:
        return Role(form.get("role", ""))
    except ValueError as exc:
        raise Refused("The role is viewer or operator.", "role") from exc


def session_rows(sessions: Iterable[Session], own: str) -> list[SessionRow]:
    """`own`: the id of the session that asks."""
    return [
        SessionRow(
            id=each.id,
            who=each.user or SHARED,
            since=each.since or None,
            seen=each.seen or None,
            address=each.address,
            browser=each.browser,
            own=each.id == own,
        )
        for each in sessions
    ]
