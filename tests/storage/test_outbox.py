"""Messages that wait to be sent: none is lost for its age, and none is sent to a channel that was removed."""

import pytest

from panel.storage.outbox import MessageState
from panel.storage.store import Storage

NOW = 1_800_000_000.0


@pytest.fixture
def store(tmp_path):
    store = Storage(tmp_path / "panel.db")
    yield store
    store.close()


def left(store: Storage) -> list[tuple[str, str, str]]:
    return sorted((each.id, each.channel, str(each.state)) for each in store.outbox.recent(100))


def test_a_channel_takes_along_what_waits_for_it_and_nothing_else(store):
    store.outbox.add_channel("a", "json://a", NOW)
    store.outbox.add("sent", ["a"], "Title", "Body", NOW)
    store.outbox.settle(*store.outbox.due(NOW), MessageState.SENT)
    store.outbox.add("waits", ["a", "b"], "Title", "Body", NOW)
    store.outbox.remove_channel("a")
    assert left(store) == [("sent", "a", "sent"), ("waits", "b", "waiting")] and store.outbox.channels() == []
    store.outbox.add_channel("a", "json://a", NOW)
    assert [each.channel for each in store.outbox.due(NOW)] == ["b"], "there again, it gets what comes from now on"


def test_what_was_sent_is_forgotten_for_its_age_and_what_waits_is_not(store, monkeypatch):
    monkeypatch.setattr("panel.storage.outbox.KEPT", 2)
    for number, state in enumerate((MessageState.SENT, MessageState.SENDING, MessageState.WAITING)):
        store.outbox.add(f"m{number}", ["a"], "Title", "Body", NOW + number)
        if state is not MessageState.WAITING:
            store.outbox.settle(*store.outbox.due(NOW + number), state)
    for number in (3, 4):
        store.outbox.add(f"m{number}", ["a"], "Title", "Body", NOW + number)
    assert [name for name, _, _ in left(store)] == ["m1", "m2", "m3", "m4"]
