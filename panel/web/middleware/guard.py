"""Refuses requests of other sites and for other host names, and sets the headers of every answer. Pure ASGI.

A page on the internet can make a browser on this machine send requests to the panel. Two checks stop
that, on every route, static files and streams included, with no switch to turn them off:

- the Host header must be one of ours, exactly (a rebound DNS name is not);
- the request must come from our own pages, or from no page: `Sec-Fetch-Site` is `same-origin` or `none`; from
  a browser that does not send it, `Origin` equals the Host. A link on another page may open one of ours, which
  is a GET and changes nothing; other pages may not read, embed or frame anything.
"""

from collections.abc import Iterable

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from panel.live.headers import HEADERS
from panel.web.respond import for_programs, problem

MAX_FORM = 64 * 1024  # bytes of a request's body
MAX_STRATEGY = 1024 * 1024  # of one that carries a strategy's text: every byte of it may be written as three
MAX_FILES = 513 * 1024 * 1024  # of market data, written to disk as they come; a little more than the page takes

_ALWAYS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
_NO_STORE = (b"cache-control", b"no-store")


class GuardMiddleware:
    """Wraps the whole app. `hosts` are the exact Host headers that are answered."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no websockets: closed without an answer

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = message.get("headers", [])
                names = {name.lower() for name, _ in given}
                cache = [] if b"cache-control" in names else [_NO_STORE]
                message = {**message, "headers": [*given, *_ALWAYS, *cache]}
            await send(message)

        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, with_headers)
            return
        status, reason = refusal
        answer = problem(status, reason) if for_programs(scope["path"]) else PlainTextResponse(f"{reason}\n", status)
        if scope["method"] == "HEAD":
            answer.body = b""
        await answer(scope, receive, with_headers)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        sent: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            sent.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
        host = sent.get("host", [])
        if len(host) != 1 or host[0].lower() not in self._hosts:
            return 421, "This panel does not answer to that host name. KTRDR_PANEL_ALLOWED_HOSTS can add one."
        reads = scope["method"] in ("GET", "HEAD")
        site, origin = sent.get("sec-fetch-site", []), sent.get("origin", [])
        if site:
            linked = (sent.get("sec-fetch-mode"), sent.get("sec-fetch-dest")) == (["navigate"], ["document"])
            own = site in (["same-origin"], ["none"]) or (reads and linked)
        elif origin:
            own = origin == [f"{scope['scheme']}://{host[0]}"]
        else:
            # A program, or a browser's address bar. What acts has a header that no form can make a browser send.
            own = reads or (for_programs(scope["path"]) and "idempotency-key" in sent)
        if not own and for_programs(scope["path"]) and not site and not origin:
            return 403, "Refused: send an Idempotency-Key. Without it any page on the internet could have sent this."
        if not own:
            return 403, "Refused: this request did not come from the panel's own pages."
        length, limit = sent.get("content-length", ["0"]), _max_body(scope["path"])
        if "transfer-encoding" in sent or len(length) != 1 or not length[0].isdecimal():
            return 411, "Refused: send the length of the body as Content-Length; one in chunks is not read."
        if len(length[0]) > 20 or int(length[0]) > limit:
            return 413, "Refused: this is more than any form of the panel sends."
        return None


def _max_body(path: str) -> int:
    if path == "/data/import":
        return MAX_FILES
    return MAX_STRATEGY if path.startswith("/strategies") else MAX_FORM
