"""What is kept of how runs went over time."""

from pathlib import Path

import pytest

from panel.backend.entities import snapshot_of
from panel.domain.estimate import Earlier, Promise
from panel.domain.observation import observed, unread
from panel.domain.snapshot import Snapshot
from panel.domain.verdict import judge
from panel.storage.store import Storage
from tests.support.scripted import RESULT, operation, percent, stamp

NOW = 1_800_000_000.0


@pytest.fixture
def store(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "panel.db")


def see(store: Storage, at: float, operation_id: str = "op_a", status: str = "running", **more) -> Snapshot:
    answer = operation(operation_id, "training", status, **{"created_at": stamp(NOW), **more})
    observation = observed(store.memory.recall(operation_id), snapshot_of(answer, at))
    store.memory.remember(observation, judge(observation, at), at)
    return observation.snapshot


def test_a_pace_is_thinned_evenly_and_ends_with_the_latest_reading(store):
    for second in range(1000):
        see(store, NOW + second, progress=percent(second / 10))
    pace = store.estimates.pace("op_a", 50)
    assert pace[0] == (NOW, 0.0) and pace[-1] == (NOW + 999, 99.9) and 45 <= len(pace) <= 52
    steps = [after[0] - before[0] for before, after in zip(pace, pace[1:], strict=False)]
    assert max(steps) <= 21
    assert store.estimates.pace("op_b") == []


def test_a_pace_restarts_with_a_resume(store):
    for second in range(10):
        see(store, NOW + second, progress=percent(second * 4.0))
    see(store, NOW + 20, status="cancelled", completed_at=stamp(NOW + 20))
    see(store, NOW + 500, status="resuming")
    for second in range(5):
        see(store, NOW + 510 + second, progress=percent(40.0 + second))
    assert [at - NOW for at, _ in store.estimates.pace("op_a")] == [510, 511, 512, 513, 514]


def test_a_pace_has_breaks_where_nothing_was_heard(store):
    for second in range(10):
        see(store, NOW + second, progress=percent(second * 1.0))
    for late in (20, 30, 50):
        silence = unread(store.memory.recall("op_a"), NOW + late, timed_out=True)
        store.memory.remember(silence, judge(silence, NOW + late), NOW + late)
    for second in range(60, 70):
        see(store, NOW + second, progress=percent(second - 50.0))
    assert store.estimates.breaks("op_a") == [((NOW + 9, 9.0), (NOW + 60, 10.0))]
    assert store.estimates.breaks("op_b") == []


def end(store: Storage, operation_id: str, took: float, planned: int, **more) -> Snapshot:
    see(store, NOW + 1, operation_id, progress=percent(1.0, steps_completed=1, steps_total=planned), **more)
    result = {"result_summary": RESULT, "completed_at": stamp(NOW + took)}
    return see(store, NOW + took, operation_id, "completed", **result, **more)


def test_earlier_runs_are_those_of_the_same_thing_that_completed(store):
    end(store, "op_1", 100, 2)  # RESULT says two epochs
    end(store, "op_2", 60, 4)
    end(store, "op_other", 500, 2, metadata={"symbol": "GBPUSD", "timeframe": "1h", "parameters": {}})
    see(store, NOW + 5, "op_failed", "failed", error_message="no")
    now = see(store, NOW + 300, "op_now", progress=percent(5.0))
    found = sorted(store.estimates.earlier(now), key=lambda run: run.seconds)
    assert found == [Earlier(60, 0.5), Earlier(100, 1.0)]


def test_the_first_promise_stays_and_is_judged_by_the_end(store):
    store.estimates.promise("op_1", NOW + 40, 50, 70)
    store.estimates.promise("op_1", NOW + 90, 9, 11)
    assert store.estimates.promised("op_1") and not store.estimates.promised("op_2")
    snapshot = end(store, "op_1", 100, 2)
    assert store.estimates.promises(snapshot) == [Promise(50, 70, 60)]
    assert store.memory.forget(NOW + 1e6) == 1 and not store.estimates.promised("op_1")


def test_what_no_panel_saw_is_known(store):
    for since, until in ((NOW, NOW + 100), (NOW + 400, NOW + 500), (NOW + 900, NOW + 950)):
        store.estimates.note_watch(since, since + 1)
        store.estimates.note_watch(since, until)
    assert store.estimates.absences(NOW + 50, NOW + 930) == [(NOW + 100, NOW + 400), (NOW + 500, NOW + 900)]
    assert store.estimates.absences(NOW + 200, NOW + 450) == [(NOW + 200, NOW + 400)]
    assert store.estimates.absences(NOW + 410, NOW + 480) == []
