"""The audit trail: who did what, from where, and what came of it; nothing secret, nothing that holds a request up."""

import asyncio
import json
import sqlite3

import pytest

from panel.accounts.file import Role
from tests.support.accounts import ANNA, VIC, a_token, log_in, two_users
from tests.support.inside import Inside, inside
from tests.support.lives import living
from tests.support.pages import KEY, words
from tests.support.parts import panel_of
from tests.support.scripted import Backend, operation, served

WEBHOOK = "json://somebody:a-secret-word@127.0.0.1:9/hook"


@pytest.fixture(scope="module")
def backend():
    backend = Backend()
    backend.operations |= {name: operation(name) for name in ("op_x", "op_y")}
    return backend


@pytest.fixture(scope="module")
def address(backend):
    with served(backend.app) as address:
        yield address + "/api/v1"


@pytest.fixture
def here(address, tmp_path, monkeypatch):
    monkeypatch.setattr("panel.accounts.password._COST", (10, 8, 1))
    two_users(tmp_path)
    with inside(tmp_path, address) as here:
        yield here


def trail(here: Inside, who: tuple[str, str], query: str = "") -> list[dict[str, str]]:
    answer = here.get(f"/api/audit{query}", who)
    assert answer.status == 200 and answer.header("content-type").startswith("application/x-ndjson")
    return [json.loads(line) for line in answer.text.splitlines()]


def test_what_is_started_and_changed_is_written_down(here, tmp_path, backend):
    program = a_token(tmp_path, "ci", Role.OPERATOR)
    anna = log_in(here, "anna", ANNA, ("x-request-id", "the-login"))
    vic = log_in(here, "vic", VIC)
    here.post("/login", {"user": "vic", "password": "wrong word"}, address="10.6.6.6")
    here.post("/login", {"user": "a password by mistake", "password": "x"}, address="10.6.6.7")
    here.post("/start/dummy", {"key": KEY}, anna)
    here.post("/start/data_load", {"key": "j" * 22, "symbol": "", "timeframe": "1h"}, anna, ("hx-request", "true"))
    here.post("/operations/op_x/cancel", {}, vic, ("hx-request", "true"))
    here.post("/operations/op_x/cancel", {}, anna)
    here.get("/operations/op_x", anna)
    here.post("/notifications/channels", {"url": WEBHOOK}, anna)
    here.post("/notifications/channels", {"url": "nonsense"}, anna)
    here.post("/access/users", {"name": "new", "password": "a new word", "role": "viewer"}, anna)
    here.post("/strategies/none/delete", {"opened": ""}, anna)
    here.post("/logout", {}, vic)
    found = trail(here, anna)
    rows = [(each["who"], each["what"], each["subject"], each["outcome"], each["detail"]) for each in found]
    started = next(detail for _, what, _, _, detail in rows if what == "start")
    assert started.startswith("op_")
    refused_load = rows[5]
    assert refused_load[:4] == ("anna", "start", "data_load 1h", "refused") and refused_load[4]
    assert rows[:5] + rows[6:11] == [
        ("anna", "login", "", "done", ""),
        ("vic", "login", "", "done", ""),
        ("vic", "login", "", "refused", "wrong name or password"),
        ("unknown", "login", "", "refused", "wrong name or password"),
        ("anna", "start", "dummy", "done", started),
        ("vic", "cancel", "op_x", "not allowed", ""),
        ("anna", "cancel", "op_x", "done", ""),
        ("anna", "notification add", "JSON", "done", ""),
        ("anna", "notification add", "", "refused", ""),
        ("anna", "user add", "new", "done", "viewer"),
    ]
    assert [row[:4] for row in rows[11:]] == [
        ("anna", "strategy delete", "none", "refused"),
        ("vic", "logout", "", "done"),
    ]
    assert [each["address"] for each in found[2:4]] == ["10.6.6.6", "10.6.6.7"]
    assert {each["via"] for each in found} == {"browser"} and found[0]["request_id"] == "the-login"
    assert all(word not in json.dumps(found) for word in (ANNA, VIC, "a new word", "a-secret-word", "mistake", KEY))
    of_program = [("host", here.host), ("idempotency-key", "a-key-of-a-program"), program]
    here.ask("POST", "/api/operations/op_y/cancel", of_program, b"", "10.1.1.1")
    (last,) = trail(here, anna, f"?after={found[-1]['number']}")
    assert (last["who"], last["via"], last["what"], last["address"]) == ("ci", "program", "cancel", "10.1.1.1")


