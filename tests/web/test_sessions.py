"""The file of sessions: broken, old, and full; and whose wrong passwords are remembered."""

import json
import stat
import time

import pytest

from panel.web.auth.sessions import FREE, LASTS, MAX_SESSIONS, AttemptLimiter, Sessions, TooManyAttempts
from tests.support.passwords import HASH


@pytest.mark.parametrize("kept", [b"", b"\xff", b"[]", b'{"password": 5}', b'{"sessions": {"a": 1e99}}'])
def test_a_broken_file_refuses_all_logins(tmp_path, kept):
    file = tmp_path / "s.json"
    file.write_bytes(kept)
    sessions = Sessions(file, HASH)
    sessions.load()
    assert sessions.find("a") is None and sessions.find(sessions.begin()) is not None


def test_a_session_ends_by_itself_and_they_are_never_many(tmp_path):
    file = tmp_path / "s.json"
    sessions = Sessions(file, HASH)
    sessions.load()
    token = sessions.begin()
    kept = json.loads(file.read_text())
    ((name, entry),) = kept["sessions"].items()
    assert LASTS - 60 < entry["expires"] - time.time() <= LASTS
    for at, there in ((time.time() - 1, False), (time.time() + 60, True), ("never", False), (None, False)):
        file.write_text(json.dumps(kept | {"sessions": {name: at}}))
        again = Sessions(file, HASH)
        again.load()
        assert (again.find(token) is not None) is there
    file.write_text(json.dumps(kept | {"sessions": {f"n{n}": time.time() + 60 + n for n in range(MAX_SESSIONS + 5)}}))
    full = Sessions(file, HASH)
    full.load()
    assert full.find(full.begin()) is not None
    left = json.loads(file.read_text())["sessions"]
    assert len(left) == MAX_SESSIONS and "n0" not in left and f"n{MAX_SESSIONS + 4}" in left
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_who_guessed_last_is_remembered_however_many_others_guess(monkeypatch):
    """An address that goes on guessing does not get free tries by having others guess too."""
    monkeypatch.setattr("panel.web.auth.sessions.ADDRESSES", 2)
    tries = AttemptLimiter(lambda: 1000.0)
    for number in range(FREE + 20):
        tries.count("10.0.0.1")
        tries.count(f"10.9.9.{number}")
    with pytest.raises(TooManyAttempts):
        tries.check("10.0.0.1")
    tries.check("10.9.9.0")


def test_who_logs_in_too_often_ends_only_own_sessions(tmp_path, monkeypatch):
    """Else a viewer could log out every operator."""
    monkeypatch.setattr("panel.web.auth.sessions.MAX_SESSIONS", 3)
    sessions = Sessions(tmp_path / "s.json", HASH)
    sessions.load()
    operator, shared = sessions.begin("olga"), sessions.begin()
    own = [sessions.begin("victor") for _ in range(5)]
    assert sessions.find(operator) is not None and sessions.find(shared) is not None
    assert [sessions.find(token) is not None for token in own] == [False, False, True, True, True]
