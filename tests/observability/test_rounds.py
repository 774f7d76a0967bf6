"""While nothing is to be done the process sleeps: its loops have their rounds together, and some have none."""

import asyncio
import time
from datetime import UTC
from email.utils import parsedate_to_datetime

import pytest
import uvicorn
from sse_starlette.sse import AppStatus

from panel.app import _kept
from panel.cli.server import Server
from panel.observability.rounds import pause, until_set
from panel.settings import Settings
from tests.support.lasting import Lasting
from tests.support.lives import Life
from tests.support.virtual import virtual_time
from tests.support.wires import Line


def test_an_idle_panel_is_woken_less_than_once_a_second(tmp_path):
    with virtual_time() as runner:
        line = Line(Lasting().app)
        line.latency = 0.0  # answers come at once, and wake nobody
        with line.laid():
            life = Life(runner, line, Settings.from_environ({}, backend="http://backend/api/v1", data_folder=tmp_path))
            runner.run(asyncio.sleep(30))
            before = runner.get_loop().leaps
            runner.run(asyncio.sleep(60))
            assert runner.get_loop().leaps - before < 45
            life.stop()


def server() -> Server:
    async def app(scope, receive, send) -> None: ...

    config = uvicorn.Config(app, log_config=None)
    config.load()
    return Server(config)


def test_the_server_is_woken_by_a_signal_alone(monkeypatch):
    monkeypatch.setattr(AppStatus, "should_exit", False)  # which a stop sets for the whole process
    with virtual_time() as runner:
        serving = server()

        async def whole() -> None:
            task = asyncio.create_task(serving.main_loop())
            before = asyncio.get_running_loop().leaps
            await asyncio.sleep(60)
            assert asyncio.get_running_loop().leaps - before == 1 and not task.done()
            serving.handle_exit(15, None)
            await task

        runner.run(whole())
    assert serving.should_exit


def test_an_answers_date_is_right_after_a_long_idle_time():
    with virtual_time() as runner:
        state = server().server_state
        for seconds in (0, 0.4, 0.7, 3, 86_400):
            runner.run(asyncio.sleep(seconds))
            (date,) = [value.decode() for name, value in state.default_headers if name == b"date"]
            assert parsedate_to_datetime(date).astimezone(UTC).timestamp() == int(time.time())


def test_a_wait_for_news_ends_with_it_or_with_the_round():
    with virtual_time() as runner:

        async def whole() -> None:
            clock, news = asyncio.get_running_loop().time, asyncio.Event()
            await asyncio.sleep(1.3)
            await until_set(news, pause(5.0))
            assert clock() % 5 == pytest.approx(0)
            asyncio.get_running_loop().call_later(0.7, news.set)
            await until_set(news, pause(5.0))
            assert clock() % 5 == pytest.approx(0.7)

        runner.run(whole())


def test_a_loop_with_nothing_to_do_ends_and_one_that_breaks_off_begins_again():
    with virtual_time() as runner:
        rounds: list[float] = []

        async def run() -> None:
            rounds.append(time.monotonic())
            if len(rounds) < 3:
                raise ValueError("broken")

        runner.run(_kept(run, lambda exc: None))
        assert len(rounds) == 3 and rounds[1] - rounds[0] == pytest.approx(1.0)
