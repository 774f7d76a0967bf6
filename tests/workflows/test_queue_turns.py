"""Whose turn it is to load, where that depends on what is not in the queue: another process, or what may still arrive."""

import asyncio

from panel.storage.process_lock import process_lock
from tests.support.lives import living
from tests.support.loads import LOAD, started
from tests.support.pages import KEY
from tests.support.parts import panel_of
from tests.support.scripted import Backend


def test_no_load_is_sent_while_another_process_is_about_to_send_one():
    backend = Backend()
    with living(backend) as life:
        life.runner.run(asyncio.sleep(5))
        with process_lock(life.inside.settings.memory_file):
            life.post("/start/data_load", {"key": KEY, **LOAD}, 1, 60.0)
            sent = len(started(backend))
        life.runner.run(asyncio.sleep(5))
        assert (sent, len(started(backend))) == (0, 1)


def test_a_load_that_was_sent_without_an_answer_may_arrive_for_a_minute():
    """Also when a person has put it aside: no second one beside it until then."""
    backend = Backend()
    backend.answers["POST /data/acquire/download"] = (500, {"detail": "lost"})
    with living(backend) as life:
        life.runner.run(asyncio.sleep(5))
        life.post("/start/data_load", {"key": KEY, **LOAD}, 1, 10.0)
        life.runner.run(panel_of(life.app).queue.cancel(KEY))
        del backend.answers["POST /data/acquire/download"]
        life.post("/start/data_load", {"key": "second" * 4, **LOAD, "symbol": "GBPUSD"}, 1, 40.0)
        sent = len(started(backend))
        life.runner.run(asyncio.sleep(30))
        assert (sent, len(started(backend))) == (1, 2)
