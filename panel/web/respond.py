"""Reads forms and makes answers: whole pages, fragments and redirects, for htmx and without it."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from panel.views.templating import draw
from panel.web.auth.identity import LOCAL, identity_of
from panel.web.panel import panel_of


def page(
    request: Request, template: str, *views: Any, status: int = 200, stream: str = "line", **values: Any
) -> HTMLResponse:
    """A whole page; `stream` names the one stream it opens."""
    panel, identity = panel_of(request), identity_of(request)
    who = {
        "unprotected": panel.settings.exposed and not panel.access.protected,
        "who": identity.name if panel.access.protected else "",
        "operates": identity.operates,
        "named": identity.name in panel.access.accounts.users and identity.session != "",
    }
    frame = {"stream": stream, "path": request.url.path, "offered": panel.offers.kinds, **who}
    return HTMLResponse(draw(template, panel.reader.connection(), *views, **frame | values), status)


def fragment(template: str, *views: Any, status: int = 200, **values: Any) -> HTMLResponse:
    return HTMLResponse(draw(template, *views, **values), status)


def for_programs(path: str) -> bool:
    """Whether the path is of the JSON API, which has no pages."""
    return path == "/api" or path.startswith("/api/")


def problem(
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    *,
    errors: Mapping[str, str] | None = None,
    confirm: str = "",
    backend_said: str = "",
) -> Response:
    """An error for a program (RFC 9457). `errors`: a sentence for each field at fault; `confirm`: the confirmation that
    is missing; `backend_said`: the backend's own words, where `detail` is plainer."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if errors:
        body["errors"] = [{"field": field, "message": message} for field, message in errors.items()]
    if confirm:
        body["confirm"] = confirm
    if backend_said:
        body["backend_said"] = backend_said
    return JSONResponse(body, status, headers, "application/problem+json")


def problem_page(request: Request, status: int, title: str, message: str, **values: Any) -> HTMLResponse:
    return page(request, "problem.html", status=status, title=title, message=message, **values)


def refusal(
    request: Request, status: int, title: str, message: str, headers: Mapping[str, str] | None = None
) -> Response:
    """A page, or for a program a problem document."""
    if for_programs(request.url.path):
        return problem(status, message, headers)
    return problem_page(request, status, title, message)


def by_htmx(request: Request) -> bool:
    return request.headers.get("hx-request") == "true"


def refused_status(request: Request, status: int = 422) -> int:
    """Of a form's page that is drawn again. A browser writes every answer of 400 and more to a script into its
    console."""
    return 200 if by_htmx(request) else status


def redirect(request: Request, path: str) -> Response:
    """Send the browser to another page of the panel."""
    if by_htmx(request):
        return Response(status_code=204, headers={"HX-Redirect": path})
    return RedirectResponse(path, 303)


def see_other(request: Request, path: str) -> Response | None:
    """Sends a browser that has posted a form to a page that can be reloaded and come back to; None for others, which
    get that page as the answer."""
    browser = not by_htmx(request) and "text/html" in request.headers.get("accept", "")
    return RedirectResponse(path, 303) if browser else None


def actor_of(request: Request) -> str:
    """The request's user or token, as it is stored."""
    identity = identity_of(request)
    how = "a program" if for_programs(request.url.path) else "a browser"
    place = f"{how} at {request.client.host}" if request.client else how
    return place if identity is LOCAL else f"{identity.name}, {place}"


async def typed(request: Request) -> dict[str, str]:
    """The form's fields."""
    form = await request.form(max_files=0, max_fields=50)
    return {name: value for name, value in form.items() if isinstance(value, str)}
