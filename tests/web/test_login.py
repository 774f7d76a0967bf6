"""Password mode: nothing is answered to anybody who did not log in, and logging in cannot be guessed, forged or led astray."""

import asyncio
import json
import re
import stat
import threading
import time

import httpx
import pytest

from panel.web.auth.login import OPEN, own_path
from panel.web.auth.sessions import (
    ADDRESSES,
    FREE,
    LASTS,
    LONGEST,
    WINDOW,
    AttemptLimiter,
    TooManyAttempts,
)
from tests.support.inside import Answer, Inside, inside
from tests.support.panels import OWN_PAGE, panel
from tests.support.parts import panel_of
from tests.support.passwords import HASH, WORD, cheap
from tests.support.routes import asked, routes, unwrapped
from tests.support.scripted import Backend, operation, served

COOKIE = "ktrdr_panel_8321"
HTML = ("accept", "text/html,*/*")


@pytest.fixture(scope="module")
def backend():
    backend = Backend()
    backend.operations["op_x"] = operation("op_x")
    return backend


@pytest.fixture(scope="module")
def address(backend):
    with served(backend.app) as address:
        yield address + "/api/v1"


@pytest.fixture
def here(address, tmp_path):
    with inside(tmp_path, address, password=HASH) as here:
        yield here


def log_in(here: Inside, word: str = WORD, **more: str) -> tuple[str, str]:
    """The header that a browser sends from then on."""
    answer = here.post("/login", {"password": word, "next": "/"}, **more)
    assert answer.status == 303, answer.text
    return ("cookie", f"{COOKIE}={answer.cookie(COOKIE)}")


# The gate


def test_nothing_but_the_login_page_is_answered_to_the_unknown(here, backend):
    """Every route, every method, static files and unknown paths too."""
    before = asked(backend)
    paths = {path for _, path in routes(here.app)} | {
        "/static/theme.js",
        "/nothing/here",
        "/login/",
        "/healthz/x",
        "//login",
    }
    observation, wrong = set(), []
    for path in paths:
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"):
            if ("GET" if method == "HEAD" else method, path) in OPEN:
                observation.add(path)
                continue
            for headers in ([], [("cookie", f"{COOKIE}=wrong")], [HTML], [("hx-request", "true")]):
                answer = here.ask(method, path, [("host", here.host), ("sec-fetch-site", "same-origin"), *headers])
                refusal = (answer.status, answer.header("location"), answer.header("hx-redirect"))
                led = refusal[0] == 303 and refusal[1].startswith("/login")
                if not (led if headers == [HTML] else refusal[0] == 401) or "op_x" in answer.text:
                    wrong.append((method, path, headers, refusal))
    assert wrong == []
    assert "/login" in observation
    assert asked(backend) == before


def test_what_is_open_says_nothing(here, address):
    for method, path in sorted(OPEN):
        answer = here.ask(method, path, [("host", here.host), ("sec-fetch-site", "same-origin")])
        assert answer.status in (200, 422), (method, path)
        assert address not in answer.text and "embedded" not in answer.text and "/stream" not in answer.text
    for method in ("PUT", "DELETE"):
        answer = here.ask(method, "/login", [("host", here.host), ("sec-fetch-site", "same-origin")])
        assert answer.status == 401, "not an error page with the panel's insides"


