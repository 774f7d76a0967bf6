"""The file of users and tokens: hashes only, changed as a whole, and nothing that is broken lets anybody in."""

import json
import stat
import threading

import pytest

from panel.accounts.file import AccountFile, Accounts, Refused, Role, Unreadable, is_token, new_token
from panel.errors import UnsafeSettings
from panel.settings import Settings
from tests.support.accounts import account_file, two_users
from tests.support.passwords import HASH


def test_only_its_user_can_read_it_and_it_holds_no_word(tmp_path):
    file, word = AccountFile(tmp_path / "panel" / "access.json"), new_token()
    made = file.change(lambda known: known.add_user("anna", Role.OPERATOR, HASH).add_token("ci", Role.VIEWER, word))
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert word not in file.path.read_text() and HASH not in repr(made.users["anna"])
    again = AccountFile(file.path).read()
    assert again.users == made.users and again.tokens == made.tokens
    found = again.token(word)
    assert found is not None and found.name == "ci" and again.token(new_token()) is None
    assert is_token(word) and not is_token(word + "x") and len({new_token() for _ in range(100)}) == 100


def test_changes_at_the_same_time_are_all_kept(tmp_path):
    def add(n: int) -> None:
        AccountFile(tmp_path / "access.json").change(lambda known: known.add_user(f"u{n}", Role.VIEWER, HASH))

    threads = [threading.Thread(target=add, args=(n,)) for n in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(AccountFile(tmp_path / "access.json").read().users) == 8


USER = {"name": "anna", "role": "operator", "password": HASH, "since": 1.0}


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff", b"[]", b"null", b"[" * 5000, b" " * 1_000_001]
    + [json.dumps(each).encode() for each in ({"users": {}}, {"users": [1]}, {"tokens": "x"})]
    + [
        json.dumps({"users": [USER | wrong]}).encode()
        for wrong in (
            {"role": "king"},
            {"role": None},
            {"password": "a word itself"},
            {"password": 5},
            {"name": "A"},
            {"name": "../x"},
            {"since": 1e99},
            {"since": True},
        )
    ]
    + [json.dumps({"tokens": [{"name": "ci", "role": "viewer", "digest": "no hash", "since": 1}]}).encode()],
)
def test_a_file_that_is_no_such_file_is_refused_and_left_alone(tmp_path, content):
    file = account_file(tmp_path)
    file.path.parent.mkdir()
    file.path.write_bytes(content)
    with pytest.raises(Unreadable):
        file.read()
    with pytest.raises(Unreadable):
        file.change(lambda known: known.add_user("anna", Role.OPERATOR, HASH))
    assert file.path.read_bytes() == content
    with pytest.raises(UnsafeSettings, match="cannot be read"):
        Settings.from_environ({"KTRDR_PANEL_HOST": "0.0.0.0"}, data_folder=tmp_path)


@pytest.mark.parametrize(
    "name", ["", "Anna", "a b", "-a", "a" * 33, "local", "operator", "unknown", "a\n", "ä", "../a"]
)
def test_names_are_plain_words(name):
    with pytest.raises(Refused):
        Accounts().add_user(name, Role.VIEWER, HASH)


def test_a_session_is_bound_to_role_and_password():
    known = Accounts().add_user("anna", Role.VIEWER, HASH)
    marks = {
        known.users["anna"].mark,
        known.change_user("anna", Role.OPERATOR).users["anna"].mark,
        known.change_user("anna", None, HASH.replace("scrypt:10", "scrypt:11")).users["anna"].mark,
    }
    assert len(marks) == 3 and known.change_user("anna").users["anna"].mark in marks


def test_with_users_others_may_reach_the_panel(tmp_path):
    environ = {"KTRDR_PANEL_HOST": "0.0.0.0", "KTRDR_PANEL_DATA_DIR": str(tmp_path)}
    with pytest.raises(UnsafeSettings, match="user add"):
        Settings.from_environ(environ)
    assert Settings.from_environ(environ, serves=False).unprotected
    two_users(tmp_path)
    assert not Settings.from_environ(environ).unprotected
