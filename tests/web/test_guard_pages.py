"""What the guard lets through at all, what pages say of who may use them, and texts of the backend on them."""

import asyncio
from typing import Any

from panel.web.middleware.guard import GuardMiddleware
from tests.support.inside import inside
from tests.support.pages import KEY
from tests.support.panels import panel
from tests.support.routes import routes
from tests.support.scripted import Backend, operation, served

HERE = "127.0.0.1:8321"


def test_nothing_but_http_gets_through():
    reached = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope["type"])

    guard = GuardMiddleware(app, [HERE])
    for kind in ("websocket", "lifespan", "something new"):
        scope = {"type": kind, "headers": [(b"host", HERE.encode())], "method": "GET"}
        asyncio.run(guard(scope, None, None))  # type: ignore[arg-type]
    assert reached == ["lifespan"]


# Who may use it


def test_a_panel_that_is_open_to_others_says_so_on_every_page(backend, tmp_path):
    """In red, errors included. Without the override it would not have started."""
    warning = '<p class="exposed" role="alert">Everyone who can reach this address can use this panel'
    with served(backend.app) as address:
        open_to_all: list[tuple[dict[str, Any], bool]] = [
            ({"host": "192.168.1.5", "dangerously_no_auth": True}, True),
            ({"host": "192.168.1.5", "password": "long enough"}, False),
            ({"host": "0.0.0.0", "in_container": True}, False),
            ({"dangerously_no_auth": True}, False),
        ]
        for settings, warned in open_to_all:
            with inside(
                tmp_path / str(len(settings)) / settings.get("host", "here"), address + "/api/v1", **settings
            ) as here:
                known = ("authorization", "Bearer long enough")
                pages = [
                    path for method, path in routes(here.app) if method == "GET" and not path.startswith("/static")
                ]
                for path in [*pages, "/nothing"]:
                    answer = here.get(path, known)
                    if "<header" in answer.text and path != "/login":
                        assert (warning in answer.text) is warned, (path, settings)
                assert here.get("/", known).status == 200
                assert "0.0.0.0:8321" not in here.settings.hosts


# Texts

HOSTILE = '"><img src=x onerror=alert(1)><div hx-post=/start/dummy hx-trigger=load>javascript:alert(1)'


def test_the_backends_texts_stay_texts(backend, tmp_path):
    """Hostile text in every string field makes no element and no attribute on any page or in any frame."""
    hostile = Backend()
    wild = operation("op_wild", "training", "failed", error_message=HOSTILE)
    wild["progress"] |= {
        "percentage": 3,
        "current_step": HOSTILE,
        "context": {"step_current": HOSTILE, "step_total": 3},
    }
    wild["metadata"] = {
        "symbol": HOSTILE,
        "parameters": {"strategy_name": HOSTILE, HOSTILE: HOSTILE, "symbols": [HOSTILE]},
    }
    running = operation("op_run", HOSTILE[:40], "running", progress=wild["progress"], metadata=wild["metadata"])
    hostile.operations |= {"op_wild": wild, "op_run": running}
    hostile.strategies = [{"name": HOSTILE, "description": HOSTILE, "symbol": HOSTILE, "indicators": [HOSTILE]}]
    hostile.answers["POST /strategies/validate/x"] = (404, {"detail": HOSTILE})
    with served(hostile.app) as address, panel(tmp_path, address + "/api/v1") as here:
        pages = [here.get(path).text for path in ("/operations/op_wild", "/operations/op_run", "/start/training", "/")]
        pages.append(here.post("/start/training/look", {"strategy_name": "x", "symbols": HOSTILE}).text)
        pages.append(here.post("/start/training", {"key": KEY, "strategy_name": HOSTILE, "symbols": HOSTILE}).text)
        for text in pages:
            assert "<img" not in text and "<div hx-post=/start/dummy" not in text
            assert 'href="javascript' not in text
        assert sum("&lt;img" in text for text in pages) >= 4, "the text is there, as text"
