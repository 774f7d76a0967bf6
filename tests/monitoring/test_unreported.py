"""A resumed training of which the backend reports nothing: its checkpoint is its progress, its model its end."""

import time

import pytest

from tests.support.pages import until, words
from tests.support.panels import panel, stream
from tests.support.scripted import epochs, operation, percent, stamp
from tests.support.workers import worker

pytestmark = pytest.mark.usefixtures("quick_rounds")


@pytest.fixture
def quick_looks(monkeypatch):
    monkeypatch.setattr("panel.monitoring.unreported.INTERVAL", 0.1)
    monkeypatch.setattr("panel.domain.verdict.LATE", 0.2)


def test_its_progress_and_its_end_are_read_from_what_it_leaves(quick_looks, here, backend):
    began = time.time() - 300
    backend.operations["op_a"] = operation("op_a", progress=percent(20.0, "Epoch 61/300", steps_total=300))
    here.until("/operations/op_a", lambda page: "20" in words(page))
    backend.operations["op_a"] = operation("op_a", status="resuming", created_at=stamp(began), progress=percent(0.0))
    backend.workers = [worker("w1", "busy", "op_a", last_healthy_at=stamp())]
    state = {"checkpoint_type": "periodic", "state": {"epoch": 119}, "created_at": stamp()}
    backend.answers["GET /checkpoints/op_a"] = 200, {"success": True, "data": state}
    here.until("/operations/op_a", lambda page: "Epoch 120 of 300, by its checkpoint" in words(page))
    assert "40 % last known" in words(here.get("/operations/op_a").text)
    backend.workers = [worker("w1", last_healthy_at=stamp())]
    backend.answers["GET /checkpoints/op_a"] = 404, {"detail": "No checkpoint"}
    model = {"model_id": "", "symbol": "EURUSD", "timeframe": "1h", "created_at": stamp(time.time() + 1)}
    backend.answers["GET /models"] = 200, {"success": True, "models": [model | {"symbol": "GBPUSD"}]}
    asked = backend.hits["GET /models"] + 2
    until(lambda: backend.hits["GET /models"] >= asked)
    assert "Its model was saved" not in words(here.get("/operations/op_a").text), "it is another training's"
    backend.answers["GET /models"] = 200, {"success": True, "models": [model]}
    with stream(here, "home") as home:
        page = here.until("/operations/op_a", lambda page: "Its model was saved at" in words(page))
        assert "The backend still calls it resuming" in words(page)
        shown = here.get("/api/operations/op_a").json()
        assert (shown["verdict"]["state"], shown["percentage"]) == ("completed", 100.0)
        home.until(lambda read: "Finished lately" in read.places.get("lists", ""))
        drawn = [piece for piece in home.observation if 'hx-target="#lists"' in piece]
        assert all("/operations/op_a" in piece for piece in drawn), "it is at every moment in one of the lists"


def test_of_a_run_that_the_backend_had_lost_track_of_before_this_panel_came(quick_looks, here, backend, monkeypatch):
    """It is called running, at 0 %, for ever; a worker is busy with it, and its checkpoint tells how far it is."""
    monkeypatch.setattr("panel.domain.verdict.MOVING", 0.2)
    monkeypatch.setattr("panel.domain.verdict.UNTRACKED_AFTER", 0.2)
    backend.operations["op_a"] = operation("op_a", progress=percent(0.0))
    backend.workers = [worker("w1", "busy", "op_a", last_healthy_at=stamp())]
    state = {"checkpoint_type": "periodic", "state": {"epoch": 140}, "created_at": stamp()}
    backend.answers["GET /checkpoints/op_a"] = 200, {"success": True, "data": state}
    page = here.until("/operations/op_a", lambda page: "Epoch 141, by its checkpoint" in words(page))
    assert "Working, unreported" in words(page)


def test_what_was_cancelled_here_and_is_resumed_elsewhere_is_not_being_cancelled(quick_looks, here, backend):
    backend.operations["op_a"] = operation("op_a", progress=percent(20.0, "Epoch 61/300", steps_total=300))
    here.until("/operations/op_a", lambda page: "20" in words(page))
    here.post("/operations/op_a/cancel")
    here.until("/operations/op_a", lambda page: "Cancelled" in words(page))
    backend.operations["op_a"] = operation("op_a", status="resuming", progress=percent(0.0))
    backend.workers = [worker("w1", "busy", "op_a", last_healthy_at=stamp())]
    listed = {"operation_id": "op_a", "operation_type": "training", "status": "resuming"}
    backend.answers["GET /operations"] = 200, {"success": True, "data": [listed]}
    until(lambda: "resuming" in here.get("/operations/op_a").text)
    until(lambda: here.get("/api/operations/op_a").json()["verdict"]["word"] in ("Resuming", "Working, unreported"))


