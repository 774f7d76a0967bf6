"""An exception that nobody thought of, in the middle of any request: each part of the panel goes on, and no end is lost."""

import asyncio

import pytest

from tests.support.lives import living
from tests.support.pages import words
from tests.support.scripted import RESULT, Backend, operation, percent, stamp


@pytest.mark.parametrize("path", ["/operations", "/workers", "/operations/op_a", ""])
def test_an_end_is_known_after_any_exception(path):
    backend = Backend()
    backend.operations["op_a"] = running = operation("op_a", progress=percent(50, "Epoch 5/10"))
    backend.workers = [{"worker_id": "w", "worker_type": "training", "status": "busy", "current_operation_id": "op_a"}]
    with living(backend) as life:
        life.inside.get("/operations/op_a")
        life.open("home")
        life.line.faults.add("strange", "GET", path, times=None)
        life.runner.run(asyncio.sleep(30))
        assert life.line.faults.happened["strange"] > 2, "it is tried again, and not at once"
        assert life.line.faults.happened["strange"] < 120
        assert life.inside.get("/").status == 200
        life.line.faults.clear()
        backend.operations["op_a"] = running | {"status": "completed", "result_summary": RESULT}
        backend.operations["op_a"]["completed_at"] = stamp()
        backend.workers = []
        life.runner.run(asyncio.sleep(20))
        assert "row-op_a" in life.streams["home"]["lists"]
        assert "Completed" in words(life.inside.get("/operations/op_a").text)
        backend.operations["op_b"] = operation("op_b")
        backend.workers = [
            {"worker_id": "w", "worker_type": "training", "status": "busy", "current_operation_id": "op_b"}
        ]
        life.runner.run(asyncio.sleep(30))
        assert "card-op_b" in life.streams["home"]["lists"], "what begins elsewhere is still found"
