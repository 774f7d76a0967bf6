"""Home, keys and the workers' page in a real Chromium."""

import re
import time

import pytest
from playwright.sync_api import expect

from tests.support.scripted import RESULT, operation, percent, stamp
from tests.support.workers import worker

pytestmark = pytest.mark.usefixtures("quick_rounds")


def test_home_is_live_keys_lead_everywhere_and_what_ended_meanwhile_is_marked(watched, here, backend):  # noqa: F811
    page = watched.page
    backend.operations["op_a"] = lambda n: operation("op_a", progress=percent(n % 90, f"Epoch {n}/99"))
    backend.workers = [worker("w1", "busy", "op_a", last_healthy_at=stamp())]
    here.get("/operations/op_a")
    page.goto(here.address)
    card = page.locator("#card-op_a")
    expect(card).to_contain_text(re.compile(r"Epoch \d"))
    at = backend.readings["op_a"]
    expect(card).to_contain_text(f"Epoch {at + 2}/99")

    # The chain, opened, stays open while it is drawn anew, and tells each link.
    page.get_by_role("button", name="All well").click()
    chain = page.locator("#chain")
    expect(chain).to_contain_text("This page is live")
    expect(chain).to_contain_text("1 training worker; 1 busy.")
    backend.workers = [worker("w1", "temporarily_unavailable", "op_a", last_healthy_at=stamp(time.time() - 40))]
    expect(chain).to_contain_text("w1 does not answer.")
    expect(chain).to_be_visible()
    expect(page.locator(".troubles")).to_contain_text("1 silent worker, last heard of")
    page.keyboard.press("Escape")
    expect(chain).to_be_hidden()

    # Keys: the dialog, a page each, and asking now.
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_be_hidden()
    page.keyboard.press("r")
    expect(page.locator("#asked")).to_contain_text("Asked")
    page.keyboard.press("w")
    page.wait_for_url("**/workers")
    expect(page.locator("#workers")).to_contain_text("Does not answer")
    backend.workers = [worker("w1", last_healthy_at=stamp())]
    expect(page.locator("#workers")).to_contain_text("Free")
    page.locator("#start-menu summary").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Backtest")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Backtest")).to_be_hidden()

    # It ends while another page is looked at.
    expect(page.locator("#line .well").first).to_contain_text("All well")
    backend.operations["op_a"] = operation("op_a", status="completed", result_summary=RESULT, completed_at=stamp())
    here.until("/", lambda text: "row-op_a" in text)
    page.keyboard.press("h")
    expect(page.locator("#away")).to_have_text("1 while you were away")
    expect(page.locator("#row-op_a .new")).to_be_visible()
    page.reload()
    expect(page.locator("#row-op_a")).to_be_visible()
    expect(page.locator("#away")).to_be_hidden()

    # Of two that end, one's own page shows it.
    for name in ("op_b", "op_c"):
        backend.operations[name] = operation(name, progress=percent(12, "Epoch 1/9"))
    here.read("op_c")
    page.goto(f"{here.address}/operations/op_b")
    expect(page.locator("#status")).to_contain_text("Running")
    for name in ("op_b", "op_c"):
        backend.operations[name] = operation(name, status="completed", result_summary=RESULT, completed_at=stamp())
    expect(page.locator("#status")).to_contain_text("Completed")
    here.until("/", lambda text: "row-op_b" in text and "row-op_c" in text)
    page.keyboard.press("h")
    expect(page.locator("#away")).to_have_text("1 while you were away")
    expect(page.locator("#row-op_c .new")).to_be_visible()
    expect(page.locator("#row-op_b .new")).to_be_hidden()
    assert watched.complaints == []
