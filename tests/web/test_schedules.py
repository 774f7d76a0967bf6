"""Schedules on their pages and over the JSON API."""

import json
from collections.abc import Iterator

import pytest

from tests.support.history import ended, seed
from tests.support.inside import Inside, inside
from tests.support.pages import KEY, words

WHEN = {"at": "18:30", "zone": "Europe/Berlin"}
LOAD = {"kind": "data_load", "symbol": "eurusd", "timeframe": "1h"}


@pytest.fixture
def here(address, tmp_path) -> Iterator[Inside]:
    seed(tmp_path, address, ended("op_a", "training", "completed", 900, 60, "swing"))
    with inside(tmp_path, address) as here:
        yield here


def add(here: Inside, **more: str):
    return here.post("/schedules", LOAD | WHEN | {"key": KEY, "day": "0"} | more)


def test_a_start_is_repeated_switched_off_and_deleted(here):
    assert "Nothing is repeated yet" in words(here.get("/schedules").text)
    assert add(here).header("location") == "/schedules" and add(here).status == 303
    page = words(here.get("/schedules").text)
    assert page.count("every Monday at 18:30 Europe/Berlin Mon ") == 1 and "EURUSD 1h Data load" in page
    here.post(f"/schedules/{KEY}/switch", {})
    assert "every Monday at 18:30 Europe/Berlin off – Switch on" in words(here.get("/schedules").text)
    here.post(f"/schedules/{KEY}/switch", {"on": "1"})
    assert "18:30 – Switch off" in words(here.get("/schedules").text)
    assert here.post("/schedules/nobody/switch", {}).status == 404
    here.post(f"/schedules/{KEY}/delete", {})
    assert "Nothing is repeated yet" in words(here.get("/schedules").text)


def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_lost(here):
    answer = add(here, zone="Mars", at="", symbol="", timeframe="4h")
    page = words(answer.text)
    assert answer.status == 422 and "“Mars” is not a known time zone" in page and "Write the time like 18:30." in page
    assert '<option value="4h" selected>' in answer.text and 'value="Mars"' in answer.text
    assert add(here, key="short").status == 422 and add(here, kind="dummy").status == 404
    assert "Nothing is repeated yet" in words(here.get("/schedules").text)


def test_an_operation_fills_the_form(here):
    assert '/schedules/new?kind=training&amp;again=op_a"' in here.get("/operations/op_a").text
    form = here.get("/schedules/new?kind=training&again=op_a").text
    assert 'name="strategy_name" type="text" value="swing"' in form and 'value="UTC"' in form
    assert here.get("/schedules/new?kind=nothing").status == 404


def ask(here: Inside, method: str, path: str, body: object = None, key: str = "schedule-1"):
    sent = json.dumps(body).encode() if body is not None else b""
    own = [("host", here.host), ("content-type", "application/json"), ("content-length", str(len(sent)))]
    answer = here.ask(method, path, [*own, ("idempotency-key", key)], sent)
    return answer.status, json.loads(answer.body) if answer.body else None


def test_over_the_api(here):
    body = {"kind": "data_load", "form": {"symbol": "EURUSD", "timeframe": "1h"}, "days": ["sunday", "monday"], **WHEN}
    status, made = ask(here, "POST", "/api/schedules", body)
    assert status == 201 and made["words"] == "every Monday and Sunday at 18:30" and made["next_at"] and made["active"]
    assert ask(here, "POST", "/api/schedules", body) == (201, made)
    path = f"/api/schedules/{made['key']}"
    assert ask(here, "POST", f"{path}/switch", {"on": False})[1]["next_at"] is None
    assert [each["active"] for each in ask(here, "GET", "/api/schedules")[1]["schedules"]] == [False]
    status, refused = ask(here, "POST", "/api/schedules", body | {"zone": "Mars", "days": []}, "schedule-2")
    assert status == 422 and {each["field"] for each in refused["errors"]} == {"zone", "days"}
    assert ask(here, "POST", "/api/schedules", body | {"kind": "dummy"}, "schedule-3")[0] == 422
    assert ask(here, "POST", f"{path}/delete")[0] == 204 and ask(here, "POST", f"{path}/switch", {"on": True})[0] == 404
