"""Whatever the backend sends, a snapshot holds finite numbers and bounded text."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panel.backend.decoding import MAX_TEXT
from panel.backend.entities import snapshot_of, summary_of
from panel.domain.snapshot import Snapshot, Status
from panel.domain.values import moment, number
from tests.support.scripted import RESULT, corrupt, operation, percent

FAR = 1_795_000_000.0


def read(**changes) -> Snapshot:
    return snapshot_of({"success": True, "data": operation("op_a", **changes)}, FAR)


def test_a_running_training():
    snapshot = read(progress=percent(3.878, "Epoch 4/100 · Batch 180/205", steps_completed=3, steps_total=100))
    assert (snapshot.kind, snapshot.status, snapshot.percentage) == ("training", Status.RUNNING, 3.878)
    assert (snapshot.symbol, snapshot.timeframe, snapshot.strategy) == ("EURUSD", "1h", "swing")
    assert (snapshot.steps_completed, snapshot.steps_total) == (3, 100)
    assert not snapshot.finished


def test_the_longest_history_is_the_current_one():
    snapshot = read(metrics={"epochs": corrupt(5)})
    assert [epoch.number for epoch in snapshot.epochs] == [0, 1, 2, 3, 4]
    assert snapshot.epochs[4].train_loss == 0.2


def test_after_the_end_the_results_history_counts_and_null_stays_null():
    snapshot = read(status="completed", result_summary=RESULT, metrics={"epochs": corrupt(5)})
    assert len(snapshot.epochs) == 2
    assert snapshot.epochs[1].val_loss is None
    ended = {"percentage": 100.0, "current_step": None, "steps_completed": 0, "steps_total": 0}
    assert read(status="completed", result_summary=RESULT, progress=ended).steps_completed == 2


@pytest.mark.parametrize(("sent", "shown"), [(-5, 0), (140.0, 100), (None, 0), ("50", 0), (True, 0), (10**400, 0)])
def test_percentages_are_clamped(sent, shown):
    assert read(progress={"percentage": sent}).percentage == shown


@pytest.mark.parametrize("status", ["paused", "", None, 7, "COMPLETED"])
def test_an_unknown_status_is_not_an_end(status):
    snapshot = read(status=status)
    assert snapshot.status is Status.UNKNOWN
    assert not snapshot.finished


def test_failed_for_want_of_a_claim_is_in_doubt():
    snapshot = read(kind="data_load", status="failed", error_message="Operation was RUNNING but no worker claimed it")
    assert snapshot.provisional and not snapshot.finished


def test_failed_with_a_full_result_is_a_success():
    snapshot = read(
        status="failed", result_summary=RESULT, error_message="Operation was RUNNING but no worker claimed it"
    )
    assert snapshot.finished and snapshot.succeeded


@pytest.mark.parametrize("bad", [None, [], "x", {}, {"data": None}, {"operation_id": "../x"}, {"operation_id": "a b"}])
def test_an_answer_without_a_usable_id_is_refused(bad):
    with pytest.raises(ValueError, match="no operation"):
        snapshot_of(bad, FAR)


def test_an_entry_of_the_list():
    item = {
        "operation_id": "op_a",
        "operation_type": "training",
        "status": "running",
        "created_at": "2026-11-22T12:58:54.037455Z",
        "progress_percentage": 4.04,
        "current_step": "Epoch 17/400",
        "symbol": "EURUSD",
        "duration_seconds": 7.6,
    }
    snapshot = summary_of(item, FAR)
    assert (snapshot.percentage, snapshot.step, snapshot.symbol, snapshot.full) == (
        4.04,
        "Epoch 17/400",
        "EURUSD",
        False,
    )
    assert snapshot.completed_at is None  # it runs
    ended = summary_of(item | {"status": "completed"}, FAR)
    assert ended.completed_at == ended.created_at + 7.6
    assert summary_of(item | {"status": "completed", "duration_seconds": None}, FAR).completed_at is None


@pytest.mark.parametrize("written", ["2026-11-22T12:58:54Z", "2026-11-22T12:58:54+00:00", "2026-11-22T12:58:54"])
def test_times_are_utc_however_they_are_written(written):
    assert moment(written) == 1795352334.0


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)
names = st.sampled_from(list(operation("op_a")))


# The first draw builds the alphabet of all text, which is slow on a cold machine.
@given(st.dictionaries(names, values))
def test_hostile_fields_never_break_a_reading(fields):
    data = operation("op_a") | fields | {"operation_id": "op_a"}
    snapshot = snapshot_of(json.loads(json.dumps(data)), FAR)
    assert 0 <= snapshot.percentage <= 100
    assert len(snapshot.error) <= MAX_TEXT and len(snapshot.step) <= MAX_TEXT


@given(values)
def test_a_number_is_finite_or_nothing(value):
    found = number(value)
    assert found is None or found == float(value)


@pytest.mark.parametrize(
    ("step", "done", "counted", "share"),
    [
        ("Epoch 712/3000 · Batch 30/68", 64, 711, 23.7),  # 647 were done before it was resumed
        ("Epoch 686/3000", 0, 686, 22.87),
        ("Epoch 57/300 · Batch 3/9", 169, 3, 56.3),  # a count that runs ahead: the history counts
    ],
)
def test_epochs_of_a_resumed_training_go_on_from_its_checkpoint(step, done, counted, share):
    total = int(step.partition("/")[2].split()[0])
    progress = {"percentage": 100.0 * done / total, "current_step": step, "steps_completed": done, "steps_total": total}
    read = snapshot_of(operation("op_a", progress=progress, metrics={"epochs": corrupt(3)}), 0.0)
    assert read.steps_completed == counted and read.percentage == pytest.approx(share, abs=0.05)


def test_a_training_without_a_strategy_is_named_by_its_model():
    listed = {"model_path": "models/agent_rsi/1h_v3", "test_metrics": {"test_accuracy": 0.5}}
    metadata = {"parameters": {"strategy_yaml": "# ======= V3 STRATEGY ====="}}
    assert snapshot_of(operation("op_a", result_summary=listed, metadata=metadata), 0.0).strategy == "agent_rsi"


def test_a_market_that_the_backend_calls_not_available_is_none():
    trial = snapshot_of(operation("op_d", "dummy", metadata={"symbol": "N/A", "timeframe": "N/A"}), 0.0)
    assert (trial.symbol, trial.timeframe) == ("", "")
    assert summary_of({"operation_id": "op_d", "operation_type": "dummy", "symbol": "N/A"}, 0.0).symbol == ""
