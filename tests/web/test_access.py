"""Users, tokens and sessions: who gets in as what, and that nobody stays in who was shut out."""

import asyncio
import json
import re
import time
from collections.abc import Iterator

import httpx
import pytest

from panel.accounts import file as accounts
from panel.accounts.file import Role
from panel.web.auth.identity import browser_name
from panel.web.auth.sessions import FREE
from tests.support.accounts import ANNA, VIC, a_token, account_file, log_in, two_users
from tests.support.inside import Inside, inside
from tests.support.panels import panel
from tests.support.parts import panel_of
from tests.support.passwords import HASH, WORD, cheap
from tests.support.scripted import Backend, operation, served

HTML = ("accept", "text/html,*/*")
KEY = ("idempotency-key", "a-key-of-a-program")
FIREFOX = ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0")


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
def here(address, tmp_path, monkeypatch):
    monkeypatch.setattr("panel.accounts.password._COST", (10, 8, 1))
    monkeypatch.setattr("panel.web.auth.access.INTERVAL", 0.05)
    two_users(tmp_path)
    with inside(tmp_path, address) as here:
        yield here


def until(here: Inside, reached) -> None:
    """The panel goes on until it is so."""

    async def wait() -> None:
        async with asyncio.timeout(20):
            while not reached():  # noqa: ASYNC110  it sets no event
                await asyncio.sleep(0.02)

    here.runner.run(wait())


def to_the_end(chunks: Iterator[bytes]) -> None:
    """A stream that goes on has its heartbeats."""
    end = time.monotonic() + 120
    for _ in chunks:
        assert time.monotonic() < end


# Users


def test_users_log_in_by_name_with_their_own_password(here):
    page = here.get("/login").text
    assert 'name="user"' in page and "panel's own password" not in page, "there is no password without a name"
    anna, vic = log_in(here, "anna", ANNA), log_in(here, " Vic ", VIC)
    assert ">anna</a>" in here.get("/", anna).text and "vic · viewer" in here.get("/", vic).text
    for name, word in (("anna", VIC), ("nobody", ANNA), ("anna", "x" * 30)):
        answer = here.post("/login", {"user": name, "password": word}, address=f"10.0.0.{len(name + word)}")
        assert answer.status == 403 and "not the password of a user with this name" in answer.text
    for form in ({"password": ANNA}, {"user": "anna"}):
        assert here.post("/login", form).status == 422
    assert here.get("/", ("authorization", f"Bearer {ANNA}")).status == 401, "programs have tokens"


def test_the_panels_own_password_is_an_operator_beside_users(address, tmp_path):
    two_users(tmp_path)
    with inside(tmp_path, address, password=HASH) as here:
        assert "panel's own password" in here.get("/login").text
        shared, vic = log_in(here, "", WORD), log_in(here, "vic", VIC)
        assert here.get("/access", shared).status == 200 and here.get("/access", vic).status == 403
        assert here.get("/access", ("authorization", f"Bearer {WORD}")).status == 200


def test_guesses_at_a_name_slow_down_their_address(here):
    panel_of(here.app).access.tries._clock = lambda: 1000.0
    for _ in range(FREE):
        here.post("/login", {"user": "anna", "password": "guess"}, address="10.0.1.1")
    answer = here.post("/login", {"user": "anna", "password": ANNA}, address="10.0.1.1")
    assert answer.status == 429 and "Too many wrong passwords" in answer.text
    log_in(here, "anna", ANNA)


def test_a_user_cannot_forgive_own_guesses_at_another_one(here):
    """Who may log in could guess on for ever otherwise, with a login of their own after every few."""
    panel_of(here.app).access.tries._clock = lambda: 1000.0
    for _ in range(FREE - 1):
        assert here.post("/login", {"user": "anna", "password": "guess"}).status == 403
        log_in(here, "vic", VIC)
    assert here.post("/login", {"user": "anna", "password": "guess"}).status == 403
    assert here.post("/login", {"user": "vic", "password": VIC}).status == 429


def test_a_changed_or_removed_user_is_out_at_once(here):
    anna = log_in(here, "anna", ANNA)
    for path, form in (
        ("change", {"role": "operator"}),
        ("change", {"role": "viewer"}),
        ("change", {"password": VIC}),  # the same word, anew
        ("remove", {}),
    ):
        vic = log_in(here, "vic", VIC)
        assert here.post(f"/access/users/vic/{path}", form, anna).status == 303
        assert here.get("/", vic).status == 401, (path, form)
    assert here.post("/login", {"user": "vic", "password": VIC}).status == 403
    assert here.get("/", anna).status == 200, "nobody else is"


