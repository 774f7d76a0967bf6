"""The routes of the app, and what reached the backend."""

import re
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Mount

from panel.app import ASSETS
from tests.support.pages import KEY
from tests.support.scripted import Backend

EXAMPLES = {
    "operation_id": "op_x",
    "kind": "training",
    "symbol": "EURUSD",
    "timeframe": "1h",
    "key": KEY,
    "page": "home",
}  # for the parameters of paths


def asked(backend: Backend) -> dict[str, int]:
    """What has reached the backend, but for the panel's own regular readings. On a busy machine one may time out, and
    then the panel asks how the backend is."""
    regular = {
        "GET /operations",
        "GET /workers",
        "GET /health",
        "GET /agent/status",  # whether it has an agent
        "GET /strategies/",  # the steps of an empty home
        "POST /data/range",
        *(f"GET /operations/{known}" for known in backend.operations),
    }
    return {hit: n for hit, n in backend.hits.items() if hit not in regular}


def unwrapped(app: Any) -> FastAPI:
    while not isinstance(app, FastAPI):
        app = app._app
    return app


def templates(app: Any) -> set[str]:
    """`GET /operations/{operation_id}` of everything the app answers, placeholders as they stand in its routes."""
    found = set()
    for route in unwrapped(app).routes:
        if isinstance(route, APIRoute):
            found |= {f"{method} {route.path}" for method in route.methods}
        else:
            assert isinstance(route, Mount), route
            found.add(f"GET {route.path}/{{path:path}}")
    return found


def routes(app: Any) -> list[tuple[str, str]]:
    """(method, path) of everything the app answers, with something that exists in each placeholder. A route that is
    added is in here by itself, and so in every test below."""
    found = set()
    for route in unwrapped(app).routes:
        if isinstance(route, APIRoute):
            path = re.sub(r"{(\w+)(?::\w+)?}", lambda name: EXAMPLES.get(name[1], "op_x"), route.path)
            found |= {(method, path) for method in route.methods}
        else:
            assert isinstance(route, Mount) and route.path == "/static", f"no example for {route}"
            files = [file for file in (ASSETS / "static").rglob("*") if file.is_file()]
            found |= {("GET", f"/static/{file.relative_to(ASSETS / 'static')}") for file in files}
    return sorted(found)
