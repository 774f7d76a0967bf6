"""The part of the JSON API that acts: one start for each key, refusals with the field at fault, cancel and queue."""

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from panel.web.api_requests import start_key
from tests.support.pages import KEY, until, words
from tests.support.panels import PLAIN
from tests.support.scripted import RESULT, operation, percent, stamp

DOCS = Path(__file__).parents[2] / "docs" / "api.md"
TRAINING = {"strategy_name": "swing", "symbols": ["EURUSD"], "timeframes": ["1h"], "confirm": ["insist"]}
COSTS = {"commission": 0.002, "slippage": 0.0005}


def post(here, path, body=None, key="a-key-of-mine", **headers):
    return httpx.post(
        here.address + "/api" + path,
        json={} if body is None else body,
        headers={"Idempotency-Key": key} | headers,
        timeout=120,
        verify=PLAIN,
    )


def starts(backend) -> list[dict]:
    return [body for hit, body in backend.bodies if hit.startswith("POST") and hit.endswith("/start")]


def test_a_key_starts_once_and_a_repeat_gets_the_first_answer(here, backend):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: post(here, "/start/training", TRAINING), range(8)))
    assert {answer.status_code for answer in answers} == {201}
    (body,) = {answer.text for answer in answers}
    operation_id = json.loads(body)["operation_id"]
    assert answers[0].headers["location"] == f"/api/operations/{operation_id}"
    (sent,) = starts(backend)
    assert (sent["symbols"], sent["timeframes"], sent["task_id"]) == (["EURUSD"], ["1h"], operation_id)

    other = post(here, "/start/training", TRAINING | {"symbols": ["AAPL"]})
    assert other.status_code == 422 and "sent before" in other.json()["detail"]
    assert post(here, "/start/training", TRAINING, "another-key").json()["operation_id"] != operation_id
    assert len(starts(backend)) == 2


LOAD = {"symbol": "AAPL", "timeframe": "1h", "start_date": "2020-01-01"}


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("training", {"strategy_name": "swing", "symbols": ["AAPL"], "timeframes": ["1h"]}, {"symbols": ["GBPUSD"]}),
        ("data_load", LOAD, {"symbol": "GBPUSD"}),
    ],
)
def test_of_two_starts_at_once_with_one_key_the_other_is_refused(here, backend, kind, one, other):
    """Both are still being checked when neither is known."""
    both_asked = threading.Event()

    async def held(request):
        await asyncio.to_thread(both_asked.wait, 60)
        return backend.usual("POST", "/data/range", await request.json())

    backend.answers["POST /data/range"] = held
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(post, here, f"/start/{kind}", body) for body in (one, one | other)]
        until(
            lambda: {"AAPL", "GBPUSD"} <= {body["symbol"] for hit, body in backend.bodies if hit == "POST /data/range"}
        )
        both_asked.set()
        first, second = sorted((answer.result() for answer in answers), key=lambda answer: answer.status_code)
    assert (first.status_code, second.status_code) == (201, 422) and "sent before" in second.json()["detail"]
    sent = [body for hit, body in backend.bodies if hit in ("POST /trainings/start", "POST /data/acquire/download")]
    assert len(sent) == 1


def test_a_field_that_is_left_out_makes_another_start_unless_its_default_is_the_same(here, backend):
    body = {"strategy_name": "swing", "model_path": "models/swing/1h_v1"}
    body |= {"start_date": "2024-01-01", "end_date": "2024-06-01", "slippage": 0.0005}
    costs = {"commission": 0.005, "initial_capital": 5000, "symbol": "GBPUSD"}
    assert post(here, "/start/backtesting", body | costs).status_code == 201
    assert post(here, "/start/backtesting", body | costs).status_code == 201
    usual = {name: value for name, value in (body | costs).items() if name != "slippage"}
    assert post(here, "/start/backtesting", usual).status_code == 201, "KTRDR takes 0.0005 then"
    for left_out in ("commission", "initial_capital"):
        less = {name: value for name, value in (body | costs).items() if name != left_out}
        assert post(here, "/start/backtesting", less).status_code == 422
    for more in ({"timeframe": "4h"}, {"slippage": 0.001}, {"leave_out_bad_bars": True}, {"symbol": "EURUSD"}):
        assert post(here, "/start/backtesting", body | costs | more).status_code == 422
    assert len(starts(backend)) == 1


def test_what_follows_from_a_model_makes_no_other_start(here, backend):
    backend.operations["op_t"] = operation("op_t", status="completed", result_summary=RESULT, completed_at=stamp())
    here.read("op_t")
    body = {"strategy_name": "swing", "model_path": RESULT["model_path"]}
    body |= {"start_date": "2025-07-01", "end_date": "2025-12-31"}
    assert post(here, "/start/backtesting", body).status_code == 201
    (sent,) = starts(backend)
    assert sent["symbol"] == "EURUSD"
    assert post(here, "/start/backtesting", body).status_code == 201
    assert post(here, "/start/backtesting", body | {"symbol": "EURUSD"}).status_code == 201
    assert post(here, "/start/backtesting", body | {"symbol": "GBPUSD"}).status_code == 422
    assert len(starts(backend)) == 1


