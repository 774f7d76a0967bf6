"""What people say of runs is kept, found, undone, and outlives what the backend says."""

from contextlib import closing
from pathlib import Path

import pytest

from panel.backend.entities import snapshot_of
from panel.domain.history import OperationQuery
from panel.domain.labels import Label, LabelChange, Shelf
from panel.domain.observation import observed
from panel.domain.verdict import judge
from panel.storage.labels import GRACE, UNDO
from panel.storage.store import Storage
from tests.support.scripted import RESULT, operation, stamp

NOW = 1_800_000_000.0
ARCHIVE, DELETE = LabelChange(shelf=Shelf.ARCHIVED), LabelChange(shelf=Shelf.DELETED)


@pytest.fixture
def store(tmp_path: Path):
    with closing(Storage(tmp_path / "panel.db")) as store:
        for n in range(4):
            see(store, f"op_{n}", created_at=stamp(NOW + n), completed_at=stamp(NOW + n + 9))
        yield store


def see(store: Storage, operation_id: str, status: str = "completed", **more) -> None:
    answer = operation(operation_id, status=status, **{"created_at": stamp(NOW), "result_summary": RESULT, **more})
    observation = observed(store.memory.recall(operation_id), snapshot_of(answer, NOW + 100))
    store.remember([(observation, judge(observation, NOW + 100), NOW + 100)])


def found(store: Storage, **wanted) -> list[int]:
    page, count = store.memory.find(OperationQuery(**wanted))
    assert len(page) == count == sum(1 for _ in page)
    return [int(observation.snapshot.id[3:]) for observation in page]


def change(store: Storage, ids: list[str], what: LabelChange, undo: str = "", at: float = NOW) -> list[str]:
    return store.labels.change(ids, what, "me", at, undo, "changed")


def test_names_notes_and_tags_are_found(store):
    store.labels.edit("op_1", Label("Best of May", "Größe 14", ("good", "rsi")), "me", NOW)
    change(store, ["op_1", "op_2"], LabelChange(add=("trial",), star=True))
    assert found(store, search="best may") == found(store, search="größe") == [1]
    assert found(store, search="tag:trial") == [2, 1] and found(store, search="tag:tria") == []
    assert found(store, search="tag:trial tag:good may") == [1] and found(store, starred=True) == [2, 1]
    assert store.memory.tags() == ["good", "rsi", "trial"]
    see(
        store, "op_1", "failed", result_summary=None, error_message="gone"
    )  # what the backend says changes nothing of it
    assert found(store, search="gone tag:trial") == [1] and store.labels.of("op_1").name == "Best of May"


def test_two_who_edit_at_once_lose_nothing(store):
    first, done = store.labels.edit("op_1", Label("mine"), "me", NOW)
    assert done and first.version == 1
    now, done = store.labels.edit("op_1", Label("yours"), "you", NOW + 1)  # drawn from version 0
    assert not done and (now.name, now.actor) == ("mine", "me")
    assert store.labels.edit("op_1", Label("mine"), "you", NOW + 1)[1], "the same again loses nothing"
    assert store.labels.edit("op_1", Label("yours", version=2), "you", NOW + 2)[0].name == "yours"


def test_what_is_archived_is_in_no_list_unless_it_is_asked_for(store):
    change(store, ["op_1"], ARCHIVE)
    assert (
        found(store) == [3, 2, 0] and found(store, archived=True) == [1] and found(store, archived=None) == [3, 2, 1, 0]
    )
    assert [each.snapshot.id for each in store.memory.ended(9)] == ["op_3", "op_2", "op_0"]
    assert store.memory.recall("op_1") is not None


def test_a_change_is_undone_within_a_minute_and_only_where_nothing_came_after(store):
    assert change(store, ["op_1", "op_2", "op_0"], ARCHIVE, "k" * 20) == ["op_1", "op_2", "op_0"]
    assert change(store, ["op_3"], ARCHIVE, "k" * 20) == [], "one key is one change"
    assert store.labels.undoable("k" * 20, NOW + UNDO) == ("changed", 3)
    change(store, ["op_2"], LabelChange(star=True), at=NOW + 1)
    assert store.labels.undo("k" * 20, "me", NOW + 30) == ["op_1", "op_0"]
    assert found(store) == [3, 1, 0] and store.labels.undo("k" * 20, "me", NOW + 31) is None
    change(store, ["op_3"], ARCHIVE, "l" * 20)
    assert store.labels.undoable("l" * 20, NOW + UNDO + 1) == ("", 0)
    assert store.labels.undo("l" * 20, "me", NOW + UNDO + GRACE + 1) is None and found(store) == [1, 0]


def test_what_was_deleted_stays_deleted_though_the_backend_lists_it(store):
    store.labels.edit("op_1", Label("a name"), "me", NOW)
    change(store, ["op_1"], DELETE, "k" * 20)
    see(store, "op_1", "failed")
    assert found(store, archived=None) == [3, 2, 0] and store.memory.deleted("op_1")
    assert store.purge(NOW + UNDO) == 0 and store.labels.undo("k" * 20, "me", NOW + 30) == ["op_1"]
    assert found(store, search="a name") == [1]
    change(store, ["op_1"], DELETE)
    assert store.purge(NOW + 2 * UNDO) == 1 and store.memory.recall("op_1") is None
    assert not store.memory.readings("op_1") and store.labels.of("op_1").name == ""
    see(store, "op_1")
    assert store.memory.recall("op_1") is None and found(store, archived=None) == [3, 2, 0]


def test_what_is_forgotten_for_its_age_takes_its_label_along(store):
    store.labels.edit("op_0", Label("a name"), "me", NOW)
    assert store.memory.forget(NOW + 9.5) == 1 and store.labels.of("op_0") == Label()
    assert sum(store.memory.counts().values()) == 3


def test_views_are_kept_by_name(store):
    assert store.labels.keep_view("Best", "sort=test_accuracy", NOW) and store.labels.keep_view("all", "", NOW)
    assert store.labels.keep_view("Best", "sort=took", NOW)
    assert store.labels.views() == [("all", ""), ("Best", "sort=took")]
    store.labels.drop_view("all")
    assert store.labels.views() == [("Best", "sort=took")]
