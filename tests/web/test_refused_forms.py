"""Every form that can be refused: the wrong field is marked, described by its error, and found by what sets the focus."""

import re
from collections.abc import Iterator

import pytest

from panel.views.templating import ASSETS
from tests.support.accounts import ANNA, log_in, two_users
from tests.support.batches import seed_batch
from tests.support.inside import Inside, inside
from tests.support.pages import KEY
from tests.support.refused import assert_marked
from tests.support.small_strategy import STRATEGY

WHEN = {"key": KEY, "day": "0", "at": "18:30", "zone": "UTC"}
LOAD = WHEN | {"kind": "data_load", "symbol": "EURUSD", "timeframe": "1h"}
BATCH = {"key": KEY[1:], "way": "grid"}


@pytest.fixture
def here(address, tmp_path) -> Iterator[Inside]:
    seed_batch(tmp_path, address, 0.5, 0.6)
    with inside(tmp_path, address) as here:
        yield here


@pytest.mark.parametrize(
    ("path", "form", "fields"),
    [
        ("/start/training", {"key": KEY}, {"strategy_name"}),
        ("/start/training", {"key": KEY, "strategy_name": "swing", "symbols": "../x"}, {"symbols"}),
        ("/start/backtesting", {"key": KEY}, {"model_path", "strategy_name", "start_date", "end_date"}),
        ("/start/data_load", {"key": KEY, "symbol": "?", "start_date": "x"}, {"symbol", "timeframe", "start_date"}),
        ("/batches", BATCH, {"strategy_name"}),
        ("/batches", BATCH | {"strategy_name": "swing", "periods": "bar"}, {"periods"}),
        (f"/batches/{KEY}/backtest", {"end_date": "2024-01-31"}, {"start_date"}),
        (f"/batches/{KEY}/backtest", {"start_date": "2024-02-01", "end_date": "2024-01-31"}, {"end_date"}),
        ("/schedules", LOAD | {"zone": "Mars", "at": ""}, {"zone", "at"}),
        ("/schedules", {name: value for name, value in LOAD.items() if name != "day"}, {"day"}),
        ("/notifications/channels", {"url": "nothing"}, {"url"}),
        ("/access/tokens", {"name": "?", "role": "viewer"}, {"token-name"}),
        ("/access/users", {"name": "?", "password": ANNA, "role": "operator"}, {"user-name"}),
        ("/access/users", {"name": "bob", "password": "x", "role": "operator"}, {"user-password"}),
        ("/access/users", {"name": "bob", "password": ANNA, "role": "king"}, {"user-role"}),
    ],
)
def test_what_is_wrong_is_marked_and_described(here, path, form, fields):
    answer = here.post(path, form)
    assert answer.status == 422
    assert_marked(answer.text, fields)


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/start/data_load", {"symbol": "EURUSD", "timeframe": "1h"}),
        ("/batches", BATCH | {"strategy_name": "swing", "symbols": "AAA BBB"}),
        ("/schedules", LOAD),
        ("/plans", {"strategy_name": "swing", "load": "EURUSD 1h tail"}),
        ("/operations/bulk", {"do": "star", "id": "op_a"}),
    ],
)
def test_every_form_takes_the_same_keys(here, path, form):
    refused = ("", "k" * 15, "k" * 65, "k" * 16 + "/..", "k" * 16 + " ", "ü" * 20)
    said = {key: "out of date" in here.post(path, form | {"key": key}).text for key in refused}
    assert all(said.values()), said
    taken = ("k" * 16, "aB3_-" * 4, "k" * 64)
    said = {key: "out of date" in here.post(path, form | {"key": key}).text for key in taken}
    assert not any(said.values()), said


def test_a_strategy_of_a_bad_name_or_text(tmp_path):
    with inside(tmp_path, "") as here:
        text = STRATEGY.format(name="good", epochs=3)
        for typed, field in (({"name": "good", "text": "{"}, "text"), ({"name": "a b/c", "text": text}, "name")):
            answer = here.post("/strategies/rsi_swing/edit", typed | {"opened": ""})
            assert answer.status == 422 and f'data-refused="{field}"' in answer.text
            assert_marked(answer.text, {field})


