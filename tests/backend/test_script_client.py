"""What scripts written for KTRDR's own client rely on: its names, its defaults, answers that leave things out."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from panel.adapters import DummyOperationAdapter
from panel.client import (
    MAX_UNEXPECTED_STATUSES,
    AsyncCLIClient,
    SyncCLIClient,
    calculate_backoff,
    enhance_with_ib_diagnostics,
    parse_response,
    should_retry,
)
from panel.errors import APIError, ConnectionError, TimeoutError, Unreadable

pytestmark = pytest.mark.anyio
URL = "http://backend/api/v1"


async def executed(*polled: Any) -> tuple[dict[str, Any], int]:
    """(the result, how often the operation was read) when its readings have these `data`, the last one for ever."""
    reads = 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal reads
        if request.method == "POST":
            return httpx.Response(200, json={"success": True, "data": {"operation_id": "op_a"}})
        reads += 1
        return httpx.Response(200, json={"data": polled[min(reads, len(polled)) - 1]})

    async with AsyncCLIClient(URL, transport=httpx.MockTransport(answer)) as cli:
        return await cli.execute_operation(DummyOperationAdapter(), poll_interval=0.001), reads


async def test_a_polled_answer_without_an_id_is_read():
    result, reads = await executed({"status": "running"}, {"status": "completed", "result_summary": {"n": 1}})
    assert (result["status"], result["operation_id"], result["result_summary"]) == ("completed", "op_a", {"n": 1})
    assert reads == 2


async def test_an_answer_about_another_operation_is_not_taken_for_this_one():
    other = {"operation_id": "op_b", "status": "failed"}
    result, reads = await executed(other, {"operation_id": "op_a", "status": "completed"})
    assert (result["status"], reads) == ("completed", 2)


@pytest.mark.parametrize("data", [{}, {"status": None}, {"status": "odd"}])
async def test_ten_unexpected_statuses_in_a_row_are_a_failure(data):
    result, reads = await executed(data)
    assert reads == MAX_UNEXPECTED_STATUSES == 10
    assert (result["status"], result["operation_id"]) == ("failed", "op_a")
    assert "unexpected status" in result["error"] and repr(data.get("status")) in result["error"]


async def test_unexpected_statuses_that_are_not_in_a_row_are_waited_for():
    odd = [{"status": "odd"}] * 9
    result, reads = await executed(*odd, {"status": "running"}, *odd, {"status": "completed"})
    assert (result["status"], reads) == ("completed", 20)


@pytest.mark.parametrize("status", ["resuming", "starting", "pending_reconciliation"])
async def test_statuses_of_ktrdr_that_are_no_end_are_waited_for(status):
    result, reads = await executed(*[{"status": status}] * 30, {"status": "completed"})
    assert (result["status"], reads) == ("completed", 31)


def blocking(answer: Callable[[httpx.Request], httpx.Response], **options: Any) -> SyncCLIClient:
    return SyncCLIClient(URL, transport=httpx.MockTransport(answer), retry_delay=0.001, **options)


def test_the_blocking_client_sends_what_the_async_one_sends():
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.method, str(request.url), request.read()))
        return httpx.Response(200, json={"ok": True})

    with blocking(answer) as cli:
        assert cli.get("/a", params={"n": 1}) == cli.post("/b", json={"x": 1}) == cli.delete("/c") == {"ok": True}
        assert cli.health_check() is True
    assert seen == [
        ("GET", f"{URL}/a?n=1", b""),
        ("POST", f"{URL}/b", b'{"x":1}'),
        ("DELETE", f"{URL}/c", b""),
        ("GET", f"{URL}/health", b""),
    ]
    with pytest.raises(RuntimeError, match="closed"):
        cli.get("/a")


@pytest.mark.parametrize(
    ("method", "failure", "error", "sent"),
    [
        ("get", 503, APIError, 3),
        ("get", 404, APIError, 1),
        ("get", httpx.ReadTimeout("slow"), TimeoutError, 3),
        ("delete", httpx.ReadError("broken"), ConnectionError, 3),
        ("post", 503, APIError, 1),  # it may have started something
        ("post", httpx.ReadTimeout("slow"), TimeoutError, 1),
        ("post", httpx.ConnectError("refused"), ConnectionError, 3),
    ],
)
def test_the_blocking_client_repeats_what_may_be_repeated(method, failure, error, sent):
    requests = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        if isinstance(failure, Exception):
            raise failure
        return httpx.Response(failure, json={"detail": "no"})

    with blocking(answer, max_retries=2) as cli, pytest.raises(error) as caught:
        getattr(cli, method)("/x")
    assert len(requests) == sent
    assert error is not TimeoutError or "timed out" in caught.value.message


def test_the_blocking_clients_health_check_asks_once_and_never_raises():
    requests = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request.extensions["timeout"]["read"])
        return httpx.Response(500, text="<html>")

    with blocking(answer) as cli:
        assert cli.health_check() is False
    assert requests == [5.0]


def test_the_blocking_client_bounds_an_answer():
    class Endless(httpx.SyncByteStream):
        def __iter__(self):
            while True:
                yield b"x" * 2**20

    class Trickle(httpx.SyncByteStream):
        def __iter__(self):
            while True:
                time.sleep(0.001)
                yield b" "

    streams = [Endless(), Trickle()]
    with blocking(lambda _: httpx.Response(200, stream=streams.pop(0)), max_retries=0) as cli:
        with pytest.raises(Unreadable, match="more than 8 MB"):
            cli.get("/x")
        with pytest.raises(TimeoutError, match="timed out"):
            cli.get("/x", timeout=0.02)


@pytest.mark.parametrize("make", [AsyncCLIClient, SyncCLIClient])
def test_a_client_keeps_its_configuration_frozen(make, monkeypatch):
    monkeypatch.setenv("KTRDR_API_CLIENT_BASE_URL", "http://elsewhere/api/v1/")
    assert dataclasses.astuple(make().config) == ("http://elsewhere/api/v1", 30.0, 3, 1.0)
    made = make(URL, 60.0, 5, 2.0)
    assert dataclasses.astuple(made.config) == (URL, 60.0, 5, 2.0)
    with pytest.raises(AttributeError):
        made.config.timeout = 1.0


def test_whether_to_repeat():
    assert should_retry(503, attempt=2, max_retries=3) and not should_retry(503, attempt=3, max_retries=3)
    assert not should_retry(404, 0, 3) and not should_retry(200, 0, 3) and not should_retry(600, 0, 3)
    assert should_retry(404, 0, 3, retryable=True) and not should_retry(503, 0, 3, retryable=False)


@pytest.mark.parametrize(("attempt", "base", "least"), [(0, 1.0, 1.0), (1, 1.0, 2.0), (3, 0.5, 4.0)])
def test_the_time_before_a_repeat_doubles(attempt, base, least):
    assert all(least <= calculate_backoff(attempt, base) < least + 1 for _ in range(50))


def test_an_answer_is_parsed_or_explained():
    assert parse_response(httpx.Response(201, json={"id": 1})) == {"id": 1}
    for body, words in (({"detail": "not so"}, "not so"), ({"message": "nor so"}, "nor so")):
        with pytest.raises(APIError, match=words) as caught:
            parse_response(httpx.Response(404, json=body))
        assert caught.value.status_code == 404
    with pytest.raises(APIError, match="JSON"):
        parse_response(httpx.Response(200, text="<html>"))


def test_an_error_of_the_gateway_is_explained_and_any_other_left_alone():
    failed = {"error": {"code": "IB-GATEWAY-ISSUE", "message": "IB Host Service connection failed", "details": {}}}
    enhanced = enhance_with_ib_diagnostics(failed)
    assert enhanced["error"] == failed["error"] and "host service" in enhanced["ib_diagnosis"]["message"]
    for other in ({}, None, {"error": {"code": "DATA-1", "message": "no such file"}}, {"error": "text"}):
        assert enhance_with_ib_diagnostics(other) == other