def test_the_way_to_the_login_leads_back(here):
    assert here.get("/data?a=1&b=%2F", HTML).header("location") == "/login?next=%2Fdata%3Fa%3D1%26b%3D%252F"
    assert here.get("/", HTML).header("location") == "/login"
    fragment = here.get(
        "/stream/op_x", ("hx-request", "true"), ("hx-current-url", "http://x.test:1/operations/op_x?a=1#b")
    )
    assert (fragment.status, fragment.header("hx-redirect")) == (401, "/login?next=%2Foperations%2Fop_x%3Fa%3D1")
    form = here.post("/operations/op_x/cancel", {}, HTML, ("referer", f"http://{here.host}/operations/op_x"))
    assert form.header("location") == "/login?next=%2Foperations%2Fop_x"
    for broken in ("http://[", "", "//evil.test", "http://x//evil.test/"):
        refusal = here.post("/plans", {}, ("hx-request", "true"), ("hx-current-url", broken))
        assert (refusal.status, refusal.header("hx-redirect")) == (401, "/login"), broken
    assert here.get("/operations").header("www-authenticate") == "Bearer"
    refusal = {
        path: here.get(path).header("content-type").partition(";")[0] for path in ("/api/operations", "/operations")
    }
    assert refusal == {"/api/operations": "application/problem+json", "/operations": "text/plain"}


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.test",
        "/\\evil.test",
        "\\\\evil.test",
        "https:",
        "https://evil.test",
        "javascript:alert(1)",
        "/\t/evil.test",
    ]
    + [
        "/\n/evil.test",
        " //evil.test",
        "evil.test",
        "/a b",
        "/a\r\nset-cookie: x=1",
        "/\x00",
        "/ü",
        "",
        "/\\/evil.test",
    ]
    + ["/x" * 2000, "http:/evil.test", "/a\\b"],
)
def test_only_own_paths_are_gone_to(here, wanted):
    assert own_path(wanted) == "/"
    answer = here.post("/login", {"password": WORD, "next": wanted})
    assert (answer.status, answer.header("location")) == (303, "/")
    page = here.post("/login", {"password": "", "next": wanted})
    assert page.status == 422 and "evil" not in page.text and '<input type="hidden" name="next" value="/">' in page.text


@pytest.mark.parametrize(
    "wanted", ["/", "/data", "/start/training?strategy_name=a&symbols=%22", "/data/BRK.B/1h", "/[x]~!"]
)
def test_own_paths_are_gone_to(wanted):
    assert own_path(wanted) == wanted


def test_a_wrong_password_is_reported_beside_the_field(here):
    answer = here.post("/login", {"password": "wrong", "next": "/data"})
    assert answer.status == 403 and answer.cookie(COOKIE) == ""
    assert re.search(
        r'<p id="password-help"[^>]*><strong class="error">This is not the password.</strong>', answer.text
    )
    assert (
        'aria-invalid="true"' in answer.text
        and 'name="next" value="/data"' in answer.text
        and 'value="wrong"' not in answer.text
    )
    assert (
        here.post("/login", {}).status == 422
        and here.post("/login", dict.fromkeys(map(str, range(99)), "x")).status == 422
    )
    hostile = here.ask("GET", '/login?next="><img>', [("host", here.host)])
    assert hostile.status == 200 and "<img" not in hostile.text


def test_the_cookie_is_kept_from_everybody_else(here):
    answer = here.post("/login", {"password": WORD})
    parts = {part.strip().lower() for part in answer.header("set-cookie").split(";")[1:]}
    assert parts == {"httponly", "samesite=strict", "path=/", f"max-age={LASTS:.0f}"}
    again = here.post("/login", {"password": WORD}, ("origin", "https://panel.example.com"))
    assert "; Secure" in again.header("set-cookie"), "a browser that came by https keeps it for https"
    assert answer.header("location") == "/", "nowhere in particular is home"
    token = answer.cookie(COOKIE)
    assert len(token) >= 43 and token != again.cookie(COOKIE)
    direct = here.ask(
        "POST",
        "/login",
        [("host", here.host), ("sec-fetch-site", "none")],
        b"password=" + WORD.encode(),
        scheme="https",
    )
    assert "; Secure" in direct.header("set-cookie")


def test_logged_in_until_logged_out(here):
    cookie = log_in(here)
    home = here.get("/", cookie)
    assert home.status == 200 and 'action="/logout">' in home.text and "has no password" not in home.text
    already = here.get("/login?next=/data", cookie)
    assert (already.status, already.header("location")) == (303, "/data")
    assert here.get("/static/theme.js", cookie).status == 200
    assert here.get("/", ("cookie", f"other=1; {cookie[1]}; ktrdr_panel_1=x")).status == 200
    assert here.get("/", ("cookie", cookie[1].replace("8321", "8322"))).status == 401, "another port's cookie"
    other = log_in(here)
    left = here.post("/logout", {}, cookie)
    assert (left.status, left.header("location")) == (303, "/login") and "Max-Age=0" in left.header("set-cookie")
    assert here.get("/", cookie).status == 401
    assert here.get("/", other).status == 200, "the other browser stays"
    again = here.post("/login", {"password": WORD}, other)
    assert again.status == 303 and here.get("/", other).status == 401, "a new login replaces the browser's session"