def test_a_run_that_only_a_copied_memory_knows_did_not_make_another_runs_model(quick_looks, backend, address, tmp_path):
    """The memory of another machine: this backend never had the run, its checkpoint is not there, and a model is."""
    backend.operations["op_a"] = operation("op_a", progress=percent(20.0, "Epoch 61/300", steps_total=300))
    backend.workers = [worker("w1", "busy", "op_a", last_healthy_at=stamp())]
    state = {"checkpoint_type": "periodic", "state": {"epoch": 140}, "created_at": stamp()}
    backend.answers["GET /checkpoints/op_a"] = 200, {"success": True, "data": state}
    with panel(tmp_path, address) as here:
        here.until("/operations/op_a", lambda page: "20 %" in words(page))
        backend.operations["op_a"] = operation("op_a", progress=percent(0.0))  # the backend lost track of it
        until(lambda: (here.get("/api/operations/op_a").json()["steps_completed"] or 0) == 141)
    backend.workers = [worker("w1", last_healthy_at=stamp())]
    backend.answers["GET /checkpoints/op_a"] = 404, {"detail": "No checkpoint"}
    model = {"model_id": "", "symbol": "EURUSD", "timeframe": "1h", "created_at": stamp(time.time() + 1)}
    backend.answers["GET /models"] = 200, {"success": True, "models": [model]}
    late = backend.hits["GET /workers"] + 4  # it is slow at first
    missing = {"detail": "not found"}
    backend.answers["GET /operations/op_a"] = lambda _: (404 if backend.hits["GET /workers"] > late else 503, missing)
    with panel(tmp_path, address) as here:
        read = here.until("/operations/op_a", lambda page: "Forgotten" in words(page) or "Completed" in words(page))
        assert "Its model was saved" not in words(read) and "Forgotten" in words(read)


def test_a_start_that_the_backend_took_and_never_knew_is_not_said_to_have_been_read(here, backend):
    """Without its database KTRDR hands a training to a worker, which cannot begin it."""
    backend.answers["POST /trainings/start"] = 200, {"success": True, "task_id": "op_x", "status": "training_started"}
    error = {"detail": 'Failed to get operation status: database "ktrdr" is not currently accepting connections'}
    backend.answers["GET /operations/op_x"] = 500, error
    here.post("/start/training", {"key": "k" * 20, "strategy_name": "swing", "insist": "1"})
    page = here.until("/operations/op_x", lambda page: "its database does not answer" in words(page))
    until(lambda: "not currently accepting connections" in here.get("/api/line").json()["message"])
    assert "and not read since." in words(page) and "last read" not in words(page).replace("Last read", "")
    backend.answers["GET /operations/op_x"] = 404, {"detail": "Operation not found: op_x"}
    page = here.until("/operations/op_x", lambda page: "Forgotten" in words(page))
    assert "The backend took this start, and does not know the operation." in words(page)
    assert "It probably never began." in words(page) and "Created at the backend" not in words(page)


def test_a_resumed_run_is_not_judged_by_the_curves_before_the_resume(quick_looks, here, backend):
    """They overfit; what the epochs since did nobody knows."""
    began = time.time() - 300
    overfit = [
        epoch | {"train_loss": 1 - epoch["epoch"] / 80, "val_loss": 1 + abs(epoch["epoch"] - 31) / 40}
        for epoch in epochs(51)
    ]
    told = {"progress": percent(8.0, "Epoch 51/600", steps_total=600), "metrics": {"epochs": [overfit, 51]}}
    backend.operations["op_a"] = operation("op_a", created_at=stamp(began), **told)
    here.until("/operations/op_a", lambda page: "Overfitting" in words(page))
    backend.operations["op_a"] = operation("op_a", status="resuming", created_at=stamp(began), progress=percent(0.0))
    backend.workers = [worker("w1", "busy", "op_a", last_healthy_at=stamp())]
    state = {"checkpoint_type": "periodic", "state": {"epoch": 591}, "created_at": stamp()}
    backend.answers["GET /checkpoints/op_a"] = 200, {"success": True, "data": state}
    unknown = "Epochs 1 to 51. The backend passes on no curves and no result after a resume."
    page = words(here.until("/operations/op_a", lambda page: unknown in words(page)))
    assert "Overfitting" not in page
    here.until("/operations/op_a", lambda page: "Epoch 592 of 600, by its checkpoint" in words(page))
    backend.workers = [worker("w1", last_healthy_at=stamp())]
    backend.answers["GET /checkpoints/op_a"] = 404, {"detail": "No checkpoint"}
    model = {"model_id": "", "symbol": "EURUSD", "timeframe": "1h", "created_at": stamp(time.time() + 1)}
    backend.answers["GET /models"] = 200, {"success": True, "models": [model]}
    page = words(here.until("/operations/op_a", lambda page: "Its model was saved at" in words(page)))
    assert unknown in page and "Overfitting" not in page and "fewer epochs" not in page
