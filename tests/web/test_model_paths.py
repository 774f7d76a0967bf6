"""Models of a KTRDR whose folder of models is an absolute path, which its worker of backtests puts another one in the
place of."""

import re
import time

import pytest

from tests.support.pages import KEY, until, words
from tests.support.scripted import RESULT, operation, stamp

FOLDER = "/tmp/ktrdr/b/models"  # noqa: S108  a name
SAVED = f"{FOLDER}/swing/1h_v25"
FORM = {
    "strategy_name": "swing", "symbol": "EURUSD", "timeframe": "1h", "start_date": "2024-01-01",
    "end_date": "2024-02-01", "insist": "1",
}  # fmt: skip


def trained(name: str, path: str, ended: float) -> dict:
    now = time.time()
    times = {"created_at": stamp(now - ended - 60), "completed_at": stamp(now - ended)}
    parameters = {"strategy_name": "swing", "symbols": ["EURUSD"], "timeframes": ["1h"]}
    result = RESULT | {"model_path": path}
    return operation(name, status="completed", result_summary=result, metadata={"parameters": parameters}, **times)


@pytest.fixture
def failed(here, backend):
    """The page of a backtest that its worker found no model for."""
    backend.operations["op_a"] = trained("op_a", SAVED, 10)
    backend.operations["op_b"] = trained("op_b", f"{FOLDER}/swing/1h_v26", 100)
    here.read("op_a", "op_b")
    address = here.post("/start/backtesting", FORM | {"key": KEY, "model_path": SAVED}).headers["location"]
    name = address.rpartition("/")[2]
    error = "Model directory not found: /app/models/swing/1h_v25"
    about = {"symbol": "EURUSD", "timeframe": "1h", "parameters": {"strategy_name": "swing"}}  # KTRDR names no model
    backend.operations[name] = operation(
        name, "backtesting", "failed", error_message=error, completed_at=stamp(), metadata=about
    )
    here.until(address, lambda text: "looked for the model at /app/models/swing/1h_v25" in text)
    return address


def test_a_backtest_whose_model_was_looked_for_elsewhere_offers_the_path_that_is_found(here, backend, failed):
    page = here.get(failed).text
    name = failed.rpartition("/")[2]
    again = f"/start/backtesting?again={name}&amp;model_path=models%2Fswing%2F1h_v25"
    assert f'class="button primary" href="{again}"' in page and "Try again as models/swing/1h_v25" in words(page)
    assert page.count("button primary") == 1, "one thing to do"
    form = here.get(again.replace("&amp;", "&")).text
    assert SAVED not in form and 'value="2024-02-01"' in form
    chosen = [part for part in re.findall(r'<input type="radio" name="model_path"[^>]*>', form) if " checked" in part]
    assert len(chosen) == 1 and 'value="models/swing/1h_v25"' in chosen[0]
    sent = here.post("/start/backtesting", FORM | {"key": f"{KEY[:-1]}2", "model_path": "models/swing/1h_v25"})
    assert sent.headers["location"].startswith("/operations/")
    bodies = [body["model_path"] for hit, body in backend.bodies if hit == "POST /backtests/start"]
    assert bodies == [SAVED, "models/swing/1h_v25"]


def test_from_then_on_every_model_of_that_folder_is_asked_for_so(here, backend, failed):
    assert 'value="models/swing/1h_v26"' in here.get("/start/backtesting").text
    form = here.get(f"/start/backtesting?model_path={FOLDER}/swing/1h_v26").text  # as models and trainings link it
    assert 'value="models/swing/1h_v26"' in form and FOLDER not in form and 'value="EURUSD"' in form
    look = words(here.post("/start/backtesting/look", FORM | {"model_path": SAVED}).text)
    assert "The same model is models/swing/1h_v25." in look, "what a schedule or a person still names"
    assert "is known" in words(here.post("/start/backtesting/look", FORM | {"model_path": "models/swing/1h_v25"}).text)


