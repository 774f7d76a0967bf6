"""Batches: planned from a form, started through the queue once each, ranked, tested on unseen days, stopped."""

import asyncio
import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from panel.domain.unreported import unreported_end
from panel.errors import InvalidForm
from panel.storage.store import Storage
from panel.workflows.batch_form import plan_batch, variant_text
from tests.support.lives import living
from tests.support.pages import KEY, until, words
from tests.support.panels import panel
from tests.support.parts import panel_of
from tests.support.scripted import RESULT, Backend, operation, stamp
from tests.support.workers import worker

TEXT = """\
name: swing
indicators:
  rsi: {type: rsi, period: 14}
training:
  epochs: 50
"""
GRID = {"way": "grid", "strategy_name": "swing", "setting_1": "indicators.rsi.period", "values_1": "7, 14, 21"}
WALK = {"way": "walk", "strategy_name": "swing", "start_date": "2025-01-01", "end_date": "2025-12-31"}
WALK |= {"train_days": "120", "test_days": "60"}


def test_a_grid_of_settings_symbols_and_seeds():
    planned = plan_batch(GRID | {"symbols": "EURUSD, GBPUSD", "seeds": "1 2"}, TEXT)
    assert len(planned.runs) == planned.possible == 12 and len(planned.variants) == 6
    first = planned.runs[0]
    assert first.settings == {"Symbol": "EURUSD", "period": "7", "random_seed": "1"}
    assert first.form["strategy_name"] == first.strategy == "swing-period_7-random_seed_1"
    text = variant_text(TEXT, first.strategy, first.changes)
    assert "period: 7}" in text and "random_seed: 1\n" in text and f"name: {first.strategy}\n" in text


def test_decimal_values_make_names_that_ktrdr_trains_and_keep_their_values():
    form = GRID | {"setting_1": "training.rate", "values_1": "0.001, 0.01", "seeds": "1 2"}
    planned = plan_batch(form, TEXT.replace("training:", "training:\n  rate: 0.1"))
    assert list(planned.variants)[0] == "swing-rate_0p001-random_seed_1" and len(planned.variants) == 4
    assert [run.settings["rate"] for run in planned.runs] == ["0.001", "0.001", "0.01", "0.01"]
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name) for name in planned.variants)


def test_a_sample_and_periods():
    form = {"way": "sample", "sample": "3", "strategy_name": "swing", "symbols": "A B C"}
    planned = plan_batch(form | {"periods": "2024-01-01 to 2024-06-30\n2024-07-01 to 2024-12-31"}, None)
    assert len(planned.runs) == 3 and planned.possible == 6 and not planned.variants
    assert {run.form["start_date"] for run in planned.runs} <= {"2024-01-01", "2024-07-01"}


