"""Ends that the backend takes back, and answers that were a slip. In virtual time."""

import asyncio
import json
import time

import pytest

from tests.support.lives import Life, living
from tests.support.loads import LOAD, ends, started
from tests.support.pages import KEY
from tests.support.parts import panel_of
from tests.support.plays import UNCLAIMED
from tests.support.scripted import RESULT, Backend, operation, percent, stamp
from tests.support.workers import worker

UNKNOWN = 404, {"detail": "Operation not found"}


@pytest.fixture
def backend() -> Backend:
    return Backend()


def passes(life: Life, seconds: float) -> None:
    life.runner.run(asyncio.sleep(seconds))


def said(life: Life, operation_id: str) -> str:
    verdict = json.loads(life.inside.get(f"/api/operations/{operation_id}").text)["verdict"]
    return f"{verdict['word']}: {verdict['headline']}"


def listed(backend: Backend, operation_id: str, kind: str, status: str) -> None:
    entry = {"operation_id": operation_id, "operation_type": kind, "status": status, "created_at": stamp()}
    backend.answers["GET /operations"] = (200, {"success": True, "data": [entry]})


def test_one_answer_that_it_is_unknown_does_not_end_a_load_and_begin_the_next(backend):
    with living(backend) as life:
        passes(life, 15)
        for key, symbol in ((KEY, "EURUSD"), ("second" * 4, "GBPUSD")):
            life.inside.post("/start/data_load", {"key": key, **LOAD, "symbol": symbol})
        passes(life, 5)
        (name,) = backend.operations
        slips = [UNKNOWN]
        backend.answers[f"GET /operations/{name}"] = lambda request: (
            slips.pop() if slips else (200, {"success": True, "data": backend.operations[name]})
        )
        while slips:
            passes(life, 0.5)
        assert panel_of(life.app).monitor.connection.slow_since is None, "the backend answers"
        passes(life, 60)
        assert said(life, name).startswith("Running") and len(started(backend)) == 1
        ends(backend)
        passes(life, 60)
        assert [body["symbol"] for body in started(backend)] == ["EURUSD", "GBPUSD"]


def test_what_was_unknown_for_a_while_blocks_what_runs_alone_and_is_known_again(backend):
    with living(backend) as life:
        passes(life, 15)
        life.inside.post("/start/data_load", {"key": KEY, **LOAD})
        passes(life, 5)
        (name,) = backend.operations
        backend.answers[f"GET /operations/{name}"] = UNKNOWN
        passes(life, 30)
        assert said(life, name).startswith("Forgotten")
        listed(backend, name, "data_load", "running")
        life.inside.post("/start/data_load", {"key": "second" * 4, **LOAD, "symbol": "GBPUSD"})
        passes(life, 30)
        assert len(started(backend)) == 1, "the backend lists the first one as active"
        del backend.answers[f"GET /operations/{name}"]
        ends(backend)
        listed(backend, name, "data_load", "completed")
        passes(life, 30)
        assert not said(life, name).startswith("Forgotten") and len(started(backend)) == 2


@pytest.mark.parametrize(
    "end", [{"status": "completed"}, {"status": "failed", "error_message": UNCLAIMED}], ids=["completed", "failed"]
)
def test_a_training_marked_failed_whose_worker_goes_on_succeeds(backend, end):
    """Its worker came back late after the backend was restarted; the result comes a minute after the end."""
    known = {"created_at": stamp(time.time() - 300)}
    with living(backend) as life:
        backend.operations["op_a"] = operation("op_a", progress=percent(40, "Epoch 4/10"), **known)
        life.inside.get("/operations/op_a")
        passes(life, 10)
        backend.operations["op_a"] = operation("op_a", status="failed", error_message=UNCLAIMED, **known)
        passes(life, 20)
        assert said(life, "op_a").startswith("Failed")
        backend.workers = [worker("w1", "busy", "op_a")]
        passes(life, 30)
        assert said(life, "op_a").startswith("Working, unreported")
        backend.workers = [worker("w1")]
        passes(life, 60)
        backend.operations["op_a"] = operation("op_a", result_summary=RESULT, completed_at=stamp(), **end, **known)
        passes(life, 40)
        assert said(life, "op_a").startswith("Completed")


