"""Every error as a page of the panel: what happened, and a link back. Never a traceback."""

import logging
import sqlite3
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from panel.domain.memory import GONE, damaged, remedy
from panel.web.panel import panel_of
from panel.web.respond import for_programs, problem, refusal

log = logging.getLogger(__name__)

_TITLES = {404: "Not found", 405: "Not possible", 422: "That cannot be done", 502: "The backend does not answer"}

_TYPES = {"bool", "int", "float", "str", "constrained-str", "[key]"}  # in the place of an error, beside the field


def install(app: FastAPI) -> None:
    app.add_exception_handler(RequestValidationError, _invalid)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _expected)  # type: ignore[arg-type]
    app.add_exception_handler(sqlite3.Error, _unwritable)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _unexpected)


async def _expected(request: Request, exc: HTTPException) -> Response:
    message = "There is nothing at this address." if exc.detail == "Not Found" else exc.detail
    title = _TITLES.get(exc.status_code, "That did not work")
    return refusal(request, exc.status_code, title, message, exc.headers)


async def _gone(request: Request, exc: Exception) -> Response:
    """The browser disconnected before it had sent its form."""
    return Response(status_code=400)


async def _unwritable(request: Request, exc: Exception) -> Response:
    """Nothing is sent to the backend before it is on disk, so nothing was."""
    if isinstance(exc, sqlite3.Error):
        panel_of(request).monitor.recorder.failed(exc)
    why = str(exc)
    message = f"The panel cannot write its memory now ({why}). Nothing was started. Try again when it can."
    if damaged(why) or GONE in why:
        message = f"The panel cannot use its memory: {why}. Nothing was started. {remedy(why)}"
    return refusal(request, 503, "The memory cannot be used", message)


async def _invalid(request: Request, exc: RequestValidationError) -> Response:
    """A parameter of an address. Forms are read and answered field by field, elsewhere."""
    errors: dict[str, str] = {}
    for error in exc.errors():
        errors.setdefault(_field(error["loc"]), _why(error))
    wrong = " ".join(f"{field}: {why}" for field, why in errors.items())
    if for_programs(request.url.path):
        return problem(422, wrong, errors=errors)
    return await _expected(request, HTTPException(422, wrong))


def _field(place: tuple[int | str, ...]) -> str:
    """Of a value in a list the list's name, of one that may be of several types its own."""
    names = [name for name in place[1:] if isinstance(name, str) and name not in _TYPES]
    return names[-1] if names else str(place[0])


def _why(error: dict[str, Any]) -> str:
    if error["type"] == "json_invalid":
        return f"It is no JSON from character {error['loc'][-1]} on: {error['ctx']['error']}."
    return f"{error['msg']}."


async def _unexpected(request: Request, exc: Exception) -> Response:
    log.error("unexpected error method=%s path=%r", request.method, request.url.path, exc_info=exc)
    message = "Something went wrong inside the panel. Nothing was lost; its log says more."
    return refusal(request, 500, "That did not work", message)
