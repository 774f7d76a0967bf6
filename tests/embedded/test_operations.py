"""Operations of the embedded backend, in real processes: to the end, cancelled, resumed, killed, orphaned."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from panel.embedded import EmbeddedBackend, market
from panel.embedded.bars import Bars
from panel.embedded.network import Network
from tests.embedded.conftest import Wire, ended, slow, trained
from tests.support.small_strategy import STRATEGY

pytestmark = pytest.mark.anyio


@pytest.fixture
def loaded(wire: Wire, folder: Path) -> Wire:
    """With the bars that a load of a year leaves behind."""
    start, end = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2025, 2026))
    Bars(folder / "data").add("EURUSD", "1h", market.bars("EURUSD", "1h", start, end))
    return wire


async def train(wire: Wire, strategy: str, **more) -> str:
    return (await wire.post("/trainings/start", {"strategy_name": strategy, **more}))["task_id"]


def processes(operation_id: str) -> list[int]:
    """Of this operation, by their command lines."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if operation_id.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


async def test_a_training_from_missing_data_to_a_saved_model(wire, folder):
    failed = await wire.end(await train(wire, "small"))
    assert failed["status"] == "failed" and "No data found in cache for EURUSD 1h" in failed["error_message"]
    assert failed["result_summary"] is None and failed["progress"]["percentage"] < 100

    load = await wire.load(start_date="2025-01-01", end_date="2025-12-31")
    assert load["result_summary"]["rows_downloaded"] > 5000
    assert load["result_summary"]["source"] == "sample market generator"

    operation_id = await train(wire, "small", task_id="op_training_mine", detailed_analytics=True)
    assert operation_id == "op_training_mine"
    done = await wire.end(operation_id)
    assert (done["status"], done["progress"]["percentage"], done["error_message"]) == ("completed", 100.0, None)
    result = done["result_summary"]
    assert result["training_metrics"]["early_stopping"] is False
    assert len(result["training_metrics"]["history"]["val_loss"]) == result["training_metrics"]["epochs_trained"] == 5
    assert len(done["metrics"]["epochs"][0]) == 5 and done["metrics"]["epochs"][0][0]["epoch"] == 0
    assert result["data_summary"]["source"] == "sample" and result["data_summary"]["feature_count"] == 2
    assert set(result["artifacts"]["feature_importance"]) == {"1h_momentum_low", "1h_momentum_high"}
    model = folder / result["model_path"]
    assert result["model_path"] == "models/small/1h_v1"
    assert json.loads((model / "model.json").read_text())["operation_id"] == operation_id
    # The accuracy that is told is the saved model's, measured here again on the same bars.
    assert Network.load(model / "model.npz").outputs(np.array([[0.5, 0.0]])).shape == (1, 3)
    confusion = result["artifacts"]["confusion_matrix"]
    right, total = sum(confusion[n][n] for n in range(3)), sum(map(sum, confusion))
    assert right / total == pytest.approx(result["test_metrics"]["test_accuracy"])
    assert total == result["data_summary"]["samples"]["test"]

    performance = await wire.get(f"/trainings/{operation_id}/performance")
    assert performance["test_metrics"] == result["test_metrics"]
    assert (await wire.get(f"/operations/{operation_id}/results"))["results"] == result
    models = (await wire.get("/models"))["models"]
    assert [(model["model_name"], model["symbol"]) for model in models] == [("small", "EURUSD")]
    again = await wire.end(await train(wire, "small"))
    assert again["result_summary"]["model_path"] == "models/small/1h_v2"
    assert again["result_summary"]["test_metrics"] == result["test_metrics"], "the same training gives the same model"


async def test_progress_names_epoch_and_batch_and_never_says_it_is_done(loaded):
    operation_id = await train(loaded, "long")
    running = await loaded.until(operation_id, lambda operation: operation["progress"]["steps_completed"] > 1)
    step = running["progress"]["current_step"]
    assert running["status"] == "running" and 0 < running["progress"]["percentage"] < 100
    assert step.startswith("Epoch ") and "/2000 · Batch " in step
    assert running["progress"]["steps_total"] == 2000
    listed = (await loaded.get("/operations", params={"active_only": True}))["data"]
    assert [item["operation_id"] for item in listed] == [operation_id]
    worker = (await loaded.get("/workers"))[0]
    assert (worker["status"], worker["current_operation_id"]) == ("busy", operation_id)
    await loaded.ask("DELETE", f"/operations/{operation_id}")


