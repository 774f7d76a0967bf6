"""Every route has a role, a viewer gets no further than that, and no page shows a viewer what would be refused."""

import json
import re
from html.parser import HTMLParser

import pytest

from panel.adapters import KINDS
from panel.app import ASSETS, create_app
from panel.domain.audit import GROUPS
from panel.settings import Settings
from panel.web.auth.roles import TABLE, Needs, Rule, compiled, rule_of
from panel.web.routes.api import schema
from tests.support.accounts import ANNA, VIC, log_in, two_users
from tests.support.inside import inside
from tests.support.routes import asked, routes, templates
from tests.support.scripted import Backend, operation, served

OPERATORS = sorted(row for row, rule in TABLE.items() if rule.needs is Needs.OPERATOR)


@pytest.fixture(scope="module")
def backend():
    backend = Backend()
    backend.operations["op_x"] = operation("op_x")
    return backend


@pytest.fixture(scope="module")
def here(backend, tmp_path_factory):
    folder = tmp_path_factory.mktemp("roles")
    two_users(folder)
    with served(backend.app) as address, inside(folder, address + "/api/v1") as here:
        yield here


def test_every_route_is_in_the_table_and_nothing_else_is(tmp_path):
    """A new route needs a row in panel/web/auth/roles.py: who may ask for it, and what the audit trail calls it."""
    found = templates(create_app(Settings.from_environ({}, data_folder=tmp_path)))
    of_kinds = {f"POST /api/start/{kind}" for kind in KINDS}
    assert of_kinds <= found
    found = (found - of_kinds) | {"POST /api/start/{kind}"}
    assert found - TABLE.keys() == set(), "routes without a role"
    assert TABLE.keys() - found == set(), "rows without a route"


def test_what_changes_something_is_for_operators():
    open_to_viewers = {
        row for row, rule in TABLE.items() if row.startswith("POST") and rule.needs is not Needs.OPERATOR
    }
    assert open_to_viewers == {
        "POST /login",
        "POST /logout",
        "POST /first",
        "POST /look-now",
        "POST /account/password",
        "POST /account/sessions/{session}/end",
        "POST /start/{kind}/look",
        "POST /start/{kind}/command",
        "POST /data/look",
        "POST /batches/look",
        "POST /api/batches/look",
        "POST /strategies-check",
        "POST /strategies-text",
    }, "each of these asks or shows, or concerns only who asks"


def test_the_audit_trail_can_be_filtered_by_every_row():
    assert {rule.what.split()[0] for rule in TABLE.values() if rule.what} | {"login", "logout"} == set(GROUPS)


def test_of_two_rows_the_stricter_one_counts():
    rows = {"POST /a/{x}": Rule(Needs.OPERATOR), "POST /{x}/b": Rule(Needs.VIEWER)}
    for order in (rows, dict(reversed(rows.items()))):
        found = rule_of("POST", "/a/b", compiled(order))
        assert found is not None and found[0].needs is Needs.OPERATOR
    found = rule_of("POST", "/start/training/look")
    assert found is not None and found[0].needs is Needs.VIEWER and found[1] == ("training",)
    found = rule_of("HEAD", "/audit")
    assert found is not None and found[0].needs is Needs.OPERATOR
    assert rule_of("POST", "/nothing") is None


@pytest.mark.parametrize("row", OPERATORS)
def test_a_viewer_is_refused_what_is_for_operators(here, backend, vic, row):
    before, bodies = asked(backend), len(backend.bodies)
    method, _, path = row.partition(" ")
    path = re.sub(r"{\w+}", "op_x", path.replace("{kind}", "training"))
    own = [("host", here.host), ("sec-fetch-site", "same-origin"), ("idempotency-key", "k" * 16), vic]
    for headers in ([], [("hx-request", "true")]):
        answer = here.ask(method, path, [*own, *headers])
        assert answer.status == 403 and "viewer" in answer.text, headers
        if path.startswith("/api"):
            assert answer.header("content-type") == "application/problem+json"
    assert asked(backend) == before and len(backend.bodies) == bodies, "nothing reached the backend"


@pytest.fixture(scope="module")
def vic(here):
    return log_in(here, "vic", VIC)


