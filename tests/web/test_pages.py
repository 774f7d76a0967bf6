"""Pages as a browser without scripts gets them: what they say, what they keep, where they lead."""

import re

import pytest
from starlette.responses import Response

from tests.support.batches import seed_batch
from tests.support.pages import KEY, words
from tests.support.panels import Panel, free_port, panel
from tests.support.scripted import RESULT, corrupt, operation, percent, served, stamp


def test_an_empty_home_names_the_next_step(here):
    assert here.get("/").status_code == 200
    here.until("/", lambda text: "No runs are known yet. Start a training" in words(text))


def test_home_shows_what_runs_and_what_ended(here, backend):
    backend.operations["op_run"] = operation("op_run", progress=percent(41.9, "Epoch 42/100"))
    backend.operations["op_bad"] = operation("op_bad", status="failed", error_message="No data found in cache for X 1h")
    backend.operations["op_good"] = operation(
        "op_good", status="completed", result_summary=RESULT, completed_at=stamp()
    )
    here.read(*backend.operations)
    read = words(here.get("/").text)
    assert "41 % Epoch 42/100" in read and "Running now 1" in read
    assert "Failed swing Training EURUSD 1h No data found" in read
    assert "Completed swing Training EURUSD 1h Test accuracy 87.2 %" in read


def test_the_form_lists_strategies_and_what_each_is(here):
    read = words(here.get("/start/training").text)
    assert "swing" in read and "Buys oversold, sells overbought." in read
    for label in ("From", "To", "Symbols", "Timeframes"):
        assert label in read
    assert "Detailed analytics" not in read, "KTRDR does not show them"


def test_without_listed_strategies_a_name_can_be_typed(here, backend):
    """KTRDR lists none of its own v3 strategies."""
    backend.strategies = []
    page = here.get("/start/training").text
    assert '<input id="strategy_name" name="strategy_name"' in page and "Type the name" in page


def test_names_come_from_the_mounted_strategies_folder_too(backend, tmp_path):
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "mounted.yaml").write_text(
        "name: x\ndescription: From the folder.\nindicators: {rsi: {type: rsi}}\n"
    )
    (tmp_path / "strategies" / "old.yaml").write_text("name: y\nindicators: [rsi]\n")
    backend.strategies = []
    folder = tmp_path / "strategies"
    with served(backend.app) as address, panel(tmp_path, address + "/api/v1", strategies_folder=folder) as here:
        read = words(here.get("/start/training").text)
    assert "mounted" in read and "From the folder." in read and "v2 strategy" in read


def test_errors_are_beside_their_fields_and_no_input_is_lost(here, backend):
    typed = {
        "key": KEY,
        "strategy_name": "swing",
        "start_date": "2024-05-01",
        "end_date": "2024-01-01",
        "symbols": "EURUSD ../x",
    }
    page = here.post("/start/training", typed)
    assert page.status_code == 422 and backend.hits["POST /trainings/start"] == 0
    assert 'value="2024-05-01"' in page.text and 'value="EURUSD ../x"' in page.text
    assert re.search(r'value="swing"\s+checked', page.text)
    for name, error in (("end_date", "has to come after"), ("symbols", "is not a symbol")):
        field = page.text.partition(f'id="{name}-help"')[2].partition("</p>")[0]
        assert error in field
    # The same form, mended, starts: its key is still good.
    mended = {**typed, "key": KEY, "end_date": "2024-06-01", "symbols": "EURUSD"}
    done = here.post("/start/training", mended)
    assert done.status_code == 303 and backend.hits["POST /trainings/start"] == 1
    assert backend.bodies[-1][1] == {
        "strategy_name": "swing",
        "symbols": ["EURUSD"],
        "start_date": "2024-05-01",
        "end_date": "2024-06-01",
        "detailed_analytics": False,
        "task_id": done.headers["location"].removeprefix("/operations/"),
    }


def test_a_refusal_of_the_backend_is_shown_in_the_form(here, backend):
    backend.answers["POST /trainings/start"] = (
        400,
        {"detail": "Strategy file not found: swing.yaml (searched: /a, /b)"},
    )
    page = here.post("/start/training", {"key": KEY, "strategy_name": "swing"})
    assert (
        page.status_code == 422 and "Strategy file not found: swing.yaml" in page.text and "searched" not in page.text
    )
    key = re.search(r'name="key" value="([^"]+)"', page.text)
    assert key and key[1] != KEY, "a refused form can be sent again"


