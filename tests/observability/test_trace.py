"""What a request brings along: its id in answers and log lines, its trace in what the backend is asked."""

import json
import logging

import httpx
import pytest

from panel.observability import logs, trace
from tests.support.pages import until
from tests.support.panels import panel_process
from tests.support.scripted import RESULT, operation, stamp

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
KEY = "k" * 22


@pytest.mark.parametrize(
    "given", [[], ["a b"], ["a\r\nx: y"], ["é"], ["x" * 65], ["-a"], ["a", "b"], ["<script>"], ["a\n"]]
)
def test_an_id_that_is_not_one_plain_word_is_replaced(given):
    made = trace.request_id(given)
    assert len(made) == 16 and made.isalnum()


def test_a_plain_id_stays():
    assert trace.request_id(["Run_1.a-B"]) == "Run_1.a-B"


@pytest.mark.parametrize(
    "parents",
    [
        [],
        [PARENT, PARENT],
        [PARENT.upper()],
        ["01" + PARENT[2:]],
        ["ff" + PARENT[2:]],
        [PARENT + "-00"],
        [PARENT[:-1]],
        [PARENT + "\n"],
        [PARENT.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32)],
        [PARENT.replace("00f067aa0ba902b7", "0" * 16)],
    ],
)
def test_a_trace_that_is_not_in_the_standards_form_is_not_passed_on(parents):
    assert trace.trace(parents, ["a=1"]) == {}


@pytest.mark.parametrize(
    ("states", "kept"),
    [
        ([], None),
        (["congo=t61rcWkgMzE"], "congo=t61rcWkgMzE"),
        (["a=1, b=2 ", "9t@v-x=3"], "a=1,b=2,9t@v-x=3"),
        (["a=1,,b=2"], "a=1,b=2"),
        (["A=1"], None),
        (["a=1,a=2"], None),
        (["a"], None),
        (["a=b=c"], None),
        (["a=1\r\nx: y"], None),
        ([",".join(f"k{n}=1" for n in range(33))], None),
        (["a=" + "x" * 600], None),
    ],
)
def test_a_state_that_is_not_well_formed_is_left_out(states, kept):
    assert trace.trace([PARENT], states) == {"traceparent": PARENT} | ({"tracestate": kept} if kept else {})


def test_the_backend_gets_the_trace_of_the_request_that_asks_it(here, backend):
    observation = []

    def answer(request):
        observation.append((request.headers.get("traceparent"), request.headers.get("tracestate")))
        return 200, {"success": True, "data": operation("op_a", status="completed")}

    backend.answers["GET /operations/op_a"] = answer
    here.get("/operations/op_a", headers={"traceparent": PARENT, "tracestate": "a=1"})
    until(lambda: observation)  # a page waits for the backend only shortly
    backend.answers["GET /operations/op_b"] = answer
    here.get("/operations/op_b")
    until(lambda: len(observation) > 1)
    assert observation == [(PARENT, "a=1"), (None, None)]


def test_a_poller_belongs_to_no_request(here, backend):
    """It goes on long after the page that made the operation known was answered."""
    observation = []

    def answer(request):
        observation.append(request.headers.get("traceparent"))
        return 200, {"success": True, "data": operation("op_a")}

    backend.answers["GET /operations/op_a"] = answer
    here.get("/operations/op_a", headers={"traceparent": PARENT})
    here.until("/", lambda _: len(observation) > 1)
    assert observation[0] == PARENT and set(observation[1:]) == {None}


def test_every_answer_names_its_request(here):
    asked = {"x-request-id": "mine-1"}
    for path in ("/", "/static/panel.css", "/nothing", "/healthz"):
        assert here.get(path, headers=asked).headers.get_list("x-request-id") == ["mine-1"], path
    assert here.get("/", headers=asked | {"host": "evil.test"}).headers["x-request-id"] == "mine-1"
    assert len(here.get("/").headers["x-request-id"]) == 16
    bad = httpx.Request("GET", here.address + "/", headers={"x-request-id": "a b"})
    with httpx.Client() as client:
        assert len(client.send(bad).headers["x-request-id"]) == 16


def test_the_log_as_json(address, backend, tmp_path):
    """One object in each line, uvicorn's included: an operation's start and end, and at debug every request."""
    more = {"KTRDR_PANEL_LOG_FORMAT": "json", "KTRDR_PANEL_LOG_LEVEL": "debug"}
    with panel_process(tmp_path, address, **more) as (here, process):
        done = here.post("/start/training", {"key": KEY, "strategy_name": "swing"}, **{"x-request-id": "click"})
        operation_id = done.headers["location"].removeprefix("/operations/")
        here.get(f"/operations/{operation_id}")
        backend.operations[operation_id] = operation(
            operation_id, status="completed", result_summary=RESULT, completed_at=stamp()
        )
        here.until(f"/operations/{operation_id}", lambda text: "Completed" in text)
        process.terminate()
        process.wait(120)
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert {"at", "level", "logger", "message"} <= set.intersection(*(set(line) for line in lines))
    assert lines[0]["address"] == here.address
    (started,) = [line for line in lines if line["message"] == "operation started"]
    assert (started["operation"], started["kind"], started["by"]) == (
        operation_id,
        "training",
        "a browser at 127.0.0.1",
    )
    (ended,) = [line for line in lines if line["message"] == "operation ended"]
    assert (ended["operation"], ended["state"], ended["level"]) == (operation_id, "completed", "info")
    assert "request" not in ended, "its end belongs to no request"
    (request,) = [line for line in lines if line.get("request") == "click" and line["message"] == "request"]
    assert (request["method"], request["path"], request["status"]) == ("POST", "/start/training", 303)
    assert request["level"] == "debug" and request["ms"] > 0


@pytest.mark.parametrize("form", [logs.Lines(), logs.Json()])
def test_nothing_in_a_field_makes_a_second_line_or_a_field_of_its_own(form):
    record = logging.LogRecord("x", logging.INFO, "", 0, "at http://me:canary@host", (), None)
    record.path, record.operation = '/a\r\nINFO b state=failed "c', "op\u2028x"
    line = form.format(record)
    assert len(line.splitlines()) == 1 and "canary" not in line
    if isinstance(form, logs.Lines):
        assert ' path="/a\\\\r\\\\nINFO b state=failed \\"c"' in line
