"""A worker that is killed and started again at once: its run is dead, and never ends by itself. In virtual time."""

import asyncio
import json
import time
from typing import Any

from tests.support.lives import Life, living
from tests.support.pages import words
from tests.support.scripted import Backend, corrupt, operation, percent, stamp
from tests.support.workers import worker

BEFORE, AFTER = "training-worker-766683e7", "training-worker-f3868013"


def passes(life: Life, seconds: float) -> None:
    life.runner.run(asyncio.sleep(seconds))


def training(created: float, **changes: Any) -> dict[str, Any]:
    made = operation("op_a", created_at=stamp(created), started_at=stamp(created), **changes)
    made["metadata"]["parameters"]["worker_id"] = BEFORE
    return made


def at_work(backend: Backend, name: str) -> None:
    backend.workers = [worker(name, "busy", "op_a", last_healthy_at=stamp())]


def test_a_run_whose_worker_was_restarted_is_dead_and_wants_somebody():
    backend = Backend()
    with living(backend) as life:
        began = time.time()
        life.open("line")
        at_work(backend, BEFORE)
        for epoch in range(20):
            step = percent(epoch * 5.0, f"Epoch {epoch}/600", steps_completed=epoch, steps_total=600)
            backend.operations["op_a"] = training(began, progress=step, metrics={"epochs": corrupt(epoch)})
            life.inside.get("/operations/op_a")
            passes(life, 1)
        reached = json.loads(life.inside.get("/api/operations/op_a").text)["percentage"]
        # The new process knows the run from the database, and the backend has the history that it had.
        still = {"progress": percent(0.0, steps_total=600), "metrics": {"epochs": corrupt(19)}}
        backend.operations["op_a"] = training(began, **still)
        state = {"checkpoint_type": "periodic", "state": {"epoch": 9}, "created_at": stamp()}
        backend.answers["GET /checkpoints/op_a"] = 200, {"success": True, "data": state}
        at_work(backend, AFTER)
        passes(life, 11)
        for _ in range(20):
            at_work(backend, AFTER)
            said = json.loads(life.inside.get("/api/operations/op_a").text)
            assert (said["verdict"]["word"], said["verdict"]["state"], said["live"]) == (
                "Worker restarted",
                "lost",
                True,
            )
            assert said["percentage"] == reached > 50, "how far it was stays known"
            passes(life, 20)
        page = words(life.inside.get("/operations/op_a").text)
        assert "Cancel it, then resume it from its checkpoint" in page and "would not reach" not in page
        assert "1 needs a look" in str(life.streams["line"]), "every open page is told"
        for at in ("/", "/strategies"):
            page = words(life.inside.get(at).text)
            assert "1 needs a look" in page and "Worker restarted" in page and "All well" not in page
        life.inside.post("/operations/op_a/cancel", {})
        backend.workers = [worker(AFTER, last_healthy_at=stamp())]
        passes(life, 30)
        assert json.loads(life.inside.get("/api/operations/op_a").text)["verdict"]["word"] == "Cancelled"


def test_a_run_whose_backend_was_restarted_goes_on():
    """The worker comes back by its own id."""
    backend = Backend()
    with living(backend) as life:
        began = time.time()
        at_work(backend, BEFORE)
        for epoch in range(20):
            step = percent(epoch * 5.0, f"Epoch {epoch}/600", steps_completed=epoch, steps_total=600)
            backend.operations["op_a"] = training(began, progress=step, metrics={"epochs": corrupt(epoch)})
            life.inside.get("/operations/op_a")
            passes(life, 1)
        backend.operations["op_a"] = training(began, progress=percent(0.0))
        backend.workers = []
        passes(life, 25)
        said = []
        for epoch in range(30, 90, 10):
            at_work(backend, BEFORE)
            state = {"checkpoint_type": "periodic", "state": {"epoch": epoch - 1}, "created_at": stamp()}
            backend.answers["GET /checkpoints/op_a"] = 200, {"success": True, "data": state}
            passes(life, 15)
            said.append(json.loads(life.inside.get("/api/operations/op_a").text)["verdict"]["word"])
        assert set(said) <= {"Running", "Working, unreported"} and said[-1] == "Working, unreported"