def test_no_worker_is_said_with_what_can_be_done(here, backend):
    detail = {"error": "No training workers available", "registered_workers": 1, "hint": "Retry in a few seconds."}
    backend.answers["POST /trainings/start"] = (503, {"detail": detail})
    text = words(here.post("/start/training", {"key": KEY, "strategy_name": "swing"}).text)
    assert "No training worker is registered with the backend. Nothing was started." in text
    assert "can wait in the queue" in text and "Retry in a few seconds." not in text


def test_a_start_that_is_not_confirmed_has_a_page_of_its_own(here, backend, monkeypatch):
    monkeypatch.setattr("panel.workflows.starting.CHECKS", (0.01,))
    backend.answers["POST /trainings/start"] = lambda _: Response("<html>bad gateway", 502)
    answer = here.post("/start/training", {"key": KEY, "strategy_name": "swing"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/starts/{KEY}")
    assert "Check again" in here.get(f"/starts/{KEY}").text
    assert here.post(f"/starts/{KEY}/check").headers["location"] == f"/starts/{KEY}"
    (sent,) = [body for hit, body in backend.bodies if hit == "POST /trainings/start"]
    backend.operations[sent["task_id"]] = operation(sent["task_id"])
    assert here.post(f"/starts/{KEY}/check").headers["location"].startswith("/operations/op_training_")
    assert backend.hits["POST /trainings/start"] == 1


def test_htmx_is_sent_on_by_its_own_header(here):
    answer = here.post("/start/training", {"key": KEY, "strategy_name": "swing"}, **{"hx-request": "true"})
    assert answer.status_code == 204 and answer.headers["hx-redirect"].startswith("/operations/op_training_")


def test_the_check_before_the_start(here, backend):
    """What the backend thinks of the strategy, and which data is there, before anything is started."""
    no_data = (404, {"detail": "Data not found for EURUSD (1h)"})
    read = words(here.post("/start/training/look", {"strategy_name": "swing"}).text)
    assert "swing is valid, 3 input features" in read and "10,945 bars, 2023-01-01 to 2025-06-30" in read
    backend.answers["POST /data/range"] = no_data
    read = words(here.post("/start/training/look", {"strategy_name": "swing", "timeframes": "4h"}).text)
    assert "EURUSD 4h no data stored, so the training would fail. Load EURUSD 4h" in read
    issue = {"severity": "error", "category": "x", "message": "rsi_14 has no period", "details": {}}
    backend.answers["POST /strategies/validate/bad"] = (200, {"success": False, "valid": False, "issues": [issue]})
    read = words(here.post("/start/training/look", {"strategy_name": "bad", "symbols": "EURUSD"}).text)
    assert "bad cannot be trained." in read and "rsi_14 has no period" in read


def test_one_operation(here, backend):
    backend.operations["op_a"] = operation(
        "op_a",
        progress=percent(3.878, "Epoch 4/100 · Batch 180/205", steps_completed=3, steps_total=100),
        metrics={"epochs": corrupt(3)},
    )
    page = here.get("/operations/op_a")
    read = words(page.text)
    assert "3 %" in read and "Epoch 4/100 · Batch 180/205" in read and "Epochs done 3 of 100" in read
    assert "Cancel…" in read and "Strategy" not in read.partition("Parameters")[0]
    assert "Train loss&#34;, &#34;values&#34;: [1.0, 0.5, 0.333333]" in page.text
    assert len(page.text) < 20_000


def test_a_result_is_shown_in_a_traders_terms(here, backend):
    backend.operations["op_a"] = operation(
        "op_a", status="completed", progress=percent(100), result_summary=RESULT, completed_at=stamp()
    )
    read = words(here.get("/operations/op_a").text)
    for figure in (
        "Test accuracy 87.2 %",
        "Precision 99.5 %",
        "F1 score 93.0 %",
        "Model size 1,227",
        "models/swing/1h_v4",
    ):
        assert figure in read
    assert "On sample data" not in read


def test_sample_data_is_named_as_such(here, backend):
    result = RESULT | {"data_summary": {"symbols": ["EURUSD"], "source": "sample"}}
    backend.operations["op_a"] = operation("op_a", status="completed", result_summary=result, completed_at=stamp())
    assert "Sample data: generated, not from a real market" in words(here.get("/operations/op_a").text)


def test_it_is_never_a_hundred_while_it_runs(here, backend):
    backend.operations["op_a"] = operation("op_a", progress=percent(100, "Saving the model"))
    page = here.get("/operations/op_a").text
    assert "99 %" in words(page) and "Saving the model" in page and 'value="100' not in page


@pytest.mark.parametrize("percentage", [None, -5, 250, "x", float("1e300")])
def test_strange_percentages_are_shown_plainly(here, backend, percentage):
    backend.operations["op_a"] = operation("op_a", status="paused", progress=percent(percentage))
    page = here.get("/operations/op_a")
    assert page.status_code == 200 and "Unclear" in words(page.text)


def test_a_cancel_asks_first_and_says_what_would_end(here, backend):
    backend.operations["op_a"] = operation("op_a", progress=percent(30), metrics={"epochs": corrupt(29)})
    here.read("op_a")
    asked = words(here.get("/operations/op_a/cancel").text)
    assert "Cancel swing ?" in asked and "29 epochs" in asked and backend.hits["DELETE /operations/op_a"] == 0
    answer = here.post("/operations/op_a/cancel")
    assert (answer.status_code, answer.headers["location"]) == (303, "/operations/op_a")
    assert backend.hits["DELETE /operations/op_a"] == 1
    read = words(here.until("/operations/op_a", lambda text: "Cancelled" in text))
    assert "Epochs" in read or "swing" in read


def test_the_curves_of_a_cancelled_run_stay(here, backend):
    """A cancelled run's metrics are null in the backend's answer; the panel has seen them."""
    backend.operations["op_a"] = operation("op_a", progress=percent(30), metrics={"epochs": corrupt(3)})
    here.read("op_a")
    here.post("/operations/op_a/cancel")
    page = here.until("/operations/op_a", lambda text: "Cancelled" in text)
    assert "Train loss&#34;, &#34;values&#34;: [1.0, 0.5, 0.333333]" in page and "30 %" in words(page)


def test_a_cancel_that_was_too_late_is_no_error(here, backend):
    backend.operations["op_a"] = operation("op_a")
    here.read("op_a")
    backend.operations["op_a"] = operation("op_a", status="completed", result_summary=RESULT, completed_at=stamp())
    assert here.post("/operations/op_a/cancel").status_code == 303
    assert "Completed" in here.until("/operations/op_a", lambda text: "Completed" in text)


def test_a_cancel_that_is_not_delivered_says_so(here, backend):
    backend.operations["op_a"] = operation("op_a", status="resuming")
    here.read("op_a")
    cancelled = {"operation_id": "op_a", "status": "cancelled", "task_cancelled": False, "remote_cancelled": False}
    backend.answers["DELETE /operations/op_a"] = (200, {"success": True, "data": cancelled})
    here.post("/operations/op_a/cancel")
    assert "did not reach the worker, which may go on" in words(here.get("/operations/op_a").text)


def test_run_again_fills_the_form_in(here, backend):
    done = here.post(
        "/start/training", {"key": KEY, "strategy_name": "swing", "symbols": "GBPUSD", "start_date": "2024-01-02"}
    )
    operation_id = done.headers["location"].removeprefix("/operations/")
    form = here.get(f"/start/training?again={operation_id}").text
    assert re.search(r'value="swing"\s+checked', form) and 'value="GBPUSD"' in form and 'value="2024-01-02"' in form
    # One that somebody else started is read from its parameters.
    backend.operations["op_b"] = operation("op_b", status="failed")
    here.read("op_b")
    form = here.get("/start/training?again=op_b").text
    assert re.search(r'value="swing"\s+checked', form) and 'value="EURUSD"' in form


def test_an_unknown_id_is_not_found(here):
    page = here.get("/operations/op_nope")
    assert page.status_code == 404 and "Neither the panel nor the backend knows" in words(page.text)
    assert here.get("/start/nonsense").status_code == here.get("/nowhere").status_code == 404
    assert "nothing at this address" in words(here.get("/nowhere").text)


def test_a_backend_that_is_away(tmp_path, backend):
    port = free_port()
    address = f"http://127.0.0.1:{port}/api/v1"
    with panel(tmp_path, address) as here:
        home = here.until("/", lambda text: "Backend unreachable" in text)
        assert address in words(home) and "since" in words(home)
        assert here.get("/operations/op_x").status_code == 502
        form = here.get("/start/training")
        assert form.status_code == 200 and "strategies are not known now" in words(form.text)
        tried = here.post("/start/training", {"key": KEY, "strategy_name": "swing", "symbols": "EURUSD"})
        assert tried.status_code == 502 and "Nothing was started; what you typed is still here" in words(tried.text)
        assert 'value="EURUSD"' in tried.text
        with served(backend.app, port):
            here.until("/", lambda text: "Backend unreachable" not in text)


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: Response("<html><h1>Bad gateway</h1>", 200),
        lambda _: Response('{"success": true, "data": {"operation_id": "op_a", "stat', 200),
        lambda _: Response("[" * 5000, 200),
        lambda _: Response(
            '{"success": true, "data": {"operation_id": "op_a", "status": "running", "progress": {"percentage": NaN}}}',
            200,
        ),
        lambda _: Response('{"data": {"operation_id": "op_a", "progress": {"percentage": ' + "9" * 5000 + "}}}", 200),
        lambda _: Response(b"\xff\xfe\x00", 200),
        lambda _: Response("null", 200),
        lambda _: Response("x" * 9_000_000, 200),
    ],
)
def test_a_backend_that_sends_nonsense_never_breaks_a_page(here, backend, answer):
    backend.operations["op_a"] = operation("op_a", progress=percent(12))
    here.read("op_a")
    backend.answers["GET /operations/op_a"] = backend.answers["GET /operations"] = answer
    for path in ("/operations/op_a", "/", "/operations/op_unread"):
        page = here.get(path)
        assert page.status_code in (200, 404, 502), path
        assert "Traceback" not in page.text and "went wrong inside the panel" not in page.text


