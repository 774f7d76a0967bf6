"""Every error as a page of the panel: what happened, and a link back. Never a traceback."""

import logging
import sqlite3

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


def install(app: FastAPI) -> None:
    app.add_exception_handler(RequestValidationError, _invalid)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _expected)  # type: ignore[arg-type]
    app.add_exception_handler(sqlite3.Error, _unwritable)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _unexpected)


async def _expected(request: Request, exc: HTTPException) -> Response:
    explained = exc.status_code in (409, *_TITLES) and exc.detail != "Not Found"
    message = exc.detail if explained else "There is nothing at this address."
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
    wrong = [f"{error['loc'][-1]}: {error['msg']}." for error in exc.errors()]
    if for_programs(request.url.path):
        errors = {str(error["loc"][-1]): f"{error['msg']}." for error in exc.errors()}
        return problem(422, " ".join(wrong), errors=errors)
    return await _expected(request, HTTPException(422, " ".join(wrong)))


async def _unexpected(request: Request, exc: Exception) -> Response:
    log.error("unexpected error method=%s path=%r", request.method, request.url.path, exc_info=exc)
    message = "Something went wrong inside the panel. Nothing was lost; its log says more."
    return refusal(request, 500, "That did not work", message)
