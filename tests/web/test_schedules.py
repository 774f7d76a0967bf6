"""Schedules on their pages and over the JSON API."""

import asyncio
import json
import re
from collections.abc import Iterator

import pytest

from tests.support.batches import seed_batch
from tests.support.history import ended, seed
from tests.support.inside import Inside, inside
from tests.support.pages import KEY, words
from tests.support.parts import panel_of

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
    assert "every Monday at 18:30 Europe/Berlin off – Change Switch on" in words(here.get("/schedules").text)
    here.post(f"/schedules/{KEY}/switch", {"on": "1"})
    assert "18:30 – Change Switch off" in words(here.get("/schedules").text)
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


def test_over_the_api(here):
    body = {"kind": "data_load", "form": {"symbol": "EURUSD", "timeframe": "1h"}, "days": ["sunday", "monday"], **WHEN}
    status, made = here.api("POST", "/api/schedules", body)
    assert status == 201 and made["words"] == "every Monday and Sunday at 18:30" and made["next_at"] and made["active"]
    assert here.api("POST", "/api/schedules", body) == (201, made)
    path = f"/api/schedules/{made['key']}"
    assert here.api("POST", f"{path}/switch", {"on": False})[1]["next_at"] is None
    assert [each["active"] for each in here.api("GET", "/api/schedules")[1]["schedules"]] == [False]
    status, refused = here.api("POST", "/api/schedules", body | {"zone": "Mars", "days": []}, "schedule-2")
    assert status == 422 and {each["field"] for each in refused["errors"]} == {"zone", "days"}
    assert here.api("POST", "/api/schedules", body | {"kind": "dummy"}, "schedule-3")[0] == 422
    assert here.api("POST", f"{path}/delete")[0] == 204 and here.api("POST", f"{path}/switch", {"on": True})[0] == 404


def test_a_key_is_good_for_one_schedule(here):
    form = {"symbol": "EURUSD", "timeframe": "1h"}
    body = {"kind": "data_load", "form": form, "days": ["sunday", "monday"], **WHEN}
    made = here.api("POST", "/api/schedules", body)[1]
    path = f"/api/schedules/{made['key']}"
    for other in ({"at": "19:00"}, {"days": ["monday"]}, {"form": form | {"symbol": "GBPUSD"}}, {"kind": "training"}):
        status, refused = here.api("POST", "/api/schedules", body | other)
        assert status == 422 and "sent before with another schedule" in refused["detail"]
    same = body | {"days": ["monday", "sunday"], "form": {**form, "mode": ""}}
    assert here.api("POST", "/api/schedules", same) == (201, made)
    changed = here.api("POST", f"{path}/change", body | {"at": "19:00"})[1]
    assert here.api("POST", "/api/schedules", body) == (201, changed), "as it is now"
    assert here.api("POST", f"{path}/delete")[0] == here.api("POST", f"{path}/delete")[0] == 204
    for repeated in (body, body | {"at": "19:00"}):
        status, refused = here.api("POST", "/api/schedules", repeated)
        assert status == 422 and "was deleted. Use a new key" in refused["detail"]
    assert here.api("POST", f"{path}/change", body)[0] == 404
    assert here.api("GET", "/api/schedules")[1] == {"schedules": []}
    assert here.api("POST", "/api/schedules", body, "another-key")[0] == 201


def test_of_two_schedules_at_once_with_one_key_the_other_is_refused(here):
    async def both() -> list[int]:
        body = {"kind": "data_load", "form": {"symbol": "EURUSD", "timeframe": "1h"}, "days": ["sunday"], **WHEN}
        bodies = [json.dumps(body | {"at": at}).encode() for at in ("18:30", "19:30")]
        own = [("host", here.host), ("content-type", "application/json"), ("idempotency-key", "one-key-for-both")]
        asked = [
            here.asked("POST", "/api/schedules", [*own, ("content-length", str(len(body)))], body) for body in bodies
        ]
        return [answer.status for answer in await asyncio.gather(*asked)]

    assert sorted(here.runner.run(both())) == [201, 422]
    assert len(here.api("GET", "/api/schedules")[1]["schedules"]) == 1


def test_a_form_that_is_come_back_to_makes_nothing_unseen(here):
    """By the browser's back button: the form has its old key then."""
    assert add(here).status == add(here).status == 303
    other = add(here, at="19:00")
    assert other.status == 422 and "saved before, with other values" in words(other.text)
    assert KEY not in other.text and 'value="19:00"' in other.text
    key = re.search(r'name="key" value="([^"]+)"', other.text)[1]
    assert add(here, at="19:00", key=key).status == 303
    here.post(f"/schedules/{KEY}/delete", {})
    again = add(here)
    assert again.status == 422 and "was deleted since" in words(again.text) and KEY not in again.text
    page = words(here.get("/schedules").text)
    assert "at 19:00" in page and "at 18:30" not in page


