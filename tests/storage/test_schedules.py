"""Schedules on disk: what is deleted, and how long its key is remembered; and what was switched off meanwhile."""

from dataclasses import replace

from panel.domain.schedules import Schedule, ScheduleRun
from panel.storage.retention import DAY, KEPT_DELETED, drop_outdated
from panel.storage.store import Storage

NOW = 1_800_000_000.0
MADE = Schedule("k" * 22, "dummy", {"duration": "9"}, frozenset({0}), "18:30", "UTC", True, NOW + DAY, NOW, "a test")


def test_a_deleted_schedule_runs_no_more_and_its_key_is_remembered_for_months(tmp_path):
    store = Storage(tmp_path / "panel.db")
    schedules = store.schedules
    for key in (MADE.key, "another-key-0001"):
        assert schedules.add(Schedule(key, *(getattr(MADE, name) for name in MADE.__slots__[1:])), "digest")
    schedules.delete(MADE.key, NOW)
    assert [each.key for each in schedules.all()] == [each.key for each in schedules.due(NOW + 9 * DAY)]
    schedules.switch(MADE.key, NOW)
    schedules.change(MADE)
    assert schedules.get(MADE.key) is None and schedules.next_at() == NOW + DAY
    for seconds, known in ((0.0, ("digest", True)), (KEPT_DELETED + 1, None)):
        drop_outdated(store._db, NOW + seconds)
        assert schedules.request(MADE.key) == known
    assert schedules.request("another-key-0001") == ("digest", False), "what is there stays"


def test_a_run_of_a_schedule_that_was_switched_off_or_changed_meanwhile_is_not_written_down(tmp_path):
    schedules = Storage(tmp_path / "panel.db").schedules
    schedules.add(MADE)
    run = ScheduleRun(MADE.key, MADE.next_at, "an-entry", MADE.next_at + 1, 0, "")
    for next_at in (None, NOW + 2 * DAY):
        schedules.switch(MADE.key, next_at)
        schedules.ran(run, NOW + 8 * DAY)
        assert schedules.last_run(MADE.key) is None and schedules.next_at() == next_at
    schedules.switch(MADE.key, MADE.next_at)
    schedules.ran(run, NOW + 8 * DAY)
    assert schedules.last_run(MADE.key) == run and schedules.next_at() == NOW + 8 * DAY


def test_a_change_of_a_schedule_that_was_switched_off_meanwhile_sets_no_next_run(tmp_path):
    schedules = Storage(tmp_path / "panel.db").schedules
    schedules.add(MADE)
    schedules.switch(MADE.key, None)
    schedules.change(replace(MADE, next_at=NOW + 2 * DAY))
    kept = schedules.get(MADE.key)
    assert kept is not None and (kept.active, kept.next_at) == (False, None)
    assert schedules.next_at() is None and schedules.due(NOW + 9 * DAY) == []
