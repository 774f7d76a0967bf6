"""Strategies, models and checkpoints: what the backend lists, beside what the panel remembers."""

import re
import time

import pytest

from panel.backend.ktrdr import NEWEST, Ktrdr
from panel.client import AsyncCLIClient
from panel.domain.models import model_key
from tests.support.pages import words
from tests.support.panels import panel
from tests.support.scripted import RESULT, operation, stamp

# As KTRDR lists it: no id, no name, no zone.
LISTED = {
    "model_id": "",
    "model_name": "",
    "symbol": "EURUSD",
    "timeframe": "1h",
    "created_at": "2026-11-20T10:00:00",
    "training_accuracy": 0.81,
    "test_accuracy": 0.872,
    "model_path": "/app/models/swing/1h_v4",
}


def checkpoint(operation_id, epoch=29, **more):
    state = {"epoch": epoch, "train_loss": 0.5, "val_loss": 0.62, "training_history": {"train_loss": [0.5] * 2000}}
    listed = {"operation_id": operation_id, "checkpoint_type": "cancellation", "created_at": stamp()}
    return listed | {"state_summary": state, "artifacts_size_bytes": 14_423} | more


def finished(name, accuracy, path, ended, **more):
    result = RESULT | {"model_path": path, "test_metrics": RESULT["test_metrics"] | {"test_accuracy": accuracy}}
    parameters = {"strategy_name": "swing", "symbols": ["EURUSD"], "timeframes": ["1h"]}
    now = time.time()
    times = {"created_at": stamp(now - ended - 60), "completed_at": stamp(now - ended)}
    return operation(
        name, status="completed", result_summary=result, metadata={"parameters": parameters}, **times, **more
    )


def row(page: str, sign: str) -> str:
    return words(next(part for part in page.split("<tr>")[1:] if sign in part).partition("</tr>")[0])


def test_models_say_what_they_are_and_which_training_made_them(here, backend):
    backend.operations["op_a"] = finished("op_a", 0.872, "models/swing/1h_v4", 10)
    here.read("op_a")
    other = {"symbol": "GBPUSD", "model_path": "models/other/4h_v1", "test_accuracy": None}
    backend.answers["GET /models"] = (200, {"success": True, "models": [LISTED | other, LISTED, "x", {}]})
    page = here.get("/models").text
    assert "EURUSD 1h 87.2 % none 2026-11-20 10:00 UTC by its training Backtest" in row(page, "swing/1h_v4")
    assert 'href="/operations/op_a"' in page
    assert "model_path=%2Fapp%2Fmodels%2Fswing%2F1h_v4" in page and "strategy_name=swing" in page
    assert "GBPUSD 1h – none 2026-11-20 10:00 UTC its training is not known Backtest" in row(page, "other/4h_v1")
    assert "no path given" in words(page)


def test_models_are_searched_and_sorted_by_their_address(here, backend):
    made = [
        (f"{symbol.lower()}/1h_v{n}", symbol, accuracy)
        for n, (symbol, accuracy) in enumerate((("EURUSD", 0.4), ("GBPUSD", 0.6), ("EURUSD", None), ("EURUSD", 0.5)), 1)
    ]
    backend.answers["GET /models"] = (
        200,
        {
            "success": True,
            "models": [
                LISTED
                | {
                    "symbol": symbol,
                    "model_path": f"models/{path}",
                    "test_accuracy": accuracy,
                    "created_at": f"2026-11-2{n}T10:00:00",
                }
                for n, (path, symbol, accuracy) in enumerate(made)
            ],
        },
    )

    def listed(query: str) -> list[str]:
        return re.findall(r"<b>(\w+/1h_v\d)</b>", here.get(f"/models{query}").text)

    assert listed("?sort=accuracy") == ["gbpusd/1h_v2", "eurusd/1h_v4", "eurusd/1h_v1", "eurusd/1h_v3"]
    assert listed("?q=eurusd+1H&sort=accuracy") == ["eurusd/1h_v4", "eurusd/1h_v1", "eurusd/1h_v3"]
    assert len(listed("")) == 4 and listed("?q=nothing") == []
    page = here.get("/models?q=eurusd").text
    assert 'href="/models?q=eurusd&amp;sort=accuracy"' in page and 'value="eurusd"' in page
    assert "No model has all of these words" in here.get("/models?q=nothing").text