async def test_cancel_is_immediate_and_keeps_a_checkpoint(loaded):
    operation_id = await train(loaded, "long")
    await loaded.until(operation_id, trained(2))
    status, answer = await loaded.ask("DELETE", f"/operations/{operation_id}", {"reason": "changed my mind"})
    assert status == 200 and answer["data"]["remote_cancelled"] is True and answer["data"]["status"] == "cancelled"
    after = await loaded.operation(operation_id)
    assert (after["status"], after["error_message"]) == ("cancelled", "changed my mind")
    assert after["progress"]["percentage"] > 0, "where it got to is not forgotten"
    checkpoint = (await loaded.get("/checkpoints"))["data"][0]
    assert (checkpoint["operation_id"], checkpoint["checkpoint_type"]) == (operation_id, "cancellation")
    assert (await loaded.ask("DELETE", f"/operations/{operation_id}"))[0] == 400
    # The slot is free at once.
    assert (await loaded.end(await train(loaded, "small")))["status"] == "completed"
    assert processes(operation_id) == []


async def test_a_resumed_training_ends_as_if_it_had_never_stopped(loaded, folder):
    (folder / "strategies" / "middling.yaml").write_text(slow(STRATEGY.format(name="middling", epochs=150), batch=20))
    straight = await loaded.end(await train(loaded, "middling"))
    operation_id = await train(loaded, "middling")
    await loaded.until(operation_id, trained(3))
    await loaded.ask("DELETE", f"/operations/{operation_id}")
    before = len((await loaded.operation(operation_id))["metrics"]["epochs"][0])
    # More data has come meanwhile: the resumed training keeps to the bars it began with.
    assert (await loaded.load())["status"] == "completed"
    answer = await loaded.post(f"/operations/{operation_id}/resume")
    assert answer["data"]["status"] == "resuming" and answer["data"]["resumed_from"]["epoch"] == before
    assert (await loaded.operation(operation_id))["status"] in ("resuming", "running")
    done = await loaded.end(operation_id)
    assert done["status"] == "completed" and before < 150
    assert done["result_summary"]["test_metrics"] == straight["result_summary"]["test_metrics"]
    history = done["result_summary"]["training_metrics"]["history"]
    assert history == straight["result_summary"]["training_metrics"]["history"]


async def test_what_cannot_be_resumed_is_left_as_it_is(loaded):
    failed = await loaded.end(await train(loaded, "small", symbols=["GBPUSD"]))
    assert (await loaded.ask("POST", f"/operations/{failed['operation_id']}/resume"))[0] == 404
    assert await loaded.operation(failed["operation_id"]) == failed
    done = await loaded.end(await train(loaded, "small"))
    assert (await loaded.ask("POST", f"/operations/{done['operation_id']}/resume"))[0] == 409
    assert (await loaded.ask("POST", "/operations/op_nope/resume"))[0] == 404


async def test_a_killed_process_is_a_failed_operation_that_says_so(loaded):
    operation_id = await train(loaded, "long")
    await loaded.until(
        operation_id, lambda operation: (operation["progress"]["current_step"] or "").startswith("Epoch")
    )
    for process in processes(operation_id):
        os.kill(process, signal.SIGKILL)
    failed = await loaded.until(operation_id, ended)
    assert failed["status"] == "failed" and "ended without a word at Epoch" in failed["error_message"]
    assert (await loaded.end(await train(loaded, "small")))["status"] == "completed"


async def test_one_training_at_a_time(loaded):
    operation_id = await train(loaded, "long")
    status, body = await loaded.ask("POST", "/trainings/start", {"strategy_name": "small"})
    assert status == 503
    assert set(body["detail"]) == {"error", "worker_type", "registered_workers", "backend_uptime_seconds", "hint"}
    assert (await loaded.get("/operations", params={"operation_type": "training"}))["total_count"] == 1
    # A load has a slot of its own.
    assert (await loaded.load(timeframe="1d"))["status"] == "completed"
    await loaded.ask("DELETE", f"/operations/{operation_id}")


