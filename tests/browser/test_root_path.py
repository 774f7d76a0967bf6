"""Below a path of a reverse proxy, in a real browser: it asks for nothing outside of it, and everything works."""

from urllib.parse import urlsplit

from playwright.sync_api import expect

from tests.support.panels import panel
from tests.support.passwords import HASH, WORD
from tests.support.scripted import RESULT, operation, percent, stamp


def test_a_start_below_a_path_is_followed_to_its_end(watched, free_worker, backend, address, tmp_path):
    page, asked = watched.page, list[str]()
    page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    with panel(tmp_path, address, root_path="/panel", password=HASH) as here:
        page.goto(here.address + "/panel/start/training")
        page.get_by_label("Password").fill(WORD)
        page.get_by_role("button", name="Log in").click()
        expect(page).to_have_url(here.address + "/panel/start/training")
        cookie = page.context.cookies()[0]
        assert cookie["path"].startswith("/panel"), "others on this host do not get the session"
        page.locator("[name=strategy_name][value=swing]").check()
        page.get_by_role("button", name="Start training").click()
        expect(page.locator("#status")).to_contain_text("Running")
        operation_id = page.url.rpartition("/")[2]
        assert page.url == f"{here.address}/panel/operations/{operation_id}"
        page.evaluate("window.same = true")
        backend.operations[operation_id] = operation(operation_id, progress=percent(40, "Epoch 4/10"))
        expect(page.locator("#status")).to_contain_text("40 %")
        ended = {"status": "completed", "result_summary": RESULT, "completed_at": stamp()}
        backend.operations[operation_id] = operation(operation_id, **ended)
        expect(page.locator("#status")).to_contain_text("Completed")
        assert page.evaluate("window.same"), "by the stream, without a new page"
        page.get_by_role("link", name="Runs").first.click()
        expect(page.get_by_role("link", name="swing").first).to_be_visible()
        page.goto("about:blank")  # its streams end before the panel does
    outside = [path for path in asked if not path.startswith("/panel/")]
    assert asked and outside == [] and watched.complaints == []