@pytest.fixture
def model(here, backend):
    """The address of a model with its training and a backtest."""
    backend.operations["op_a"] = finished("op_a", 0.872, "models/swing/1h_v4", 10)
    metrics = {"metrics": {"total_return_pct": 0.07, "total_trades": 3}}
    about = {"symbol": "EURUSD", "parameters": {"strategy_name": "swing", "model_path": "models/swing/1h_v4"}}
    times = {"created_at": stamp(time.time() - 50), "completed_at": stamp(time.time() - 40)}
    done = operation("op_t", "backtesting", "completed", result_summary=metrics, metadata=about, **times)
    backend.operations["op_t"] = done
    here.read("op_a", "op_t")
    backend.answers["GET /models"] = (200, {"success": True, "models": [LISTED | {"baseline_accuracy": 0.5}]})
    return "/models/swing/1h_v4"


def test_a_model_has_a_page_with_its_worth_and_its_backtests(here, model):
    assert "37.2 points above the baseline 1, best return 7.0 %" in row(here.get("/models").text, "swing/1h_v4")
    page = here.get(model)
    read = words(page.text)
    assert "Test accuracy 87.2 % 37.2 points above the baseline" in read and "Return 7.0 %" in read
    assert 'href="/operations/op_t"' in page.text and 'href="/operations/op_a"' in page.text
    assert "Download" not in read and here.get(f"{model}/download").status_code == 404, "KTRDR keeps the files"
    assert here.get("/models/swing/1h_v5").status_code == 404


def test_a_retired_model_is_in_no_form_and_comes_back(here, model):
    form = "/start/backtesting?strategy_name=swing"
    assert 'value="models/swing/1h_v4"' in here.get(form).text
    here.post(f"{model}/retire")
    assert 'value="models/swing/1h_v4"' not in here.get("/start/backtesting").text
    assert "1 retired model" in here.get("/models").text and "swing/1h_v4" not in here.get("/models").text
    assert "swing/1h_v4" in here.get("/models?retired=1").text and "It is retired" in here.get(model).text
    here.post(f"{model}/retire", data={"back": "1"})
    assert 'value="models/swing/1h_v4"' in here.get(form).text


def test_a_note_about_a_model_is_not_lost_to_another(here, model):
    here.post(f"{model}/note", data={"note": "<b>good</b>", "version": "0"})
    assert "&lt;b&gt;good" in here.get(model).text and "good" in here.get("/models").text
    late = here.post(f"{model}/note", data={"note": "mine", "version": "0"})
    assert late.status_code == 409 and "&lt;b&gt;good" in late.text and ">mine</textarea>" in late.text
    assert here.post(f"{model}/note", data={"note": "mine", "version": "1"}).status_code in (200, 303)
    assert ">mine</textarea>" in here.get(model).text


def test_checkpoints_are_asked_for_only_on_their_page_and_the_doubtful_are_marked(here, backend):
    """A training that fails at once saves the state of the run before it."""
    now = time.time()
    times = {"created_at": stamp(now - 100), "completed_at": stamp(now - 98)}
    backend.operations["op_bad"] = operation("op_bad", status="failed", error_message="No data", **times)
    backend.operations["op_cut"] = operation("op_cut", status="cancelled", **times)
    here.read(*backend.operations)
    here.get("/")
    assert backend.hits["GET /checkpoints"] == 0
    listed = [checkpoint("op_bad", checkpoint_type="failure"), checkpoint("op_cut"), checkpoint("op_unseen"), {}]
    backend.answers["GET /checkpoints"] = (200, {"success": True, "data": [*listed, checkpoint("../x")]})
    page = here.get("/checkpoints").text
    assert "Its training failed within 2 s, before any epoch was seen" in row(page, "op_bad")
    assert "swing EURUSD 1h · cancelled When it was cancelled" in row(page, "op_cut")
    assert "probably" not in row(page, "op_cut") and "29 0.6200 14.4 kB" in row(page, "op_cut")
    assert "op_unseen" in page and "../x" not in page and len(page) < 20_000


