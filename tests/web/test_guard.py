"""Nobody gets in: every route of the app, found by asking it, against requests that no page of ours would send."""

import asyncio
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from panel.live.headers import HEADERS
from panel.web.middleware.guard import MAX_FORM
from tests.support.inside import Answer, Headers, Inside, inside
from tests.support.pages import KEY
from tests.support.routes import asked, routes, unwrapped
from tests.support.scripted import Backend, operation, percent, served

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")
HERE = "127.0.0.1:8321"


@pytest.fixture(scope="module")
def backend():
    backend = Backend()
    backend.operations["op_x"] = operation("op_x", progress=percent(12, "Epoch 1/9"))
    backend.bars = {("EURUSD", "1h"): [1_700_000_000.0 + 3600 * n for n in range(300)]}
    return backend


@pytest.fixture(scope="module")
def here(backend, tmp_path_factory):
    with served(backend.app) as address, inside(tmp_path_factory.mktemp("panel"), address + "/api/v1") as here:
        yield here


def paths(here: Inside) -> list[str]:
    return sorted(
        {path for _, path in routes(here.app)} | {"/nothing/here", "/static/nothing", "/static/../x", "//", "*"}
    )


def test_the_routes_are_found(here):
    found = routes(here.app)
    assert {"/", "/start/training", "/operations/op_x", "/stream/home", "/static/panel.css"} <= {
        path for _, path in found
    }
    assert ("POST", "/operations/op_x/cancel") in found and ("POST", "/plans") in found


# Hosts

HOSTS = [
    "evil.test", "localhost.evil.com", "127.0.0.1.evil.com", "0.0.0.0", "0.0.0.0:8321", "", " ", ":8321", "8321",
    "localhost:1", "127.0.0.1:8322", "localhost:83210", "localhost:08321", "localhost:", "127.0.0.1:8321:8321",
    "localhost.", "localhost.:8321", "127.0.0.1.", ".localhost", "xlocalhost:8321", "localhost:8321.evil.test",
    "user@localhost:8321", "localhost:8321@evil.test", "evil.test#@127.0.0.1:8321", "127.0.0.1:8321/x",
    "http://127.0.0.1:8321", "127.0.0.2:8321", "127.1:8321", "2130706433:8321", "0x7f.1:8321", "0177.0.0.1:8321",
    "127.0.0.01:8321", "::1", "[::1", "::1]:8321", "[::1]:1", "[0:0:0:0:0:0:0:1]:8321", "[::ffff:127.0.0.1]:8321",
    "[::]:8321", "[::1%25lo]:8321", "127.0.0.1:8321, evil.test", "127.0.0.1:8321 evil.test", " 127.0.0.1:8321",
    "127.0.0.1:8321\t", "localhost\x00:8321", "lοcalhost:8321", "localhost。:8321", "LOCALHOST.EVIL.COM", "*",
    "panel.example.com",
]  # fmt: skip
OWN_HOSTS = [
    "127.0.0.1:8321", "localhost:8321", "LocalHost:8321", "LOCALHOST", "localhost", "127.0.0.1", "[::1]:8321",
    "[::1]",
]  # fmt: skip
OWN = ("sec-fetch-site", "same-origin")


def test_no_other_host_is_answered(here, backend):
    """Rebinding: a name of somebody else's that leads to this machine."""
    sent: list[tuple[str, Headers, int]] = [(host, [("host", host), OWN], 421) for host in HOSTS]
    sent += [
        ("missing", [OWN], 421),
        ("doubled", [("host", HERE), ("host", HERE), OWN], 421),
        ("two", [("host", HERE), ("host", "evil.test"), OWN], 421),
        ("forwarded", [("host", "evil.test"), ("x-forwarded-host", HERE), ("forwarded", f"host={HERE}"), OWN], 421),
    ]
    refused(here, backend, sent, METHODS)


def test_own_hosts_are_answered(here):
    for host in OWN_HOSTS:
        assert here.ask("GET", "/static/panel.css", [("host", host)]).status == 200, host
        assert here.ask("POST", "/start/training", [("host", host), OWN]).status == 422, host


# Other pages


def site(value: str, mode: str = "cors", dest: str = "empty", **more: str) -> Headers:
    return [("sec-fetch-site", value), ("sec-fetch-mode", mode), ("sec-fetch-dest", dest), *more.items()]


