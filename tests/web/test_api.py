"""The JSON face: what scripts and agents read, page by page, as it changes, and when something is wrong."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from panel.web.routes.api import router, schema
from tests.support.pages import until
from tests.support.panels import panel
from tests.support.scripted import RESULT, corrupt, operation, percent, stamp

ROOT = Path(__file__).parents[2]


def test_the_schema_is_the_one_that_was_promised():
    """Names that scripts use. A change has to be made here, on purpose: add, never rename or remove."""
    promised = json.loads((ROOT / "docs" / "openapi.json").read_text("utf-8"))
    now = json.loads(json.dumps(schema()))
    assert now["info"].pop("version") and promised["info"].pop("version")
    assert now == promised


def test_what_reads_changes_nothing():
    assert {method for route in router.routes for method in route.methods} == {"GET"}


def test_one_operation(here, backend):
    backend.operations["op_a"] = operation(
        "op_a",
        progress=percent(41.9, "Epoch 42/100", steps_completed=42, steps_total=100),
        metrics={"epochs": corrupt(3)},
    )
    listed = here.get("/api/operations/op_a").json()
    assert (listed["id"], listed["kind"], listed["name"], listed["symbol"]) == ("op_a", "training", "swing", "EURUSD")
    assert (listed["percentage"], listed["step"], listed["steps_total"]) == (41.9, "Epoch 42/100", 100)
    assert listed["live"] is True and listed["backend_status"] == "running" and listed["ended_at"] is None
    assert listed["verdict"]["state"] == "running" and listed["verdict"]["headline"] == "Epoch 42/100"
    assert listed["read_at"].endswith("Z") and listed["created_at"] < listed["read_at"]
    assert listed["epochs_done"] == 3 and listed["epochs"] is None
    curve = here.get("/api/operations/op_a?epochs=1").json()["epochs"]
    assert [epoch["number"] for epoch in curve] == [0, 1, 2] and curve[1]["train_loss"] == 0.5


def test_what_ended_has_its_result_and_its_end(here, backend):
    backend.operations["op_b"] = operation("op_b", status="completed", result_summary=RESULT, completed_at=stamp())
    listed = here.get("/api/operations/op_b").json()
    assert listed["result"]["test_metrics"]["test_accuracy"] == 0.872
    assert listed["live"] is False and listed["ended_at"] and listed["verdict"]["state"] == "completed"


def several(backend, count: int) -> None:
    """Every third begins in the same moment as the one before."""
    for n in range(count):
        at = f"2026-11-22T12:00:{n - (n % 3 == 2):02d}.5Z"
        kind = "data_load" if n % 2 else "training"
        backend.operations[f"op_{n:02d}"] = operation(
            f"op_{n:02d}", kind, "failed", created_at=at, completed_at=at, error_message="No data found in cache"
        )


def remembered(here, backend) -> None:
    """Open the pages of all operations until the panel has read each."""

    def all_listed() -> bool:
        listed = {each["id"] for each in here.get("/api/operations?limit=200").json()["operations"]}
        missing = backend.operations.keys() - listed
        here.read(*sorted(missing))
        return not missing

    until(all_listed)


def parts(here, query: str) -> list[list[str]]:
    """The ids of each part, following the cursors."""
    found, cursor = [], ""
    while cursor is not None:
        listed = here.get(f"/api/operations?{query}&cursor={cursor}").json()
        found.append([each["id"] for each in listed["operations"]])
        cursor = listed["next"]
        assert len(found) < 50
    return found


@pytest.mark.parametrize("limit", [1, 2, 4, 200])
def test_a_list_in_parts_is_the_whole_list(here, backend, limit):
    several(backend, 10)
    remembered(here, backend)
    whole = here.get("/api/operations?limit=200").json()["operations"]
    created = [each["created_at"] for each in whole]
    assert created == sorted(created, reverse=True) and {each["id"] for each in whole} == set(backend.operations)
    found = parts(here, f"limit={limit}")
    assert sum(found, []) == [each["id"] for each in whole] and all(len(part) == limit for part in found[:-1])


def test_what_begins_meanwhile_does_not_move_the_parts(here, backend):
    several(backend, 6)
    remembered(here, backend)
    ids = [each["id"] for each in here.get("/api/operations").json()["operations"]]
    first = here.get("/api/operations?limit=3").json()
    backend.operations["op_new"] = operation("op_new", status="failed", completed_at=stamp())
    remembered(here, backend)
    second = here.get(f"/api/operations?limit=3&cursor={first['next']}").json()
    assert [each["id"] for each in first["operations"] + second["operations"]] == ids
    assert (first["total"], second["total"], second["next"]) == (6, 7, None)


def test_filters(here, backend):
    several(backend, 6)
    backend.operations["op_run"] = operation("op_run", progress=percent(5))
    remembered(here, backend)

    def ids(query: str) -> set[str]:
        return {each["id"] for each in here.get(f"/api/operations?{query}").json()["operations"]}

    assert ids("kind=data_load") == {"op_01", "op_03", "op_05"}
    assert ids("state=running") == {"op_run"} and len(ids("state=running&state=failed")) == 7
    assert ids("symbol=EURUSD&kind=training&state=failed") == {"op_00", "op_02", "op_04"}
    assert ids("strategy=nobody") == set() and len(ids("strategy=swing")) == 7
    assert ids("since=2026-11-22T12:00:04Z") == {"op_04", "op_05", "op_run"}
    assert ids("since=2026-11-22T14:00:04%2B02:00") == {"op_04", "op_05", "op_run"}
    assert ids("since=20261123") == {"op_run"} and len(ids("since=20261122")) == 7
    assert ids("kind=nothing") == set()


def test_a_running_operation_is_returned_as_last_read(here, backend):
    """The list, too, has the age of the latest reading, not of the last one that said something new."""
    backend.operations["op_a"] = operation("op_a", progress=percent(5))
    first = here.get("/api/operations/op_a").json()["read_at"]
    here.until("/api/operations", lambda text: any(each["read_at"] > first for each in json.loads(text)["operations"]))


def test_the_line(here, backend):
    backend.workers = [
        {"worker_id": "w1", "worker_type": "training", "status": "busy", "current_operation_id": "op_x"},
        {"worker_id": "w2", "worker_type": "backtesting", "status": "available", "current_operation_id": None},
    ]
    listed = json.loads(here.until("/api/line", lambda text: '"w2"' in text and json.loads(text)["up"]))
    assert (
        listed["up"] is True and listed["address"].startswith("http://127.0.0.1:") and listed["failing_since"] is None
    )
    assert [(each["id"], each["operation_id"]) for each in listed["workers"]] == [("w1", "op_x"), ("w2", None)]


def watch(here, operation_id: str) -> Any:
    """The events of one operation as (name, data), until the panel closes the stream."""
    with (
        httpx.Client(timeout=120) as client,
        client.stream("GET", f"{here.address}/api/operations/{operation_id}/events") as answer,
    ):
        assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")
        name = ""
        for line in answer.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield name, json.loads(line.removeprefix("data: "))


def test_events_from_now_to_the_end(here, backend):
    backend.operations["op_a"] = operation("op_a", progress=percent(10, "One"))
    listed = []
    for name, data in watch(here, "op_a"):
        listed.append((name, data["step"], data["live"]))
        if data["step"] == "One":
            backend.operations["op_a"] = operation("op_a", progress=percent(20, "Two"))
        elif data["live"]:
            backend.operations["op_a"] = operation(
                "op_a", status="completed", progress=percent(100), result_summary=RESULT, completed_at=stamp()
            )
    assert listed == [
        ("operation", "One", True),
        ("operation", "Two", True),
        ("operation", "Two", False),
        ("end", "Two", False),
    ]


def test_events_of_what_has_ended(here, backend):
    backend.operations["op_b"] = operation("op_b", status="failed", error_message="No data found\r\revent: x\r")
    listed = list(watch(here, "op_b"))
    assert [name for name, _ in listed] == ["operation", "end"] and "event: x" in listed[0][1]["error"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/operations/op_nope", 404),
        ("/api/operations/op_nope/events", 404),
        ("/api/operations/..%2Fx", 404),
        ("/api/nothing", 404),
        ("/api/operations?limit=0", 422),
        ("/api/operations?limit=201", 422),
        ("/api/operations?state=great", 422),
        ("/api/operations?since=soon", 422),
        ("/api/operations?since=1732000000", 422),
        ("/api/audit?since=1732000000", 422),
        ("/api/operations?cursor=zzz", 422),
        ("/api/operations?cursor=1e999_1", 422),
        ("/api/operations/op_a?epochs=maybe", 422),
    ],
)
def test_errors_are_answered_as_problems(here, path, status):
    answer = here.get(path)
    listed = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert listed["status"] == status and listed["title"] and len(listed["detail"]) > 5


def test_another_method_or_host_is_a_problem_too(here):
    assert here.post("/api/operations").json()["status"] == 405
    refused = here.get("/api/line", headers={"host": "evil.test"})
    assert refused.status_code == refused.json()["status"] == 421
    with panel(here.settings.data_folder / "other", here.settings.backend, password="a long password") as closed:
        asked = closed.get("/api/line")
        assert (asked.status_code, asked.json()["status"], asked.headers["www-authenticate"]) == (401, 401, "Bearer")
        assert closed.get("/api/line", headers={"authorization": "Bearer a long password"}).status_code == 200


def test_words_of_a_search_that_are_too_many_are_refused(here):
    ten = "+".join("w" * 10)
    assert here.get(f"/api/operations?q={ten}").status_code == 200
    refused = here.get(f"/api/operations?q={ten}+zebra+quagga")
    assert refused.status_code == 422 and refused.json()["errors"] == [
        {"field": "q", "message": "At most 10 words are searched for; 2 more were given."}
    ]


def test_the_description_is_served(here):
    assert here.get("/api/openapi.json").json() == json.loads(json.dumps(schema()))