def test_a_walk_forward_tests_each_step_on_the_days_after():
    planned = plan_batch(WALK, None)
    assert [run.test["start_date"] for run in planned.runs] == ["2025-05-01", "2025-06-30", "2025-08-29", "2025-10-28"]
    assert all(run.form["end_date"] < run.test["start_date"] for run in planned.runs)


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({}, "strategy_name"),
        ({"strategy_name": "swing"}, ""),
        (GRID | {"values_1": "7"}, ""),
        (GRID | {"values_1": "7, many"}, "values_1"),
        (GRID | {"values_1": ""}, "values_1"),
        (GRID | {"setting_1": "nothing"}, "setting_1"),
        (GRID | {"setting_2": "indicators.rsi.period", "values_2": "1 2"}, "setting_2"),
        (GRID | {"seeds": "one"}, "seeds"),
        (GRID | {"periods": "last year"}, "periods"),
        (GRID | {"symbols": "../x, EURUSD"}, "symbols"),
        (GRID | {"symbols": " ".join(f"S{n}" for n in range(50)), "seeds": "1 2 3"}, ""),
        (GRID | {"way": "sample", "sample": "0"}, "sample"),
        (WALK | {"train_days": "x"}, "train_days"),
        (WALK | {"train_days": "300"}, "train_days"),
        (WALK | {"end_date": ""}, "end_date"),
        (WALK | {"symbols": "A B"}, "symbols"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(form, field):
    with pytest.raises(InvalidForm) as refused:
        plan_batch(form, TEXT)
    assert list(refused.value.errors) == [field] and refused.value.errors[field].endswith(".")


def test_everything_that_is_wrong_is_said_at_once():
    wrong = GRID | {
        "way": "sample",
        "sample": "x",
        "values_1": "7, x, 21",
        "seeds": "a,1.5",
        "symbols": "EUR USD/@",
        "timeframes": "9h",
        "periods": "2024-13-01 to 2024-12-31\nfoo\n2024-02-01 to 2024-01-01\nbar\n2024-01-01 to 2024-06-30",
    }
    with pytest.raises(InvalidForm) as refused:
        plan_batch(wrong, TEXT)
    assert set(refused.value.errors) == {"sample", "values_1", "seeds", "symbols", "timeframes", "periods"}
    said = refused.value.errors["periods"]
    assert all(each in said for each in ("2024-13-01", "“foo”", "2024-02-01", "And 1 more."))
    with pytest.raises(InvalidForm) as refused:
        plan_batch({"way": "walk", "seeds": "1", "start_date": "x", "train_days": "y", "test_days": "1"}, TEXT)
    assert set(refused.value.errors) == {"strategy_name", "seeds", "start_date", "end_date", "train_days"}


def test_a_setting_of_nearly_the_right_name_is_asked_about():
    with pytest.raises(InvalidForm) as refused:
        plan_batch(GRID | {"setting_1": "indicators.rsi_14.period"}, TEXT)
    reason = "The strategy has no setting indicators.rsi_14.period. Did you mean indicators.rsi.period?"
    assert refused.value.errors == {"setting_1": reason}


# Over a backend


@pytest.fixture(autouse=True)
def quickly(monkeypatch, backend):
    monkeypatch.setattr("panel.workflows.queue.ROUND", 0.1)
    monkeypatch.setattr("panel.workflows.batches.ROUND", 0.1)
    monkeypatch.setattr("panel.monitoring.discovery.INTERVAL", 0.2)
    backend.workers = [worker(f"w{n}") for n in range(4)] + [worker("b1", kind="backtesting")]


def started(backend: Backend, path: str = "/trainings/start") -> list[dict]:
    return [body for hit, body in backend.bodies if hit == f"POST {path}"]


def end(backend: Backend, accuracy: float, baseline: float | None = 0.4, **more: Any) -> None:
    """The oldest running training ends with this accuracy; KTRDR tells no baseline."""
    name = next(n for n, each in backend.operations.items() if each["status"] == "running" and "training" in n)
    tested = RESULT["test_metrics"] | {"test_accuracy": accuracy, "baseline_accuracy": baseline}
    used = {"samples": {"test": 900}, "end_date": "2024-12-31T00:00:00"}
    result = RESULT | {"test_metrics": tested, "data_summary": used, "model_path": f"models/{name}"} | more
    backend.operations[name] = operation(name, status="completed", result_summary=result, completed_at=stamp())


def test_runs_are_started_once_ranked_and_the_best_tested(address, backend, tmp_path):
    form = {"key": KEY, "way": "grid", "strategy_name": "swing", "symbols": "AAA BBB CCC", "end_date": "2024-12-31"}
    with panel(tmp_path, address) as here:
        until(lambda: here.inside.panel.monitor.worker_list.workers)
        plan = words(here.post("/batches/look", form).text)
        assert "3 trainings" in plan and "the best one looks better than it is" in plan
        for _ in range(2):  # a double click
            assert here.post("/batches", form).headers["location"] == f"/batches/{KEY}"
        until(lambda: len(started(backend)) == 3)
    with panel(tmp_path, address) as here:
        running = here.get(f"/batches/{KEY}").text
        for accuracy in (0.45, 0.5, 0.38):
            end(backend, accuracy)
        board = here.until(f"/batches/{KEY}", lambda text: "3 of 3 trainings completed" in text)
        assert [body["symbols"] for body in started(backend)] == [["AAA"], ["BBB"], ["CCC"]]
        ranked = words(board).partition("Over baseline")[2]
        assert ranked.index("BBB") < ranked.index("AAA") < ranked.index("CCC") and "+10.0 points" in ranked
        assert "Not all runs were tested on the same bars" in words(board) and "on one test period" not in words(board)
        assert 'id="best" hx-get' in running and 'id="best" class="surface' in board  # comes by itself, then stays
        assert words(here.get("/batches").text).count("3 × swing") == 1
        refused = here.post(f"/batches/{KEY}/backtest", {"start_date": "2025-02-01", "end_date": "2025-01-01"})
        assert refused.status_code == 422 and "has to come after the first" in words(refused.text)
        here.post(f"/batches/{KEY}/backtest", {"start_date": "2025-01-01", "end_date": "2025-06-30"})
        until(lambda: started(backend, "/backtests/start"))
        test = started(backend, "/backtests/start")[0]
        assert (test["symbol"], test["start_date"]) == ("AAA", "2025-01-01") and test["model_path"].startswith(
            "models/op_"
        )


def test_runs_are_ranked_by_accuracy_where_there_is_no_baseline(address, backend, tmp_path):
    form = {"key": KEY, "way": "grid", "strategy_name": "swing", "symbols": "AAA BBB CCC", "end_date": "2024-12-31"}
    with panel(tmp_path, address) as here:
        until(lambda: here.inside.panel.monitor.worker_list.workers)
        here.post("/batches", form)
        until(lambda: len(started(backend)) == 3)
        for accuracy in (0.45, 0.5):
            end(backend, accuracy, None)
        end(backend, 0.9, None, training_metrics={"history": {"train_loss": [None, None]}})  # it has learned nothing
        board = words(here.until(f"/batches/{KEY}", lambda text: "3 of 3 trainings completed" in text))
        ranked = board.partition("Over baseline")[2]
        assert ranked.index("BBB") < ranked.index("AAA") < ranked.index("CCC")
        entries = [f"{KEY}-{number}" for number in (1, 2, 3)]  # in the queue they ended as in the batch
        with closing(Storage(here.settings.memory_file)) as store:
            until(lambda: [store.queue.entry(key).open for key in entries] == [False] * 3)
            assert [store.queue.entry(key).state for key in entries] == ["done"] * 3
        said = (
            "By their test accuracy, as the backend reports no baseline; it cannot really be compared between different"
        )
        assert f"{said} data: no. 2, no. 1." in board
        here.post(f"/batches/{KEY}/backtest", {"start_date": "2025-01-01", "end_date": "2025-06-30"})
        until(lambda: len(started(backend, "/backtests/start")) == 2)


def test_a_walk_forward_trains_and_then_tests(here, backend):
    until(lambda: here.inside.panel.monitor.worker_list.workers)
    here.post("/batches", WALK | {"key": KEY})
    until(lambda: len(started(backend)) == 4)
    assert started(backend, "/backtests/start") == []
    end(backend, 0.45)
    until(lambda: len(started(backend, "/backtests/start")) == 1)
    assert started(backend, "/backtests/start")[0]["start_date"] == "2025-05-01"
    name = next(name for name in backend.operations if "backtest" in name)
    metrics = {"total_return_pct": 0.05, "buy_and_hold_return_pct": 0.01, "total_trades": 3}
    result = {"metrics": metrics}
    backend.operations[name] = operation(name, "backtesting", "completed", result_summary=result, completed_at=stamp())
    page = words(here.until(f"/batches/{KEY}", lambda text: "Joined result" in text))
    assert "Return +5.00 % of 1 test" in page and "Buy and hold +1.00 %" in page


def test_a_stopped_batch_begins_nothing_more(here, backend):
    backend.workers = [worker("w1")]
    until(lambda: here.inside.panel.monitor.worker_list.workers)
    here.post("/batches", {"key": KEY, "way": "grid", "strategy_name": "swing", "symbols": "AAA BBB CCC"})
    until(lambda: len(started(backend)) >= 1)
    here.post(f"/batches/{KEY}/stop")
    until(lambda: here.get("/api/queue").json()["entries"] == [])
    until(lambda: any("DELETE" in hit for hit in backend.hits))  # its start may have been under way
    assert "Stopped" in words(here.get(f"/batches/{KEY}").text)


def test_a_stop_that_was_broken_off_is_carried_out_after_a_restart(address, backend, tmp_path):
    """The panel was killed between writing down the stop and cancelling the runs."""
    backend.workers = [worker("w1")]
    with panel(tmp_path, address) as here:
        until(lambda: here.inside.panel.monitor.worker_list.workers)
        here.post("/batches", {"key": KEY, "way": "grid", "strategy_name": "swing", "symbols": "AAA BBB CCC"})
        until(lambda: len(started(backend)) >= 1)
        until(lambda: here.get("/api/queue").json()["entries"][0]["operation_id"])
        memory = here.settings.memory_file
    with closing(Storage(memory)) as storage:
        storage.batches.stop(KEY)
    begun = len(started(backend))  # the only worker is listed as free, so there may be a second one
    with panel(tmp_path, address) as here:
        until(lambda: here.get("/api/queue").json()["entries"] == [])
        assert len(started(backend)) == begun == sum(n for hit, n in backend.hits.items() if "DELETE" in hit)


@pytest.mark.parametrize("away", [True, False])
def test_a_stop_that_goes_on_failing_is_tried_ever_more_seldom(monkeypatch, away):
    monkeypatch.undo()  # virtual time is quick enough
    backend = Backend()
    backend.workers = [worker("w1", last_healthy_at=stamp())]
    with living(backend) as life:
        life.runner.run(asyncio.sleep(15))
        form = {"key": KEY, "way": "grid", "strategy_name": "swing", "symbols": "AAA BBB"}
        life.post("/batches", form, 1, 15.0)
        running = next(iter(backend.operations))
        memory = panel_of(life.app).storage.memory
        life.line.cut = away
        if not away:
            backend.answers[f"DELETE /operations/{running}"] = (500, {"detail": "Internal error"})
        life.post(f"/batches/{KEY}/stop", {}, 1, 1200.0)
        tries = len(memory.requests(running))
        assert tries == 1 if away else 5 < tries < 12
        life.line.cut = False
        backend.answers.clear()
        life.runner.run(asyncio.sleep(60 if away else 330))
        assert backend.operations[running]["status"] == "cancelled" and panel_of(life.app).queue.open() == []


def test_settings_cannot_be_varied_where_the_file_is_not_at_hand(here, backend):
    page = here.post("/batches", GRID | {"key": KEY})
    assert page.status_code == 422 and "is not at hand" in words(page.text) and started(backend) == []


def test_a_batch_that_is_sent_twice_at_once_makes_its_files_and_runs_once(address, backend, tmp_path):
    folder = tmp_path / "strategies"
    folder.mkdir()
    (folder / "swing.yaml").write_text(TEXT)
    with panel(tmp_path / "panel", address, strategies_folder=folder) as here:
        until(lambda: here.inside.panel.monitor.worker_list.workers)
        with ThreadPoolExecutor(2) as both:
            answers = list(both.map(lambda _: here.post("/batches", GRID | {"key": KEY}), range(2)))
        assert [answer.status_code for answer in answers] == [303, 303], [words(each.text) for each in answers]
        until(lambda: len(started(backend)) == 3)
        made = {file.stem for file in folder.glob("swing-*.yaml")}
        assert made == {f"swing-period_{n}" for n in (7, 14, 21)}
        assert {body["strategy_name"] for body in started(backend)} == made
        assert "period: 21}" in (folder / "swing-period_21.yaml").read_text()


def test_the_test_of_a_training_waits_for_the_result_that_names_its_model():
    """Of a training that the backend lost track of, the model's time is known before its result."""
    backend = Backend()
    backend.workers = [worker(name, last_healthy_at=stamp()) for name in ("w1", "w2", "w3", "w4")]
    backend.workers.append(worker("w5", kind="backtesting", last_healthy_at=stamp()))
    with living(backend) as life:
        life.runner.run(asyncio.sleep(15))
        life.inside.post("/batches", WALK | {"key": KEY})
        life.runner.run(asyncio.sleep(15))
        assert len(started(backend)) == 4
        name, monitor = next(iter(backend.operations)), panel_of(life.app).monitor

        async def lost_and_ended() -> None:
            known = monitor.known(name)
            monitor.keep(known, unreported_end(known, time.time()))

        life.runner.run(lost_and_ended())
        life.runner.run(asyncio.sleep(20))
        assert "saved no model" not in words(life.inside.get(f"/batches/{KEY}").text)
        end(backend, 0.45)
        life.inside.get(f"/operations/{name}")
        life.runner.run(asyncio.sleep(20))
    assert [body["model_path"] for body in started(backend, "/backtests/start")] == [f"models/{name}"]


def test_a_full_queue_holds_up_no_end_and_each_batch_gets_its_turn(monkeypatch):
    monkeypatch.setattr("panel.storage.queue.MAX_ENTRIES", 2)
    backend = Backend()
    backend.workers = [worker("w1", last_healthy_at=stamp())]
    early, late, small = "z" * 20, "a" * 20, "m" * 20  # stored in another order than they were made
    with living(backend) as life:
        batches = panel_of(life.app).storage.batches
        form = {"way": "grid", "strategy_name": "swing"}

        def post(key: str, symbols: str) -> None:
            assert life.inside.post("/batches", form | {"key": key, "symbols": symbols}).status == 303
            life.runner.run(asyncio.sleep(15))

        life.runner.run(asyncio.sleep(15))
        post(early, "AAA BBB")
        post(late, "CCC DDD EEE")
        post(small, "FFF GGG")
        life.runner.run(asyncio.sleep(60))  # without end, where asking for room in vain wakes who asks
        assert [run.state for run in batches.open_runs()] == ["waiting"] * 5 + ["queued"] * 2
        ends = []
        for number in range(4):
            end(backend, 0.45)
            life.runner.run(asyncio.sleep(60))
            ends.append([sum(run.state == "done" for run in batches.runs(key)) for key in (early, late, small)])
            assert sum(map(sum, ends[-1:])) == number + 1, "an end is known at once, whoever waits"
        assert ends == [[1, 0, 0], [2, 0, 0], [2, 1, 0], [2, 1, 1]]
