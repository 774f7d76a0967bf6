"""Plans: what is missing is loaded, then the training begins."""

import asyncio

import pytest

from tests.support.bars import hours
from tests.support.lives import Life, living
from tests.support.loads import deletes, ends, load, slowly, started
from tests.support.pages import KEY, until, words
from tests.support.panels import panel, stream
from tests.support.parts import panel_of
from tests.support.scripted import Backend, stamp
from tests.support.workers import worker

pytestmark = pytest.mark.usefixtures("queue_is_quick")

PLAN = {"key": KEY, "strategy_name": "swing", "load": ["EURUSD 1h tail", "EURUSD 4h tail"]}


def test_a_plan_loads_and_then_trains(here, backend):
    assert here.post("/plans", PLAN).headers["location"] == f"/plans/{KEY}"
    until(lambda: len(started(backend)) == 1)
    page = words(here.until(f"/plans/{KEY}", lambda text: "op_data_load" in text))
    assert "Load EURUSD 1h" in page and "Load EURUSD 4h waiting" in page and "Train swing" in page
    ends(backend, 1)
    until(lambda: len(started(backend)) == 2)
    assert backend.hits["POST /trainings/start"] == 0
    with stream(here, f"plan-{KEY}") as reader:
        ends(backend, 2)
        reader.until(lambda stream: "data-go=" in stream.places.get("plan", ""))
    assert backend.hits["POST /trainings/start"] == 1
    assert here.get(f"/plans/{KEY}").headers["location"].startswith("/operations/op_training_")


def test_a_plan_survives_a_restart_and_trains_once(address, backend, tmp_path, rounds):
    with panel(tmp_path, address) as here:
        here.post("/plans", PLAN)
        until(lambda: len(started(backend)) == 1)
    ends(backend, 1)
    with panel(tmp_path, address) as here:
        until(lambda: len(started(backend)) == 2)
        ends(backend, 2)
        until(lambda: backend.hits["POST /trainings/start"] == 1)
        assert here.post("/plans", PLAN).status_code == 303
    with panel(tmp_path, address) as here:
        rounds(here)
    assert backend.hits["POST /trainings/start"] == 1 and len(started(backend)) == 2


def test_a_plan_stops_with_an_explanation_when_a_load_fails(here, backend):
    here.post("/plans", PLAN)
    until(lambda: len(started(backend)) == 1)
    ends(backend, 1, "failed", error_message="Symbol EURUSD not found")
    page = words(here.until(f"/plans/{KEY}", lambda text: "Stopped" in text))
    assert "The load of EURUSD 1h did not succeed, so the training was not started." in page
    assert "Symbol EURUSD not found" in page and backend.hits["POST /trainings/start"] == 0


@pytest.mark.parametrize(
    ("error", "offered"),
    [
        ("Symbol EURUSD not found", True),
        ("Failed to connect to IB Host Service at http://localhost:5001: connection refused", False),
    ],
)
def test_a_stopped_plan_leads_to_the_import_where_no_load_helps(here, backend, error, offered):
    here.post("/plans", PLAN)
    until(lambda: len(started(backend)) == 1)
    ends(backend, 1, "failed", error_message=error)
    page = here.until(f"/plans/{KEY}", lambda text: "Stopped" in text)
    address = "/data/import?symbol=EURUSD&amp;timeframe=1h"
    assert (f'href="{address}"' in page) == offered and "timeframe=4h" not in page.partition("Back to the form")[0]
    assert "A single file is taken as EURUSD 1h" in words(here.get(address.replace("&amp;", "&")).text)


def test_home_shows_plans_and_waiting_loads(here, backend):
    here.post("/plans", PLAN)
    load(here, "third" * 4, symbol="TSLA")
    until(lambda: len(started(backend)) == 1)
    read = words(here.get("/").text)
    assert "Load, then train swing running" in read and "2 in the queue EURUSD 4h, TSLA 1h" in read
    ends(backend, 1, "failed", error_message="Symbol EURUSD not found")
    read = words(here.until("/", lambda text: "did not succeed" in text))
    assert "Load, then train swing The load of EURUSD 1h did not succeed" in read


def test_a_plan_does_not_believe_a_load_that_brought_nothing(here, backend):
    """Quirk 7: "completed", with no bars although some were missing."""
    here.post("/plans", PLAN)
    until(lambda: len(started(backend)) == 1)
    ends(backend, 1, result_summary={"mode": "tail", "gaps_filled": 3, "rows_downloaded": 0})
    page = words(here.until(f"/plans/{KEY}", lambda text: "Stopped" in text))
    assert "not one bar came although bars were missing" in page and backend.hits["POST /trainings/start"] == 0


