"""Times on a page go on by themselves, and only those that somebody can see."""

from playwright.sync_api import expect

from tests.support.scripted import stamp
from tests.support.workers import worker

WATCH = """
  window.drawn = [];
  for (const id of ["heard-backend", "heard-workers"]) {
    new MutationObserver(() => drawn.push([id, Math.floor(Date.now() / 100)])).observe(
      document.getElementById(id), {childList: true, characterData: true, subtree: true});
  }
"""

APART = """
  document.getElementById("heard-backend").dateTime = new Date(Date.now() - 3100).toISOString();
  document.getElementById("heard-workers").dateTime = new Date(Date.now() - 7600).toISOString();
  drawn.length = 0;
"""


def test_ages_in_closed_parts_stop_and_visible_ones_tick_together(watched, here, backend):
    page = watched.page
    backend.workers = [worker("w1", last_healthy_at=stamp())]
    here.until("/", lambda text: "heard-workers" in text)
    page.clock.install()
    page.goto(here.address)
    expect(page.locator("body")).to_have_attribute("data-contact", "live")
    page.evaluate(WATCH)
    page.clock.run_for(5000)
    assert page.evaluate("drawn") == []

    page.get_by_role("button", name="All well").click()
    expect(page.locator("#chain")).to_be_visible()
    page.evaluate(APART)
    page.clock.run_for(4000)
    drawn = page.evaluate("drawn")
    assert {name for name, _ in drawn} == {"heard-backend", "heard-workers"}
    assert len({at for _, at in drawn}) <= 5  # of four seconds, and a heartbeat may have come
    assert watched.complaints == []
