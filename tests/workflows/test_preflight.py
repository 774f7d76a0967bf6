"""Before a training starts: would it run, and what mends it."""

import re

from panel.domain.workers import Worker, WorkerList
from panel.workflows.preflight import worker_lines
from tests.support.bars import hours, without
from tests.support.loads import LOAD, ends, load, started
from tests.support.pages import KEY, until, words
from tests.support.scripted import stamp
from tests.support.workers import worker


def look(here, **typed: str) -> str:
    return words(here.post("/start/training/look", {"strategy_name": "swing", **typed}).text)


def test_red_amber_and_green(here, backend):
    whole = hours(60)
    backend.bars = {("EURUSD", "1h"): whole, ("GBPUSD", "1h"): without(whole, 100, 30)}
    assert "EURUSD 1h 10,0" not in look(here) and f"EURUSD 1h {len(whole):,} bars" in look(here)
    assert "The period begins earlier. Load older bars of EURUSD 1h" in look(here, start_date="2022-01-01")
    assert "The period ends later. Load EURUSD 1h" in look(here, end_date="2026-06-01")
    assert "None lies in this period, so the training would fail." in look(here, start_date="2026-01-01")
    assert "None lies in this period" in look(here, end_date="2020-01-01")
    assert "TSLA 1h no data stored" in look(here, symbols="TSLA")
    assert "To The end has to come after the start" in look(here, start_date="2024-05-01", end_date="2024-01-01")
    here.post("/data/look")
    here.until("/data", lambda text: 'class="hole"' in text)
    assert "It has 1 gap." in look(here, symbols="GBPUSD")


def test_too_few_bars_for_the_strategy(here, backend):
    backend.bars = {("EURUSD", "1h"): hours(1)}
    backend.strategies[0]["history_required"] = 500
    assert "The strategy needs more than 500." in look(here)


def test_the_primary_button_is_the_one_that_works(here, backend):
    def primary(**form: str) -> list[str]:
        scripts = {"hx-request": "true"}
        pages = [
            here.post("/start/training/look", form | {"strategy_name": "swing"}, **more).text for more in ({}, scripts)
        ]
        found = [re.findall(r'class="button primary".*?</button>', page, re.S) for page in pages]
        assert len(found[0]) == len(found[1]) == 1
        return [words(f"<p {buttons[0]}") for buttons in found]

    backend.bars = {("EURUSD", "1h"): hours(60)}
    assert primary() in (["Start training"] * 2, ["Add to the queue"] * 2)
    assert primary(symbols="TSLA") == ["Load what is missing, then train"] * 2
    assert "Load what is missing" not in primary(symbols="TSLA", start_date="2024-05-01", end_date="2024-01-01")[0]


def test_a_busy_worker_is_amber(here, backend):
    backend.workers = [{"worker_id": "w", "worker_type": "training", "status": "busy"}]
    until(lambda: "No worker is free" in look(here))
    backend.workers = [{"worker_id": "w", "worker_type": "training", "status": "available"}]
    until(lambda: "A worker is free." in look(here))


def test_a_start_that_would_certainly_fail_is_held_back_once(here, backend):
    backend.bars = {("GBPUSD", "1h"): hours(60)}
    form = {"key": KEY, "strategy_name": "swing"}
    page = here.post("/start/training", form)
    assert page.status_code == 422 and backend.hits["POST /trainings/start"] == 0
    assert "EURUSD 1h: no data stored, so the training would fail." in words(page.text)
    assert here.post("/start/training", form | {"insist": "1"}).status_code == 303


def test_the_plans_loads_go_back_as_far_as_the_training(here, backend):
    backend.bars = {("GBPUSD", "1h"): hours(60)}
    page = here.post("/start/training/look", {"strategy_name": "swing", "start_date": "2021-03-01"}).text
    assert 'value="EURUSD 1h tail 2021-03-01"' in page
    here.post(
        "/plans",
        {"key": KEY, "strategy_name": "swing", "start_date": "2021-03-01", "load": "EURUSD 1h tail 2021-03-01"},
    )
    until(lambda: started(backend) == [LOAD | {"start_date": "2021-03-01"}])
    backend.bars["EURUSD", "1h"] = [at - 10 * 365 * 86_400 for at in hours(50)]  # ends before the period begins
    ends(backend)
    page = words(here.until(f"/plans/{KEY}", lambda text: "Stopped" in text))
    assert "EURUSD 1h came back short" in page and backend.hits["POST /trainings/start"] == 0


JULY = {"strategy_name": "swing", "start_date": "2024-07-01", "end_date": "2024-09-30"}


