"""What every user may do for themselves: another password, and the sessions of their own browsers."""

import asyncio

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from panel.accounts import password
from panel.accounts.file import Refused, Unreadable, User, check_password
from panel.domain.audit import Outcome
from panel.domain.formatting import duration
from panel.web.auth.identity import Identity, address_of, identity_of
from panel.web.auth.login import enter_as
from panel.web.auth.sessions import TooManyAttempts
from panel.web.panel import Panel, PanelDep
from panel.web.recording import note
from panel.web.respond import page, redirect, refused_status, typed
from panel.web.routes.access import session_rows

router = APIRouter(prefix="/account")


@router.get("")
async def account(request: Request, panel: PanelDep) -> Response:
    return _page(request, panel, _own(request, panel))


@router.post("/password")
async def change_password(request: Request, panel: PanelDep) -> Response:
    """Ends every session of the user; this browser gets a new one."""
    user, form = _own(request, panel), await typed(request)
    note(request, subject=user.name)
    try:
        new = check_password(form.get("new", ""))
        if await panel.access.user(user.name, form.get("password", ""), address_of(request)) is None:
            raise Refused("This is not your password.", "present")
        hashed = await asyncio.to_thread(password.hashed, new)
        await panel.access.change(lambda accounts: accounts.change_user(user.name, None, hashed))
    except TooManyAttempts as exc:
        return _refused(request, panel, user, f"Too many wrong passwords. Wait {duration(exc.seconds)}.", 429)
    except Refused as exc:
        wrong = "password" if exc.field == "present" else "new" if exc.field == "password" else ""
        return _refused(request, panel, user, str(exc), 422, wrong)
    except (Unreadable, OSError) as exc:
        note(request, Outcome.FAILED)
        return _refused(request, panel, user, str(exc), 503)
    answer = redirect(request, "/account?changed=1")
    enter_as(request, answer, panel.access, panel.access.accounts.users[user.name])
    return answer


@router.post("/sessions/{session}/end")
async def end_session(request: Request, panel: PanelDep, session: str) -> Response:
    user = _own(request, panel)
    ended = panel.access.sessions.end_where(lambda each: each.id == session and each.user == user.name)
    if not ended:
        raise HTTPException(404, "This session has ended already.")
    note(request, subject=user.name, detail=ended[0].browser)
    return redirect(request, "/account")


def _own(request: Request, panel: Panel) -> User:
    """The browser's user. Tokens and the panel's own password are no users."""
    identity: Identity = identity_of(request)
    user = panel.access.accounts.users.get(identity.name) if identity.session else None
    if user is None:
        raise HTTPException(404, "Only users who logged in by name have an account.")
    return user


def _refused(request: Request, panel: Panel, user: User, error: str, status: int, wrong: str = "") -> Response:
    note(request, detail=error)
    return _page(request, panel, user, error, refused_status(request, status), wrong)


def _page(request: Request, panel: Panel, user: User, error: str = "", status: int = 200, wrong: str = "") -> Response:
    """`wrong`: the input that `error` is about, if one."""
    sessions = [each for each in panel.access.sessions.listed() if each.user == user.name]
    rows = session_rows(sessions, identity_of(request).session)
    changed = bool(request.query_params.get("changed"))
    return page(
        request,
        "account.html",
        status=status,
        user=user,
        sessions=rows,
        error=error,
        wrong=wrong,
        changed=changed,
    )