def test_the_embedded_backend_says_what_its_data_is(tmp_path):
    with panel(tmp_path) as here:
        assert "it loads sample data, not from a real market" in words(here.get("/").text)
        look = words(here.post("/start/training/look", {"strategy_name": "rsi_swing"}).text)
        assert "Load sample data for EURUSD 1h" in look


def test_every_kind_has_a_form(here: Panel):
    for kind in ("training", "data_load", "backtesting", "dummy"):
        page = here.get(f"/start/{kind}")
        assert page.status_code == 200 and f'action="/start/{kind}"' in page.text


def marked(page: str) -> list[str]:
    """The sections that the header marks."""
    header = page.partition('aria-label="Pages"')[2].partition("</nav>")[0]
    return re.findall(r"aria-current[^>]*>(\w+)<", header)


def way(page: str) -> str:
    return words(page.partition(' class="crumbs" aria-label="Where this page is" hx-ignore>')[2].partition("</nav>")[0])


PLACES = (  # page, section, way
    ("/", "Home", ""),
    ("/operations", "Runs", ""),
    ("/start/training", "Runs", "Runs / New"),
    ("/start/data_load", "Runs", "Runs / New"),
    ("/queue", "Runs", "Runs / Queue"),
    ("/schedules", "Runs", "Runs / Queue / Schedules"),
    ("/schedules/new", "Runs", "Runs / Queue / Schedules / New"),
    ("/batches", "Runs", "Runs / Batches"),
    ("/batches/new", "Runs", "Runs / Batches / New"),
    (f"/batches/{'b' * 32}", "Runs", "Runs / Batches / 2 × swing"),
    (f"/plans/{KEY}", "Runs", "Runs / Load, then train"),
    ("/operations/op_x/cancel", "Runs", "Runs / Training / Cancel"),
    ("/operations/op_nope", "Runs", ""),
    ("/data/import", "Data", "Data / Import"),
    ("/strategies/compare", "Strategies", ""),
    ("/checkpoints", "Models", "Models / Checkpoints"),
    ("/workers", "", "Home / Workers"),
    ("/access", "", "Home / Access"),
    ("/audit", "", "Home / Access / Audit trail"),
    ("/notifications", "", "Home / Notifications"),
)


def test_every_page_says_where_it_is(backend, address, tmp_path):
    backend.operations["op_x"] = operation("op_x")
    seed_batch(tmp_path, address, 0.5, 0.6, key="b" * 32)
    with panel(tmp_path, address) as here:
        here.post("/plans", {"key": KEY, "strategy_name": "swing", "load": "EURUSD 1h tail"})
        pages = {path: here.get(path).text for path, *_ in PLACES}
    told = [(path, (*marked(page), "")[0], way(page)) for path, page in pages.items()]
    assert told == list(PLACES)
    assert 'class="button" href="/operations">Runs</a>' in pages["/operations/op_nope"]
