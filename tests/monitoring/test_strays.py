"""A training that is called cancelled and that its worker finishes all the same. In virtual time."""

import asyncio
import json
import time
from typing import Any

import pytest

from tests.support.lives import Life, living
from tests.support.pages import words
from tests.support.scripted import Backend, operation, percent, stamp
from tests.support.workers import worker


def passes(life: Life, seconds: float) -> None:
    life.runner.run(asyncio.sleep(seconds))


def told(life: Life) -> dict[str, Any]:
    return json.loads(life.inside.get("/api/operations/op_a").text)


def at_work(backend: Backend, epoch: int) -> None:
    backend.workers = [worker("w1", "busy", "op_a", last_healthy_at=stamp())]
    state = {"checkpoint_type": "periodic", "state": {"epoch": epoch - 1}, "created_at": stamp()}
    backend.answers["GET /checkpoints/op_a"] = 200, {"success": True, "data": state}


def cancelled_without_effect(life: Life, backend: Backend) -> None:
    """A resumed run of 600 epochs is cancelled; KTRDR does not tell its worker, which goes on to epoch 400."""
    known = {"created_at": stamp(time.time())}
    backend.operations["op_a"] = operation("op_a", progress=percent(8.0, "Epoch 51/600", steps_total=600), **known)
    life.inside.get("/operations/op_a")
    passes(life, 10)
    backend.operations["op_a"] = operation("op_a", status="resuming", **known)
    at_work(backend, 181)
    passes(life, 60)
    at = stamp()
    gone = operation("op_a", status="cancelled", error_message="Cancelled from the panel", completed_at=at, **known)
    answer = {"success": True, "operation_id": "op_a", "status": "cancelled", "task_cancelled": False}

    def takes_it(_: Any) -> tuple[int, dict[str, Any]]:
        backend.operations["op_a"] = gone
        return 200, {"success": True, "data": answer | {"remote_cancelled": False, "children_cancelled": []}}

    backend.answers["DELETE /operations/op_a"] = takes_it
    life.inside.post("/operations/op_a/cancel", {})
    for epoch in (200, 300, 400):
        at_work(backend, epoch)
        passes(life, 20)
    assert told(life)["verdict"]["word"] == "Cancelled, still worked on"


def test_its_model_is_its_end():
    backend = Backend()
    with living(backend) as life:
        cancelled_without_effect(life, backend)
        assert told(life)["steps_completed"] == 400, "by its checkpoint"
        backend.workers = [worker("w1", last_healthy_at=stamp())]
        backend.answers["GET /checkpoints/op_a"] = 404, {"detail": "No checkpoint"}
        model = {"model_id": "", "symbol": "EURUSD", "timeframe": "1h", "created_at": stamp(time.time())}
        backend.answers["GET /models"] = 200, {"success": True, "models": [model]}
        passes(life, 30)
        said = told(life)
        assert (said["verdict"]["word"], said["verdict"]["state"], said["percentage"]) == (
            "Completed",
            "completed",
            100.0,
        )
        assert "finished it all the same: its model was saved at" in said["verdict"]["headline"]
        assert "The backend still calls it cancelled." in said["verdict"]["evidence"]
        assert "op_a" in life.inside.get("/models").text, "the model is known to be of this training"
        passes(life, 120)
        assert told(life)["verdict"]["state"] == "completed"


@pytest.mark.parametrize("left", [True, False], ids=["with its checkpoint", "without"])
def test_without_a_model_it_stays_cancelled(left):
    """The worker was killed."""
    backend = Backend()
    with living(backend) as life:
        cancelled_without_effect(life, backend)
        backend.workers = [worker("w1", last_healthy_at=stamp())]
        if not left:
            backend.answers["GET /checkpoints/op_a"] = 404, {"detail": "No checkpoint"}
        older = {"model_id": "", "symbol": "EURUSD", "timeframe": "1h", "created_at": stamp(time.time() - 900)}
        backend.answers["GET /models"] = 200, {"success": True, "models": [older]}
        passes(life, 60)
        assert told(life)["verdict"]["word"] == "Cancelled"
        asked = backend.hits["GET /checkpoints/op_a"], backend.hits["GET /models"]
        passes(life, 120)
        assert (backend.hits["GET /checkpoints/op_a"], backend.hits["GET /models"]) == asked, "it is not asked for ever"
        assert "finished it all the same" not in words(life.inside.get("/operations/op_a").text)