def test_a_share_is_a_fraction_here_as_it_is_for_the_backend(here, backend):
    body = {
        "strategy_name": "swing",
        "model_path": "models/swing/1h_v1",
        "start_date": "2024-01-01",
        "end_date": "2024-06-01",
    }
    assert post(here, "/start/backtesting", body | COSTS).status_code == 201
    (sent,) = starts(backend)
    assert {name: sent[name] for name in COSTS} == COSTS


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "strategy_name"),
        ({"strategy_name": "swing", "start_date": "soon"}, "start_date"),
        ({"strategy_name": "swing", "symbols": "EURUSD"}, "symbols"),
        ({"strategy_name": "swing", "symbols": ["EUR USD!"]}, "symbols"),
        ({"strategy_name": "swing", "epochs": 3}, "epochs"),
        ({"strategy_name": "x" * 300}, "strategy_name"),
    ],
)
def test_a_refusal_names_the_field_at_fault(here, backend, body, field):
    answer = post(here, "/start/training", body)
    assert answer.status_code == 422 and answer.headers["content-type"] == "application/problem+json"
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert starts(backend) == []


def test_what_the_backend_refuses_and_what_never_left(here, backend):
    backend.answers["POST /trainings/start"] = (400, {"detail": "Strategy file not found: swing"})
    refused = post(here, "/start/training", TRAINING)
    assert refused.status_code == 422
    assert refused.json()["errors"] == [{"field": "strategy_name", "message": "Strategy file not found: swing"}]
    assert post(here, "/start/training", TRAINING).json() == refused.json() and len(starts(backend)) == 1


def test_what_would_fail_needs_a_confirmation(here, backend):
    backend.bars = {("AAPL", "1d"): [1_700_000_000.0]}
    answer = post(here, "/start/training", {name: TRAINING[name] for name in TRAINING if name != "confirm"})
    assert answer.status_code == 409 and answer.json()["confirm"] == "insist" and "EURUSD" in answer.json()["detail"]
    assert starts(backend) == []
    assert post(here, "/start/training", TRAINING).status_code == 201


def test_no_key_no_start_and_no_page_on_the_internet_acts(here, backend):
    url = f"{here.address}/api/start/training"
    assert httpx.post(url, json=TRAINING).status_code == 403
    own = {"Sec-Fetch-Site": "same-origin"}
    missing = httpx.post(url, json=TRAINING, headers=own)
    assert missing.status_code == 422 and missing.json()["errors"][0]["field"] == "idempotency-key"
    for foreign in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        assert post(here, "/start/training", TRAINING, **foreign).status_code == 403
    assert post(here, "/start/training", TRAINING, "short").status_code == 422
    assert starts(backend) == []


def test_loads_wait_in_the_queue_and_leave_it(here, backend):
    backend.operations["op_other"] = operation("op_other", "data_load", progress=percent(10))
    here.read("op_other")
    body = {"symbol": "eurusd", "timeframe": "1h", "mode": "tail"}
    first = post(here, "/start/data_load", body, "load-number-1")
    assert first.status_code == 202 and first.json()["state"] == "queued"
    assert post(here, "/start/data_load", body, "load-number-1").json() == first.json()
    second = post(here, "/start/data_load", body | {"symbol": "AAPL"}, "load-number-2").json()
    loads = httpx.get(f"{here.address}/api/queue").json()["loads"]
    assert [(load["place"], load["symbol"]) for load in loads] == [(1, "EURUSD"), (2, "AAPL")]
    assert post(here, f"/queue/{second['queue_key']}/cancel").status_code == 204
    assert [load["key"] for load in httpx.get(f"{here.address}/api/queue").json()["loads"]] == [
        first.json()["queue_key"]
    ]
    assert post(here, "/queue/unknown/cancel").status_code == 404


def test_what_was_taken_out_of_the_queue_does_not_wait_there(here, backend):
    """Neither for a program that repeats its key, nor for a form that is come back to."""
    backend.operations["op_other"] = operation("op_other", "data_load", progress=percent(10))
    here.read("op_other")
    body = {"symbol": "EURUSD", "timeframe": "1h", "mode": "tail"}
    queued = post(here, "/start/data_load", body).json()
    assert post(here, f"/queue/{queued['queue_key']}/cancel").status_code == 204
    for repeated in (body, body | {"confirm": ["replace"]}):
        again = post(here, "/start/data_load", repeated)
        assert again.status_code == 409 and "taken out of the queue. Use a new key" in again.json()["detail"]
    assert post(here, "/start/data_load", body, "another-key").status_code == 202
    form = {"symbol": "AAPL", "timeframe": "1h", "mode": "tail", "key": KEY}
    assert here.post("/start/data_load", data=form).headers["location"] == "/data"
    assert here.post(f"/queue/{KEY}/cancel").status_code == 303
    answer = here.post("/start/data_load", data=form)
    assert answer.status_code == 422 and "It was taken out of the queue" in words(answer.text)
    assert KEY not in answer.text and "AAPL" in answer.text


