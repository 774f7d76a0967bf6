"""The REST contract: KTRDR's paths, shapes, statuses and error shapes.

Answers are the real backend's in form. Where it has fields for it, data says that it is sample data; a few
fields are added (a strategy's file, symbols and timeframes; a range's source), none is left out.
"""

import sqlite3

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from panel.embedded.api import backtests, market_data, operations, strategies, trainings
from panel.embedded.api.answers import error
from panel.embedded.backend import Backend


def create_api(home: Backend) -> FastAPI:
    """The app over one backend."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    for area in (operations, trainings, backtests, market_data, strategies):
        app.include_router(area.routes(home), prefix="/api/v1")

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, exc: RequestValidationError) -> JSONResponse:
        details = [
            {"field": " -> ".join(map(str, found["loc"])), "message": found["msg"], "type": found["type"]}
            for found in exc.errors()
        ]
        return JSONResponse(error("VALIDATION_ERROR", "Request validation failed", details), 422)

    @app.exception_handler(OSError)
    @app.exception_handler(sqlite3.OperationalError)
    def unwritable(request: Request, exc: Exception) -> JSONResponse:
        reason = getattr(exc, "strerror", None) or str(exc)
        return JSONResponse(
            error("STORAGE_ERROR", f"The embedded backend's folder cannot be used: {reason}.", None), 500
        )

    return app


__all__ = ["create_api"]
