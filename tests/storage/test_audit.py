"""The audit trail's bounds."""

from contextlib import closing

import pytest

from panel.domain.audit import AuditEntry, AuditQuery, Outcome, plain
from panel.storage import audit
from panel.storage.store import Storage


@pytest.fixture
def store(tmp_path):
    with closing(Storage(tmp_path / "panel.db")) as store:
        yield store


def entry(at: float, what: str, who: str = "anna") -> AuditEntry:
    return AuditEntry(at, who, "browser", "10.0.0.1", what, "op_x", Outcome.DONE)


def test_old_entries_go_and_guesses_push_nothing_else_out(store, monkeypatch):
    monkeypatch.setattr(audit, "MAX_LOGINS", 5)
    monkeypatch.setattr(audit, "MAX_ENTRIES", 12)
    monkeypatch.setattr(audit, "TRIM", 3)
    store.audit.add([entry(n, "start") for n in range(10)] + [entry(100 + n, "login") for n in range(20)])
    while store.audit.trim(before=2.0):
        pass
    left = store.audit.find(AuditQuery(limit=100))
    assert [each.what for each in left] == ["login"] * 5 + ["start"] * 7
    assert [each.at for each in left[5:]] == [9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0], "twelve at most, the newest"
    store.audit.add([entry(1.0, "start")])
    while store.audit.trim(before=2.0):
        pass
    store.audit.add([entry(200.0, "cancel")])
    newest, before, *_ = store.audit.find(AuditQuery(limit=100))
    assert (newest.number, before.number) == (32, 30), "a number is given once"


def test_words_are_matched_whole_and_people_are_named_once(store):
    store.audit.add([entry(1.0, what, who) for what, who in (("start", "b"), ("start check", "a"), ("starting", "b"))])
    assert [each.what for each in store.audit.find(AuditQuery(what="start"))] == ["start check", "start"]
    assert store.audit.people() == ["a", "b"]
    assert [each.number for each in store.audit.find(AuditQuery(after=1))] == [2, 3]
    assert [each.number for each in store.audit.find(AuditQuery(before=3, limit=1))] == [2]


def test_a_tokens_last_use_is_kept(store):
    store.audit.add([], {"d1": (1.0, "a")})
    store.audit.add([], {"d1": (2.0, "b"), "d2": (3.0, "c")})
    assert store.audit.token_uses() == {"d1": (2.0, "b"), "d2": (3.0, "c")}


def test_what_comes_from_elsewhere_stays_one_line():
    assert plain("a\nb\x1b[31m\u202e  c" + "x" * 999).startswith("a b [31m c") and len(plain("x" * 999)) == 200