def test_a_schedule_is_changed_in_its_place(here):
    add(here)
    form = here.get(f"/schedules/{KEY}/edit").text
    assert 'value="eurusd"' in form and 'value="Europe/Berlin"' in form and 'value="0" checked' in form
    values = LOAD | WHEN | {"day": "4", "at": "19:00", "symbol": "AAPL"}
    refused = here.post(f"/schedules/{KEY}/edit", values | {"zone": "Mars"})
    assert refused.status == 422 and "“Mars” is not a known time zone" in words(refused.text)
    assert here.post(f"/schedules/{KEY}/edit", values).header("location") == "/schedules"
    page = words(here.get("/schedules").text)
    assert "every Friday at 19:00 Europe/Berlin" in page and "AAPL" in page and "Monday" not in page
    assert here.get("/schedules/nobody/edit").status == 404

    path = f"/api/schedules/{KEY}/change"
    body = {"kind": "data_load", "form": {"symbol": "MSFT", "timeframe": "1d"}, "days": ["sunday"], **WHEN}
    status, changed = here.api("POST", path, body)
    assert status == 200 and changed["words"] == "every Sunday at 18:30" and changed["form"]["symbol"] == "MSFT"
    status, refused = here.api("POST", path, body | {"kind": "training"})
    assert status == 422 and refused["errors"][0]["field"] == "kind"
    assert here.api("POST", "/api/schedules/nobody/change", body)[0] == 404


def test_a_batch_is_repeated(address, tmp_path):
    seed_batch(tmp_path, address, 0.45, 0.5, bars={"S1": 900, "S2": 900})
    with inside(tmp_path, address) as here:
        assert f"/schedules/new?kind=batch&amp;batch={KEY}" in here.get(f"/batches/{KEY}").text
        form = here.get(f"/schedules/new?kind=batch&batch={KEY}").text
        assert "Repeat a batch" in words(form) and 'name="symbols" value="S1 S2"' in form
        batch = {"strategy_name": "swing", "way": "grid", "symbols": "S1 S2"}
        assert here.post("/schedules", WHEN | batch | {"kind": "batch", "key": KEY, "day": "0"}).status == 303
        assert "swing Batch · S1 S2 every Monday at 18:30" in words(here.get("/schedules").text)
        assert "S1 S2" in here.get(f"/schedules/{KEY}/edit").text
        assert here.get("/schedules/new?kind=batch&batch=none").status == 404
        body = {"kind": "batch", "batch": {"strategy_name": "swing", "symbols": ["A", "B"]}, "days": ["monday"], **WHEN}
        status, made = here.api("POST", "/api/schedules", body)
        assert status == 201 and made["kind"] == "batch" and made["form"]["symbols"] == "A, B"
        body["batch"]["train_days"], body["batch"]["way"] = 3, "walk"
        status, refused = here.api("POST", "/api/schedules", body, "schedule-2")
        assert status == 422 and {each["field"] for each in refused["errors"]} >= {"symbols", "start_date"}
        assert here.api("POST", "/api/schedules", body | {"batch": None}, "schedule-3")[0] == 422


def test_a_strategy_that_does_not_exist_is_refused_beside_its_field(here, backend):
    training = WHEN | {"kind": "training", "key": KEY, "day": "0", "strategy_name": "no_such_strategy"}
    form = here.get("/schedules/new?kind=training").text
    assert 'list="strategies"' in form and '<option value="swing">' in form
    backend.answers["POST /strategies/validate/no_such_strategy"] = (404, {"detail": "Strategy file not found"})
    refused = here.post("/schedules", training)
    assert refused.status == 422
    assert '<strong class="error">There is no strategy no_such_strategy.</strong>' in refused.text
    assert "Nothing is repeated yet" in words(here.get("/schedules").text)
    assert here.post("/schedules", training | {"strategy_name": "swing"}).status == 303
    assert here.post(f"/schedules/{KEY}/edit", training).status == 422
    body = {"kind": "training", "form": {"strategy_name": "no_such_strategy"}, "days": ["monday"], **WHEN}
    status, said = here.api("POST", "/api/schedules", body)
    assert status == 422 and said["errors"][0]["field"] == "strategy_name"
    batch = WHEN | {"kind": "batch", "key": "b" * 22, "day": "0", "way": "grid", "symbols": "A B"}
    assert here.post("/schedules", batch | {"strategy_name": "no_such_strategy"}).status == 422


def test_one_that_ktrdr_does_not_list_and_has_is_repeated(here, backend):
    training = WHEN | {"kind": "training", "key": KEY, "day": "0", "strategy_name": "v3_unlisted"}
    assert here.post("/schedules", training).status == 303
    assert "does not exist" not in words(here.get("/schedules").text)


def test_where_the_backend_does_not_answer_any_name_is_taken(tmp_path):
    with inside(tmp_path, "http://127.0.0.1:9/api/v1") as here:
        training = WHEN | {"kind": "training", "key": KEY, "day": "0", "strategy_name": "anything"}
        assert here.post("/schedules", training).status == 303
        assert "does not exist" not in words(here.get("/schedules").text)


def test_a_schedule_whose_strategy_is_gone_says_so(here, backend):
    add(here)
    training = WHEN | {"kind": "training", "key": "t" * 22, "day": "0", "strategy_name": "swing"}
    assert here.post("/schedules", training).status == 303
    assert "does not exist" not in words(here.get("/schedules").text)
    backend.strategies.clear()
    backend.answers["POST /strategies/validate/swing"] = (404, {"detail": "Strategy file not found"})
    panel_of(here.app).catalogue.strategies_changed()  # what it keeps for 20 seconds
    page = words(here.get("/schedules").text)
    assert page.count("Its strategy does not exist any more: its runs fail.") == 1
