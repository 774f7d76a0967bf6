"""What pages tell of runs whose backend tells little: a research's parts, a backtest's period and model, a lost start."""

import asyncio
import re

import pytest

from tests.support.lives import living
from tests.support.pages import KEY, words
from tests.support.scripted import Backend, operation, percent, stamp


def test_a_research_shows_its_runs_and_each_of_them_leads_back(here, backend):
    """KTRDR links them by ids in the research's parameters; its own list of children is empty."""
    linked = {"phase": "training", "training_op_id": "op_t", "design_op_id": "op_gone", "model_path": None}
    backend.operations["op_r"] = operation("op_r", "agent_research", metadata={"parameters": linked})
    result = {"model_path": "models/agent_rsi/1h_v3", "test_metrics": {"test_accuracy": 0.5}}
    backend.operations["op_t"] = operation("op_t", status="completed", completed_at=stamp(), result_summary=result)
    assert "Runs / Training" in words(here.get("/operations/op_t").text), "no research is known yet"
    research = here.get("/operations/op_r").text
    assert (
        "Design not read from the backend yet Training Completed" in words(research)
        and 'href="/operations/op_t"' in research
    )
    assert "agent_research" not in words(research).partition("The backend's answer")[0], "kinds are told in words"
    training = here.get("/operations/op_t").text
    assert "Runs / Research / Training" in words(training) and 'href="/operations/op_r"' in training


def test_a_run_without_losses_is_no_success_in_lists_either(here, backend):
    """Its learning rate was far too high. Lists read runs without their curves."""
    history = {name: [0.6, None, None] for name in ("train_loss", "val_loss")}
    result = {
        "training_metrics": {"history": history, "epochs_trained": 3},
        "test_metrics": {"test_accuracy": 0.7, "test_loss": None},
    }
    backend.operations["op_n"] = operation("op_n", status="completed", completed_at=stamp(), result_summary=result)
    assert "since epoch 2 its losses are not numbers" in words(here.get("/operations/op_n").text)
    for path in ("/", "/operations", "/api/operations"):
        text = words(here.get(path).text)
        assert "Completed with problems" in text and "its losses are not numbers" in text, path


def test_a_backtest_shows_its_period_and_model_on_its_page_and_in_lists(here, backend):
    """The backend tells no model, and the period in the result's configuration only."""
    typed = {
        "strategy_name": "swing",
        "start_date": "2025-07-01",
        "end_date": "2025-09-30",
        "model_path": "models/swing/1h_v4",
    }
    backend.answers["POST /backtests/start"] = 200, {"success": True, "operation_id": "op_b"}
    backend.operations["op_b"] = operation("op_b", "backtesting", metadata={"parameters": {"strategy_name": "swing"}})
    assert here.post("/start/backtesting", {"key": KEY, **typed, "insist": "1"}).status_code == 303
    text = "2025-07-01 to 2025-09-30 · model 1h_v4"
    for path in ("/operations/op_b", "/operations"):
        here.until(path, lambda page: text in words(page) and "Running" in words(page))  # the backend was asked
    config = {"start_date": "2024-01-01T00:00:00", "end_date": "2024-03-01T00:00:00", "commission": 0.002}
    result = {"config": config, "metrics": {"total_trades": 3}}
    backend.operations["op_c"] = operation(
        "op_c", "backtesting", "completed", completed_at=stamp(), result_summary=result, metadata={"parameters": {}}
    )
    page = words(here.get("/operations/op_c").text)
    assert "2024-01-01 to 2024-03-01" in page and "Commission 0.2 %" in page


def test_a_form_whose_answer_was_lost_learns_the_outcome_of_its_start(here, backend):
    assert "nothing was sent" in words(here.get(f"/starts/{KEY}/fate").text)
    backend.answers["POST /trainings/start"] = 200, {"success": True, "task_id": "op_t"}
    here.post("/start/training", {"key": KEY, "strategy_name": "swing", "insist": "1"})
    answer = here.get(f"/starts/{KEY}/fate")
    assert "It was started." in words(answer.text) and answer.headers["x-settled"] == "1"
    backend.answers["POST /trainings/start"] = 400, {"detail": "Strategy file not found: nosuch.yaml"}
    here.post("/start/training", {"key": KEY + "2", "strategy_name": "nosuch", "insist": "1"})
    assert "Not started. Strategy file not found" in words(here.get(f"/starts/{KEY}2/fate").text)


@pytest.mark.parametrize("fault", ["page-never", "refused"])
def test_with_the_backend_away_a_run_says_only_that_this_is_its_last_known_state(fault):
    """Once on the page it is said why: what stands before the backend may answer, but knows of no run."""
    backend = Backend()
    for name in ("op_a", "op_b"):
        backend.operations[name] = operation(name, progress=percent(50, "Epoch 5/10"))
    with living(backend) as life:
        for name in ("op_a", "op_b"):
            life.inside.get(f"/operations/{name}")
        life.open("home")
        life.open("op_a")
        life.line.faults.add(fault, times=None)
        life.runner.run(asyncio.sleep(60))
        home, run = (words(life.inside.get(path).text) for path in ("/", "/operations/op_a"))
        cards = life.streams["home"]["card-op_a"] + life.streams["home"]["card-op_b"]
        streamed = words(cards), words(life.streams["op_a"]["status"])
        pages = life.inside.get("/operations/op_a").text, life.streams["op_a"]["status"]
    assert "Backend unreachable since" in home and "Backend unreachable since" in run
    for read in (home, streamed[0]):
        assert read.count("Backend silent This is the last known state; the work itself may go on.") == 2
    for read in (run, streamed[1]):
        assert "Backend silent This is the last known state; the work itself may go on. It was last read at" in read
    assert "not about this operation" not in home + run + "".join(streamed) and "502" not in "".join(streamed)
    for page in pages:
        assert re.search(
            r'It was last read at <time datetime="[^"]+" data-show="clock">\d\d:\d\d:\d\d UTC</time>\.', page
        )