def test_passwords(address, tmp_path):
    two_users(tmp_path)
    with inside(tmp_path, address) as here:
        vic = log_in(here, "anna", ANNA)
        for form, field in (({"password": ANNA, "new": "x"}, "new"), ({"password": "x", "new": ANNA}, "password")):
            answer = here.post("/account/password", form, vic)
            assert answer.status == 422
            assert_marked(answer.text, {field})
        answer = here.post("/access/users/vic/change", {"password": "x"}, vic)
        assert_marked(answer.text, {"password-vic"})


def test_what_is_wrong_with_no_field_is_an_alert_that_takes_the_focus(address, tmp_path):
    two_users(tmp_path)
    with inside(tmp_path, address) as here:
        anna = log_in(here, "anna", ANNA)
        answer = here.post("/access/users/anna/remove", {}, anna)
        assert answer.status == 422
        assert_marked(answer.text, set())
        assert "data-refused" in answer.text.partition('id="user-anna-error"')[0]


# Forms that the browser posts itself: a button without fields, whose answer leads to another page; the login, which has
# no scripts; files; and what is done with many runs. Of these a refusal is a page of its own, which can be reloaded.
POSTED_BY_THE_BROWSER = {
    "/logout", "/login", "/batches/{{ batch.key }}/put", "/batches/{{ done.key }}/undo", "/operations/bulk",
    "/operations/undo", "/operations/views", "/data/import-stored", "/data/import", "/data/import/{{ upload }}/forget",
    '/data/import{% if market[0] %}?{{ {"symbol": market[0], "timeframe": market[1]} | query }}{% endif %}',
    "{{ place }}/all", "/starts/{{ start.key }}/check", "/starts/{{ start.key }}/choose", "/starts/{{ start.key }}/dismiss",
    "/start/data_load", "/plans/{{ plan.key }}/cancel", "{{ prefix }}/sessions/{{ session.id }}/end", "{{ link }}/retire",
    "/notifications/channels/{{ channel.id }}/test", "/notifications/channels/{{ channel.id }}/remove",
    "/notifications/rules", "/schedules/{{ schedule.key }}/switch", "/strategies",
    "/strategies/{{ deleted.name | urlencode }}/undelete", "{{ address }}/delete", "{{ address }}/edit",
}  # fmt: skip


def test_every_other_form_answers_in_place():
    found = set()
    for template in ASSETS.joinpath("templates").rglob("*.html"):
        for form in re.findall(r"<form\b(?:[^>\"{]|\"[^\"]*\"|\{\{.*?\}\}|\{%.*?%\})*>", template.read_text()):
            if 'method="post"' in form and "hx-post=" not in form and "{% macro posted" not in form:
                found.add(re.search(r'action="((?:\{\{.*?\}\}|[^"])*)"', form)[1])
    assert found == POSTED_BY_THE_BROWSER
    editor = ASSETS.joinpath("templates", "strategy-edit.html").read_text()
    assert '<button id="save" class="button primary" hx-post="{{ address }}/edit"' in editor


@pytest.mark.parametrize(
    ("path", "form", "said"),
    [
        ("/schedules", LOAD | {"zone": "Mars"}, "“Mars” is not a known time zone"),
        ("/notifications/channels", {"url": "nothing"}, 'id="url-error"'),
        ("/access/tokens", {"name": "?", "role": "viewer"}, "A name has 1 to 32 characters"),
        (f"/batches/{KEY}/backtest", {}, "Give the first and the last day"),
    ],
)
def test_a_script_gets_the_page_without_an_error_for_its_console(here, path, form, said):
    answer = here.post(path, form, ("hx-request", "true"))
    assert answer.status == 200 and said in answer.text and 'id="main"' in answer.text


def test_a_changed_password_leads_on(address, tmp_path):
    two_users(tmp_path)
    with inside(tmp_path, address) as here:
        anna, new = log_in(here, "anna", ANNA), "another long word"
        answer = here.post("/account/password", {"password": ANNA, "new": new}, anna, ("hx-request", "true"))
        assert answer.header("hx-redirect") == "/account?changed=1" and answer.header("set-cookie")