def test_a_plan_does_not_believe_a_load_of_which_nothing_is_stored(here, backend):
    backend.bars = {("GBPUSD", "1h"): hours(20)}  # POST /data/range answers 404 for EURUSD
    here.post("/plans", PLAN)
    until(lambda: len(started(backend)) == 1)
    ends(backend, 1)
    page = words(here.until(f"/plans/{KEY}", lambda text: "Stopped" in text))
    assert "362 bars came, and none is stored." in page and backend.hits["POST /trainings/start"] == 0


def test_a_cancelled_plan_starts_nothing_more(here, backend, rounds):
    here.post("/plans", PLAN)
    until(lambda: len(started(backend)) == 1)
    here.until(f"/plans/{KEY}", lambda text: "op_data_load" in text)
    assert here.post(f"/plans/{KEY}/cancel").status_code == 303
    assert "Cancelled" in words(here.get(f"/plans/{KEY}").text)
    assert sum(count for hit, count in backend.hits.items() if hit.startswith("DELETE")) == 1
    rounds(here)
    assert len(started(backend)) == 1 and backend.hits["POST /trainings/start"] == 0


@pytest.mark.parametrize("killed", [True, False])
def test_a_cancelled_plan_is_cancelled_whatever_happens_meanwhile(killed):
    """The panel is killed while the backend is asked to cancel the load that runs; or the backend does not do it."""
    backend = Backend()
    backend.workers = [worker("w1", last_healthy_at=stamp())]
    with living(backend) as life:
        life.runner.run(asyncio.sleep(15))
        loads = [("load", each) for each in PLAN["load"]]
        life.post("/plans", [("key", KEY), ("strategy_name", "swing"), *loads], 1, 15.0)
        (running,) = backend.operations
        hit = f"DELETE /operations/{running}"

        async def hanging(_request):
            await asyncio.sleep(3600)

        backend.answers[hit] = hanging if killed else (500, {"detail": "Internal error"})
        life.post(f"/plans/{KEY}/cancel", {}, 1, 1.0)
        assert backend.hits[hit] == 1
        settings = life.inside.settings
        if killed:
            life.kill()
        del backend.answers[hit]
        now = Life(life.runner, life.line, settings) if killed else life
        try:
            now.runner.run(asyncio.sleep(60))
            assert backend.operations[running]["status"] == "cancelled" and backend.hits[hit] == 2
            assert len(started(backend)) == 1 and panel_of(now.app).queue.open() == []
            assert "Cancelled" in words(now.inside.get(f"/plans/{KEY}").text)
        finally:
            if killed:
                now.kill()


@pytest.mark.parametrize("away", [True, False])
def test_a_cancel_of_a_plan_that_goes_on_failing_is_tried_ever_more_seldom(monkeypatch, away):
    monkeypatch.undo()  # virtual time is quick enough
    backend = Backend()
    backend.workers = [worker("w1", last_healthy_at=stamp())]
    with living(backend) as life:
        life.runner.run(asyncio.sleep(15))
        loads = [("load", each) for each in PLAN["load"]]
        life.post("/plans", [("key", KEY), ("strategy_name", "swing"), *loads], 1, 15.0)
        (running,) = backend.operations
        memory = panel_of(life.app).storage.memory
        life.line.cut = away
        if not away:
            backend.answers[f"DELETE /operations/{running}"] = (500, {"detail": "Internal error"})
        life.post(f"/plans/{KEY}/cancel", {}, 1, 1.0)
        tries = []
        for _ in range(2):
            life.runner.run(asyncio.sleep(1200))
            tries.append(len(memory.requests(running)))
        assert tries == [1, 1] if away else (5 < tries[0] < 12 and tries[0] < tries[1] < 16)
        life.line.cut = False
        backend.answers.clear()
        life.runner.run(asyncio.sleep(60 if away else 330))
        assert backend.operations[running]["status"] == "cancelled" and panel_of(life.app).queue.open() == []
        assert len(memory.requests(running)) == tries[1] + 1 and len(started(backend)) == 1


def test_a_plan_that_is_cancelled_while_its_training_is_being_started_trains_nothing(here, backend):
    slowly(backend, "/trainings/start")
    here.post("/plans", PLAN | {"load": "EURUSD 1h tail"})
    until(lambda: len(started(backend)) == 1)
    ends(backend, 1)
    until(lambda: backend.hits["POST /trainings/start"] == 1)
    assert here.post(f"/plans/{KEY}/cancel").status_code == 303
    until(lambda: deletes(backend) == 1)
    assert "Cancelled" in words(here.get(f"/plans/{KEY}").text)


@pytest.mark.parametrize(
    "bad", [{"load": []}, {"key": "x"}, {"load": ["../x 1h tail"]}, {"load": ["EURUSD"]}, {"start_date": "soon"}]
)
def test_a_plan_that_makes_no_sense_is_refused(here, backend, bad):
    assert here.post("/plans", PLAN | bad).status_code == 422
    assert started(backend) == []
