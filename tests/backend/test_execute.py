"""The client contract: execute_operation from the start to every end, over a real socket."""

import asyncio

import pytest
from starlette.responses import JSONResponse

from panel.adapters import DummyOperationAdapter, TrainingOperationAdapter
from panel.client import AsyncCLIClient
from panel.errors import APIError, CLIClientError
from tests.support.scripted import RESULT, Backend, operation, percent

pytestmark = pytest.mark.anyio


async def test_a_training_from_start_to_end(backend: Backend, address):

    def plays(reading):
        if reading < 3:
            return operation("op_a", progress=percent(reading * 30.7, f"Epoch {reading}/3"))
        return operation("op_a", status="completed", progress=percent(100.0), result_summary=RESULT)

    backend.operations["op_a"] = plays
    backend.answers["POST /trainings/start"] = (200, {"success": True, "task_id": "op_a"})
    reported = []
    async with AsyncCLIClient(address) as cli:
        adapter = TrainingOperationAdapter("swing")
        result = await cli.execute_operation(
            adapter, on_progress=lambda p, m: reported.append((p, m)), poll_interval=0.01
        )
    assert result["status"] == "completed"
    assert result["operation_id"] == "op_a"
    assert result["result_summary"]["test_metrics"]["test_accuracy"] == 0.872
    assert reported == [(30, "Epoch 1/3"), (61, "Epoch 2/3"), (100, "Completed")]
    assert all(isinstance(p, int) for p, _ in reported)


@pytest.mark.parametrize("status", ["failed", "cancelled"])
async def test_an_operation_that_fails_is_a_result(backend, address, status):

    backend.operations["op_a"] = operation("op_a", status=status, error_message="No data found in cache for X 1h")
    backend.answers["POST /dummy/start"] = (200, {"success": True, "data": {"operation_id": "op_a"}})
    async with AsyncCLIClient(address) as cli:
        result = await cli.execute_operation(DummyOperationAdapter(), poll_interval=0.01)
    assert (result["status"], result["error_message"]) == (status, "No data found in cache for X 1h")


async def test_a_start_that_fails_raises(backend, address):
    backend.answers["POST /trainings/start"] = (400, {"detail": "Strategy file not found: nope.yaml"})
    async with AsyncCLIClient(address) as cli:
        with pytest.raises(CLIClientError) as caught:
            await cli.execute_operation(TrainingOperationAdapter("nope"))
    assert (caught.value.message, caught.value.status_code) == ("Strategy file not found: nope.yaml", 400)
    assert not any(hit.startswith("GET /operations") for hit in backend.hits)


async def test_unknown_statuses_and_failed_readings_are_not_an_end(backend, address):

    plays = [
        operation("op_a", status="paused"),
        JSONResponse({"detail": "oh"}, 500),
        operation("op_a", status=None),
        *[operation("op_a", status="resuming")] * 12,
        operation("op_a", status="completed"),
    ]

    def answer(request):
        play = plays.pop(0)
        return play if isinstance(play, JSONResponse) else (200, {"success": True, "data": play})

    backend.answers["GET /operations/op_a"] = answer
    backend.answers["POST /dummy/start"] = (200, {"success": True, "data": {"operation_id": "op_a"}})
    async with AsyncCLIClient(address, max_retries=0) as cli:
        result = await cli.execute_operation(DummyOperationAdapter(), poll_interval=0.001)
    assert result["status"] == "completed"


async def test_a_forgotten_operation_is_an_error_not_an_end(backend, address):
    backend.answers["POST /dummy/start"] = (200, {"success": True, "data": {"operation_id": "op_gone"}})
    async with AsyncCLIClient(address) as cli:
        with pytest.raises(APIError, match="no longer knows"):
            await cli.execute_operation(DummyOperationAdapter(), poll_interval=0.001)


async def test_cancelling_the_awaiting_task_sends_one_delete(backend, address):
    observation = asyncio.Event()
    async with AsyncCLIClient(address) as cli:
        work = asyncio.create_task(
            cli.execute_operation(TrainingOperationAdapter("swing"), lambda *_: observation.set(), 0.01)
        )
        await observation.wait()
        work.cancel()
        result = await work
    operation_id = next(iter(backend.operations))
    assert result == {"status": "cancelled", "operation_id": operation_id}
    assert backend.hits[f"DELETE /operations/{operation_id}"] == 1


async def test_cancelling_during_the_start_waits_for_the_id_and_deletes_it(backend, address):
    arrived, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    async def slow(request):
        loop.call_soon_threadsafe(arrived.set)
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(go_on.wait(), loop))

        backend.operations["op_late"] = operation("op_late")
        return 200, {"success": True, "task_id": "op_late"}

    backend.answers["POST /trainings/start"] = slow
    async with AsyncCLIClient(address) as cli:
        work = asyncio.create_task(cli.execute_operation(TrainingOperationAdapter("swing")))
        await arrived.wait()
        work.cancel()
        await asyncio.sleep(0)
        go_on.set()
        assert await work == {"status": "cancelled", "operation_id": "op_late"}
    assert backend.hits["DELETE /operations/op_late"] == 1


async def test_a_cancel_that_is_not_delivered_is_reported(backend, address):
    observation = asyncio.Event()
    reported = {"success": True, "task_cancelled": False, "remote_cancelled": False, "children_cancelled": []}
    backend.answers["POST /trainings/start"] = (200, {"success": True, "task_id": "op_a"})

    backend.operations["op_a"] = operation("op_a", status="resuming")
    backend.answers["DELETE /operations/op_a"] = (200, {"success": True, "data": reported})
    async with AsyncCLIClient(address) as cli:
        work = asyncio.create_task(
            cli.execute_operation(TrainingOperationAdapter("swing"), lambda *_: observation.set(), 0.01)
        )
        await observation.wait()
        work.cancel()
        result = await work
    assert "did not deliver the cancel" in result["note"]


async def test_a_load_marked_failed_too_early_is_followed_to_its_end(backend, address):

    doubtful = "Operation was RUNNING but no worker claimed it"
    backend.answers["POST /dummy/start"] = (200, {"success": True, "data": {"operation_id": "op_a"}})

    def plays(reading):
        if reading < 4:
            return operation("op_a", "dummy", "failed", error_message=doubtful, progress=percent(reading * 20.0))
        return operation("op_a", "dummy", "completed", error_message=doubtful)

    backend.operations["op_a"] = plays
    async with AsyncCLIClient(address) as cli:
        result = await cli.execute_operation(DummyOperationAdapter(), poll_interval=0.001)
    assert result["status"] == "completed"
