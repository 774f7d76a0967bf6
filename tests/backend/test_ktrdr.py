"""The gateway: each method returns domain values, bounded and clean, whatever the backend sends. Only the wire is played."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from panel.adapters import KINDS
from panel.backend.ktrdr import CancelOutcome, Ktrdr
from panel.client import AsyncCLIClient
from panel.domain.formatting import ago, duration, minute
from panel.domain.snapshot import Snapshot
from panel.errors import APIError
from tests.support.extremes import HOSTILE, VALUES, improper
from tests.support.scripted import RESULT, epochs, operation, stamp
from tests.support.workers import worker

pytestmark = pytest.mark.anyio

SUMMARY = {
    "operation_id": "op_a", "operation_type": "training", "status": "completed", "created_at": stamp(1.7e9),
    "progress_percentage": 100.0, "current_step": "Epoch 3/3", "symbol": "EURUSD", "duration_seconds": 61.5,
}  # fmt: skip
CHECKPOINT = {
    "operation_id": "op_a", "checkpoint_type": "periodic", "created_at": stamp(1.7e9), "artifacts_size_bytes": 14_423,
    "state_summary": {"epoch": 9, "train_loss": 0.5, "val_loss": 0.6}, "state": {"epoch": 9},
}  # fmt: skip
MODEL = {
    "model_id": "", "model_name": "", "symbol": "EURUSD", "timeframe": "1h", "created_at": "2026-11-20T10:00:00",
    "test_accuracy": 0.87, "model_path": "models/swing/1h_v4", "data_summary": {"symbols": ["EURUSD"]},
}  # fmt: skip
STRATEGY = {
    "name": "swing", "description": "d", "symbol": "EURUSD", "timeframe": "1h", "indicators": [{"name": "rsi"}],
    "history_required": 100, "problem": "",
}  # fmt: skip
RUNNING = operation(
    "op_a",
    progress={"percentage": 12.5, "current_step": "Epoch 2/9", "context": {"step_current": 2}},
    metrics={"epochs": [epochs(3), 3]},
    error_message="e",
    result_summary=RESULT,
)
GOOD: dict[str, Any] = {
    "GET /health": {"status": "ok", "version": "1.0"},
    "GET /operations": {"success": True, "data": [SUMMARY]},
    "GET /operations/op_a": {"success": True, "data": RUNNING},
    "GET /workers": [worker("w1", "busy", "op_a")],
    "GET /models": {"success": True, "models": [MODEL]},
    "GET /checkpoints": {"success": True, "data": [CHECKPOINT]},
    "GET /checkpoints/op_a": {"success": True, "data": CHECKPOINT},
    "GET /strategies/": {"success": True, "strategies": [STRATEGY]},
    "POST /strategies/validate/swing": {"valid": True, "issues": [{"severity": "warning", "message": "m"}]},
    "GET /strategies/swing/features": {"count": 6},
    "GET /symbols": {"data": [{"symbol": "EURUSD", "available_timeframes": ["1h"]}]},
    "POST /data/range": {
        "data": {"start_date": "2024-01-01", "end_date": "2025-01-01", "point_count": 9, "source": "x"}
    },
    "GET /data/EURUSD/1h": {"data": {"dates": ["2024-01-01T00:00:00"], "ohlcv": [[1.0, 2.0, 0.5, 1.5, 9.0]]}},
}


def gateway(answers: dict[str, Any]) -> Ktrdr:
    def play(request: httpx.Request) -> httpx.Response:
        found = answers[f"{request.method} {request.url.path}"]
        return found if isinstance(found, httpx.Response) else httpx.Response(200, content=json.dumps(found))

    return Ktrdr(AsyncCLIClient("http://backend.test", max_retries=0, transport=httpx.MockTransport(play)))


async def everything(ktrdr: Ktrdr) -> dict[str, Any]:
    """What each method that reads returns, or the message of its error."""
    asked = {
        "health": ktrdr.health(),
        "operations": ktrdr.operations(),
        "active_loads": ktrdr.active_loads(),
        "operation": ktrdr.operation("op_a"),
        "workers": ktrdr.workers(),
        "models": ktrdr.models(),
        "checkpoints": ktrdr.checkpoints(),
        "checkpoint": ktrdr.checkpoint("op_a"),
        "strategies": ktrdr.strategies(),
        "check": ktrdr.check("swing"),
        "symbols": ktrdr.symbols(),
        "stored_range": ktrdr.stored_range("EURUSD", "1h"),
        "bars": ktrdr.bars("EURUSD", "1h", limit=5),
        "openings": ktrdr.openings("EURUSD", "1h", limit=5),
    }
    found = {}
    for name, answer in asked.items():
        try:
            found[name] = await answer
        except APIError as exc:
            found[name] = (exc.message, exc.details)
    return found


async def test_good_answers_become_domain_values():
    found = await everything(gateway(GOOD))
    assert found["health"] == "1.0"
    (listed,) = found["operations"]
    assert listed.completed_at == 1.7e9 + 61.5 and not listed.full
    reading = found["operation"]
    assert (reading.snapshot.percentage, reading.snapshot.context) == (12.5, {"step_current": 2})
    assert reading.answer["metadata"] == RUNNING["metadata"]
    assert [each.operation_id for each in found["workers"]] == ["op_a"]
    assert [(model.key, model.accuracy, model.timeframe) for model in found["models"]] == [("swing/1h_v4", 0.87, "1h")]
    assert found["checkpoints"][0].size == 14_423 and found["checkpoint"].epoch == 9
    assert found["strategies"][0].indicators == ("rsi",) and found["check"].features == 6
    assert found["symbols"]["EURUSD"].timeframes == ("1h",) and found["stored_range"].bars == 9
    assert found["bars"] == [[1704067200.0, 1.0, 2.0, 0.5, 1.5, 9.0]] and found["openings"] == [1704067200.0]


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        yield from leaves(each, (*path, name))


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = changed(value[path[0]], path[1:], new)
    return copy


PLACES = [(name, path) for name, answer in GOOD.items() for path in leaves(answer)]


@given(st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from(VALUES)), min_size=1, max_size=8))
def test_extreme_values_in_any_field_of_any_answer(changes):
    answers = dict(GOOD)
    for (name, path), value in changes:
        try:
            answers[name] = changed(answers[name], path, value)
        except (TypeError, AttributeError, KeyError, IndexError):
            continue  # an earlier change took the place away
    found = asyncio.run(everything(gateway(answers)))
    assert improper(list(found.values())) == []
    for snapshot in [*found["operations"], found["operation"].snapshot]:
        if isinstance(snapshot, Snapshot):
            shown(snapshot)


def shown(snapshot: Snapshot) -> None:
    """Everything that pages make of it."""
    for at in (snapshot.created_at, snapshot.completed_at):
        assert at is None or abs(at) < 1.1e10  # the year 2318
        assert minute(at) and (at is None or ago(at, 1.8e9))
    took = (snapshot.completed_at or 0.0) - (snapshot.created_at or 0.0)
    assert duration(took) and all(0 <= epoch.number <= 1e6 for epoch in snapshot.epochs)
    json.dumps([snapshot.parameters, snapshot.context, snapshot.result], allow_nan=False)
    if adapter := KINDS.get(snapshot.kind):
        adapter.figures(snapshot)
        adapter.chart(snapshot)


@pytest.mark.parametrize("name", GOOD)
async def test_control_characters_in_every_text_of_an_answer(name):
    kept = ("operation_id", "current_operation_id", "status", "operation_type", "worker_type", "symbol")

    def spoil(value: Any, field: str = "") -> Any:
        if isinstance(value, dict):
            return {
                inner + HOSTILE if field == "parameters" else inner: spoil(each, inner) for inner, each in value.items()
            }
        if isinstance(value, list):
            return [spoil(each, field) for each in value]
        return value + HOSTILE if isinstance(value, str) and field not in kept else value

    found = await everything(gateway(GOOD | {name: spoil(GOOD[name])}))
    assert improper(list(found.values())) == []
    detail = {"detail": {"message": HOSTILE, "details": {HOSTILE: HOSTILE}}}
    refused = httpx.Response(400, content=json.dumps(detail))
    assert improper(list((await everything(gateway(GOOD | {name: refused}))).values())) == []


@pytest.mark.parametrize(
    "poison",
    [
        SUMMARY | {"duration_seconds": 1e12},
        SUMMARY | {"created_at": "9999-12-31T23:59:59Z", "duration_seconds": 1e300},
        SUMMARY | {"operation_id": "../x"},
        SUMMARY | {"progress_percentage": 10**400},
        {"operation_id": None},
        None,
        7,
    ],
)
async def test_one_entry_of_a_list_never_costs_its_neighbours(poison):
    others = [SUMMARY | {"operation_id": "op_b"}, SUMMARY | {"operation_id": "op_c"}]
    ktrdr = gateway({"GET /operations": {"data": [others[0], poison, others[1]]}})
    found = await ktrdr.operations()
    assert {"op_b", "op_c"} <= {each.id for each in found}
    for snapshot in found:
        shown(snapshot)


async def test_an_epoch_that_cannot_be_is_left_out():
    poisoned = [epochs(3)[0], epochs(3)[1] | {"epoch": 1e30}, epochs(3)[2] | {"train_loss": 1e308}]
    data = operation("op_a", metrics={"epochs": [poisoned, 3]})
    snapshot = (await gateway({"GET /operations/op_a": {"data": data}}).operation("op_a")).snapshot
    assert [(epoch.number, epoch.train_loss) for epoch in snapshot.epochs] == [(0, 1.0), (2, None)]


@pytest.mark.parametrize("context", [{"a": 2**200}, None])
async def test_a_free_form_can_always_be_written_down(context):
    deep: Any = context
    for _ in range(900 if context is None else 0):
        deep = {"in": deep}
    data = operation("op_a", progress={"context": deep})
    reading = await gateway({"GET /operations/op_a": {"data": data}}).operation("op_a")
    assert reading.snapshot is not None and improper(reading) == []


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (httpx.Response(200, json={"data": {"remote_cancelled": True, "task_cancelled": False}}), CancelOutcome.TAKEN),
        (httpx.Response(200, json={"data": {"remote_cancelled": False, "task_cancelled": True}}), CancelOutcome.TAKEN),
        (httpx.Response(200, content=b"null"), CancelOutcome.TAKEN),
        (httpx.Response(200, json={"data": {"remote_cancelled": False}}), CancelOutcome.UNDELIVERED),
        (httpx.Response(404, json={"detail": "not found"}), CancelOutcome.UNKNOWN),
    ],
)
async def test_the_outcome_of_a_cancel(answer, outcome):
    assert await gateway({"DELETE /operations/op_a": answer}).cancel("op_a", "why") is outcome


async def test_a_cancel_that_is_refused_came_too_late_only_where_the_operation_has_ended():
    later = httpx.Response(400, json={"detail": "Worker is starting up, try later"})
    answers = {"DELETE /operations/op_a": later, "GET /operations/op_a": {"data": operation("op_a")}}
    with pytest.raises(APIError, match="starting up"):
        await gateway(answers).cancel("op_a", "why")
    with pytest.raises(APIError, match="starting up"):  # nor does an answer that says nothing
        await gateway(answers | {"GET /operations/op_a": httpx.Response(502)}).cancel("op_a", "why")
    ended = {"GET /operations/op_a": {"data": operation("op_a", status="completed")}}
    assert await gateway(answers | ended).cancel("op_a", "why") is CancelOutcome.FINISHED


async def test_a_cancel_that_fails_is_an_error():
    with pytest.raises(APIError):
        await gateway({"DELETE /operations/op_a": httpx.Response(500, json={"detail": "x"})}).cancel("op_a", "why")


NO_DATABASE = {
    "success": False,
    "error": {
        "code": "OPERATIONS-CancelError",
        "message": "Failed to cancel operation op_a",
        "details": {"operation_id": "op_a", "error": "[Errno 111] Connect call failed ('127.0.0.1', 5432)"},
    },
}  # as a KTRDR without its database answers


async def test_a_backend_without_its_database_does_not_say_that_an_operation_has_ended():
    """It answers 400, as it does for one that has ended."""
    with pytest.raises(APIError) as refused:
        down = httpx.Response(400, json=NO_DATABASE)
        await gateway({"DELETE /operations/op_a": down, "GET /operations/op_a": down}).cancel("op_a", "why")
    assert "Connect call failed" in refused.value.message


@pytest.mark.parametrize("answer", [None, {}, {"data": None}, {"data": {}}, [SUMMARY]])
async def test_no_list_of_loads_is_not_taken_for_an_empty_one(answer):
    with pytest.raises(APIError):
        await gateway({"GET /operations": answer}).active_loads()


@pytest.mark.parametrize("name", ["../x", "a/b", "", "a b", "op\n"])
async def test_an_id_that_leads_elsewhere_is_never_part_of_a_path(name):
    ktrdr = gateway({})
    assert (await ktrdr.operation(name)).error is not None and await ktrdr.checkpoint(name) is None
    with pytest.raises(ValueError, match="not an operation"):
        await ktrdr.cancel(name, "why")
