"""Authentication middleware and login page.

A browser is known by a session cookie, a program by `Authorization: Bearer <password>`. Only what is in OPEN is
answered without either.
"""

import asyncio
import hashlib
import hmac
import re
import secrets
import time
from math import ceil
from typing import Annotated, cast
from urllib.parse import parse_qs, urlencode, urlsplit

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from panel import password
from panel.domain.formatting import duration
from panel.settings import Settings
from panel.views.templating import STATIC, draw
from panel.web.auth.sessions import LASTS, AttemptLimiter, Session, Sessions, TooManyAttempts
from panel.web.respond import by_htmx, for_programs, problem

router = APIRouter()

_FILES = [f"{folder}/{name}" for folder in ("/static", STATIC) for name in ("panel.css", "theme.js", "icon.svg")]
OPEN = {("POST", "/login"), *(("GET", path) for path in ("/healthz", "/login", *_FILES))}

# One slash, then anything printable; browsers read `//`, `/\` and `/<tab>/` as the beginning of another host.
_OWN_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]{0,2000}")


UNGUESSABLE = 20  # characters of a password from which on a right one is not slowed down


class AuthenticationMiddleware:
    """Wraps the app, inside the guard."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self.cookie = f"ktrdr_panel_{settings.port}"  # cookies are shared by all ports of a host
        file = settings.data_folder / "panel" / f"sessions-{settings.port}.json"
        self.sessions = Sessions(file, settings.password)
        self._tries = AttemptLimiter()
        self._one = asyncio.Lock()
        self._salt = secrets.token_bytes(32)
        self._right = b""  # a digest of the password once it was found right, so that programs need no scrypt each time

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await asyncio.to_thread(self.sessions.load)
            await self._app(scope, receive, send)
            return
        scope["login"] = self
        request = Request(scope)
        session = self.sessions.find(self.token(request))
        if (scope["method"], scope["path"]) in OPEN:
            await self._app(scope, receive, send)
        elif session is None:
            await self._unknown(request, scope, receive, send)
        elif scope["method"] in ("GET", "HEAD"):
            await self._until(session, scope, receive, send)
        else:
            await self._app(scope, receive, send)  # what was asked for in time is done to its end

    def token(self, request: Request) -> str:
        return cookie_parser(request.headers.get("cookie", "")).get(self.cookie, "")

    async def admits(self, word: str, address: str) -> bool:
        """Whether this is the password. Raises TooManyAttempts before the word is looked at: a right one told from
        a wrong one would be as good as another try. Only a long one, which nobody guesses, passes at any time, so that
        guesses from the same address lock no program out."""
        digest = hmac.digest(self._salt, word.encode("utf-8", "surrogatepass"), hashlib.sha256)
        known = hmac.compare_digest(digest, self._right)
        if known and len(word) >= UNGUESSABLE:
            return True
        self._tries.check(address)
        if known:
            return True
        self._tries.count(address)
        async with self._one:  # each takes 32 MB
            right = await asyncio.to_thread(password.matches, word, self.sessions.password)
        if right:
            self._right = digest
            self._tries.forgive(address)
        return right

    async def _unknown(self, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        kind, _, word = request.headers.get("authorization", "").partition(" ")
        answer = _to_login(request)
        if kind.lower() == "bearer":
            try:
                if await self.admits(word.encode("latin-1").decode("utf-8", "replace"), address_of(request)):
                    await self._app(scope, receive, send)
                    return
            except TooManyAttempts as exc:
                answer = PlainTextResponse(_too_often(exc) + "\n", 429, {"Retry-After": str(ceil(exc.seconds))})
        await answer(scope, receive, send)

    async def _until(self, session: Session, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer for as long as the session lasts: a stream would go on after the logout otherwise."""
        started = False

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            async with asyncio.timeout(session.expires - time.time()) as limit:
                session.open.add(limit)
                await self._app(scope, receive, noted)
        except TimeoutError:
            if not limit.expired():
                raise
            if started:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            else:
                await _to_login(Request(scope))(scope, receive, send)
        finally:
            session.open.discard(limit)


async def _login_of(request: Request) -> AuthenticationMiddleware:  # async: FastAPI runs others in a thread
    return cast(AuthenticationMiddleware, request.scope["login"])


LoginDep = Annotated[AuthenticationMiddleware, Depends(_login_of)]


@router.get("/login")
async def ask(request: Request, login: LoginDep, next: str = "/") -> Response:
    if login.sessions.find(login.token(request)):
        return RedirectResponse(own_path(next), 303)
    return _page(next)


@router.post("/login")
async def enter(request: Request, login: LoginDep) -> Response:
    try:
        form = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=10)
    except ValueError:
        form = {}
    word, wanted = form.get("password", [""])[0], form.get("next", ["/"])[0]
    if not word:
        return _page(wanted, "Type the password.", 422)
    try:
        if not await login.admits(word, address_of(request)):
            return _page(wanted, "This is not the password.", 403)
    except TooManyAttempts as exc:
        answer = _page(wanted, _too_often(exc), 429)
        answer.headers["Retry-After"] = str(ceil(exc.seconds))
        return answer
    login.sessions.end(login.token(request))
    entered = RedirectResponse(own_path(wanted), 303)
    entered.set_cookie(
        login.cookie, login.sessions.begin(), int(LASTS), httponly=True, samesite="strict", secure=_by_https(request)
    )
    return entered


@router.post("/logout")
async def leave(request: Request, login: LoginDep) -> Response:
    login.sessions.end(login.token(request))
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(login.cookie, httponly=True, samesite="strict", secure=_by_https(request))
    return answer


def own_path(wanted: str) -> str:
    """The path if it is one of this panel's, "/" if it leads anywhere else."""
    return wanted if _OWN_PATH.fullmatch(wanted) else "/"


def address_of(request: Request) -> str:
    return request.client.host if request.client else ""


def _page(wanted: str, error: str = "", status: int = 200) -> HTMLResponse:
    return HTMLResponse(draw("login.html", next=own_path(wanted), error=error), status)


def _to_login(request: Request) -> Response:
    """For a page the way to the login, for htmx the same in its words, for a program the plain answer."""
    wanted = own_path(_asked_from(request))
    login = "/login" if wanted == "/" else f"/login?{urlencode({'next': wanted})}"
    if by_htmx(request):
        return PlainTextResponse("Log in first.\n", 401, {"WWW-Authenticate": "Bearer", "HX-Redirect": login})
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(login, 303)
    if for_programs(request.url.path):
        return problem(401, "Send the password: Authorization: Bearer …", {"WWW-Authenticate": "Bearer"})
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
