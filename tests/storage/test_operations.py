"""What the panel remembers of operations, and how it is found again."""

import time
from pathlib import Path

import pytest

from panel.backend.entities import snapshot_of
from panel.domain.history import OperationQuery
from panel.domain.observation import observed
from panel.domain.state import State
from panel.domain.verdict import judge
from panel.storage.operations import KEPT_READINGS, OperationStore
from panel.storage.store import Storage
from tests.support.scripted import RESULT, corrupt, epochs, operation, percent, stamp

DAY = 86_400.0
NOW = 1_800_000_000.0


@pytest.fixture
def memory(tmp_path: Path) -> OperationStore:
    return Storage(tmp_path / "panel.db").memory


def see(
    memory: OperationStore,
    at: float,
    operation_id: str = "op_a",
    kind: str = "training",
    status: str = "running",
    **more,
):
    """The backend tells this at `at`, and the panel keeps it."""
    answer = operation(operation_id, kind, status, **{"created_at": stamp(NOW), **more})
    observation = observed(memory.recall(operation_id), snapshot_of(answer, at))
    memory.remember(observation, judge(observation, at), at)
    return observation


def test_every_reading_that_says_something_new_is_kept_and_no_other(memory):
    for second, at in enumerate((1.0, 1.0, 2.5, 2.5, 4.0)):
        see(memory, NOW + second, progress=percent(at, f"Epoch {int(at)}/100"))
    see(memory, NOW + 9, status="completed", result_summary=RESULT, progress=percent(100.0))
    readings = memory.readings("op_a")
    assert [(reading.at - NOW, reading.percentage) for reading in readings] == [(0, 1), (2, 2.5), (4, 4), (9, 100)]
    assert [reading.word for reading in readings] == ["Running", "Running", "Running", "Completed"]
    assert readings[1].step == "Epoch 2/100"


def test_a_verdict_that_changes_with_time_alone_is_a_reading_too(memory):
    observation = see(memory, NOW, progress=percent(1.0, "Epoch 1/100"))
    memory.remember(observation, judge(observation, NOW + 400), NOW + 400)
    assert [reading.state for reading in memory.readings("op_a")] == ["running", "stalled"]


def test_curves_are_kept_once_for_each_epoch_and_outlive_the_backends(memory):
    for done in range(1, 30):
        see(memory, NOW + done, metrics={"epochs": corrupt(done)})
    see(memory, NOW + 40, status="cancelled", metrics=None)
    assert [epoch.number for epoch in memory.epochs("op_a")] == list(range(29))
    recalled = memory.recall("op_a")
    assert recalled is not None and recalled.snapshot.epochs == memory.epochs("op_a")


def test_a_resumed_runs_history_continues_the_curve(memory):
    see(memory, NOW, metrics={"epochs": [epochs(10)]})
    see(memory, NOW + 5, metrics={"epochs": [[epoch | {"train_loss": 7.0} for epoch in epochs(15)[8:]]]})
    losses = [epoch.train_loss for epoch in memory.epochs("op_a")]
    assert len(losses) == 15 and losses[7] == 1 / 8 and losses[8:] == [7.0] * 7


def test_the_readings_of_a_long_run_are_thinned_but_no_change_of_state_is_lost(memory):
    total = 2 * KEPT_READINGS
    for second in range(total):
        see(memory, NOW + second, progress=percent(second / total * 99, f"Epoch {second}/{total}"))
        if second == 1001:
            observation = memory.recall("op_a")
            memory.remember(observation, judge(observation, NOW + 1001.5 + 400), NOW + 1001.5)
    assert len(memory.readings("op_a")) < total * 0.9  # already while it runs
    see(memory, NOW + total, status="failed", error_message="out of memory")
    readings = memory.readings("op_a")
    assert KEPT_READINGS / 2 < len(readings) <= KEPT_READINGS + 5
    assert [reading.state for reading in readings if reading.state != "running"] == ["stalled", "failed"]
    assert readings[0].step == "Epoch 0/3000" and readings[-1].at == NOW + total


