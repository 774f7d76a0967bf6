"""One contract, two backends: what holds for the scripted one holds for the embedded one, for every kind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from panel.adapters import KINDS, DummyOperationAdapter, Field, OperationAdapter
from panel.backend.connect import connect
from panel.backend.entities import snapshot_of
from panel.backend.ktrdr import Ktrdr
from panel.backend.polling import execute_operation
from panel.client import AsyncCLIClient
from panel.domain.snapshot import ID, Snapshot
from panel.errors import APIError, CLIClientError, InvalidForm
from panel.settings import Settings
from tests.support.scripted import Backend, operation, served
from tests.support.small_strategy import STRATEGY

pytestmark = pytest.mark.anyio

# What somebody would type to start each kind; a new kind adds a line.
TYPED = {
    "training": {"strategy_name": "swing"},
    "data_load": {"symbol": "eurusd", "timeframe": "1d", "mode": "tail"},
    "backtesting": {
        "strategy_name": "swing",
        "start_date": "2024-01-01",
        "end_date": "2024-06-30",
        "model_path": "models/swing/1h_v1",
    },
    "dummy": {},
    "agent_research": {"brief": "A calm strategy for EURUSD."},
}


@pytest.fixture(params=["scripted", "embedded"])
async def client(request, tmp_path) -> AsyncIterator[AsyncCLIClient]:
    async with chosen(request.param, tmp_path) as client:
        yield client


@asynccontextmanager
async def chosen(which: str, folder: Any) -> AsyncIterator[AsyncCLIClient]:
    if which == "scripted":
        backend = Backend()
        backend.agent = {"status": "idle"}
        with served(backend.app) as address:
            async with AsyncCLIClient(address + "/api/v1") as client:
                yield client
        return
    strategies = folder / "embedded" / "strategies"
    strategies.mkdir(parents=True)
    (strategies / "swing.yaml").write_text(STRATEGY.format(name="swing", epochs=3))
    async with connect(Settings.from_environ({}, data_folder=folder)) as client:
        yield client


def test_every_kind_is_tried_here():
    assert set(TYPED) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_describes_itself(kind):
    adapter = KINDS[kind]
    assert issubclass(adapter, OperationAdapter) and adapter.kind == kind
    assert adapter.title and adapter.action and adapter.summary.endswith(".")
    assert adapter.command.isidentifier()
    assert all(isinstance(field, Field) and field.label for field in adapter.fields)
    made = adapter.from_form(TYPED[kind])
    assert made.get_start_endpoint().startswith("/")
    payload = made.get_start_payload()
    assert all(value not in (None, "", [], ()) for value in payload.values()), "what was not chosen is left out"
    assert adapter.takes_id is ("task_id" in vars(made))


@pytest.mark.parametrize("kind", KINDS)
async def test_a_kind_is_started_read_listed_and_cancelled(client, kind):
    adapter = KINDS[kind].from_form(TYPED[kind])
    if adapter.offered_at and not await Ktrdr(client).has(adapter.offered_at):
        with pytest.raises(CLIClientError, match="nothing of this kind") as caught:
            await Ktrdr(client).start(adapter)
        assert caught.value.refused
        return
    response = await client.post(adapter.get_start_endpoint(), json=adapter.get_start_payload())
    operation_id = adapter.parse_start_response(response)
    assert ID.fullmatch(operation_id)
    reading = await Ktrdr(client).operation(operation_id)
    assert reading.snapshot is not None and (reading.snapshot.kind, reading.snapshot.id) == (kind, operation_id)
    try:
        reported = await client.delete(f"/operations/{operation_id}")
    except APIError as exc:  # it was quicker than the cancel
        assert exc.status_code == 400 and "cannot be cancelled" in exc.message
    else:
        assert reported["success"] is True and reported["data"]["operation_id"] == operation_id
        assert {"status", "task_cancelled", "remote_cancelled"} <= reported["data"].keys()
    await ended(client, operation_id)


async def ended(client: AsyncCLIClient, operation_id: str) -> Snapshot:
    """Its last reading: a process that has only just begun hears of a cancel a moment later."""
    for _ in range(1200):
        reading = await Ktrdr(client).operation(operation_id)
        if reading.snapshot is not None and reading.snapshot.finished:
            return reading.snapshot
        await asyncio.sleep(0.05)
    raise AssertionError(f"no end: {reading}")


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("get", "/operations/op_nope", 404, "Operation not found: op_nope"),
        ("delete", "/operations/op_nope", 404, "Operation not found: op_nope"),
        ("get", "/nothing", 404, "Not Found"),
    ],
)
async def test_errors_are_readable(client, method, path, status, words):
    with pytest.raises(CLIClientError) as caught:
        await getattr(client, method)(path)
    assert (caught.value.status_code, caught.value.message) == (status, words)


async def test_the_lists_have_their_shapes(client):
    assert (await client.health_check()) is True
    listed = await client.get("/operations", params={"limit": 5})
    assert {"success", "data", "total_count", "active_count"} <= listed.keys()
    assert isinstance(await client.get("/workers"), list)
    strategies = (await client.get("/strategies/"))["strategies"]
    assert "swing" in [strategy["name"] for strategy in strategies]
    checked = await client.post("/strategies/validate/swing")
    assert checked["valid"] is True and checked["issues"] == []
    assert (await client.get("/strategies/swing/features"))["count"] > 0


async def test_execute_operation_on_the_embedded_backend(tmp_path):
    """Load, then train: the result and the progress as every script gets them."""
    reported: list[tuple[int, str]] = []
    async with chosen("embedded", tmp_path) as client:
        missing = await execute_operation(client, KINDS["training"].from_form(TYPED["training"]), poll_interval=0.05)
        assert missing["status"] == "failed" and "No data found" in missing["error_message"]
        loading = KINDS["data_load"].from_form(TYPED["data_load"] | {"timeframe": "1h", "start_date": "2026-01-01"})
        assert (await execute_operation(client, loading, poll_interval=0.05))["status"] == "completed"
        result = await execute_operation(
            client,
            KINDS["training"].from_form(TYPED["training"]),
            on_progress=lambda percentage, message: reported.append((percentage, message)),
            poll_interval=0.02,
        )
    assert result["status"] == "completed" and result["result_summary"]["test_metrics"]["test_accuracy"] > 0
    assert reported[-1] == (100, "Completed") and all(percentage < 100 for percentage, _ in reported[:-1])
    assert [percentage for percentage, _ in reported] == sorted(percentage for percentage, _ in reported)


async def test_cancelling_the_awaiting_task_on_the_embedded_backend(tmp_path):
    async with chosen("embedded", tmp_path) as client:
        work = asyncio.create_task(execute_operation(client, DummyOperationAdapter(), poll_interval=0.05))
        await asyncio.sleep(0.5)
        work.cancel()
        result = await work
        assert result["status"] == "cancelled"
        assert (await ended(client, result["operation_id"])).status == "cancelled"


@pytest.mark.parametrize(
    "response",
    [{"operation_id": "op_x"}, {"task_id": "op_x"}, {"success": True, "data": {"operation_id": "op_x"}, "error": None}],
)
@pytest.mark.parametrize("kind", KINDS)
def test_an_id_is_found_in_all_three_places(kind, response):
    assert KINDS[kind].from_form(TYPED[kind]).parse_start_response(response) == "op_x"


@pytest.mark.parametrize(
    "response", [{}, {"task_id": 7}, {"operation_id": "../x"}, {"data": ["op_x"]}, {"task_id": ""}]
)
def test_no_usable_id_is_an_error_that_says_so(response):
    with pytest.raises(APIError, match="named no operation"):
        DummyOperationAdapter().parse_start_response(response)


@pytest.mark.parametrize(
    ("kind", "typed", "field", "words"),
    [
        ("training", {"strategy_name": ""}, "strategy_name", "needed"),
        ("training", {"start_date": "soon"}, "start_date", "not a date"),
        ("training", {"start_date": "2199-01-01"}, "start_date", "future"),
        ("training", {"start_date": "2024-02-01", "end_date": "2024-01-01"}, "end_date", "after the start, 2024-02-01"),
        ("training", {"symbols": "EURUSD, ../x"}, "symbols", "“../x” is not a symbol"),
        ("training", {"timeframes": "1h 7x"}, "timeframes", "“7x” is not a timeframe"),
        ("data_load", {"symbol": ""}, "symbol", "needed"),
        ("data_load", {"symbol": "../x"}, "symbol", "not a symbol"),
        ("data_load", {"mode": "local"}, "mode", "Choose one of tail"),
        ("data_load", {"end_date": "2024-13-45"}, "end_date", "not a date"),
        ("backtesting", {"model_path": ""}, "model_path", "needed"),
        ("backtesting", {"initial_capital": "lots"}, "initial_capital", "not an amount"),
    ],
)
def test_what_cannot_be_sent_says_so_beside_its_field(kind, typed, field, words):
    with pytest.raises(InvalidForm) as caught:
        KINDS[kind].from_form(TYPED[kind] | typed)
    assert set(caught.value.errors) == {field} and words in caught.value.errors[field]


def test_what_is_typed_is_tidied():
    made = KINDS["training"].from_form({"strategy_name": " swing ", "symbols": "eurusd; AAPL", "timeframes": "1h 4h"})
    assert made.get_start_payload() == {
        "strategy_name": "swing",
        "symbols": ["EURUSD", "AAPL"],
        "timeframes": ["1h", "4h"],
        "detailed_analytics": False,
    }


def test_a_snapshot_of_every_kind_has_a_name():
    for kind, adapter in KINDS.items():
        assert adapter.name(snapshot_of(operation("op_x", kind), 0.0))
