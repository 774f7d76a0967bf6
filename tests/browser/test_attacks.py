"""Pages of others in a real Chromium: what they make the browser send does not get past the guard."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from panel.app import create_app
from panel.settings import Settings
from tests.support.pages import KEY
from tests.support.panels import free_port, panel
from tests.support.passwords import HASH, WORD
from tests.support.routes import asked
from tests.support.scripted import Backend, operation, served

FETCHES = """async ([to, key]) => {
  const read = [];
  const tried = ["no-cors", "cors"].flatMap((mode) => [
    fetch(`${to}/operations/op_y`, { mode, credentials: "include" }),
    fetch(`${to}/stream/op_y`, { mode, credentials: "include" }),
    fetch(`${to}/operations/op_x/cancel`, { mode, method: "POST", credentials: "include" }),
    fetch(`${to}/start/dummy`, { mode, method: "POST", body: new URLSearchParams({ key }), credentials: "include" }),
  ]);
  tried.push(fetch(`${to}/operations/op_x/cancel`, { method: "POST", headers: { "hx-request": "true" } }));
  navigator.sendBeacon(`${to}/operations/op_x/cancel`, new URLSearchParams({ key }));
  for (const answer of await Promise.allSettled(tried)) {
    if (answer.status === "fulfilled" && answer.value.type !== "opaque" && answer.value.status < 400) read.push(answer.value.url);
  }
  return read;
}"""

# Elements that load something by themselves. Frames and objects never tell: they are given a while.
ELEMENTS = """async ([to, key]) => {
  const loaded = [];
  const add = (name, properties) => new Promise((done) => {
    const made = Object.assign(document.createElement(name), properties);
    if (["img", "script", "link"].includes(name)) {
      made.onload = () => { loaded.push(name); done(); };
      made.onerror = done;
    } else setTimeout(done, 1500);
    document.body.append(made);
  });
  const form = `<form method="post" action="${to}/start/dummy"><input name="key" value="${key}"></form>`;
  const byScript = `fetch("${to}/start/dummy", {method: "POST", mode: "no-cors", body: new URLSearchParams({key: "${key}"})});
    document.forms[0].submit();`;
  await Promise.all([
    add("img", { src: `${to}/static/icon.svg` }), add("img", { src: `${to}/operations/op_y` }),
    add("script", { src: `${to}/static/theme.js` }), add("script", { src: `${to}/operations/op_y` }),
    add("link", { rel: "stylesheet", href: `${to}/static/panel.css` }), add("video", { src: `${to}/operations/op_y` }),
    add("iframe", { src: `${to}/operations/op_y` }), add("object", { data: `${to}/operations/op_y` }),
    add("embed", { src: `${to}/operations/op_y`, type: "text/html" }),
    add("iframe", { srcdoc: `${form}<script>document.forms[0].submit()<\\/script>` }),
    add("iframe", { sandbox: "allow-scripts allow-forms", srcdoc: `${form}<script>${byScript}<\\/script>` }),
  ]);
  return loaded;
}"""

SUBMIT = """([to, key]) => {
  document.body.innerHTML = `<form method="post" action="${to}/start/dummy"><input name="key" value="${key}"></form>`;
  document.forms[0].submit();
}"""


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[int]:
    """The port of somebody else's server."""

    async def prizes(request: object) -> HTMLResponse:
        return HTMLResponse("<!doctype html><title>Prizes</title><body>")

    with served(Starlette(routes=[Route("/", prizes)])) as address:
        yield urlsplit(address).port or 0


@contextmanager
def watched_panel(folder: Path, backend: str, **settings: Any) -> Iterator[tuple[str, list[tuple[str, str, int]]]]:
    """Its address, and (method, path, status) of all it is asked, kept in front of the guard: a browser does not tell of
    answers that it withholds from a page."""
    made = Settings.from_environ({}, backend=backend, port=free_port(), data_folder=folder, **settings)
    app, observation = create_app(made), list[tuple[str, str, int]]()

    async def in_front(scope: Scope, receive: Receive, send: Send) -> None:
        host = dict(scope.get("headers", ())).get(b"host", b"").partition(b":")[0]

        async def noted(message: Message) -> None:
            site = dict(scope.get("headers", ())).get(b"sec-fetch-site", b"")
            own = (
                site == b"same-origin" and host == b"127.0.0.1"
            )  # a page that was just left, the browser's wish for an icon
            if message["type"] == "http.response.start" and not own:
                observation.append((scope["method"], scope["path"], message["status"]))
            await send(message)

        await app(scope, receive, noted)

    with served(in_front, made.port) as address:
        yield address, observation