def test_a_hole_in_the_stored_bars_is_no_data_for_a_training_or_backtest(here, backend):
    backend.bars = {("EURUSD", "1h"): without(hours(100), 152, 200), ("GBPUSD", "1h"): hours(150)}
    look = here.post("/start/training/look", JULY).text
    assert "None of them lies in this period, so the training would fail. Load" in words(look)
    assert "Only 0" not in words(look) and 'value="EURUSD 1h tail 2024-01-01"' in look
    long = JULY | {"start_date": "2024-06-05", "end_date": "2024-12-10"}
    assert "None of them lies in this period" in words(here.post("/start/training/look", long).text)
    whole = {"strategy_name": "swing", "symbols": "GBPUSD", "start_date": "2024-02-01", "end_date": "2026-02-01"}
    assert "GBPUSD 1h 1" in words(here.post("/start/training/look", whole).text)
    assert "None of them" not in words(here.post("/start/training/look", whole).text)
    tried = JULY | {"model_path": "models/swing/1h_v1", "symbol": "EURUSD", "timeframe": "1h"}
    look = words(here.post("/start/backtesting/look", tried).text)
    assert "None of them lies in this period, so the backtest would fail." in look
    rest = JULY | {"start_date": "2024-03-09", "end_date": "2024-03-10"}
    assert "so the training would fail. Choose a longer period." in words(here.post("/start/training/look", rest).text)


def test_a_plan_does_not_train_on_a_hole(quick_rounds, here, backend):
    """The load brought bars, and none of those that the training needs."""
    backend.bars = {("EURUSD", "1h"): hours(20)}
    here.post("/plans", {"key": KEY, "load": "EURUSD 1h tail"} | JULY)
    until(lambda: len(started(backend)) == 1)
    backend.bars["EURUSD", "1h"] = without(hours(100), 152, 200)
    ends(backend)
    page = words(here.until(f"/plans/{KEY}", lambda text: "Stopped" in text))
    assert (
        "period, so the training was not started." in page and "EURUSD 1h came back short: no stored bar lies" in page
    )
    assert backend.hits["POST /trainings/start"] == 0


def test_without_a_training_worker_a_start_would_be_refused_and_that_is_red(quick_rounds, here, backend):
    backend.bars = {("EURUSD", "1h"): hours(60)}
    backend.workers = [worker("w1", last_healthy_at=stamp())]
    form = {"strategy_name": "swing"}
    until(lambda: "A worker is free." in words(here.post("/start/training/look", form).text))
    backend.workers = [worker("w1", "busy", "op_x", last_healthy_at=stamp())]
    until(lambda: "is free: w1 works on op_x." in words(here.post("/start/training/look", form).text))
    backend.workers = [worker("b1", kind="backtesting")]
    until(lambda: "No training worker is registered" in words(here.post("/start/training/look", form).text))
    assert "w1 last answered" in words(here.post("/start/training/look", form).text)
    assert "No training worker" in words(here.get("/").text)


def test_the_bars_of_a_short_period_are_counted(quick_rounds, here, backend):
    backend.bars = {("EURUSD", "1h"): hours(60)}
    backend.workers = [worker("w1", last_healthy_at=stamp())]
    backend.strategies[0]["history_required"] = 100
    days = {"start_date": "2024-03-05", "end_date": "2024-03-07"}
    shown = words(here.post("/start/training/look", {"strategy_name": "swing"} | days).text)
    assert "Only 72 of them lie in this period; the strategy needs more than 100. Choose a longer period." in shown
    assert "Load older bars" not in shown, "all of the period is stored"
    refused = words(here.post("/start/training", {"key": KEY, "strategy_name": "swing"} | days).text)
    assert "Choose a longer period." in refused and "Load it first" not in refused
    older = {"strategy_name": "swing", "start_date": "2023-12-01", "end_date": "2024-01-02"}
    assert "Load older bars of EURUSD 1h" in words(here.post("/start/training/look", older).text)


def test_a_load_that_leaves_gaps_is_completed_with_problems(quick_rounds, here, backend):
    backend.bars = {("EURUSD", "1h"): without(hours(60), 100, 30)}
    load(here, mode="full")
    ends(backend, result_summary={"mode": "full", "rows_downloaded": 900, "gaps_filled": 1})
    page = here.until("/", lambda text: "still missing" in words(text))
    assert "900 bars came, but 1 gap is still missing. Fill it from this load’s page" in words(page)
    (operation_id,) = backend.operations
    assert here.get(f"/api/operations/{operation_id}").json()["verdict"]["state"] == "problems"


def test_the_last_answer_of_a_worker_of_any_kind_is_shown():
    there = WorkerList().heard([Worker("b1", "backtesting", "available", healthy_at=970.0)], 990.0)
    (line,) = worker_lines(there.heard([], 1000.0), "backtesting", 0, 1000.0)
    assert line.subject == "No backtesting worker" and "b1 last answered 30 s ago." in line.text
    (line,) = worker_lines(there.heard([], 1000.0), "training", 0, 1000.0)
    assert line.subject == "No training worker" and "answered" not in line.text


def test_a_strategy_that_is_gone_stays_chosen_in_the_form_and_says_so(here, backend):
    form = here.get("/start/training?strategy_name=gone").text
    assert 'value="gone" checked' in form and "gone is not among those listed here" in words(form)
    backend.answers["POST /trainings/start"] = (400, {"detail": "Strategy file not found: gone (searched: a, b)"})
    refused = here.post("/start/training", {"key": KEY, "strategy_name": "gone", "insist": "1"})
    assert refused.status_code == 422 and 'value="gone" checked' in refused.text
    assert "Strategy file not found: gone" in words(refused.text)
    assert "not among those listed" not in here.get("/start/training?strategy_name=swing").text
