"""Below a path of a reverse proxy: every address that leaves the panel is below it, and without one nothing changes."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest

from panel.errors import UnsafeSettings
from panel.views.addresses import live_below, placed, placed_html
from panel.views.templating import ASSETS
from tests.support.bars import hours
from tests.support.inside import Answer, Inside, inside
from tests.support.pages import KEY
from tests.support.panels import panel, stream
from tests.support.passwords import HASH, WORD
from tests.support.routes import routes
from tests.support.scripted import RESULT, Backend, corrupt, operation, percent, served, stamp

ROOT = "/team/panel"
HTML = ("accept", "text/html,*/*")
HTMX = ("hx-request", "true")
WAYS = ((HTML,), (HTML, HTMX))
Headers = tuple[tuple[str, str], ...]
TEXTS = {"value", "title", "content", "placeholder", "data-text", "aria-keyshortcuts", "aria-label", "alt"}


@pytest.fixture(scope="module")
def backend() -> Backend:
    backend = Backend()
    backend.operations["op_x"] = operation("op_x", progress=percent(12, "Epoch 1/9"), metrics={"epochs": corrupt(3)})
    ended = {"completed_at": stamp(), "metadata": {"symbol": "EURUSD", "parameters": {"strategy_name": "/etc/swing"}}}
    backend.operations["op_y"] = operation("op_y", status="completed", result_summary=RESULT, **ended)
    backend.operations["op_z"] = operation(
        "op_z", "data_load", status="failed", error_message='href="/nowhere"', **ended
    )
    backend.bars = {("EURUSD", "1h"): hours(3)}
    return backend


@pytest.fixture(scope="module")
def address(backend: Backend) -> Iterator[str]:
    with served(backend.app) as address:
        yield address + "/api/v1"


def made(folder: Path, address: str, **settings: str) -> Iterator[Inside]:
    with inside(folder, address, **settings) as here:
        for operation_id in ("op_x", "op_y", "op_z"):
            assert here.get(f"/operations/{operation_id}").status == 200
        here.post("/data/look", {})
        yield here


@pytest.fixture(scope="module")
def before(address: str, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, Headers], tuple[int, set[str]]]:
    """What is answered without such a path."""
    found = {}
    for here in made(tmp_path_factory.mktemp("plain"), address):
        for path in gets(here):
            for more in WAYS:
                answer = here.get(path, *more)
                found[path, more] = answer.status, named_addresses(answer)
    return found


@pytest.fixture(scope="module")
def here(before: object, address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    """A process has one such path, so it begins when the other has ended."""
    yield from made(tmp_path_factory.mktemp("rooted"), address, root_path=ROOT)


def gets(here: Inside) -> list[str]:
    return [path for method, path in routes(here.app) if method == "GET" and not path.startswith("/static/")]


def addresses(text: str) -> set[str]:
    """Every value of an attribute, and every string of JSON, that looks like a path."""
    found = re.findall(r'\s([\w:-]+)="(/[^"]*)"', text)
    found += [("json", value) for value in re.findall(r'(?:&#34;|[{\[:,]")(/[^"&\s<>]+)(?:"|&#34;)', text)]
    return {value for name, value in found if name not in TEXTS} - {"/etc/swing", "/nowhere"}


def named_addresses(answer: Answer) -> set[str]:
    """Everything in an answer that leads somewhere."""
    headers = {value for name, value in answer.lines if name in ("location", "hx-redirect", "content-location")}
    return headers | addresses(answer.text)


def test_every_address_is_below_the_path_and_none_changes_without_one(here, before):
    """All pages, fragments, streams and JSON, with the path in front as some proxies pass it on and without it."""
    seen = 0
    for path in gets(here):
        for more in WAYS:
            stripped, whole, (status, addressed) = (
                here.get(path, *more),
                here.get(ROOT + path, *more),
                before[path, more],
            )
            assert stripped.status == whole.status == status, path
            if path == "/api/openapi.json":  # names the path once, as its server
                assert whole.text == stripped.text and f'"servers":[{{"url":"{ROOT}"}}]' in whole.text
                continue
            found = named_addresses(whole)
            assert {f for f in found if f != ROOT and not f.startswith(f"{ROOT}/")} == set(), path
            assert not {f for f in found if f.startswith(ROOT * 2)}, path
            assert named_addresses(stripped) == found, path
            assert {f.removeprefix(ROOT) for f in found} == addressed, path
            seen += len(found)
    assert seen > 500


def test_every_link_of_every_page_is_answered(here):
    """From the page at the path itself, as a browser goes from one to the next."""
    left, seen = [ROOT], set()
    while left:
        address = left.pop()
        seen.add(address)
        answer = here.get(address, HTML)
        assert answer.status in (200, 303, 422), (address, answer.status)  # 422: nothing to compare
        links = re.findall(r'\s(?:href|src|hx-get|data-bars)="([^"#]+)"', answer.text)
        links += [answer.header("location")] if answer.status == 303 else []
        for link in links:
            parts = urlsplit(urljoin(address, link.replace("&amp;", "&")))
            target = f"{parts.path}?{parts.query}" if parts.query else parts.path
            if not parts.netloc and target not in seen | set(left) and len(parts.query) < 60:
                left.append(target)
    assert len(seen) > 60 and f"{ROOT}/operations/op_y" in seen


def test_forms_lead_back_below_the_path(here):
    form = {"key": KEY, "strategy_name": "swing"}
    assert here.post(f"{ROOT}/start/training", form).header("location").startswith(f"{ROOT}/operations/op_")
    assert here.post(f"{ROOT}/start/training", form, HTMX).header("hx-redirect").startswith(f"{ROOT}/operations/op_")
    assert here.post("/data/look", {}).header("location") == f"{ROOT}/data"
    headers = [("host", here.host), ("idempotency-key", "12345678"), ("content-length", "2")]
    started = here.ask("POST", f"{ROOT}/api/start/dummy", [*headers, ("content-type", "application/json")], b"{}")
    assert started.status == 201 and started.header("location").startswith(f"{ROOT}/api/operations/op_dummy")
    assert here.get(f"{ROOT}/data/").header("location") == f"http://{here.host}{ROOT}/data", "a slash too many"


def test_a_login_stays_below_the_path(address, tmp_path):
    with inside(tmp_path, address, password=HASH, root_path=ROOT) as here:
        sent = here.get(f"{ROOT}/operations?kind=dummy", HTML).header("location")
        assert sent == f"{ROOT}/login?next=%2Foperations%3Fkind%3Ddummy"
        assert f'action="{ROOT}/login"' in here.get(sent).text
        entered = here.post(f"{ROOT}/login", {"password": WORD, "next": "/operations"})
        assert entered.header("location") == f"{ROOT}/operations"
        cookie, own = entered.header("set-cookie"), "ktrdr_panel_8321_team_panel"
        assert re.search(rf"; Path={ROOT}(;|$)", cookie) and cookie.startswith(f"{own}=")
        # One that the same panel left at the root of the host, when it still was there, is not taken for this one.
        both = ("cookie", f"{own}={entered.cookie(own)}; ktrdr_panel_8321=old")
        assert here.get(f"{ROOT}/operations", HTML, both).status == 200
        # What the browser names itself has the path already.
        current = ("hx-current-url", f"https://a.test{ROOT}/data")
        assert here.get("/operations", HTMX, current).header("hx-redirect").startswith(f"{ROOT}/login?next=")
        assert here.post("/login", {"password": WORD, "next": f"{ROOT}/data"}).header("location") == f"{ROOT}/data"
        assert here.get("/static/panel.css").status == here.get(f"{ROOT}/healthz").status == 200


@pytest.mark.parametrize("root", ["/data", "/static", "/operations/x", "/login"])
def test_a_path_that_could_be_a_page_is_refused(address, tmp_path, root):
    with pytest.raises(UnsafeSettings, match="pages of that name"), inside(tmp_path, address, root_path=root):
        pass


def test_what_is_drawn_in_the_background_is_below_the_path_too(backend, address, tmp_path):
    """By pollers, which belong to no request."""
    backend.operations["op_live"] = lambda n: operation("op_live", progress=percent(min(n, 90), f"Epoch {n}/100"))
    with panel(tmp_path, address, root_path=ROOT) as here:
        here.get("/operations/op_live")
        with stream(here, "operations?id=op_live") as reader:
            reader.until(lambda stream: len({text for text in stream.observation if "row-op_live" in text}) > 1)
            found = {each for text in reader.observation for each in addresses(text)}
            assert f"{ROOT}/operations/op_live" in found and all(each.startswith(ROOT) for each in found)
    backend.operations.pop("op_live")


def test_only_addresses_are_changed(here):
    live_below("")
    html = '<a href="/x" title="/x">href=&#34;/x&#34;</a><form action="/"><img src="//a.test/x"><a href="/p/x"><a href="/px">'
    assert placed_html(html) is html and placed("/x") == "/x"
    live_below("/p")
    try:
        assert placed_html(html) == html.replace('href="/x"', 'href="/p/x"', 1).replace(
            'action="/"', 'action="/p/"'
        ).replace('href="/px"', 'href="/p/px"')
        given = ("/", "/x?y", "/p", "/p/x", "/p?x", "/px", "//a.test", "/\\a.test", "https://a.test/x", "x", "")
        assert [placed(each) for each in given] == [
            *("/p/", "/p/x?y", "/p", "/p/x", "/p?x", "/p/px", "//a.test", "/\\a.test", "https://a.test/x", "x", "")
        ]
    finally:
        live_below(ROOT)


def test_scripts_take_their_addresses_from_one_module():
    """A path in a script is given to `placed`; only a pattern to compare with may stand alone."""
    for file in (ASSETS / "static").glob("*.js"):
        code = re.sub(r"^\s*//.*$", "", file.read_text("utf-8"), flags=re.M)
        bare = re.findall(r"""(?<!placed\()(?<!endsWith\()["'`]/(?:[a-z][^"'`]*)?["'`]""", code)
        assert bare in ([], ['"/"']) and (not bare or "event.key === " in code), f"{file.name}: {bare}"
