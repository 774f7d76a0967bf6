"""Bytes -> values: every shape of an error becomes a sentence, and a huge detail costs only what is used."""

import json

import msgspec
import pytest

from panel.backend import answers as wire
from panel.backend.decoding import MAX_TEXT
from panel.errors import APIError
from tests.support.scripted import corrupt, epochs, operation


def refused(status: int, body: object) -> APIError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(APIError) as caught:
        wire.read_answer("GET", "/anything", status, raw)
    return caught.value


def test_a_good_answer_is_its_value():
    assert wire.read_answer("GET", "/workers", 200, b'[{"worker_id": "w"}]') == [{"worker_id": "w"}]


@pytest.mark.parametrize("status", [400, 404, 405, 409, 422, 500, 503])
def test_shape_1_a_text(status):
    error = refused(status, {"detail": "Operation not found: op_nope"})
    assert error.message == "Operation not found: op_nope"
    assert error.status_code == status
    assert error.retryable is (status >= 500)


def test_shape_2_a_dict_with_a_suggestion():
    detail = {
        "message": "Strategy 'old' has no symbols configured",
        "error_code": "STRATEGY-NoSymbols",
        "context": {},
        "details": {},
        "suggestion": "Add training_data.symbols section to the strategy YAML",
    }
    error = refused(400, {"detail": detail})
    assert error.message == (
        "Strategy 'old' has no symbols configured. Add training_data.symbols section to the strategy YAML."
    )
    assert error.details["error_code"] == "STRATEGY-NoSymbols"


def test_shape_2_names_the_errors_inside():
    detail = {
        "message": "Strategy validation failed: 1 error(s) found",
        "details": {"errors": [{"category": "structure", "message": "Missing required field: training_data"}]},
    }
    assert "Missing required field: training_data" in refused(400, {"detail": detail}).message


def test_shape_2_a_dict_about_workers():
    detail = {"error": "No training workers available", "registered_workers": 1, "hint": "Retry in a few seconds."}
    error = refused(503, {"detail": detail})
    assert error.message == "No training workers available. Retry in a few seconds."
    assert error.details["registered_workers"] == 1


def test_shape_3_a_list_of_fields():
    details = [{"field": "body -> symbols", "message": "Value error, Symbol cannot be empty", "type": "value_error"}]
    error = refused(
        422, {"success": False, "error": {"code": "VALIDATION_ERROR", "message": "Failed", "details": details}}
    )
    assert error.message == "Failed: symbols: Symbol cannot be empty"
    assert wire.field_errors(error.details) == {"symbols": "Symbol cannot be empty"}


def test_shape_3_with_the_cause_in_its_details():
    """KTRDR's answer while its database is down."""
    cause = "(asyncpg.Error) the database system is starting up\n[SQL: SELECT operations.operation_id]"
    detail = {"code": "OPERATIONS-GetStatusError", "message": "Failed to get operation status for op_a"}
    error = refused(500, {"success": False, "error": detail | {"details": {"operation_id": "op_a", "error": cause}}})
    assert error.message == f"{detail['message']}: (asyncpg.Error) the database system is starting up"


def test_shape_3_a_dict():
    body = {
        "success": False,
        "error": {"code": "DATA-InvalidDate", "message": "Invalid start_date", "details": {"a": 1}},
    }
    error = refused(400, body)
    assert (error.message, error.details) == ("Invalid start_date", {"a": 1})


def test_shape_4_success_false_with_200():
    error = refused(200, {"success": False, "message": "YAML is broken in line 3"})
    assert (error.message, error.status_code) == ("YAML is broken in line 3", 200)


@pytest.mark.parametrize("body", [{}, [], "", None, {"detail": None}, {"detail": {}}, {"error": {}}])
def test_an_empty_error_names_its_status(body):
    assert refused(500, body).message == "The backend answered 500 Internal Server Error and gave no reason."


@pytest.mark.parametrize("body", [b"<html>Bad Gateway</html>", b"", b"\xff\xfe", b'{"half": ', b"[" * 20_000])
def test_what_cannot_be_read_is_said_to_be_so(body):
    assert refused(502, body).message == (
        "The backend, or something in front of it, answered 502 Bad Gateway without a readable reason."
    )
    assert refused(200, body).message == "The backend sent something unreadable."


def test_a_redirect_is_not_followed():
    assert "does not follow" in refused(302, {}).message


def test_a_message_is_bounded_and_on_one_line():
    message = refused(400, {"detail": "x\r\n" + "y" * 100_000}).message
    assert len(message) <= MAX_TEXT
    assert "\n" not in message and "\r" not in message


def test_of_a_running_training_only_the_longest_history_is_kept():
    body = {"success": True, "data": operation("op_a", metrics={"epochs": corrupt(6), "other": 1})}
    answer = wire.read_answer("GET", "/operations/op_a", 200, json.dumps(body).encode())
    assert answer["data"]["metrics"] == {"epochs": [epochs(6)], "other": 1}
    assert answer["data"]["metadata"] == body["data"]["metadata"]


@pytest.mark.parametrize("metrics", [None, {}, {"epochs": None}, {"epochs": {}}, {"epochs": [1, "x", None]}, "text"])
def test_metrics_of_another_shape_do_no_harm(metrics):
    body = {"success": True, "data": operation("op_a", metrics=metrics)}
    answer = wire.read_answer("GET", "/operations/op_a", 200, json.dumps(body).encode())
    assert answer["data"]["operation_id"] == "op_a"


def test_the_histories_that_are_not_kept_are_not_decoded():
    body = json.dumps({"success": True, "data": operation("op_a", metrics={"epochs": corrupt(60)})}).encode()
    built = wire.read_answer("GET", "/operations/op_a", 200, body)
    assert len(msgspec.json.encode(built)) < len(body) / 20


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400", "1" + "0" * 5000])
@pytest.mark.parametrize("path", ["/operations", "/operations/op_a"])
def test_one_number_out_of_range_does_not_cost_the_answer(path, number):
    body = b'{"data": {"a": ' + number.encode() + b', "metrics": {"epochs": []}}, "other": 1}'
    answer = wire.read_answer("GET", path, 200, body)
    assert answer["other"] == 1 and answer["data"]["a"] in (None, float("inf"))
