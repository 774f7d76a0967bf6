"""What a page says while a backend takes its time to answer a start. In virtual time."""

import asyncio

import pytest

from tests.support.lives import Life, living
from tests.support.loads import LOAD
from tests.support.pages import KEY, words
from tests.support.scripted import Backend, operation


def passes(life: Life, seconds: float) -> None:
    life.runner.run(asyncio.sleep(seconds))


def slow_load(backend: Backend, takes: float, name: str = "op_data_load_20261122_120000_00000001") -> None:
    """The backend lists the load at once, and answers its start so many seconds later."""

    async def start(_: object) -> tuple[int, dict]:
        backend.operations[name] = operation(name, "data_load")
        item = {"operation_id": name, "operation_type": "data_load", "status": "running", "symbol": "EURUSD"}
        backend.answers["GET /operations"] = 200, {"success": True, "data": [item]}
        await asyncio.sleep(takes)
        return 200, {"success": True, "operation_id": name, "status": "started"}

    backend.answers["POST /data/acquire/download"] = start


@pytest.mark.parametrize(("takes", "shown"), [(4.0, False), (20.0, True)])
def test_home_calls_a_start_unanswered_only_after_some_seconds(takes, shown):
    backend = Backend()
    slow_load(backend, takes)
    with living(backend) as life:
        passes(life, 15)
        life.open("home")
        life.post("/start/data_load", {"key": KEY, **LOAD}, 1, 0.1)
        for second in range(24):
            read = words(life.inside.get("/").text), life.streams["home"].get("lists", "")
            unanswered = ["Starts not confirmed" in text for text in read]
            if second < 4 or not shown or second > 22:
                assert unanswered == [False, False], second
            elif 8 < second < 18:
                assert unanswered == [True, True], second
            passes(life, 1)


def test_a_load_that_the_backend_lists_before_it_answers_was_not_started_elsewhere():
    backend = Backend()
    slow_load(backend, 12.0)
    with living(backend) as life:
        passes(life, 15)
        life.open("stored")
        life.post("/start/data_load", {"key": KEY, **LOAD}, 1, 0.1)
        seen = set()
        for _ in range(40):
            passes(life, 0.5)
            read = words(life.inside.get("/data").text)
            assert "started elsewhere" not in read and "started elsewhere" not in life.streams["stored"].get(
                "queue", ""
            )
            seen |= {each for each in ("is being started", "EURUSD 1h 0 %") if each in read}
            assert "Loads 2" not in read
        assert "EURUSD 1h 0 %" in seen
