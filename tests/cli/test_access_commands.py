"""Users, tokens and the audit trail on the command line."""

import json
import re

import pytest
from click.testing import CliRunner

from panel.cli.main import main
from tests.support.accounts import account_file
from tests.support.passwords import HASH, WORD


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("KTRDR_PANEL_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("KTRDR_PANEL_HOST", "0.0.0.0")  # it would not serve yet: nobody could log in
    monkeypatch.setattr("panel.accounts.password._COST", (10, 8, 1))

    def run(*words: str, typed: str = "", code: int = 0) -> str:
        done = CliRunner().invoke(main, words, input=typed)
        assert done.exit_code == code, done.output
        return done.output

    return run


def test_users_are_added_changed_and_removed(run, tmp_path):
    output = run("user", "add", "vic", "--role", "viewer", typed=f"{WORD}\n{WORD}\n", code=1)
    assert "At least one user must be an operator" in output and WORD not in output
    assert "everybody has to log in" in run("user", "add", "anna", "--role", "operator", "--password", HASH)
    assert "From now on" not in run("user", "add", "vic", "--role", "viewer", typed=f"{WORD}\n{WORD}\n")
    listed = run("user", "list")
    assert re.search(r"anna +operator +added \d{4}-", listed) and re.search(r"vic +viewer", listed)
    before = account_file(tmp_path).read().users["vic"]
    run("user", "password", "vic", "--password", "another word")
    run("user", "role", "vic", "operator")
    after = account_file(tmp_path).read().users["vic"]
    assert after.password != before.password and after.role == "operator"
    assert "too short" in run("user", "password", "vic", "--password", "short", code=1)
    assert "no user “eve”" in run("user", "remove", "eve", code=1)
    run("user", "remove", "anna")
    assert "no user left" in run("user", "remove", "vic")
    lines = [json.loads(line) for line in run("audit", "--what", "user").splitlines()]
    assert [(each["what"], each["subject"], each["outcome"]) for each in lines] == [
        ("user add", "vic", "refused"),
        ("user add", "anna", "done"),
        ("user add", "vic", "done"),
        ("user change", "vic", "done"),
        ("user change", "vic", "done"),
        ("user remove", "eve", "refused"),
        ("user remove", "anna", "done"),
        ("user remove", "vic", "done"),
    ]
    assert {each["via"] for each in lines} == {"command line"} and WORD not in json.dumps(lines, ensure_ascii=False)


def test_a_token_is_printed_once(run, tmp_path):
    output = run("token", "create", "ci", "--role", "viewer")
    (word,) = re.findall(r"^ktrdr_[\w-]{43}$", output, re.MULTILINE)
    assert account_file(tmp_path).read().token(word) is not None
    listed = run("token", "list")
    assert re.search(r"ci +viewer +created \d{4}-.*never used", listed) and word not in listed
    run("token", "revoke", "ci")
    assert run("token", "list") == "" and run("audit", "--days", "0") == ""
    assert [json.loads(line)["what"] for line in run("audit").splitlines()] == ["token create", "token revoke"]


def test_a_broken_file_is_one_sentence(run, tmp_path):
    account_file(tmp_path).path.parent.mkdir()
    account_file(tmp_path).path.write_text("{")
    for words in (("user", "list"), ("token", "list"), ("serve",), ("token", "create", "ci", "--role", "viewer")):
        output = run(*words, code=1)
        assert "cannot be read" in output and "Traceback" not in output
