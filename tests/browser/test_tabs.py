"""Many tabs of one browser: all are live, none waits for a connection, and a hidden one hears of an end."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.support.pages import until
from tests.support.panels import Panel
from tests.support.scripted import RESULT, operation, percent, stamp

# The browser of a test takes every page for visible; and what it tells the desktop is written down.
HIDING = """
  window.hide = (hidden) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
    document.hasFocus = () => !hidden;
    document.dispatchEvent(new Event("visibilitychange"));
  };
  window.shown = [];
  window.Notification = class extends Notification {
    constructor(text, more) { super(text, more); window.shown.push(text); }
  };
"""
END = "Training swing completed: test accuracy 87.2 %"


@pytest.fixture
def context(browser) -> Iterator[BrowserContext]:
    context = browser.new_context(permissions=["notifications"])
    context.add_init_script(HIDING)
    yield context
    context.close()


def running(n: int):
    return operation(
        "op_a",
        progress=percent(n, f"Epoch {n}/99"),
        metadata={"symbol": "EURUSD", "parameters": {"strategy_name": "swing"}},
    )


def completed():
    return running(99) | {"status": "completed", "result_summary": RESULT, "completed_at": stamp()}


def test_twenty_tabs_are_live_and_the_next_opens_at_once(context, here: Panel, backend):
    """All of them in sight, and a browser has six connections."""
    backend.operations["op_a"] = running(1)
    pages = [context.new_page() for _ in range(20)]
    for page in pages:
        page.goto(f"{here.address}/operations/op_a")
    for page in pages:
        expect(page.locator("body")).to_have_attribute("data-contact", "live")
    assert here.inside.fanout.streams <= 4
    backend.operations["op_a"] = running(2)
    for page in pages:
        expect(page.locator("#status")).to_contain_text("Epoch 2/99")
    last = context.new_page()
    last.goto(f"{here.address}/operations/op_a")
    for page in pages[:3]:  # those that have streams, among them: their places go to others
        page.close()
    backend.operations["op_a"] = completed()
    for page in [*pages[3:], last]:
        expect(page.locator("#status")).to_contain_text("Completed")
        expect(page.locator("#contact")).to_be_hidden()
    until(lambda: here.inside.fanout.streams == 3)


def test_hidden_tabs_share_one_stream_and_one_notifies_the_desktop(context, here: Panel, backend):
    backend.operations["op_a"] = running(1)
    pages = [context.new_page() for _ in range(3)]
    for page, path in zip(pages, ("/operations/op_a", "/", "/start/training"), strict=True):
        page.goto(here.address + path)
        expect(page.locator("body")).to_have_attribute("data-contact", "live")
    titles = [page.title() for page in pages]
    for page in pages:
        page.evaluate("hide(true)")
    until(lambda: here.inside.fanout.streams == 1)
    pages[2].close()
    until(lambda: here.inside.fanout.streams == 1)
    backend.operations["op_a"] = completed()
    for page in pages[:2]:
        expect(page).to_have_title(END)
        expect(page.locator("link[rel=icon]")).to_have_attribute("href", re.compile("icon-ended"))
    assert sum((page.evaluate("shown") for page in pages[:2]), []) == [END]
    assert "Epoch 1/99" in pages[0].locator("#status").inner_text(), "a hidden tab has no stream of its own"
    for page in pages[:2]:
        page.evaluate("hide(false)")
    expect(pages[0].locator("#status")).to_contain_text("Completed")
    expect(pages[0]).to_have_title("Completed · swing")
    expect(pages[1]).to_have_title(titles[1])
    for page in pages[:2]:
        expect(page.locator("link[rel=icon]")).to_have_attribute("href", re.compile(r"icon\.svg"))
    until(lambda: here.inside.fanout.streams == 2)


def test_a_tab_that_opens_in_the_background_waits_with_its_stream(context, here: Panel, backend):
    backend.operations["op_a"] = running(1)
    context.add_init_script("hide(true)")
    pages = [context.new_page() for _ in range(8)]
    for page in pages:
        page.goto(f"{here.address}/operations/op_a")
    until(lambda: here.inside.fanout.streams == 1)
    assert here.inside.fanout.topics == ["line"]
    backend.operations["op_a"] = running(2)
    pages[-1].evaluate("hide(false)")
    expect(pages[-1].locator("#status")).to_contain_text("Epoch 2/99")


def test_the_desktop_is_asked_for_once_and_quietly(browser, here: Panel, backend):
    backend.operations["op_a"] = running(1)
    context = browser.new_context()
    context.add_init_script(
        "window.asked = 0; Notification.requestPermission = async () => { asked += 1; return 'default'; };"
        "Object.defineProperty(Notification, 'permission', { get: () => 'default' });"
    )
    page = context.new_page()
    page.goto(f"{here.address}/operations/op_a")
    offer = page.get_by_role("button", name="Tell me on the desktop when it ends")
    expect(offer).to_be_visible()
    assert page.evaluate("asked") == 0
    offer.click()
    expect(offer).to_be_hidden()
    assert page.evaluate("asked") == 1
    page.reload()
    expect(page.locator("body")).to_have_attribute("data-contact", "live")
    expect(offer).to_be_hidden()
    context.close()


class Wire:
    """Between browser and panel. Streams on it can go dead: nothing passes any more, and neither side is told."""

    def __init__(self, panel: Panel) -> None:
        self._to = panel.settings.port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._ends: list[socket.socket] = []
        self._streams: set[socket.socket] = set()
        self._dead: set[socket.socket] = set()
        self.deaf = False  # nothing passes any more, on new connections neither
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def cut(self) -> None:
        """The streams of now are dead; other connections work."""
        self._dead.update(self._streams)

    def close(self) -> None:
        for end in [self._listening, *self._ends]:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for end in [self._listening, *self._ends]:
            end.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                self._ends += [near, far]
                for one, other in ((near, far), (far, near)):
                    self._threads.append(threading.Thread(target=self._carry, args=(one, other), daemon=True))
                    self._threads[-1].start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                if b"text/event-stream; " in data:  # the type of the panel's answer
                    self._streams |= {one, other}
                if self.deaf or one in self._dead:
                    self._dead |= {one, other}
                    continue
                other.sendall(data.replace(b"127.0.0.1:%d" % self.port, b"127.0.0.1:%d" % self._to))
            if one not in self._dead:
                other.shutdown(socket.SHUT_RDWR)


@contextmanager
def wire(panel: Panel) -> Iterator[Wire]:
    made = Wire(panel)
    yield made
    made.close()


def test_a_half_open_stream_is_noticed_and_opened_again(context, here: Panel, backend):
    backend.operations["op_a"] = running(1)
    with wire(here) as between:
        page = context.new_page()
        page.clock.install()
        page.goto(f"http://127.0.0.1:{between.port}/operations/op_a")
        expect(page.locator("body")).to_have_attribute("data-contact", "live")
        between.cut()
        backend.operations["op_a"] = running(2)
        page.clock.fast_forward(30_000)
        expect(page.locator("#status")).to_contain_text("Epoch 2/99")
        expect(page.locator("#contact")).to_be_hidden()


def test_a_panel_that_nothing_comes_from_is_called_silent_until_it_is_back(context, here: Panel, backend):
    """As after a laptop's sleep on another network: connections stand, and nothing passes."""
    backend.operations["op_a"] = running(1)
    with wire(here) as between:
        page = context.new_page()
        page.clock.install()
        page.goto(f"http://127.0.0.1:{between.port}/operations/op_a")
        expect(page.locator("body")).to_have_attribute("data-contact", "live")
        between.deaf = True
        page.clock.pause_at(datetime.fromtimestamp(page.evaluate("Date.now()") / 1000 + 1, UTC))
        page.clock.fast_forward(30_000)  # and no more, however slow this machine is
        expect(page.locator("#contact")).to_contain_text("The panel itself has not answered for")
        expect(page.locator("body")).to_have_attribute("data-contact", "lost")
        backend.operations["op_a"] = running(2)
        between.deaf = False
        page.clock.resume()
        page.clock.fast_forward(30_000)
        expect(page.locator("#status")).to_contain_text("Epoch 2/99")
        expect(page.locator("#contact")).to_be_hidden()