def test_other_pages_can_neither_log_in_nor_out(here):
    cookie = log_in(here)
    for path in ("/login", "/logout"):
        for headers in ([("sec-fetch-site", "cross-site")], [("origin", "http://127.0.0.1:1")], []):
            body = b"password=" + WORD.encode()
            assert here.ask("POST", path, [("host", here.host), cookie, *headers], body).status == 403
    assert here.get("/", cookie).status == 200
    assert here.ask("GET", "/", [("host", "evil.test"), cookie]).status == 421


def test_a_program_is_known_by_the_password_itself(here):
    right = ("authorization", f"Bearer {WORD}")
    assert here.get("/", right).status == 200 and here.get("/data", ("authorization", f"bearer {WORD}")).status == 200
    for wrong in (f"Bearer {WORD}x", "Bearer ", "Bearer", f"Basic {WORD}", WORD, f"Bearer {HASH}"):
        assert here.get("/", ("authorization", wrong)).status == 401, wrong
    assert here.ask("POST", "/start/dummy", [("host", here.host), right]).status == 403, (
        "the guard still stands in front"
    )


# Guessing


def test_guesses_slow_down_their_own_address_only(here):
    """Sixty from six addresses: the right word from a seventh gets in, and so does a program that sends it."""
    panel_of(here.app).access.tries._clock = lambda: 1000.0  # however slow this machine is
    cookie = log_in(here)
    for n in range(60):
        answer = here.post("/login", {"password": "guess"}, address=f"10.0.1.{n % 6}")
        assert answer.status == (403 if n < 6 * FREE else 429)
    refusal = here.post("/login", {"password": WORD}, address="10.0.1.1")
    assert refusal.status == 429 and refusal.cookie(COOKIE) == "", "not even looked at"
    assert re.search(r"Too many wrong passwords. Wait \d s, then try again.", refusal.text)
    assert 0 < int(refusal.header("retry-after")) <= LONGEST
    assert here.get("/", cookie, address="10.0.1.1").status == 200, "who is in stays in"
    log_in(here, address="10.9.9.9")
    right = ("authorization", f"Bearer {WORD}")
    assert here.get("/", right, address="10.9.9.9").status == 200
    assert here.get("/", right, address="10.0.1.1").status == 429, "or the guesses could go on"


def test_a_right_unguessable_password_always_passes(address, tmp_path):
    long = "a word of twenty characters"
    with inside(tmp_path, address, password=cheap(long)) as here:
        right = ("authorization", f"Bearer {long}")
        assert here.get("/", right).status == 200
        panel_of(here.app).access.tries._clock = lambda: 1000.0
        for _ in range(FREE):
            here.get("/", ("authorization", "Bearer guess"))
        assert here.get("/", ("authorization", "Bearer guess")).status == 429
        program = here.get("/api/line", ("authorization", "Bearer guess"))
        assert (program.status, program.header("content-type")) == (429, "application/problem+json")
        assert program.header("retry-after").isdecimal() and "Wait" in json.loads(program.body)["detail"]
        assert here.get("/", right).status == 200


def test_a_login_on_a_full_disk_works(address, tmp_path):
    with inside(tmp_path, address, password=HASH) as here:
        (tmp_path / "panel" / "sessions-8321.new").mkdir(parents=True)  # it can neither be written nor removed
        cookie = log_in(here)
        assert here.get("/", cookie).status == 200


