"""Gives each request an id and a trace, watches for stalls, and logs the request at level debug. Pure ASGI."""

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from panel.observability import trace
from panel.observability.stalls import LINGER, StallMonitor

log = logging.getLogger(__name__)


class RequestContextMiddleware:
    """Wraps everything, the guard included: what is refused has an id too."""

    def __init__(self, app: ASGIApp, stalls: StallMonitor) -> None:
        self._app, self._stalls = app, stalls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent: dict[bytes, list[str]] = {}
        for name, value in scope["headers"]:
            if name in (b"x-request-id", b"traceparent", b"tracestate"):
                sent.setdefault(name, []).append(value.decode("latin-1"))
        given = trace.request_id(sent.get(b"x-request-id", []))
        trace.REQUEST_ID.set(given)  # each request has its own task, so nothing has to be reset
        trace.TRACE.set(trace.trace(sent.get(b"traceparent", []), sent.get(b"tracestate", [])))
        began, status = time.perf_counter(), 0
        self._stalls.begins()

        async def with_id(message: Message) -> None:
            nonlocal status
            self._stalls.wake(LINGER)
            if message["type"] == "http.response.start":
                if not status:
                    self._stalls.answers()
                status = message["status"]
                message = {**message, "headers": [*message.get("headers", []), (b"x-request-id", given.encode())]}
            await send(message)

        try:
            await self._app(scope, receive, with_id)
        finally:
            if not status:
                self._stalls.answers()
            took = round((time.perf_counter() - began) * 1000, 1)
            fields = {"method": scope["method"], "path": scope["path"], "status": status, "ms": took}
            log.debug("request", extra=fields)
