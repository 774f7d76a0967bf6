"""Authentication middleware and login page.

A browser is known by a session cookie, a program by `Authorization: Bearer` and a token or the panel's password. Only
what is in OPEN is answered without either.
"""

import asyncio
import re
import time
from math import ceil, isinf
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from panel.accounts.file import Role, User
from panel.domain.audit import Outcome
from panel.domain.formatting import duration
from panel.live.protocol import EXTENSION, Connection
from panel.views.templating import STATIC, draw
from panel.web.auth.access import Access
from panel.web.auth.identity import ANONYMOUS, SHARED, Identity, address_of, browser_name, identity_of
from panel.web.auth.roles import OPEN_ROUTES
from panel.web.auth.sessions import LASTS, Held, TooManyAttempts
from panel.web.panel import PanelDep
from panel.web.recording import entry
from panel.web.respond import by_htmx, for_programs, problem, see_other
from panel.workflows.audit import AuditTrail

router = APIRouter()

_FILES = [f"{folder}/{name}" for folder in ("/static", STATIC) for name in ("panel.css", "theme.js", "icon.svg")]
OPEN = OPEN_ROUTES | {("GET", path) for path in _FILES}

# One slash, then anything printable; browsers read `//`, `/\` and `/<tab>/` as the beginning of another host.
_OWN_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]{0,2000}")


TOLD_FOR = 60  # seconds for which a browser keeps why its login was refused, if it does not ask


