"""A backend that says of an operation, for a moment, that there is none: no reason to call it forgotten."""

import asyncio

from panel.domain.state import State
from tests.support.lives import living
from tests.support.parts import panel_of
from tests.support.scripted import RESULT, Backend, operation, percent, stamp

PATH = "GET /operations/op_a"


def test_one_answer_that_it_does_not_exist_is_a_slip_and_many_are_not():
    backend = Backend()
    backend.operations["op_a"] = running = operation("op_a", progress=percent(10, "Epoch 1/10"))
    unknown = 404, {"detail": "Operation not found: op_a"}

    def once(_):
        del backend.answers[PATH]
        return unknown

    with living(backend) as life:
        panel = panel_of(life.app)

        def states(seconds: float) -> list[str]:
            life.runner.run(asyncio.sleep(seconds))
            return [reading.state for reading in panel.storage.memory.readings("op_a")]

        life.inside.get("/operations/op_a")
        life.runner.run(asyncio.sleep(10))
        for _ in range(2):  # each time it is known in between
            backend.answers[PATH] = once
            assert State.FORGOTTEN not in states(12)
        backend.operations["op_a"] = running | {"status": "completed", "result_summary": RESULT}
        backend.operations["op_a"]["completed_at"] = stamp()
        assert states(12)[-1] == State.COMPLETED, "it was still followed"

        backend.operations["op_b"] = operation("op_b", progress=percent(10, "Epoch 1/10"))
        life.inside.get("/operations/op_b")
        life.runner.run(asyncio.sleep(10))
        del backend.operations["op_b"]
        life.runner.run(asyncio.sleep(30))
        assert panel.monitor.known("op_b").forgotten