async def test_two_panels_share_one_folder(loaded, folder):
    other = EmbeddedBackend(folder)
    await other.start()
    theirs = Wire(other)
    operation_id = await train(loaded, "long")
    assert (await theirs.operation(operation_id))["status"] in ("pending", "running")
    await theirs.until(operation_id, trained(1))
    assert (await theirs.ask("POST", "/trainings/start", {"strategy_name": "small"}))[0] == 503
    status, answer = await theirs.ask("DELETE", f"/operations/{operation_id}")
    assert (status, answer["data"]["remote_cancelled"]) == (200, True)
    assert (await loaded.operation(operation_id))["status"] == "cancelled"
    # One that goes away does not touch the other's operations.
    operation_id = await train(loaded, "long")
    await loaded.until(operation_id, trained(1))
    await other.stop()
    await theirs.http.aclose()
    assert (await loaded.operation(operation_id))["status"] == "running"
    await loaded.ask("DELETE", f"/operations/{operation_id}")


async def test_a_panel_that_stops_says_where_it_left_off(loaded, home, folder):
    operation_id = await train(loaded, "long")
    await loaded.until(operation_id, trained(2))
    await home.stop()
    left = await loaded.operation(operation_id)
    assert left["status"] == "failed" and processes(operation_id) == []
    assert "The panel that ran this operation stopped at epoch" in left["error_message"]
    assert "It can be resumed from its checkpoint" in left["error_message"]
    await home.start()
    answer = await loaded.post(f"/operations/{operation_id}/resume")
    assert answer["data"]["resumed_from"]["epoch"] >= 2
    resumed = await loaded.until(operation_id, trained(answer["data"]["resumed_from"]["epoch"] + 1))
    assert resumed["status"] == "running" and resumed["error_message"] is None
    assert resumed["started_at"] > left["completed_at"], "the time that it stood still is not counted"
    await loaded.ask("DELETE", f"/operations/{operation_id}")


PANEL = """
import asyncio, sys
from pathlib import Path
from panel.embedded import EmbeddedBackend
from panel.embedded.network import Network
from tests.embedded.conftest import Wire, trained

async def main():
    backend = EmbeddedBackend(Path(sys.argv[1]))
    await backend.start()
    wire = Wire(backend)
    operation_id = (await wire.post("/trainings/start", {"strategy_name": "long"}))["task_id"]
    await wire.until(operation_id, trained(2))
    print(operation_id, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_a_killed_panel_leaves_a_failed_training_that_can_be_resumed(loaded, folder):
    panel = subprocess.Popen([sys.executable, "-c", PANEL, str(folder)], stdout=subprocess.PIPE, text=True)
    with panel:
        operation_id = (await asyncio.to_thread(panel.stdout.readline)).strip()
        assert (await loaded.operation(operation_id))["status"] == "running"
        panel.kill()
    failed = await loaded.until(operation_id, ended)
    assert failed["status"] == "failed" and "It can be resumed from its checkpoint" in failed["error_message"]
    for _ in range(100):
        if not processes(operation_id):
            break
        await asyncio.sleep(0.05)
    assert processes(operation_id) == []
    assert (await loaded.post(f"/operations/{operation_id}/resume"))["data"]["resumed_from"]["epoch"] >= 2
    await loaded.ask("DELETE", f"/operations/{operation_id}")


async def test_a_taken_id_starts_nothing(loaded):
    await loaded.end(await train(loaded, "small", task_id="op_once"))
    status, body = await loaded.ask("POST", "/trainings/start", {"strategy_name": "small", "task_id": "op_once"})
    assert status == 409 and "op_once" in body["detail"]
    assert (await loaded.get("/operations", params={"operation_type": "training"}))["total_count"] == 1


async def test_the_trial_operation_counts_and_can_be_cancelled(wire):
    operation_id = (await wire.post("/dummy/start"))["data"]["operation_id"]
    running = await wire.until(operation_id, lambda operation: operation["progress"]["percentage"] > 0)
    assert running["progress"]["context"]["step_total"] == 100
    assert (await wire.ask("DELETE", f"/operations/{operation_id}"))[1]["data"]["status"] == "cancelled"