CLICK = {"mode": "navigate", "dest": "document"}
OTHER_PAGES: dict[str, Headers] = {
    # what a browser sends that tells where a request comes from
    **{f"fetch from {where}": site(where) for where in ("cross-site", "same-site")},
    "an image": site("cross-site", "no-cors", "image"),
    "a script": site("same-site", "no-cors", "script"),
    "a style": site("cross-site", "no-cors", "style"),
    "a frame": site("cross-site", "navigate", "iframe"),
    "a frame of another port": site("same-site", "navigate", "frame"),
    "an object": site("cross-site", "navigate", "object"),
    "an embed": site("cross-site", "navigate", "embed"),
    "a socket": site("cross-site", "websocket", "websocket"),
    "no mode": [("sec-fetch-site", "cross-site")],
    "no destination": [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")],
    "a mode twice": [*site("cross-site", **CLICK), ("sec-fetch-mode", "navigate")],
    "a claim of ours beside it": [*site("cross-site"), ("origin", f"http://{HERE}")],
    # what no browser sends
    **{
        f"site {value!r}": [("sec-fetch-site", value)]
        for value in ("", "Same-Origin", "same-origin ", "same-originx", "x", "null", "*")
    },
    "site both in one": [("sec-fetch-site", "same-origin, cross-site")],
    "site doubled": [OWN, OWN],
    "site ours, then not": [OWN, ("sec-fetch-site", "cross-site")],
    "site not, then ours": [("sec-fetch-site", "cross-site"), OWN],
    "site empty, origin ours": [("sec-fetch-site", ""), ("origin", f"http://{HERE}")],
    # browsers that do not tell the site
    **{
        f"origin {value}": [("origin", value)]
        for value in (
            *(
                "null",
                "http://evil.test",
                "http://127.0.0.1",
                "http://127.0.0.1:1",
                f"https://{HERE}",
                "http://localhost:8321",
            ),
            *(
                "http://127.0.0.1:8321.evil.test",
                "http://evil.test/127.0.0.1:8321",
                "http://user@127.0.0.1:8321",
                HERE,
                "",
            ),
            *(
                "http://127.0.0.1:8321/",
                "HTTP://127.0.0.1:8321",
                "http://[::1]:8321",
                f"http://{HERE}, http://evil.test",
                "file://",
                "*",
            ),
        )
    },
    "origin doubled": [("origin", f"http://{HERE}")] * 2,
    "origins, one of them ours": [("origin", f"http://{HERE}"), ("origin", "http://evil.test")],
}
# These may only read: the first is a link somewhere that was followed, the second a program.
READERS: dict[str, Headers] = {
    "a link elsewhere": site("cross-site", **CLICK),
    "a link on another port": site("same-site", **CLICK),
    "a program": [],
    "a referer is no proof": [("referer", f"http://{HERE}/")],
    "nor is htmx": [("hx-request", "true"), ("x-requested-with", "XMLHttpRequest")],
}
OURS: dict[str, Headers] = {
    "our page": site("same-origin"),
    "our form": site("same-origin", **CLICK, origin=f"http://{HERE}"),
    "nobody's page": site("none", **CLICK),
    "an old browser": [("origin", f"http://{HERE}")],
}


def test_nothing_is_read_or_done_for_another_page(here, backend):
    refused(here, backend, [(name, [("host", HERE), *headers], 403) for name, headers in OTHER_PAGES.items()], METHODS)


def test_nothing_is_done_for_an_unknown_origin(here, backend):
    writes = tuple(method for method in METHODS if method not in ("GET", "HEAD"))
    refused(here, backend, [(name, [("host", HERE), *headers], 403) for name, headers in READERS.items()], writes)


def test_there_are_enough_of_them():
    assert len(HOSTS) + len(OTHER_PAGES) + len(READERS) >= 80


def test_a_refusal_is_plain_text(here):
    for host, headers in (("evil.test", []), (HERE, site("cross-site"))):
        answer = here.ask("GET", "/", [("host", host), *headers])
        assert answer.header("content-type") == "text/plain; charset=utf-8"
        assert answer.header("content-length") == str(len(answer.body)) and answer.text.endswith(".\n")


def test_our_own_pages_may_and_links_may_be_followed(here):
    for name, headers in (OURS | READERS).items():
        for method in ("GET", "HEAD"):
            assert here.ask(method, "/static/panel.css", [("host", HERE), *headers]).status == 200, name
    for name, headers in OURS.items():
        assert here.ask("POST", "/start/training", [("host", HERE), *headers]).status == 422, name
        assert here.ask("PUT", "/", [("host", HERE), *headers]).status == 405, name


def test_what_is_refused_would_have_reached_the_backend(here, backend):
    """The counting in these tests counts: the same requests, from our own page, do arrive."""
    before = asked(backend)
    for method, path in routes(here.app):
        if method == "POST":
            here.post(path, {"key": KEY, "load": "EURUSD 1h tail", "strategy_name": "swing"})
    now = asked(backend)
    assert {hit for hit in now if now[hit] > before.get(hit, 0)} >= {
        "DELETE /operations/op_x",
        "POST /strategies/validate/swing",
    }
    backend.operations["op_x"] = operation("op_x", progress=percent(12, "Epoch 1/9"))


def refused(here: Inside, backend: Backend, sent: list[tuple[str, Headers, int]], methods: tuple[str, ...]) -> None:
    """All of it, on every path, with every method; nothing of it reaches the backend."""
    before, wrong, count = asked(backend), [], 0

    async def each() -> None:
        nonlocal count
        others = asyncio.all_tasks()
        for path in paths(here):
            for method in methods:
                for name, headers, status in sent:
                    count += 1
                    answer = await here.asked(method, path, headers)
                    if (
                        answer.status != status
                        or not proper(answer, path)
                        or (method == "HEAD") != (answer.body == b"")
                    ):
                        wrong.append((method, path, name, answer.status))
        await asyncio.gather(*(asyncio.all_tasks() - others))  # were something on its way, it would arrive now

    here.runner.run(each())
    assert wrong == [] and count >= 1000
    assert asked(backend) == before


# Headers


def proper(answer: Answer, path: str) -> bool:
    """Carries what every answer has to carry, once."""
    sent = {name: answer.header(name) for name in HEADERS}
    kept = path.startswith("/static/") and answer.status in (200, 304)
    return sent == HEADERS and answer.header("cache-control") == ("no-cache" if kept else "no-store")


def test_the_headers_are_the_strict_ones():
    policy = dict(part.strip().partition(" ")[::2] for part in HEADERS["content-security-policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "font-src": "'self'",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert {name: value for name, value in HEADERS.items() if name != "content-security-policy"} == {
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
    }


def test_every_answer_carries_the_headers(here, backend):
    """Pages, streams, files and every kind of error."""
    observation: dict[int, str] = {}
    for path in paths(here):
        for method in METHODS:
            answer = here.ask(method, path, [("host", HERE), *site("same-origin")])
            assert proper(answer, path), (method, path, answer.status, answer.lines)
            assert answer.status < 500 or answer.status == 502, (method, path, answer.error)
            observation[answer.status] = path
            assert (
                path != "/stream/home"
                or method != "GET"
                or answer.header("content-type").startswith("text/event-stream")
            )

    async def broken() -> None:
        raise RuntimeError("nobody thought of this")

    unwrapped(here.app).add_api_route("/broken", broken)
    error = here.get("/broken")
    assert error.status == 500 and proper(error, "/broken") and isinstance(error.error, RuntimeError)
    assert "nobody thought of this" not in error.text and "Traceback" not in error.text
    del unwrapped(here.app).routes[-1]
    assert (
        proper(here.get("/data/EURUSD/1h/bars?start=never"), "")
        and here.get("/data/EURUSD/1h/bars?start=never").status == 422
    )
    huge = here.ask("POST", "/start/dummy", [("host", HERE), OWN, ("content-length", "99999999")])
    assert huge.status == 413 and proper(huge, "")
    cached = here.get("/static/panel.css", ("if-none-match", here.get("/static/panel.css").header("etag")))
    assert cached.status == 304 and proper(cached, "/static/panel.css")
    backend.answers["GET /operations/op_away"] = (500, {"detail": "broken"})
    away = here.get("/operations/op_away")
    assert away.status == 502 and proper(away, "")
    assert {200, 404, 405, 422} <= set(observation), observation


# Reading changes nothing


def test_no_get_changes_anything(here, backend):
    """Every page, and every page that links and htmx lead to: only GETs reach the backend, and all that is written down is
    what was read."""
    before, memory = len(backend.bodies), remembered(here)
    left = [path for method, path in routes(here.app) if method == "GET"]
    left += ["/?page=2", "/start/training?again=op_x", "/start/training?strategy_name=swing", "/nothing"]
    left += [f"/start/{kind}" for kind in ("data_load", "backtesting", "dummy", "nothing")] + [
        "/data/EURUSD/1h/bars?start=1&end=9e9"
    ]
    observation: dict[str, int] = {}
    while left:
        path = left.pop()
        if path in observation:
            continue
        answer = here.get(path, *site("same-origin"))
        observation[path] = answer.status
        assert answer.status < 500, path
        if "html" in answer.header("content-type") or "event-stream" in answer.header("content-type"):
            left += re.findall(
                r'(?:href|src|hx-get|hx-sse:connect|action)="(/[^"]*)"', answer.text.replace("&amp;", "&")
            )
    assert {"/", "/operations/op_x/cancel", "/start/data_load", "/stream/op_x", "/data"} <= set(observation)
    assert len(observation) > 40 and sum(status == 200 for status in observation.values()) > 30
    assert backend.bodies[before:] == [], "something other than a GET reached the backend"
    assert remembered(here) == memory
    assert len(asked(backend)) > 0


def remembered(here: Inside) -> dict[str, list[Any]]:
    """The panel's memory, but for its readings of operations and ranges, and since when it watches."""
    (file,) = Path(here.settings.data_folder, "panel").glob("*.db")
    with closing(sqlite3.connect(file)) as store:
        names = [name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        read = (
            "operations",
            "changes",
            "sqlite_sequence",
            "listing",
            "facets",
            "results",
            "readings",
            "ranges",
            "watches",
            "sqlite_stat1",
        )
        kept = [name for name in names if name not in read]
        return {name: store.execute(f"SELECT * FROM {name}").fetchall() for name in kept}


# Ids and forms


@pytest.mark.parametrize(
    "bad",
    [
        *("..", ".", "%2e%2e", "a%3Fforce=true", "%0d%0a", "%00", "a" * 300),
        *("a/b", "-a", "%C3%BC", "..%2f..%2fhealth", "a%20b", "a;b", "a%5cb"),
    ],
)
def test_an_id_leads_nowhere_else(here, backend, bad):
    before = asked(backend)
    for method, path in routes(here.app):
        if "/op_x" in path or path == "/stream/home":
            path = path.replace("op_x", bad).replace("home", bad)
            headers = [("host", HERE), *site("same-origin")]
            assert 400 <= here.ask(method, path, headers).status < 500, path
    assert asked(backend) == before


@pytest.mark.parametrize("length", ["65537", "9" * 40, "9" * 5000, "-1", "1e3", "", "٣", "1, 1", "0x1"])
def test_a_form_of_any_other_size_is_refused(here, backend, length):
    before = asked(backend)
    refused = here.ask("POST", "/start/training", [("host", HERE), OWN, ("content-length", length)])
    assert refused.status == (413 if length.isdecimal() and length.isascii() else 411)
    assert asked(backend) == before


def test_a_form_of_unknown_size_is_refused(here):
    chunked = here.ask("POST", "/start/training", [("host", HERE), OWN, ("transfer-encoding", "chunked")])
    assert chunked.status == 411 and "Content-Length" in chunked.text
    two = [("content-length", "1"), ("content-length", "2")]
    assert here.ask("POST", "/start/training", [("host", HERE), OWN, *two]).status == 411
    most = here.ask(
        "POST", "/start/training", [("host", HERE), OWN, ("content-length", str(MAX_FORM))], b"x" * MAX_FORM
    )
    assert most.status == 422, "the largest form is read"


def test_there_is_no_next_to_be_sent_to(here):
    for path in ("/?next=//evil.test", "/start/training?next=//evil.test", "/login?next=//evil.test"):
        answer = here.get(path)
        assert "evil.test" not in answer.text and answer.header("location") == "", path
