"""Reads a reverse proxy's headers: client, scheme, host name and path. Pure ASGI, in front of everything.

`X-Forwarded-For`, `-Proto` and `-Host` count only when the connection comes from a trusted proxy. Of each the last
value counts, which that proxy has written; what precedes it came with the request. `Forwarded` (RFC 7239) is not
read: a proxy that writes one kind of header hands on the other kind as it came.

Below a root path a request may come with the path in front or without it, since some proxies take it away. Inside it
is gone; answers lead the browser below it.
"""

import re
from collections.abc import Iterable
from ipaddress import ip_address

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from panel.errors import UnsafeSettings
from panel.settings import Network
from panel.views.addresses import placed

_LEAD = {b"location", b"content-location", b"hx-redirect", b"hx-location", b"hx-push-url", b"hx-replace-url"}
_COOKIE_PATH = re.compile(r"(; *path=)/(?=;|$)", re.IGNORECASE)
_PORT = re.compile(r"(?P<v6>\[[^\]]*\])(?::\d+)?|(?P<v4>[^:]*):\d+")
_HOPS = 20  # addresses of a chain that are read


class ProxyMiddleware:
    """`root_path` is "" or begins with a slash. `first_segments` are those of the panel's own paths: a root path must
    begin with none of them, since it would be unclear whether the proxy has removed it."""

    def __init__(self, app: ASGIApp, proxies: Iterable[Network], root_path: str, first_segments: Iterable[str]) -> None:
        if root_path.partition("/")[2].partition("/")[0] in set(first_segments) - {""}:
            raise UnsafeSettings(f"The root path cannot be “{root_path}”: the panel has pages of that name.")
        self._app = app
        self._proxies = tuple(proxies)
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if self._trusts(scope["client"][0] if scope.get("client") else ""):
            scope = self._forwarded(scope)
        if self._root_path:
            scope, send = self._inside(scope), self._placing(scope, send)
        await self._app(scope, receive, send)

    def _trusts(self, address: str) -> bool:
        try:
            known = ip_address(address)
        except ValueError:
            return False
        known = getattr(known, "ipv4_mapped", None) or known
        return any(known in network for network in self._proxies)

    def _forwarded(self, scope: Scope) -> Scope:
        sent: dict[bytes, list[str]] = {}
        for name, value in scope["headers"]:
            if name.startswith(b"x-forwarded-"):
                sent.setdefault(name, []).extend(part.strip() for part in value.decode("latin-1").split(","))
        proto, host = (sent.get(name, [""])[-1].lower() for name in (b"x-forwarded-proto", b"x-forwarded-host"))
        changed: dict[str, object] = {}
        if chain := sent.get(b"x-forwarded-for"):
            changed["client"] = (self._client(scope, chain), 0)
        if proto in ("http", "https"):
            changed["scheme"] = proto
        if host:
            others = [(name, value) for name, value in scope["headers"] if name != b"host"]
            changed["headers"] = [(b"host", host.encode("latin-1")), *others]
        return {**scope, **changed}

    def _client(self, scope: Scope, chain: list[str]) -> str:
        """The nearest address that is no trusted proxy's."""
        client = str(scope["client"][0])
        for hop in reversed(chain[-_HOPS:]):
            bare = _PORT.fullmatch(hop)
            address = (bare["v6"] or bare["v4"] if bare else hop).strip("[]")
            try:
                client = str(ip_address(address))
            except ValueError:
                return client
            if not self._trusts(client):
                return client
        return client

    def _inside(self, scope: Scope) -> Scope:
        root, path = self._root_path, scope["path"]
        if path != root and not path.startswith(f"{root}/"):
            return scope
        raw_path = scope["raw_path"].removeprefix(root.encode()) or b"/"
        return {**scope, "path": path.removeprefix(root) or "/", "raw_path": raw_path}

    def _placing(self, scope: Scope, send: Send) -> Send:
        host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
        own = f"{scope['scheme']}://{host}"

        def changed(name: bytes, value: bytes) -> bytes:
            text = value.decode("latin-1")
            if name.lower() in _LEAD:
                before = own if text.startswith(f"{own}/") else ""  # Starlette's own redirects name the host
                text = before + placed(text.removeprefix(before))
            elif name.lower() == b"set-cookie":
                text = _COOKIE_PATH.sub(rf"\1{self._root_path}", text)
            return text.encode("latin-1")

        async def placing(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [(name, changed(name, value)) for name, value in message.get("headers", [])]
                message = {**message, "headers": headers}
            await send(message)

        return placing