def test_it_is_filtered_and_read_in_parts(here):
    anna = log_in(here, "anna", ANNA)
    for n in range(60):
        here.post(f"/strategies/s{n}/delete", {}, anna)
    here.post("/operations/op_x/cancel", {}, log_in(here, "vic", VIC))
    first = here.get("/audit", anna).text
    assert first.count("<tr hx-ignore>") == 50 and 'rel="next"' in first and "s59" in first and ">s9<" not in first
    second = here.get(_older(first), anna).text
    assert "s9" in words(second) and "Newest" in second and 'rel="next"' not in second
    of_vic = words(here.get("/audit?who=vic", anna).text)
    assert "Not allowed" in of_vic and "Strategy delete" not in of_vic
    assert "Nothing matches." in here.get("/audit?who=vic&what=strategy", anna).text
    assert here.get("/audit?before=x", anna).status == 422
    newest = trail(here, anna, "?what=strategy&limit=2")
    assert [each["subject"] for each in newest] == ["s58", "s59"]
    assert [each["subject"] for each in trail(here, anna, "?what=strategy&limit=2&after=0")] == ["s0", "s1"]
    assert trail(here, anna, "?since=2100-01-01T00:00:00Z") == trail(here, anna, "?what=strat") == []
    assert len(trail(here, anna, "?who=vic")) == 2


def _older(page: str) -> str:
    """Where the link to the next part leads."""
    return page.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0].replace("&amp;", "&")


def test_a_memory_that_cannot_be_written_holds_no_request_up(address, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("panel.storage.store.WRITE_LOCK_TIMEOUT", 0.0)
    two_users(tmp_path)
    with inside(tmp_path, address) as here:
        anna = log_in(here, "anna", ANNA)
        assert len(trail(here, anna)) == 1
        with sqlite3.connect(panel_of(here.app).storage.path, isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            assert here.post("/strategies/none/delete", {}, anna).status == 409
            while "the audit trail cannot be written now" not in caplog.text:
                here.get("/healthz")  # the panel goes on
            other.execute("ROLLBACK")
        assert [each["what"] for each in trail(here, anna)] == ["login", "strategy delete"]


def test_what_was_asked_for_and_broken_off_before_its_answer_is_written_down():
    """As when the panel stops: the backend may have got the request."""
    backend = Backend()
    backend.operations["op_x"] = operation("op_x")
    with living(backend) as life:
        life.inside.get("/operations/op_x")
        life.line.faults.add("silent", "DELETE")
        (asked,) = life.post("/operations/op_x/cancel", {}, 1, 1.0)
        asked.cancel()
        life.runner.run(asyncio.sleep(1))
        (only,) = [json.loads(line) for line in life.inside.get("/api/audit").text.splitlines()]
    assert (only["what"], only["subject"], only["outcome"]) == ("cancel", "op_x", "failed")


def test_without_a_login_everybody_is_local(address, tmp_path):
    with inside(tmp_path, address) as here:
        here.post("/operations/op_x/cancel", {})
        (only,) = [json.loads(line) for line in here.get("/api/audit").text.splitlines()]
        assert (only["who"], only["what"], only["outcome"]) == ("local", "cancel", "done")
        assert "local" in words(here.get("/audit").text)


def test_many_runs_at_once_are_written_down_one_by_one(here, backend):
    """Cancelled, each with its own outcome; the question before it is nothing that was done."""
    backend.operations |= {name: operation(name) for name in ("op_a", "op_b")}
    anna = log_in(here, "anna", ANNA)
    for name in ("op_a", "op_b"):
        here.get(f"/operations/{name}", anna)
    chosen = "do=cancel&id=op_a&id=op_b&key=" + "b" * 22
    headers = [("host", here.host), ("sec-fetch-site", "same-origin"), anna]
    form = ("content-type", "application/x-www-form-urlencoded")
    for body in (chosen, chosen + "&sure=1"):
        answer = here.ask(
            "POST", "/operations/bulk", [*headers, form, ("content-length", str(len(body)))], body.encode()
        )
        assert answer.status == 200
    rows = [(each["what"], each["subject"]) for each in trail(here, anna)[1:]]
    assert sorted(rows) == [("cancel", "op_a"), ("cancel", "op_b"), ("runs bulk", "cancel: 2 runs")]