@pytest.mark.parametrize("where", ["evil.test", "127.0.0.1"])
def test_pages_of_others_get_nowhere(browser, elsewhere, tmp_path, where):
    """From another site and from another port of this machine, with the session's cookie in the browser."""
    backend = Backend()
    backend.operations |= {"op_x": operation("op_x"), "op_y": operation("op_y")}
    with (
        served(backend.app) as address,
        watched_panel(tmp_path, address + "/api/v1", password=HASH) as (here, observation),
        browser.new_context() as context,
    ):
        page = context.new_page()
        page.goto(here)
        page.get_by_label("Password").fill(WORD)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("button", name="Log out")).to_be_visible()
        expect(page.locator("body")).to_have_attribute("data-contact", "live")
        expect(page.locator("main .htmx-request")).to_have_count(0)  # what the panel's own page asks for has come
        before, starts = asked(backend), len(backend.bodies)

        page.goto(f"http://{where}:{elsewhere}/")
        observation.clear()
        assert page.evaluate(FETCHES, [here, KEY]) == []
        fetched = len(observation)
        assert page.evaluate(ELEMENTS, [here, KEY]) == []
        loaded = len(observation)
        page.evaluate(SUBMIT, [here, KEY])
        page.wait_for_url(f"{here}/start/dummy")
        expect(page.locator("body")).to_contain_text("Refused")
        assert {status for _, _, status in observation} == {403}, observation
        assert fetched >= 9 and loaded - fetched >= 11 and len(observation) > loaded, (
            "all that was tried came as far as the guard"
        )
        assert asked(backend) == before and len(backend.bodies) == starts and not backend.hits["GET /operations/op_y"]

        # The same requests from the panel's own page do arrive: it is the guard that stopped them.
        page.goto(f"{here}/start/dummy")
        assert page.evaluate(FETCHES, [here, KEY]) != []
        assert {"POST /dummy/start", "DELETE /operations/op_x", "GET /operations/op_y"} <= set(backend.hits)


def test_a_rebound_name_gets_nowhere(browser, tmp_path):
    """evil.test leads to this machine: its pages are then of the panel's own origin, as far as the browser knows."""
    backend = Backend()
    backend.operations["op_x"] = operation("op_x")
    with (
        served(backend.app) as address,
        watched_panel(tmp_path, address + "/api/v1") as (here, observation),
        browser.new_context() as context,
    ):
        page = context.new_page()
        rebound = here.replace("127.0.0.1", "evil.test")
        before = asked(backend)
        page.goto(f"{rebound}/operations/op_x")
        expect(page.locator("body")).to_contain_text("does not answer to that host name")
        assert page.evaluate(FETCHES, [rebound, KEY]) == []
        page.evaluate(SUBMIT, [rebound, KEY])
        page.wait_for_url(f"{rebound}/start/dummy")
        assert {status for _, _, status in observation} == {421} and len(observation) >= 11, observation
        assert asked(backend) == before and backend.bodies == []


def test_logging_in_with_the_panel_open(browser, tmp_path):
    """Without JavaScript; and a page that is open when the session ends goes to the login and comes back."""
    backend = Backend()
    backend.operations["op_x"] = operation("op_x")
    with served(backend.app) as address, panel(tmp_path, address + "/api/v1", password=HASH) as here:
        with browser.new_context(java_script_enabled=False) as context:
            page = context.new_page()
            page.goto(f"{here.address}/operations/op_x?a=1")
            page.get_by_label("Password").fill("not this one")
            page.get_by_role("button", name="Log in").click()
            expect(page.locator("#password-help")).to_contain_text("This is not the password.")
            page.get_by_label("Password").fill(WORD)
            page.get_by_role("button", name="Log in").click()
            page.wait_for_url(f"{here.address}/operations/op_x?a=1")
            page.get_by_role("button", name="Log out").click()
            page.wait_for_url(f"{here.address}/login")
        with browser.new_context() as context:
            open_page, other = context.new_page(), context.new_page()
            open_page.goto(f"{here.address}/operations/op_x")
            open_page.get_by_label("Password").fill(WORD)
            open_page.keyboard.press("Enter")
            open_page.wait_for_url(f"{here.address}/operations/op_x")
            open_page.wait_for_function("document.querySelector('#stream') && htmx")
            other.goto(here.address)
            other.get_by_role("button", name="Log out").click()
            other.wait_for_url(f"{here.address}/login")
            open_page.bring_to_front()
            open_page.wait_for_url(f"{here.address}/login?next=%2Foperations%2Fop_x")
            open_page.get_by_label("Password").fill(WORD)
            open_page.keyboard.press("Enter")
            open_page.wait_for_url(f"{here.address}/operations/op_x")