def test_what_the_command_line_changes_is_taken_over(here, tmp_path):
    vic = log_in(here, "vic", VIC)
    account_file(tmp_path).change(lambda known: known.remove_user("vic").add_user("eve", Role.VIEWER, cheap(VIC)))
    until(here, lambda: "eve" in panel_of(here.app).access.accounts.users)
    assert here.get("/", vic).status == 401
    log_in(here, "eve", VIC)
    account_file(tmp_path).path.write_text("{")
    until(here, lambda: panel_of(here.app).access._version == account_file(tmp_path).version())
    log_in(here, "eve", VIC)  # a broken file takes nobody's place
    account_file(tmp_path).path.unlink()
    until(here, lambda: not panel_of(here.app).access.accounts.users)
    assert here.get("/", HTML).header("location") == "/login", "and a lost one opens nothing"


def test_pages_refuse_what_would_lock_everybody_out(here):
    anna = log_in(here, "anna", ANNA)
    for path, form in (("remove", {}), ("change", {"role": "viewer"})):
        answer = here.post(f"/access/users/anna/{path}", form, anna)
        assert answer.status == 422 and "At least one user must be an operator" in answer.text
    here.post("/access/users/vic/remove", {}, anna)
    last = here.post("/access/users/anna/remove", {}, anna)
    assert last.status == 422 and "The last user cannot be removed here" in last.text
    for form, why in (
        ({"name": "vic", "password": "short", "role": "viewer"}, "too short"),
        ({"name": "V ic", "password": "long enough", "role": "viewer"}, "small letters"),
        ({"name": "operator", "password": "long enough", "role": "viewer"}, "the panel itself uses it"),
        ({"name": "anna", "password": "long enough", "role": "viewer"}, "already"),
        ({"name": "new", "password": "long enough", "role": "king"}, "viewer or operator"),
    ):
        answer = here.post("/access/users", form, anna)
        assert answer.status == 422 and why in answer.text and "long enough" not in answer.text, form


def test_without_users_nothing_changes_until_there_is_one(address, tmp_path, monkeypatch):
    monkeypatch.setattr("panel.accounts.password._COST", (10, 8, 1))
    with inside(tmp_path, address) as here:
        assert here.get("/login").status == 404 and "Log out" not in here.get("/").text
        page = here.get("/access").text
        assert "whoever uses this machine is the operator" in page and "Sessions" not in page
        first = {"name": "vic", "password": VIC, "role": "viewer"}
        answer = here.post("/access/users", first)
        assert answer.status == 422 and "At least one user must be an operator" in answer.text
        assert here.post("/access/users", {"name": "anna", "password": ANNA, "role": "operator"}).status == 303
        assert here.get("/", HTML).header("location") == "/login"
        log_in(here, "anna", ANNA)


# Tokens


def test_a_token_is_shown_once_and_kept_as_its_hash(here, tmp_path):
    anna = log_in(here, "anna", ANNA)
    made = here.post("/access/tokens", {"name": "ci", "role": "viewer"}, anna)
    (word,) = re.findall(r"ktrdr_[\w-]{43}", made.text)
    assert made.header("cache-control") == "no-store" and accounts.is_token(word)
    sent = ("authorization", f"Bearer {word}")
    assert here.get("/api/operations", sent, address="10.7.7.7").status == 200
    page = here.get("/access", anna).text
    assert word not in page and "10.7.7.7" in page
    kept = "".join(file.read_bytes().decode("latin-1") for file in (tmp_path / "panel").iterdir() if file.is_file())
    assert word not in kept and accounts.digest_of(word) in kept
    assert here.ask("POST", "/api/start/dummy", [("host", here.host), KEY, sent], b"{}").status == 403
    assert here.post("/access/tokens", {"name": "ci", "role": "viewer"}, anna).status == 422, "a name is one token's"
    assert here.post("/access/tokens/ci/revoke", {}, anna).status == 303
    assert here.get("/api/operations", sent).status == 401


def test_a_right_token_is_never_slowed_and_a_wrong_one_is(here, tmp_path):
    right = a_token(tmp_path, "ci", Role.OPERATOR)
    until(here, lambda: panel_of(here.app).access.accounts.tokens)
    panel_of(here.app).access.tries._clock = lambda: 1000.0
    wrong = ("authorization", f"Bearer {accounts.new_token()}")
    found = [here.get("/api/line", wrong).status for _ in range(FREE + 2)]
    assert found == [401] * FREE + [429, 429]
    assert here.get("/api/line", right).status == 200