def test_a_failure_that_says_nothing_of_the_folder_changes_no_path(here, backend, failed):
    address = here.post("/start/backtesting", FORM | {"key": "z" * 16, "model_path": "/other/models/swing/1h_v3"})
    name = address.headers["location"].rpartition("/")[2]
    error = "Model directory not found: /other/models/swing/1h_v3"
    backend.operations[name] = operation(name, "backtesting", "failed", error_message=error, completed_at=stamp())
    page = here.until(f"/operations/{name}", lambda text: "The model is gone." in text)
    assert "Try again as" not in page
    backend.operations["op_c"] = trained("op_c", "/other/models/swing/1h_v4", 5)
    here.read("op_c")
    until(lambda: 'value="/other/models/swing/1h_v4"' in here.get("/start/backtesting").text)


def test_a_batch_tests_its_best_by_the_path_that_is_found(here, backend, failed, monkeypatch):
    monkeypatch.setattr("panel.workflows.queue.ROUND", 0.1)
    monkeypatch.setattr("panel.workflows.batches.ROUND", 0.1)
    backend.workers = [
        {"worker_id": "w1", "worker_type": "training", "status": "available"},
        {"worker_id": "b1", "worker_type": "backtesting", "status": "available"},
    ]
    until(lambda: here.inside.panel.monitor.worker_list.workers)
    dates = {"start_date": "2025-01-01", "end_date": "2025-12-31", "train_days": "120", "test_days": "60"}
    answer = here.post("/batches", {"key": KEY, "way": "walk", "strategy_name": "swing"} | dates)
    assert "location" in answer.headers, words(answer.text)
    until(lambda: any("training_" in name for name in backend.operations))
    name = next(name for name in backend.operations if "training_" in name)
    backend.operations[name] = trained(name, f"{FOLDER}/swing/1h_v27", 0)
    bodies = lambda: [body["model_path"] for hit, body in backend.bodies if hit == "POST /backtests/start"]  # noqa: E731
    until(lambda: bodies()[1:] == ["models/swing/1h_v27"])


def test_a_model_that_a_later_training_replaced_is_not_offered_as_the_earlier_ones(here, backend):
    """Its folder was moved away, and KTRDR gives its number again."""
    backend.operations |= {"op_old": trained("op_old", SAVED, 500), "op_new": trained("op_new", SAVED, 100)}
    here.read("op_old")
    offered = f"Backtest this model Model saved as {SAVED}"
    assert offered in words(here.get("/operations/op_old").text), "nothing is known of another one yet"
    here.read("op_new")
    for name, ended, gain in (("op_before", 300, 0.5), ("op_after", 50, 0.07)):
        now = time.time()
        times = {"created_at": stamp(now - ended - 5), "completed_at": stamp(now - ended)}
        about = {"symbol": "EURUSD", "parameters": {"strategy_name": "swing", "model_path": SAVED}}
        result = {"metrics": {"total_return_pct": gain, "total_trades": 3}}
        tried = operation(name, "backtesting", "completed", result_summary=result, metadata=about, **times)
        backend.operations[name] = tried
        here.read(name)
    older, newer = here.get("/operations/op_old").text, here.get("/operations/op_new").text
    assert f"Its model is gone: {SAVED} was replaced by a later training" in words(older)
    assert '<a href="/operations/op_new">a later training</a>' in older and "Backtest this model" not in older
    assert offered in words(newer) and "replaced" not in words(newer)
    listed = {"model_path": SAVED, "symbol": "EURUSD", "timeframe": "1h", "created_at": stamp(time.time() - 100)}
    backend.answers["GET /models"] = 200, {"success": True, "models": [listed]}
    page = here.get("/models").text
    assert "1, best return 7.0 %" in words(page) and 'href="/operations/op_new">its training' in page
    read = here.get("/models/swing/1h_v25").text
    assert 'href="/operations/op_after"' in read and 'href="/operations/op_before"' not in read


def test_the_best_model_of_a_strategy_is_one_that_is_there(here, backend):
    backend.operations |= {"op_old": trained("op_old", SAVED, 500), "op_new": trained("op_new", SAVED, 100)}
    backend.operations["op_old"]["result_summary"] |= {"test_metrics": RESULT["test_metrics"] | {"test_accuracy": 0.9}}
    here.read("op_old", "op_new")
    page, own = here.get("/strategies").text, here.get("/strategies/swing").text
    assert f'title="{SAVED}, test accuracy' in page and "test accuracy 90.0 %" not in page
    assert "Best: 1h_v25" in words(own) and "test accuracy 90.0 %" not in words(own)