def test_strategies_with_their_last_runs_and_their_best_model(here, backend):
    backend.strategies.append({"name": "old_one", "description": "", "problem": "This is a v2 strategy."})
    backend.operations["op_1"] = finished("op_1", 0.61, "models/swing/1h_v1", 500)
    backend.operations["op_2"] = finished("op_2", 0.72, "models/swing/1h_v2", 300)
    backend.operations["op_3"] = finished("op_3", 0.55, "models/swing/1h_v3", 100)
    here.read(*backend.operations)
    page = here.get("/strategies").text
    swing = page.partition('<h2><a href="/strategies/swing">swing</a></h2>')[2]
    read = words(swing)
    assert read.startswith("Buys oversold, sells overbought. EURUSD 1h · rsi Training completed · Test accuracy 55.0 %")
    assert read.index("55.0 %") < read.index("72.0 %") < read.index("61.0 %")
    assert "/start/backtesting?strategy_name=swing&amp;model_path=models%2Fswing%2F1h_v2" in swing
    form = here.get("/start/backtesting?strategy_name=swing&model_path=models/swing/1h_v2").text
    assert 'value="models/swing/1h_v2"' in form
    old = page.partition('<h2><a href="/strategies/old_one">old_<wbr>one</a></h2>')[2].partition("</article>")[0]
    assert "This is a v2 strategy." in old and "Train<" not in old


@pytest.mark.parametrize("path", ["/strategies", "/models", "/checkpoints"])
def test_empty_silent_and_nonsense(here, backend, path):
    backend.strategies = []
    read = words(here.get(path).text)
    if path != "/strategies":
        assert "not known now" in read, "the scripted backend has no such route: 404"
        for nonsense in (
            None,
            [],
            {"models": 5, "data": {"x": 1}},
            {"models": [None, {"created_at": 5}], "data": [{}]},
        ):
            backend.answers[f"GET {path}"] = (200, nonsense)
            assert here.get(path).status_code == 200
        backend.answers[f"GET {path}"] = (200, {"success": True, "models": [], "data": []})
        assert "No model yet" in words(here.get(path).text) or "No checkpoint" in words(here.get(path).text)
    else:
        assert "The backend lists no strategy." in read


def test_the_embedded_backend_has_all_of_them(tmp_path):
    with panel(tmp_path) as here:
        assert "rsi_swing" in words(here.get("/strategies").text)
        assert "No model yet." in words(here.get("/models").text)
        assert "No checkpoint." in words(here.get("/checkpoints").text)


@pytest.mark.anyio
async def test_lists_are_bounded_and_newest_first(backend, address):
    many = [LISTED | {"created_at": f"2026-01-{day:02}T00:00:00"} for day in range(1, 29)] * 30
    backend.answers["GET /models"] = (200, {"models": many})
    backend.answers["GET /checkpoints"] = (200, {"data": [checkpoint("op_a", epoch=None)]})
    async with AsyncCLIClient(address) as client:
        found = await Ktrdr(client).models()
        assert (await Ktrdr(client).checkpoints())[0].epoch is None
    assert len(found) == NEWEST and found[0].trained_at == max(model.trained_at or 0 for model in found)
    assert model_key("/app/models/swing/1h_v4/") == model_key("models/swing/1h_v4") == "swing/1h_v4"
