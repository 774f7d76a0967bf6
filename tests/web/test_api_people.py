"""What people say of runs, and who people are, over the JSON API."""

from collections.abc import Iterator

import pytest

from panel.accounts.file import Role
from tests.support.accounts import ANNA, a_token, two_users
from tests.support.history import ended, seed
from tests.support.inside import Inside, inside
from tests.support.passwords import WORD


@pytest.fixture
def here(address, tmp_path) -> Iterator[Inside]:
    three = [ended(f"op_{name}", "training", "completed", 900, 60, "swing") for name in "abc"]
    seed(tmp_path, address, *three)
    with inside(tmp_path, address) as here:
        yield here


def test_a_run_is_named_noted_tagged_and_starred(here):
    path = "/api/operations/op_a/label"
    status, body = here.api("POST", path, {"name": " Best  of May ", "tags": ["Trial", "may"], "note": "one\ntwo"})
    assert status == 200 and (body["name"], body["tags"], body["note"]) == ("Best of May", ["trial", "may"], "one\ntwo")
    status, body = here.api("POST", path, {"star": True})
    assert body["starred"] and body["name"] == "Best of May" and body["label_version"] == 2
    assert here.api("POST", path, {"name": "Mine", "version": 1})[0] == 409
    assert here.api("POST", path, {"name": "Mine", "version": 2})[1]["name"] == "Mine"
    status, refused = here.api("POST", path, {"tags": ["x" * 31]})
    assert status == 422 and refused["errors"][0]["message"].startswith("String should have at most 30")
    assert here.api("POST", "/api/operations/op_nobody/label", {"star": True})[0] == 404


def test_many_are_changed_once_for_each_key_and_undone(here):
    def listed(query: str = "") -> int:
        return here.api("GET", f"/api/operations?q={query}")[1]["total"]

    body = {"ids": ["op_a", "op_b", "op_nobody"], "do": "tag", "tags": ["trial"]}
    status, changed = here.api("POST", "/api/operations/change", body)
    assert status == 200 and set(changed["changed"]) == {"op_a", "op_b"} and changed["left_out"] == ["op_nobody"]
    assert here.api("POST", "/api/operations/change", body)[1] == changed and listed("tag:trial") == 2
    status, deleted = here.api("POST", "/api/operations/change", {"ids": ["op_a", "op_c"], "do": "delete"}, "another-1")
    assert set(deleted["changed"]) == {"op_a", "op_c"} and listed() == 1
    for status in (200, 409):
        assert here.api("POST", "/api/operations/undo", {"undo": deleted["undo"]})[0] == status and listed() == 3
    status, refused = here.api("POST", "/api/operations/change", {"ids": ["op_a"], "do": "tag"}, "another-2")
    assert status == 422 and refused["errors"] == [{"field": "tags", "message": "Give a tag."}]
    assert here.api("POST", "/api/operations/change", {"ids": ["op_a"], "do": "burn"}, "another-3")[0] == 422


def test_users_and_tokens_are_for_operators(address, tmp_path, monkeypatch):
    monkeypatch.setattr("panel.accounts.password._COST", (10, 8, 1))
    two_users(tmp_path)
    operator, viewer = (a_token(tmp_path, f"a-{role}", role) for role in (Role.OPERATOR, Role.VIEWER))
    with inside(tmp_path, address) as here:

        def ask(method: str, path: str, body: object = None, who: tuple[str, str] = operator):
            return here.api(method, f"/api/access{path}", body, "some-key-1", who)

        assert ask("GET", "", None, viewer)[0] == ask("POST", "/users", {}, viewer)[0] == 403
        assert [each["name"] for each in ask("GET", "")[1]["users"]] == ["anna", "vic"]
        body = {"name": "maria", "role": "viewer", "password": WORD}
        assert ask("POST", "/users", body)[1]["role"] == "viewer"
        assert "already" in ask("POST", "/users", body)[1]["detail"]
        status, refused = ask("POST", "/users", body | {"name": "x", "password": "short"})
        assert status == 422 and "too short" in refused["detail"] and "short" not in refused["title"]
        assert ask("POST", "/users/maria/change", {"role": "operator"})[1]["role"] == "operator"
        assert ask("POST", "/users/maria/remove")[0] == 204 and ask("POST", "/users/maria/remove")[0] == 422
        assert ask("POST", "/users/anna/change", {"role": "viewer"})[0] == 422  # nobody could act any more
        status, made = ask("POST", "/tokens", {"name": "night", "role": "viewer"})
        assert (
            status == 201
            and here.api("GET", "/api/queue", None, "", ("authorization", f"Bearer {made['token']}"))[0] == 200
        )
        assert made["token"] not in str(ask("GET", "")) and ANNA not in str(ask("GET", ""))
        assert ask("POST", "/tokens/night/revoke")[0] == 204
        assert here.api("GET", "/api/queue", None, "", ("authorization", f"Bearer {made['token']}"))[0] == 401