def test_a_repeat_says_what_became_of_an_entry(here, backend):
    """Its answer was lost, it was found, or a person gave it up."""
    lost = (504, {"detail": "timed out"})
    backend.answers["POST /data/acquire/download"] = backend.answers["POST /trainings/start"] = lost
    load = {"symbol": "EURUSD", "timeframe": "1h", "mode": "tail"}
    first = post(here, "/start/data_load", load)

    def unconfirmed() -> bool:
        return post(here, "/start/data_load", load).json()["state"] == "unconfirmed"

    until(unconfirmed)
    again = post(here, "/start/data_load", load)
    assert again.status_code == 202 and again.json()["queue_key"] == first.json()["queue_key"]
    assert "waits in the queue" not in again.json()["message"]
    assert post(here, f"/queue/{first.json()['queue_key']}/cancel").status_code == 204
    assert post(here, "/start/data_load", load).status_code == 409
    training = post(here, "/start/training", TRAINING, "a-lost-training")
    assert training.status_code == 202 and training.json()["state"] == "unconfirmed"
    assert here.post(f"/starts/{start_key('a-lost-training')}/dismiss").status_code == 303
    given_up = post(here, "/start/training", TRAINING, "a-lost-training")
    assert given_up.status_code == 409 and "marked as not started" in given_up.json()["detail"]


def test_cancel_and_resume(here, backend):
    backend.operations["op_a"] = operation("op_a", progress=percent(10))
    backend.operations["op_b"] = operation("op_b", "training", "completed", completed_at=stamp())
    answer = post(here, "/operations/op_a/cancel")
    assert answer.status_code == 202 and answer.json()["cancel"] and backend.operations["op_a"]["status"] == "cancelled"
    assert post(here, "/operations/op_b/cancel").status_code == 409
    assert post(here, "/operations/op_none/cancel").status_code == 404
    refused = post(here, "/operations/op_b/resume")
    assert refused.status_code == 409 and "this is completed" in refused.json()["detail"]


def test_a_cancel_that_is_repeated_gets_the_operation(here, backend):
    """While the work stops, after it has, and when another program was first."""
    backend.operations["op_a"] = operation("op_a", progress=percent(10))
    backend.answers["DELETE /operations/op_a"] = (200, {"success": True, "status": "cancelled"})  # and goes on for now
    first = post(here, "/operations/op_a/cancel")
    assert (first.status_code, first.json()["cancel"]) == (202, "acknowledged")
    assert post(here, "/operations/op_a/cancel").status_code == 202
    assert backend.hits["DELETE /operations/op_a"] == 1
    backend.operations["op_a"] |= {"status": "cancelled", "completed_at": stamp()}
    here.until("/api/operations/op_a", lambda text: json.loads(text)["verdict"]["state"] == "cancelled")
    again = post(here, "/operations/op_a/cancel", key="another-key")
    assert again.status_code == 202 and again.json()["verdict"]["state"] == "cancelled"

    backend.operations["op_b"] = operation("op_b", progress=percent(10))
    here.read("op_b")
    refused = (400, {"detail": "Operation op_b is already cancelled"})

    async def late(request):
        backend.operations["op_b"] |= {"status": "cancelled", "completed_at": stamp()}
        return refused

    backend.answers["DELETE /operations/op_b"] = late
    answer = post(here, "/operations/op_b/cancel")
    assert answer.status_code == 202 and answer.json()["verdict"]["state"] == "cancelled"


def test_the_program_in_the_docs_runs(here, backend, capsys):
    """What it starts ends while it watches."""
    code = DOCS.read_text("utf-8").partition("```python\n")[2].partition("```")[0]
    assert 5 < len(code.splitlines()) <= 22
    seen = threading.Event()

    def end() -> None:
        seen.wait(120)
        for name, running in list(backend.operations.items()):
            backend.operations[name] = running | {"status": "completed", "completed_at": stamp()}

    ending = threading.Thread(target=end)
    ending.start()
    shown: list[str] = []

    def show(*words: str) -> None:
        shown.append(" ".join(words))
        seen.set()

    names = {"print": show}
    exec(compile(code.replace("http://localhost:8321", here.address), "docs/api.md", "exec"), names)
    names["panel"].close()
    ending.join()
    assert "Completed" in shown[-1]