def test_pauses_double_up_to_a_minute_and_are_forgotten():
    at = [1000.0]
    tries = AttemptLimiter(lambda: at[0])

    def pause(address: str) -> float:
        try:
            tries.check(address)
        except TooManyAttempts as exc:
            return exc.seconds
        return 0.0

    def guess(address: str) -> float:
        at[0] += pause(address)
        tries.count(address)
        return pause(address)

    pauses = [guess("a") for _ in range(FREE + 8)]
    assert pauses == [0.0] * (FREE - 1) + [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert pause("b") == 0.0
    tries.reset("a")
    assert pause("a") == 0.0
    for n in range(FREE):
        guess(f"2001:db8::{n}")
    assert pause("2001:db8::ffff") == 1.0 and pause("2001:db8:0:1::1") == 0.0, "a network counts as one"
    for _ in range(FREE + 8):
        guess("a")
    at[0] += WINDOW
    assert pause("a") == 0.0
    for n in range(ADDRESSES + 10):
        tries.count(f"address {n}")
    assert len(tries._wrong) == ADDRESSES


# Sessions


def test_sessions_outlive_the_panel_but_not_a_new_password(address, tmp_path):
    with inside(tmp_path, address, password=HASH) as here:
        cookie = log_in(here)
        ended = log_in(here)
        here.post("/logout", {}, ended)
    file = tmp_path / "panel" / "sessions-8321.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert WORD not in file.read_text() and cookie[1].partition("=")[2] not in file.read_text(), "hashes only"
    with inside(tmp_path, address, password=HASH) as here:
        assert here.get("/", cookie).status == 200 and here.get("/", ended).status == 401
    with inside(tmp_path, address, password=WORD) as here:
        assert here.get("/", cookie).status == 200, "the same password, in its other form"
    with inside(tmp_path, address, password=cheap("another word")) as here:
        assert here.get("/", cookie).status == 401
        log_in(here, "another word")
    with inside(tmp_path, address, password="a third word") as here:
        assert here.get("/", cookie).status == 401 and here.post("/login", {"password": WORD}).status == 403
        log_in(here, "a third word")


# What is under way when a session ends


def test_a_page_that_was_not_there_yet_is_not_shown_and_a_start_is_done_to_its_end(here, backend):
    cookie, host = log_in(here), ("host", here.host)

    async def both() -> tuple[Answer, Answer]:
        arrived, free = threading.Barrier(3, timeout=120), threading.Event()  # the backend has a loop of its own

        async def slow(request: object) -> tuple[int, dict[str, object]]:
            await asyncio.to_thread(arrived.wait)
            await asyncio.to_thread(free.wait, 20)
            return 200, {"success": True, "data": {"operation_id": "op_x", "status": "started"}}

        backend.answers |= {"GET /operations/op_slow": slow, "POST /dummy/start": slow}
        own = [host, cookie, ("sec-fetch-site", "same-origin"), ("content-type", "application/x-www-form-urlencoded")]
        reading = asyncio.create_task(here.asked("GET", "/operations/op_slow", [host, cookie, HTML]))
        starting = asyncio.create_task(here.asked("POST", "/start/dummy", own, b"key=" + b"k" * 22))
        await asyncio.to_thread(arrived.wait)
        await here.asked("POST", "/logout", own)
        read = await reading
        free.set()
        return read, await starting

    read, started = here.runner.run(both())
    assert (read.status, read.header("location")) == (303, "/login?next=%2Foperations%2Fop_slow")
    assert (started.status, started.header("location")) == (303, "/operations/op_x")


def test_a_time_out_of_another_kind_is_no_logout(here):
    async def broken() -> None:
        raise TimeoutError("not the session's")

    unwrapped(here.app).add_api_route("/broken", broken)
    answer = here.get("/broken", log_in(here), HTML)
    assert answer.status == 500 and isinstance(answer.error, TimeoutError)


def test_a_stream_ends_with_its_session(address, tmp_path):
    """By logout at once, by the clock when its time has come; a new one leads to the login."""
    with panel(tmp_path, address, password=HASH) as here:
        cookie = f"ktrdr_panel_{here.settings.port}"
        tokens = [here.post("/login", {"password": WORD}).cookies[cookie] for _ in range(2)]
        with httpx.Client(timeout=120, cookies={cookie: tokens[0]}) as client:
            with client.stream("GET", here.address + "/stream/home") as response:
                chunks = response.iter_raw()
                assert response.status_code == 200 and b"retry:" in next(chunks)
                httpx.post(here.address + "/logout", headers=OWN_PAGE, cookies={cookie: tokens[0]})
                for _ in chunks:
                    pass  # until the panel ends it: a proper end, no broken connection
            refusal = client.get(here.address + "/stream/home", headers={"hx-request": "true"})
            assert (refusal.status_code, refusal.headers["hx-redirect"]) == (401, "/login")
    file = tmp_path / "panel" / f"sessions-{here.settings.port}.json"
    kept = json.loads(file.read_text())
    (name,) = kept["sessions"]
    file.write_text(json.dumps(kept | {"sessions": {name: time.time() + 5}}))
    with panel(tmp_path, address, password=HASH, port=here.settings.port) as again, httpx.Client(timeout=120) as client:
        client.cookies.set(cookie, tokens[1])
        with client.stream("GET", again.address + "/stream/op_x") as response:
            assert response.status_code == 200
            for _ in response.iter_raw():
                pass
        assert client.get(again.address + "/").status_code == 401