class AuthenticationMiddleware:
    """Wraps the app, inside the guard, and sets `scope["identity"]`."""

    def __init__(self, app: ASGIApp, access: Access, audit: AuditTrail) -> None:
        self._app = app
        self._access = access
        self._audit = audit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        if not self._access.protected:
            await self._known(*self._access.local_identity(), scope, receive, send)
            return
        session = self._access.sessions.find(token_of(request, self._access))
        if session is not None:
            session.seen = time.time()
            await self._known(self._access.of_session(session), session, scope, receive, send)
        elif ("GET" if scope["method"] == "HEAD" else scope["method"], scope["path"]) in OPEN:
            scope["identity"] = ANONYMOUS
            await self._app(scope, receive, send)
        else:
            await self._unknown(request, scope, receive, send)

    async def _known(self, identity: Identity, held: Held | None, scope: Scope, receive: Receive, send: Send) -> None:
        scope["identity"] = identity
        if held is not None and scope["method"] in ("GET", "HEAD"):
            await self._until(held, scope, receive, send)
        else:
            await self._app(scope, receive, send)  # a request that began in time is completed

    async def _unknown(self, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        kind, _, word = request.headers.get("authorization", "").partition(" ")
        answer = _to_login(request)
        if kind.lower() == "bearer":
            word = word.encode("latin-1").decode("utf-8", "replace")
            if (found := self._access.token(word)) is not None:
                token, held = found
                self._audit.token_used(token.digest, address_of(request))
                await self._known(Identity(token.name, token.role), held, scope, receive, send)
                return
            try:
                if await self._access.admits(word, address_of(request)):
                    await self._known(Identity(SHARED, Role.OPERATOR), None, scope, receive, send)
                    return
                self._audit.record(entry(request, "login", Outcome.REFUSED, "", "wrong password or token"))
            except TooManyAttempts as exc:
                wait = {"Retry-After": str(ceil(exc.seconds))}
                why, programs = _too_often(exc), for_programs(request.url.path)
                answer = problem(429, why, wait) if programs else PlainTextResponse(f"{why}\n", 429, wait)
        await answer(scope, receive, send)

    async def _until(self, held: Held, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as long as the session lasts: else a stream would go on after the logout."""
        started = ended = False
        seconds = None if isinf(held.expires) else held.expires - time.time()
        connection: Connection | None = scope.get("extensions", {}).get(EXTENSION, {}).get("connection")

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        def end() -> None:
            nonlocal ended
            ended = True
            if not limit.expired():
                limit.reschedule(0)

        try:
            async with asyncio.timeout(seconds) as limit:
                held.open.add(end)
                await self._app(scope, receive, noted)
        except TimeoutError:
            if not limit.expired():
                raise
            ended = True
            if started:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            else:
                await _to_login(Request(scope))(scope, receive, send)
        finally:
            held.open.discard(end)
            if connection is not None and ended:
                connection.end()
            elif connection is not None:
                connection.last_with(held.open, seconds)


def token_of(request: Request, access: Access) -> str:
    """The session's token, from its cookie; "" without one."""
    return cookie_parser(request.headers.get("cookie", "")).get(access.cookie, "")


@router.get("/login")
async def ask(request: Request, panel: PanelDep, next: str = "/") -> Response:
    _needed(panel.access)
    if identity_of(request) is not ANONYMOUS:
        return RedirectResponse(own_path(next), 303)
    return _told(request, panel.access, next)


@router.post("/login")
async def enter(request: Request, panel: PanelDep) -> Response:
    try:
        form = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=10)
    except ValueError:
        form = {}
    name, word, wanted = (form.get(field, [""])[0] for field in ("user", "password", "next"))
    access, address, name = panel.access, address_of(request), name.strip().lower()
    _needed(access)
    if not word or not (name or access.shared):
        return _refused(request, access, wanted, name, "missing", 422)
    try:
        user = await access.user(name, word, address) if name else None
        if not (user if name else await access.admits(word, address)):
            known = (name if name in access.accounts.users else "unknown") if name else SHARED
            panel.audit.record(entry(request, "login", Outcome.REFUSED, "", "wrong name or password", known))
            return _refused(request, access, wanted, name, "wrong", 403)
    except TooManyAttempts as exc:
        answer = _refused(request, access, wanted, name, f"often{ceil(exc.seconds)}", 429)
        answer.headers["Retry-After"] = str(ceil(exc.seconds))
        return answer
    entered = RedirectResponse(own_path(wanted), 303)
    agent = enter_as(request, entered, access, user)
    panel.audit.record(entry(request, "login", Outcome.DONE, "", agent, user.name if user else SHARED))
    return entered


def enter_as(request: Request, answer: Response, access: Access, user: User | None) -> str:
    """Begin a session that replaces the browser's last one; None for the password without a name. Returns what the
    browser is called."""
    access.sessions.end(token_of(request, access))
    agent, who = browser_name(request.headers.get("user-agent", "")), (user.name, user.mark) if user else ("", "")
    token = access.sessions.begin(*who, address_of(request), agent)
    secure = _by_https(request)
    answer.set_cookie(access.cookie, token, int(LASTS), httponly=True, samesite="strict", secure=secure)
    return agent


@router.post("/logout")
async def leave(request: Request, panel: PanelDep) -> Response:
    if identity_of(request).session:
        panel.audit.record(entry(request, "logout", Outcome.DONE))
    panel.access.sessions.end(token_of(request, panel.access))
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(panel.access.cookie, httponly=True, samesite="strict", secure=_by_https(request))
    return answer


def _needed(access: Access) -> None:
    if not access.protected:
        raise HTTPException(404, "This panel needs no login.")


def own_path(wanted: str) -> str:
    """The path if it is one of this panel's, "/" if it leads anywhere else."""
    return wanted if _OWN_PATH.fullmatch(wanted) else "/"


def _refused(request: Request, access: Access, wanted: str, name: str, why: str, status: int) -> Response:
    """The form again. A browser is sent to it, with a cookie for the reason: no text, as others may set cookies of this
    host, and nothing in the address, as people type passwords into the field of the name."""
    answer = see_other(request, f"/login?{urlencode({'next': own_path(wanted)})}")
    if answer is None:
        return _page(access, wanted, _message(access, why, name), status, name)
    told = quote(f"{why} {name[:32]}", safe="")
    secure = _by_https(request)
    answer.set_cookie(_told_by(access), told, TOLD_FOR, httponly=True, samesite="strict", secure=secure)
    return answer


def _told(request: Request, access: Access, wanted: str) -> Response:
    """The form, once with what the last attempt was refused for."""
    told = cookie_parser(request.headers.get("cookie", "")).get(_told_by(access), "")
    why, _, name = unquote(told)[:100].partition(" ")
    answer = _page(access, wanted, _message(access, why, name), name=name)
    if told:
        answer.delete_cookie(_told_by(access), httponly=True, samesite="strict", secure=_by_https(request))
    return answer


def _told_by(access: Access) -> str:
    return f"{access.cookie}_refused"


def _message(access: Access, why: str, name: str) -> str:
    """Of the reason that a browser was told; "" for any other text."""
    if why == "missing":
        return "Type the password." if name or access.shared else "Type your name and your password."
    if why == "wrong":
        return "This is not the password of a user with this name." if name else "This is not the password."
    if often := re.fullmatch(r"often([0-9]{1,6})", why):
        return _too_often(TooManyAttempts(int(often[1])))
    return ""


def _page(access: Access, wanted: str, error: str = "", status: int = 200, name: str = "") -> HTMLResponse:
    named, shared = bool(access.accounts.users), access.shared
    shown = {"next": own_path(wanted), "error": error, "named": named, "shared": shared, "user": name[:32]}
    return HTMLResponse(draw("login.html", **shown), status)


def _to_login(request: Request) -> Response:
    """For a page a redirect to the login, for htmx the same as a header, for a program a 401."""
    wanted = own_path(_asked_from(request))
    login = "/login" if wanted == "/" else f"/login?{urlencode({'next': wanted})}"
    if by_htmx(request):
        return PlainTextResponse("Log in first.\n", 401, {"WWW-Authenticate": "Bearer", "HX-Redirect": login})
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(login, 303)
    if for_programs(request.url.path):
        return problem(401, "Send a token or the password: Authorization: Bearer …", {"WWW-Authenticate": "Bearer"})
    return PlainTextResponse("Log in first.\n", 401, {"WWW-Authenticate": "Bearer"})


def _asked_from(request: Request) -> str:
    """The page to come back to after the login: what was asked for, or, for a form or a fragment, the page it is on."""
    if by_htmx(request) or request.method not in ("GET", "HEAD"):
        page = request.headers.get("hx-current-url" if by_htmx(request) else "referer", "")
        try:
            parts = urlsplit(page)
        except ValueError:
            return "/"
        path, query = parts.path, parts.query
    else:
        path, query = request.scope["raw_path"].decode("latin-1"), request.scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path


def _too_often(exc: TooManyAttempts) -> str:
    return f"Too many wrong passwords. Wait {duration(ceil(exc.seconds))}, then try again."


def _by_https(request: Request) -> bool:
    """Also behind a proxy that speaks https: the browser then names it in the form's Origin."""
    return request.url.scheme == "https" or request.headers.get("origin", "").startswith("https://")
