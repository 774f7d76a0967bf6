"""HEAD is answered as GET without a body, as checks of a panel's health ask; with all that guards a GET."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.inside import Inside, inside
from tests.support.pages import until
from tests.support.panels import panel
from tests.support.parts import panel_of
from tests.support.routes import routes
from tests.support.scripted import operation, percent

VARIES = {"content-length", "content-encoding", "vary", "x-request-id"}  # where a body is compressed


@pytest.fixture
def here(address, backend, tmp_path) -> Iterator[Inside]:
    backend.operations["op_x"] = operation("op_x", progress=percent(12, "Epoch 1/9"))
    with inside(tmp_path, address) as here:
        yield here


def test_every_address_answers_head_as_get_without_its_body(here):
    gets = [path for method, path in routes(here.app) if method == "GET" and not path.startswith("/static/")]
    assert len(gets) > 50
    for path in [*gets, "/static/panel.css", "/nowhere"]:
        whole = here.get(path)
        head = here.ask("HEAD", path, [("host", here.host)])
        assert (head.status, head.body, head.error) == (whole.status, b"", None), path
        assert {name for name, _ in head.lines} - VARIES == {name for name, _ in whole.lines} - VARIES, path
    assert not panel_of(here.app).hub._readers, "no stream stays open"


def test_a_head_needs_what_a_get_needs(tmp_path, address):
    with inside(tmp_path, address, password="a long password") as here:
        for path, status in (("/healthz", 200), ("/login", 200), ("/", 401), ("/api/line", 401), ("/stream", 401)):
            answer = here.ask("HEAD", path, [("host", here.host)])
            assert answer.status == status and (status != 200 or answer.body == b""), path
        assert here.ask("HEAD", "/healthz", [("host", "evil.test")]).status == 421
        assert here.ask("HEAD", "/", [("host", here.host), ("sec-fetch-site", "cross-site")]).status == 403
        assert here.ask("HEAD", "/logout", [("host", here.host)]).status == 401


def test_a_head_of_a_stream_ends_and_leaves_the_connection_to_the_next_request(tmp_path, address):
    with panel(tmp_path, address) as here, httpx.Client(base_url=here.address, timeout=120) as client:
        for path in ("/healthz", "/stream", "/api/events", "/operations/list.csv", "/", "/healthz"):
            answer = client.head(path)
            assert (answer.status_code, answer.content) == (200, b""), path
        until(lambda: here.inside.call(lambda: not here.inside.fanout._readers))