def test_streams_end_with_what_let_them_in(address, tmp_path):
    """A token that is revoked, a user who is removed, and a panel that was open until its first user came."""
    with panel(tmp_path, address) as here, httpx.Client(timeout=120) as client:
        with client.stream("GET", here.address + "/stream/home") as anybody:
            chunks = anybody.iter_raw()
            next(chunks)
            two_users(tmp_path)
            to_the_end(chunks)
        ci = dict([a_token(tmp_path, "ci", Role.VIEWER)])
        cookie = f"ktrdr_panel_{here.settings.port}"
        entered = here.post("/login", {"user": "vic", "password": VIC})
        vic = {"cookie": f"{cookie}={entered.cookies[cookie]}"}
        while client.get(here.address + "/api/line", headers=ci).status_code != 200:
            time.sleep(0.1)  # the panel looks for changes once a second
        with (
            client.stream("GET", here.address + "/api/events", headers=ci) as program,
            client.stream("GET", here.address + "/stream/home", headers=vic) as browser,
        ):
            streams = [program.iter_raw(), browser.iter_raw()]
            for each in streams:
                next(each)
            account_file(tmp_path).change(lambda known: known.remove_token("ci").remove_user("vic"))
            for each in streams:
                to_the_end(each)
        answer = client.get(here.address + "/", headers=vic | {"accept": "text/html"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")


# Sessions


def test_sessions_are_listed_and_ended(here, tmp_path):
    anna, vic = log_in(here, "anna", ANNA, FIREFOX), log_in(here, "vic", VIC)
    page = here.get("/access", anna).text
    assert "Firefox 143 on Linux" in page and "this one" in page and "127.0.0.1" in page
    kept = json.loads((tmp_path / "panel" / "sessions-8321.json").read_text())["sessions"]
    (of_vic,) = [name for name, entry in kept.items() if entry["user"] == "vic"]
    assert here.post(f"/access/sessions/{of_vic}/end", {}, vic).status == 403
    assert here.post(f"/access/sessions/{of_vic}/end", {}, anna).status == 303
    assert here.get("/", vic).status == 401 and here.get("/", anna).status == 200
    assert here.post(f"/access/sessions/{of_vic}/end", {}, anna).status == 404


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (FIREFOX[1], "Firefox 143 on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140.0", "Edge 140 on Windows"),
        ("Mozilla/5.0 (Macintosh) AppleWebKit/605 Version/18.1 Safari/605", "Safari 18 on macOS"),
        ("Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Mobile Safari/537.36", "Chrome 140 on Android"),
        ("curl/8.9", ""),
        ("<script>" * 99, ""),
    ],
)
def test_browsers_are_called_as_their_users_call_them(agent, name):
    assert browser_name(agent) == name


def test_users_change_their_own_password_and_end_their_own_sessions(here):
    vic, other, anna = log_in(here, "vic", VIC), log_in(here, "vic", VIC), log_in(here, "anna", ANNA)
    page = here.get("/account", vic).text
    assert "Present password" in page and page.count("/end") == 2 and ">anna<" not in page
    for form, why in (({"password": "wrong", "new": "another word"}, "not your password"), ({"new": "x"}, "too short")):
        answer = here.post("/account/password", form, vic)
        assert answer.status == 422 and why in answer.text
    of_anna = re.findall(r"/sessions/(\w+)/end", here.get("/account", anna).text)[0]
    assert here.post(f"/account/sessions/{of_anna}/end", {}, vic).status == 404
    changed = here.post("/account/password", {"password": VIC, "new": "another word"}, vic)
    again = ("cookie", f"ktrdr_panel_8321={changed.cookie('ktrdr_panel_8321')}")
    assert here.get(changed.header("location"), again).status == 200
    assert here.get("/", vic).status == here.get("/", other).status == 401
    log_in(here, "vic", "another word")
    left = re.findall(r"/sessions/(\w+)/end", here.get("/account", again).text)
    for each in left:
        assert here.post(f"/account/sessions/{each}/end", {}, again).status in (303, 401)
    assert here.get("/", again).status == 401 and here.get("/", anna).status == 200


def test_who_has_no_name_has_no_account(address, tmp_path):
    two_users(tmp_path)
    program = a_token(tmp_path, "vic", Role.OPERATOR)
    with inside(tmp_path, address, password=HASH) as here:
        for who in (log_in(here, "", WORD), program):
            assert here.get("/account", who).status == 404
            assert here.post("/account/password", {"password": WORD, "new": "another word"}, who).status == 404
