"""Answers: whole pages, fragments, and going elsewhere, for htmx and without it."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from panel.views.templating import draw


def page(request: Request, template: str, status: int = 200, stream: str = "line", **values: Any) -> HTMLResponse:
    """A whole page; `stream` names the one stream it opens."""
    live = request.app.state.live
    settings = request.app.state.settings
    who = {"unprotected": settings.unprotected, "may_leave": bool(settings.password)}
    frame = {"stream": stream, "path": request.url.path, **who, **live.line()}
    return HTMLResponse(draw(template, **frame | values), status)


def fragment(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    return HTMLResponse(draw(template, **values), status)


def for_programs(path: str) -> bool:
    """Below the JSON face, where nobody reads pages."""
    return path == "/api" or path.startswith("/api/")


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """An error for a program (RFC 9457)."""
    told = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(told, status, headers, "application/problem+json")


def by_htmx(request: Request) -> bool:
    return request.headers.get("hx-request") == "true"


def go(request: Request, path: str) -> Response:
    """Send the browser to another page of ours."""
    if by_htmx(request):
        return Response(status_code=204, headers={"HX-Redirect": path})
    return RedirectResponse(path, 303)


def actor(request: Request) -> str:
    """Who asks, as it is written down: the panel knows addresses, not people."""
    return f"a browser at {request.client.host}" if request.client else "a browser"