def test_the_description_of_the_api_says_what_is_forbidden(here, vic):
    """Each request is sent: as a viewer with a key, and without a key."""
    described, wrong = schema()["paths"], []
    rows = {row for row in templates(here.app) if " /api/" in row} - {"GET /api/openapi.json"}
    assert rows == {f"{method.upper()} {path}" for path, ways in described.items() for method in ways}
    for row in sorted(rows):
        method, _, path = row.partition(" ")
        said = described[path][method.lower()]["responses"].get("403", {"description": ""})["description"]
        example = re.sub(r"{\w+}", "op_x", path)
        for word, headers in (("viewer", [vic, ("idempotency-key", "k" * 16)]), ("Idempotency-Key", [vic])):
            answer = here.ask(method, example, [("host", here.host), *headers])
            why = json.loads(answer.body)["detail"] if answer.status == 403 else ""
            if (word in why) != (word in said):
                wrong.append((row, said, why))
    assert wrong == []


def test_every_page_works_for_a_viewer(here, vic):
    """As it does for an operator, but for the pages about people."""
    anna, refused = log_in(here, "anna", ANNA), set()
    for method, path in routes(here.app):
        if method == "GET" and not path.startswith("/static"):
            seen, own = here.get(path, vic), here.get(path, anna)
            if seen.status == 403:
                refused.add(path)
            else:
                assert seen.status == own.status, path
    assert refused == {"/access", "/api/access", "/audit", "/api/audit"}
    assert here.get("/nothing", vic).status == here.post("/nothing", {}, vic).status == 404


def test_a_viewer_sees_why_nothing_can_be_started(here, vic):
    for path in ("/start/training", "/operations/op_x/cancel"):
        page = here.get(path, vic).text
        assert 'data-role="viewer"' in page and "You are logged in as a viewer" in page, path
    form = here.get("/start/training", vic).text
    assert re.search(r'<button id="start-button"[^>]* disabled>', form)
    home = here.get("/", vic).text
    assert "vic · viewer" in home and 'hx-post="/first"' not in home


LEADS = re.compile(r"^/start/|^/batches/new|/(?:cancel|label|delete)$")  # pages that only ask for something


class Actions(HTMLParser):
    """What in a template asks for something that only an operator may do, without a mark that hides it from viewers; or
    has the mark without need."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[tuple[str, bool]] = []
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        hidden = "data-operator" in given or any(inside for _, inside in self.open)
        if tag in ("form", "details", "p", "span", "div"):
            self.open.append((tag, hidden))
        classes = (given.get("class") or "").split()
        if tag == "a" and {"button", "plain"} & set(classes) and LEADS.search(given.get("href") or "") and not hidden:
            self.found.append(given["href"])
        action = given.get("hx-post") or (given.get("action") if given.get("method") == "post" else None)
        if action:
            path = action.replace("{{ address }}", "/strategies/x").replace("{{ prefix }}", "/account")
            rule = rule_of("POST", re.sub(r"{{.*?}}", "x", path))
            if hidden is (rule is not None and rule[0].needs is not Needs.OPERATOR):
                self.found.append(action)

    def handle_endtag(self, tag: str) -> None:
        if any(each == tag for each, _ in self.open):
            while self.open.pop()[0] != tag:
                pass


def test_every_button_for_operators_is_marked_as_such():
    """Streams send the same fragments to everybody, so the page's style sheet hides what carries `data-operator`."""
    served_by_role = {
        "kinds/start.html",  # the button itself is disabled
        "batch-new.html",  # the button itself is marked
        "strategy-edit.html",  # the button itself is left out
    }
    unmarked = {}
    for file in (ASSETS / "templates").rglob("*.html"):
        parser = Actions()
        parser.feed(re.sub(r"{%.*?%}|{#.*?#}", "", file.read_text("utf-8"), flags=re.S))
        if parser.found:
            unmarked[file.relative_to(ASSETS / "templates").as_posix()] = parser.found
    assert unmarked.keys() == served_by_role, unmarked
    assert '[data-role="viewer"] [data-operator] { display: none !important; }' in (
        ASSETS / "static" / "panel.css"
    ).read_text("utf-8")