def test_a_failure_that_the_list_calls_completed_is_read_again(backend):
    with living(backend) as life:
        backend.operations["op_a"] = operation("op_a", status="failed", error_message="Out of memory")
        life.inside.get("/operations/op_a")
        passes(life, 20)
        assert said(life, "op_a").startswith("Failed")
        backend.operations["op_a"] = operation("op_a", status="completed", result_summary=RESULT, completed_at=stamp())
        listed(backend, "op_a", "training", "completed")
        passes(life, 20)
        assert said(life, "op_a").startswith("Completed")


@pytest.mark.parametrize("busy", [True, False])
def test_another_trainings_model_does_not_end_a_resumed_run(backend, busy):
    """`busy`: a worker still trains; else it has just turned free, and the other training is known to have ended."""
    with living(backend) as life:
        now = time.time()
        backend.operations["op_a"] = operation("op_a", status="resuming", created_at=stamp(now - 300))
        backend.workers = [worker("w1", "busy", "op_a", last_healthy_at=stamp(now))]
        state = {"checkpoint_type": "periodic", "state": {"epoch": 40}, "created_at": stamp(now)}
        backend.answers["GET /checkpoints/op_a"] = 200, {"success": True, "data": state}
        life.inside.get("/operations/op_a")
        passes(life, 60)
        assert said(life, "op_a").startswith("Working, unreported")
        model = {"model_id": "", "symbol": "EURUSD", "timeframe": "1h", "created_at": stamp(time.time())}
        ended = {"result_summary": RESULT, "completed_at": stamp(time.time())}
        backend.operations["op_b"] = operation("op_b", status="completed", created_at=stamp(now), **ended)
        life.inside.get("/operations/op_b")
        backend.answers["GET /models"] = 200, {"success": True, "models": [model]}
        backend.answers["GET /checkpoints/op_a"] = 404, {"detail": "No checkpoint"}
        if not busy:
            backend.workers = [worker("w1")]
        passes(life, 20)
        assert not said(life, "op_a").startswith("Completed")
        model = model | {"created_at": stamp(time.time())}
        backend.answers["GET /models"] = 200, {"success": True, "models": [model]}
        backend.workers = [worker("w1")]
        passes(life, 60)
        assert said(life, "op_a").startswith("Completed"), "its own"


@pytest.mark.parametrize("listed", [True, False])
def test_a_start_that_its_worker_began_and_the_backend_lost_is_not_said_never_to_have_begun(backend, listed):
    """Without its database KTRDR hands a training to a worker, and knows nothing of it when the database is back."""
    backend.answers["POST /trainings/start"] = 200, {"success": True, "task_id": "op_x", "status": "training_started"}
    backend.answers["GET /operations/op_x"] = 500, {"detail": "Failed to get operation status: Connect call failed"}
    with living(backend) as life:
        passes(life, 15)
        life.inside.post("/start/training", {"key": KEY, "strategy_name": "swing", "insist": "1"})
        backend.workers = [worker("w1", "busy", "op_x", last_healthy_at=stamp())] if listed else []
        passes(life, 30)
        backend.workers = [worker("w1")]
        backend.answers["GET /operations/op_x"] = UNKNOWN
        passes(life, 60)
        words = said(life, "op_x")
        assert words.startswith("Forgotten") and ("A worker began it, and it was lost" in words) is listed
        page = life.inside.get("/operations/op_x").text
        assert ("It probably never began" in page) is not listed
        assert ("A worker was listed as busy with it at" in page) is listed
        assert "<dt>Ended</dt>" not in page, "when is not known"
        assert json.loads(life.inside.get("/api/operations/op_x").text)["ended_at"] is None