def test_the_last_reading_is_never_thinned(memory, monkeypatch):
    monkeypatch.setattr("panel.storage.operations.KEPT_READINGS", 10)
    for second in range(100):
        see(memory, NOW + second, progress=percent(second / 2, f"Epoch {second}/200"))
        assert memory.readings("op_a")[-1].at == NOW + second
    assert len(memory.readings("op_a")) < 25


def test_who_asked_for_what(memory):
    memory.asked("op_a", "cancel", "a browser at 127.0.0.1", "taken")
    memory.asked("op_b", "resume", "a browser at 127.0.0.1", "no worker")
    [request] = memory.requests("op_a")
    assert (request.what, request.actor, request.outcome) == ("cancel", "a browser at 127.0.0.1", "taken")
    assert abs(request.at - time.time()) < 60


@pytest.fixture
def many(memory: OperationStore) -> OperationStore:
    for n in range(12):
        symbol, kind = ("EURUSD", "AAPL")[n % 2], ("training", "data_load", "backtesting")[n % 3]
        status = ("completed", "failed", "cancelled", "running")[n % 4]
        parameters = {"strategy_name": f"swing_{n % 4}", "symbols": [symbol], "timeframes": ["1h"]}
        see(
            memory,
            NOW + n * 60,
            f"op_{n:02}",
            kind,
            status,
            created_at=stamp(NOW + n * 60),
            completed_at=None if status == "running" else stamp(NOW + n * 60 + 100 - n),
            metadata={"symbol": symbol, "parameters": parameters},
            error_message="No data found in cache for AAPL 1h" if status == "failed" else None,
        )
    return memory


def found(memory: OperationStore, **wanted) -> list[int]:
    page, count = memory.find(OperationQuery(**wanted))
    assert len(page) == min(count, wanted.get("limit", 50))
    return [int(observation.snapshot.id[3:]) for observation in page]


def test_operations_are_found_by_what_they_are(many):
    assert found(many) == list(range(11, -1, -1))
    assert found(many, kind="training") == [9, 6, 3, 0]
    assert found(many, states=(State.RUNNING, State.FAILED)) == [11, 9, 7, 5, 3, 1]
    assert found(many, strategy="swing_2") == [10, 6, 2]
    assert found(many, symbol="AAPL", kind="data_load") == [7, 1]
    assert found(many, since=NOW + 240, until=NOW + 420) == [6, 5, 4]
    assert found(many, search="no data AAPL op_05") == [5]
    assert found(many, search="nothing like this") == []
    assert found(many, search="%") == []


def test_operations_are_sorted_and_come_in_pages(many):
    assert found(many, sort="took", ascending=True, states=(State.COMPLETED, State.UNCHECKED)) == [8, 4, 0]
    assert found(many, sort="name", ascending=True)[:3] == [8, 4, 0]
    assert found(many, sort="ended")[:4] == [11, 7, 3, 10]  # those that run come first
    page, count = many.find(OperationQuery(limit=5, offset=10))
    assert ([observation.snapshot.id for observation in page], count) == (["op_01", "op_00"], 12)


def test_what_there_is_to_choose_from(many):
    kinds, strategies, symbols = many.names()
    assert kinds == ["backtesting", "data_load", "training"] and symbols == ["AAPL", "EURUSD"]
    assert strategies == ["swing_0", "swing_1", "swing_2", "swing_3"]
    assert many.counts()["training", "completed"] == 1 and sum(many.counts().values()) == 12
    assert [observation.snapshot.id for observation in many.ended(3)] == ["op_10", "op_09", "op_08"]


def test_what_ended_long_ago_is_dropped_and_nothing_that_runs(memory):
    see(memory, NOW, "op_old", status="completed", completed_at=stamp(NOW), metrics={"epochs": corrupt(3)})
    see(memory, NOW, "op_lives")
    see(memory, NOW + 3 * DAY, "op_new", status="failed", completed_at=stamp(NOW + 3 * DAY))
    memory.asked("op_old", "cancel", "a browser")
    assert memory.forget(NOW + DAY) == 1
    assert memory.recall("op_old") is None and not memory.epochs("op_old")
    assert not memory.readings("op_old") and not memory.requests("op_old")
    assert memory.recall("op_lives") and memory.recall("op_new")
