"""The memory cannot be written for a while: nothing waits for it, no end is lost, and no start is sent."""

import resource
import sqlite3
from contextlib import closing, contextmanager

import pytest

from panel.storage.store import Storage
from tests.support.pages import KEY, until, words
from tests.support.panels import panel_process, stream
from tests.support.scripted import RESULT, epochs, operation, percent, stamp

pytestmark = pytest.mark.usefixtures("quick_rounds")


@contextmanager
def locked(here):
    """Another program holds the write lock."""
    with closing(sqlite3.connect(here.settings.memory_file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_an_end_is_shown_while_the_memory_is_locked_and_written_afterwards(here, backend):
    backend.operations["op_a"] = operation("op_a", progress=percent(50, "Epoch 5/10"))
    here.get("/operations/op_a")
    with stream(here, "home") as at_home, locked(here):
        backend.operations["op_a"] = operation("op_a", status="completed", result_summary=RESULT, completed_at=stamp())
        at_home.until(lambda shown: "Completed" in shown.places.get("lists", ""))
        at_home.until(lambda shown: "Memory not writable" in shown.places.get("line", ""))
        assert here.get("/healthz").status_code == here.get("/static/panel.css").status_code == 200
        page = words(here.get("/").text)
        assert "The panel cannot write its memory: database is locked." in page and "Completed" in page
        assert "Finished after 2 epochs" in words(here.get("/operations/op_a").text)
        with closing(sqlite3.connect(here.settings.memory_file)) as reader:
            assert reader.execute("SELECT live FROM operations").fetchall() == [(1,)]  # not on disk yet
    until(lambda: "Memory not writable" not in words(here.get("/").text))
    with closing(Storage(here.settings.memory_file)) as store:  # another write may have been the first
        until(lambda: store.memory.recall("op_a").snapshot.status == "completed")


def test_an_end_on_a_full_disk_is_shown_and_written_once_there_is_room(address, backend, tmp_path):
    """No file of the panel's process may grow."""
    half = {"epochs": [epochs(5)]}
    backend.operations["op_a"] = operation("op_a", progress=percent(50, "Epoch 5/10"), metrics=half)
    with panel_process(tmp_path, address) as (here, process):
        here.get("/operations/op_a")
        with stream(here, "home") as at_home:
            at_home.until(lambda shown: "card-op_a" in shown.places.get("lists", ""))
            soft, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
            learned = RESULT["training_metrics"]
            whole = RESULT | {"training_metrics": learned | {"history": dict.fromkeys(learned["history"], [0.5] * 10)}}
            ended = {"status": "completed", "result_summary": whole, "completed_at": stamp()}
            backend.operations["op_a"] = operation("op_a", **ended)
            at_home.until(lambda shown: "Completed" in shown.places["lists"])
            at_home.until(lambda shown: "Memory not writable" in shown.places["line"])
        answer = here.post("/start/training", {"key": KEY, "strategy_name": "swing"})
        assert answer.status_code == 503 and "Nothing was started" in words(answer.text)
        assert not any("start" in hit for hit in backend.hits)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (soft, hard))
        here.until("/", lambda text: "Memory not writable" not in words(text))
        with closing(sqlite3.connect(here.settings.memory_file)) as reader:
            until(lambda: reader.execute("SELECT state FROM operations").fetchall() == [("completed",)])
            assert reader.execute("SELECT count(*) FROM epochs").fetchall() == [(10,)]  # its curves, whole
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_no_start_is_sent_before_its_intent_can_be_written(here, backend):
    form = {"key": KEY, "strategy_name": "swing"}
    with locked(here):
        answer = here.post("/start/training", form)
        assert answer.status_code == 503 and "Nothing was started" in words(answer.text)
        assert here.post("/start/data_load", form | {"symbol": "EURUSD", "timeframe": "1h"}).status_code == 503
    assert not any(hit.startswith("POST /trainings/start") or "acquire" in hit for hit in backend.hits)
    assert here.post("/start/training", form).status_code == 303
