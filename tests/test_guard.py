"""Nobody gets in: every route of the app, found by asking it, against hosts and origins that are not ours."""

import http.client
import re

import httpx
import pytest
from fastapi.routing import APIRoute

from panel.app import create_app
from panel.settings import Settings
from panel.web.guard import HEADERS
from tests.panels import OWN_PAGE, panel
from tests.scripted import Backend, operation, served

KEY = "k" * 22


@pytest.fixture(scope="module")
def backend():
    backend = Backend()
    backend.operations["op_x"] = operation("op_x")
    return backend


@pytest.fixture(scope="module")
def here(backend, tmp_path_factory):
    with served(backend.app) as address, panel(tmp_path_factory.mktemp("panel"), address + "/api/v1") as panel_:
        yield panel_


def routes() -> list[tuple[str, str]]:
    """(method, path) of everything the app answers, with something that exists in each placeholder."""
    app = create_app(Settings.from_environ({}))._app  # type: ignore[attr-defined]
    found, left = [], list(app.routes)
    while left:
        route = left.pop()
        left += getattr(getattr(route, "original_router", None), "routes", [])
        if isinstance(route, APIRoute):
            path = route.path.replace("{operation_id}", "op_x").replace("{kind}", "training")
            path = (
                path.replace("{symbol}", "EURUSD")
                .replace("{timeframe}", "1h")
                .replace("{key}", KEY)
                .replace("{page}", "home")
            )
            assert "{" not in path, f"no example for {route.path}"
            found += [(method, path) for method in route.methods]
    return sorted(found)


ROUTES = routes()
OTHERS = [
    ("GET", "/static/panel.css"),
    ("GET", "/nothing/here"),
    ("POST", "/nothing/here"),
    ("PUT", "/"),
    ("TRACE", "/"),
]
UNSAFE = [(method, path) for method, path in [*ROUTES, *OTHERS] if method not in ("GET", "HEAD")]


def test_the_routes_are_the_ones_that_are_known():
    """A route that is added is covered by the tests below; this only shows that they were found at all."""
    assert {"/", "/start/training", "/operations/op_x", "/stream/home", "/operations/op_x/cancel"} <= {
        path for _, path in ROUTES
    }
    assert len(UNSAFE) >= 7


def _send(here, method: str, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
    """Exactly this request: no client of ours tidies its path or its headers up. Returns status and headers."""
    connection = http.client.HTTPConnection("127.0.0.1", here.settings.port, timeout=10)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in ({"host": f"127.0.0.1:{here.settings.port}", "content-length": "0"} | headers).items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}
    finally:
        connection.close()


@pytest.mark.parametrize(
    "host", ["evil.test", "localhost.evil.com", "127.0.0.1.evil.com", "0.0.0.0", "", "localhost:1"]
)
@pytest.mark.parametrize(("method", "path"), [*ROUTES, *OTHERS])
def test_no_other_host_is_answered(here, backend, method, path, host):
    before = asked(backend)
    status, headers = _send(here, method, path, {"host": host, **OWN_PAGE})
    assert status == 421 and headers["content-security-policy"]
    assert asked(backend) == before


def asked(backend) -> dict[str, int]:
    """What has reached the backend, but for the panel's own regular readings."""
    regular = ("GET /operations", "GET /workers", "GET /operations/op_x")
    return {hit: count for hit, count in backend.hits.items() if hit not in regular}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "same-origin, cross-site"},
        {"sec-fetch-site": ""},
        {"origin": "null"},
        {"origin": "http://evil.test"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "https://127.0.0.1:{port}"},
        {"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1:{port}"},
    ],
    ids=str,
)
@pytest.mark.parametrize(("method", "path"), UNSAFE)
def test_nothing_is_done_for_another_page(here, backend, method, path, headers):
    before = len(backend.bodies)
    sent = {name: value.format(port=here.settings.port) for name, value in headers.items()}
    assert _send(here, method, path, sent)[0] == 403
    assert len(backend.bodies) == before, "something other than a GET reached the backend"


@pytest.mark.parametrize(
    "headers", [{"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}, {"origin": "http://127.0.0.1:{port}"}]
)
def test_our_own_pages_may(here, headers):
    sent = {name: value.format(port=here.settings.port) for name, value in headers.items()}
    assert _send(here, "POST", "/start/training", sent)[0] == 422


@pytest.mark.parametrize(("method", "path"), [*ROUTES, *OTHERS])
def test_every_answer_carries_the_headers(here, method, path):
    for headers in ({}, {"host": "evil.test"}, OWN_PAGE):
        _, sent = _send(here, method, path, headers)
        assert {name: sent.get(name) for name in HEADERS} == HEADERS
        assert path == "/static/panel.css" or sent["cache-control"] == "no-store"


def test_no_get_changes_anything_at_the_backend(here, backend):
    """Crawls every page that links lead to; nothing but GETs reaches the backend."""
    before = len(backend.bodies)
    left, seen = ["/", "/start/training", "/start/data_load", "/operations/op_x"], set()
    left += [path for method, path in ROUTES if method == "GET" and not path.startswith("/stream")]
    while left:
        path = left.pop()
        if path in seen or path.startswith("/stream"):
            continue
        seen.add(path)
        response = here.get(path)
        assert response.status_code in (200, 303, 404), path
        if "html" in response.headers.get("content-type", ""):
            left += re.findall(r'(?:href|hx-get)="(/[^"]*)"', response.text)
    assert {"/", "/operations/op_x/cancel", "/start/data_load"} <= seen
    assert len(backend.bodies) == before, backend.bodies[before:]


@pytest.mark.parametrize(
    "bad", ["..", ".", "%2e%2e", "a%3Fforce=true", "%0d%0a", "%00", "a" * 300, "a/b", "-a", "%C3%BC"]
)
def test_an_id_leads_nowhere_else(here, backend, bad):
    before = asked(backend)
    for path in (f"/operations/{bad}", f"/operations/{bad}/cancel", f"/stream/{bad}"):
        assert 400 <= _send(here, "GET", path, {})[0] < 500, path
    assert 400 <= _send(here, "POST", f"/operations/{bad}/cancel", OWN_PAGE)[0] < 500
    assert asked(backend) == before


def test_a_huge_form_is_refused(here):
    response = httpx.post(here.address + "/start/training", content=b"x=" + b"y" * 100_000, headers=OWN_PAGE)
    assert response.status_code == 413


def test_there_is_no_next_to_be_sent_to(here):
    response = here.get("/start/training?next=//evil.test")
    assert "evil.test" not in response.text


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
