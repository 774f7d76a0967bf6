"""How many SQL statements a page takes: as many with a hundred trainings as with one."""

import time

import pytest

from panel.backend.entities import snapshot_of
from panel.domain.labels import Label
from panel.domain.observation import observed
from panel.domain.verdict import judge
from panel.storage.store import Storage
from tests.support.inside import inside
from tests.support.parts import panel_of
from tests.support.scripted import RESULT, Backend, operation, percent, served


@pytest.mark.parametrize("runs", [2, 40])
def test_a_list_of_runs_reads_what_people_say_of_them_at_once(tmp_path, runs):
    backend, now = Backend(), time.time()
    with served(backend.app) as address, inside(tmp_path, address + "/api/v1") as here:
        storage = panel_of(here.app).storage
        writing = Storage(storage.path)
        for n in range(runs):
            observation = observed(None, snapshot_of(operation(f"op_{n}", status="completed"), now))
            writing.memory.remember(observation, judge(observation, now), now)
            writing.labels.edit(f"op_{n}", Label(name=f"Run {n} of mine"), "", now)
        writing.close()
        for path in ("/operations", "/"):
            statements: list[str] = []
            storage._db.set_trace_callback(statements.append)
            page = here.get(path).text
            storage._db.set_trace_callback(None)
            assert f"Run {runs - 1} of mine" in page
            assert len([text for text in statements if "FROM labels" in text and "op_" in text]) == 1


@pytest.mark.parametrize("trainings", [1, 100])
def test_the_form_of_a_backtest_takes_few_statements(tmp_path, trainings):
    backend, now = Backend(), time.time()
    with served(backend.app) as address, inside(tmp_path, address + "/api/v1") as here:
        storage = panel_of(here.app).storage
        writing = Storage(storage.path)
        for n in range(trainings):
            result = RESULT | {"model_path": f"models/swing/1h_v{n}"}
            done = operation(f"op_{n}", status="completed", progress=percent(100), result_summary=result)
            observation = observed(None, snapshot_of(done, now))
            writing.memory.remember(observation, judge(observation, now), now)
            key = f"0123456789abcdef{n}"
            writing.claim(key, "training", {"strategy_name": f"swing_{n}"}, None)
            writing.settle(key, "started", operation_id=f"op_{n}")
        writing.close()
        here.get("/start/backtesting")  # templates, and what is asked for the first time
        statements: list[str] = []
        storage._db.set_trace_callback(statements.append)
        page = here.get("/start/backtesting").text
        marks = ("kind = 'training'", "operation_id IN (SELECT value", "operation_id = 'op_")  # not those of loops
        about = [text for text in statements if any(mark in text for mark in marks)]
        assert 2 <= len(about) <= 4, about
        assert all(f"models/swing/1h_v{n}" in page and f"swing_{n}" in page for n in range(trainings))
