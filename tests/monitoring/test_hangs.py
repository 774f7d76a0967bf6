"""A worker that hangs and wakes: the time that it lost is no pace. In virtual time."""

import asyncio
import re
import time

from tests.support.lives import Life, living
from tests.support.pages import words
from tests.support.scripted import Backend, operation, percent, stamp
from tests.support.workers import worker


def trains(life: Life, backend: Backend, since: float, done: float, seconds: int) -> float:
    """Half a per cent a second; returns how far it is."""
    backend.workers = [worker("w1", "busy", "op_a", last_healthy_at=stamp())]
    for _ in range(seconds):
        done += 0.5
        step = percent(done, f"Epoch {int(done * 6)}/600")
        backend.operations["op_a"] = operation("op_a", created_at=stamp(since), progress=step)
        life.inside.get("/operations/op_a")
        life.runner.run(asyncio.sleep(1))
    return done


def left(life: Life) -> tuple[str, ...]:
    """From and to, in minutes."""
    found = re.search(r"(\d+)–(\d+) min left", words(life.inside.get("/operations/op_a").text))
    assert found is not None
    return found.groups()


def least(life: Life) -> int:
    return int(left(life)[0])


def most(life: Life) -> int:
    return int(left(life)[1])


def test_an_estimate_after_a_hang_is_that_of_the_pace_before_and_since():
    backend = Backend()
    with living(backend) as life:
        since = time.time()
        life.open("operation/op_a")
        done = trains(life, backend, since, 0.0, 30)
        assert 1 <= least(life) <= 3 <= most(life) <= 4, "three minutes"
        backend.answers["GET /operations/op_a"] = 504, {"detail": "Timeout"}
        backend.workers = [worker("w1", "temporarily_unavailable", "op_a", last_healthy_at=stamp())]
        life.runner.run(asyncio.sleep(140))
        assert "min left" not in words(life.inside.get("/operations/op_a").text)
        del backend.answers["GET /operations/op_a"]
        trains(life, backend, since, done, 30)
        assert 1 <= least(life) <= 2 <= most(life) <= 3, "two minutes and a half"
