"""Schedules on disk: what is deleted, and how long its key is remembered."""

from panel.domain.schedules import Schedule
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
