"""The machine's clock is set back or on while the panel runs: the queue goes on, and no start is sent twice."""

import asyncio
import time

import pytest

from panel.domain.queueing import SETTLED
from panel.domain.requests import StartState
from panel.storage.store import IN_FLIGHT
from tests.support.lives import Life, living
from tests.support.pages import words
from tests.support.parts import panel_of
from tests.support.scripted import Backend, operation, stamp
from tests.support.virtual import clock_set, virtual_time
from tests.support.workers import worker

YEARS = 3 * 365 * 86_400.0


def with_one_worker() -> Backend:
    backend = Backend()

    def workers(_):
        running = [name for name, each in backend.operations.items() if each["status"] == "running"]
        return 200, [worker("w1", "busy", running[0]) if running else worker("w1")]

    backend.answers["GET /workers"] = workers
    return backend


def train(life: Life, strategy: str) -> None:
    form = {"key": strategy.ljust(16, "x"), "strategy_name": strategy, "insist": "1", "wait": "1"}
    life.inside.post("/start/training", form)


def trained(backend: Backend) -> list[str]:
    return [body["strategy_name"] for hit, body in backend.bodies if hit == "POST /trainings/start"]


def ends(backend: Backend) -> None:
    for name in backend.operations:
        backend.operations[name] = operation(name, status="completed", completed_at=stamp())


@pytest.mark.parametrize("seconds", [-600.0, -YEARS])
def test_a_training_of_before_the_clock_was_set_back_holds_no_worker(seconds):
    backend = with_one_worker()
    with living(backend) as life:
        life.runner.run(asyncio.sleep(15))
        train(life, "swing")
        life.runner.run(asyncio.sleep(5))
        ends(backend)
        life.runner.run(asyncio.sleep(15))
        with clock_set(seconds):
            life.runner.run(asyncio.sleep(15))
            train(life, "second")
            life.runner.run(asyncio.sleep(30))
            assert trained(backend) == ["swing", "second"], words(life.inside.get("/queue").text)


@pytest.mark.parametrize("seconds", [-2.0, -15.0, -600.0])
def test_after_the_clock_was_set_back_no_second_training_is_sent_to_a_worker_that_has_one(seconds):
    """The list of workers, and the start, are of before."""
    backend = with_one_worker()
    with living(backend) as life:
        life.runner.run(asyncio.sleep(15))
        with clock_set(seconds):
            train(life, "swing")
            train(life, "second")
            life.runner.run(asyncio.sleep(60))
            assert trained(backend) == ["swing"]
            ends(backend)
            life.runner.run(asyncio.sleep(30))
            assert trained(backend) == ["swing", "second"]


def test_a_backend_that_fell_silent_while_the_clock_was_ahead_is_not_answering_for_years():
    backend = with_one_worker()
    with living(backend) as life:
        with clock_set(YEARS):
            life.runner.run(asyncio.sleep(30))
            life.line.faults.add("refused", times=None)
        life.runner.run(asyncio.sleep(60))
        workers = panel_of(life.app).monitor.worker_list
        assert not workers.fresh(time.time()) and not workers.answering(time.time())


@pytest.mark.parametrize(("sent", "ahead"), [(0.0, True), (30.0, True), (600.0, False), (YEARS, False)])
def test_a_load_without_an_answer_is_about_to_run_for_a_minute_by_any_clock(store, sent, ahead):
    with virtual_time():
        with clock_set(sent):
            store.claim("k" * 20, "data_load", {"symbol": "EURUSD"}, None)
            store.claim("t" * 20, "training", {"strategy_name": "swing"}, "op_t")
            store.settle("t" * 20, StartState.STARTED)
        now = time.time()
        assert bool(store.possibly_running_loads(now)) is ahead
        assert store.sent_since("training", now) == int(ahead)
        assert store.sent_since("training", now + sent + IN_FLIGHT + SETTLED) == 0
