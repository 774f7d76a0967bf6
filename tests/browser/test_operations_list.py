"""The list of operations in a real Chromium: filtered while it is typed, live, and still under the pointer."""

import re
import time

from playwright.sync_api import expect

from panel.web.routes.operations import PAGE
from tests.support.history import DAY, ended, seed
from tests.support.panels import panel
from tests.support.scripted import RESULT, operation, percent, stamp

# Whether somebody sees all of an element: inside the window, and nothing before it.
SEEN = """(element) => {
  const { left, right, top, bottom } = element.getBoundingClientRect();
  const inside = left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight;
  return inside && element.contains(document.elementFromPoint((left + right) / 2, (top + bottom) / 2));
}"""
SHOWN = "[...document.querySelectorAll('#found tbody tr')].map((row) => row.id)"


def test_the_list_filters_sorts_and_stays_where_it_is(watched, address, backend, tmp_path):
    page = watched.page
    names = ("swing", "trend", "breakout")
    seed(
        tmp_path,
        address,
        *(
            ended(
                f"op_{n:02}",
                "training",
                ("completed", "failed")[n % 2],
                600.0 * n + 900,
                10.0 + n,
                names[n % 3],
                result_summary=None if n % 2 else RESULT | {"test_metrics": {"test_accuracy": 0.6}},
            )
            for n in range(PAGE + 10)
        ),
    )
    since = stamp(time.time() - 300)
    backend.operations["op_a"] = lambda n: operation("op_a", progress=percent(n, f"Epoch {n}/99"), created_at=since)
    long = stamp(time.time() - 2 * DAY)
    backend.operations["op_long"] = operation("op_long", progress=percent(7, "Epoch 7/99"), created_at=long)
    with panel(tmp_path, address) as here:
        here.read("op_a", "op_long")
        page.goto(f"{here.address}/operations")
        live = page.locator("#row-op_a")
        expect(live).to_contain_text("Epoch")
        before = page.evaluate(SHOWN)
        assert before[0] == "row-op_a" and len(before) == PAGE

        # A chosen row that is live stays chosen, focused and where it is, and what begins does not push it away.
        page.keyboard.press("j")
        page.keyboard.press("x")
        backend.operations["op_b"] = operation("op_b", progress=percent(3, "Epoch 1/9"))
        here.get("/operations/op_b")
        shown = re.search(r"Epoch \d+/99", live.inner_text()).group()
        expect(live).not_to_contain_text(shown)
        expect(page.locator("#news")).to_have_text("1 new run: show")
        assert page.evaluate(SHOWN) == before
        assert page.evaluate("document.activeElement.id") == "to-op_a"
        expect(live.get_by_role("checkbox")).to_be_checked()
        page.get_by_role("link", name="1 new run: show").click()
        expect(page.locator("#found tbody tr").first).to_have_id("row-op_b")
        expect(live.get_by_role("checkbox")).to_be_checked()
        expect(page.locator("#news")).to_have_text("")

        # Typed: the list follows, the address follows, the cursor stays.
        page.keyboard.press("/")
        page.keyboard.type("trend", delay=30)
        expect(page.locator("#count")).to_contain_text("20 of 63 runs")
        expect(page).to_have_url(re.compile(r"/operations\?q=trend$"))
        assert page.evaluate("document.activeElement.id") == "search" and page.input_value("#search") == "trend"
        page.get_by_label("State").select_option("failed")
        expect(page.locator("#count")).to_contain_text("10 of 63 runs")
        page.get_by_role("link", name="Took").click()
        expect(page.locator("th[aria-sort=descending]")).to_have_text("Took")
        expect(page).to_have_url(re.compile(r"/operations\?state=failed&q=trend&sort=took$"))
        longest = page.evaluate(SHOWN)
        assert longest == sorted(longest, reverse=True)
        page.reload()
        assert page.evaluate(SHOWN) == longest and page.get_by_label("State").input_value() == "failed"

        # The stream follows the rows that are shown: an end is seen in place, also of one that was on no page before.
        # What is typed before the page's script is there is searched for too.
        held = []
        page.route("**/static/*/list.js", lambda route: held.append(route))
        with page.expect_request("**/static/*/list.js"):
            page.get_by_role("link", name="Clear filters").click(no_wait_after=True)
        expect(page.locator("#count")).to_have_text("63 runs")
        page.get_by_label("Search runs").fill("op_long")
        held[0].continue_()
        page.unroute("**/static/*/list.js")
        expect(page.locator("#found tbody tr")).to_have_count(1)
        late = page.locator("#row-op_long")
        expect(late).to_contain_text("Epoch 7/99")
        backend.operations["op_long"] = operation(
            "op_long", status="completed", result_summary=RESULT, created_at=long, completed_at=stamp()
        )
        expect(late).to_contain_text("Completed")
        expect(late).to_contain_text("87.2 %")

        # Two are chosen by keyboard, one of them under another search, and laid over each other.
        page.keyboard.press("Escape")
        page.keyboard.press("j")
        page.keyboard.press("x")
        expect(page.locator("#chosen")).to_contain_text("1 run chosen. One more at least to compare.")
        page.keyboard.press("/")
        page.get_by_label("Search runs").fill("op_00")
        expect(page.locator("#row-op_00")).to_be_visible()
        page.keyboard.press("Escape")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("j")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("x")
        page.get_by_role("button", name="Compare the chosen").click()
        expect(page).to_have_url(re.compile(r"/operations/compare\?id=op_long&id=op_00$"))
        expect(page.locator("#overlays canvas")).to_have_count(4)
        expect(page.get_by_role("row", name="Test accuracy")).to_contain_text("best")

        # Of all that match the best six are.
        page.goto(f"{here.address}/operations?kind=training")
        page.locator("#choose-every").check()
        expect(page.locator("#chosen")).to_have_text(
            re.compile("All matches are chosen.*The best six of them are compared")
        )
        page.get_by_role("button", name="Compare the chosen").click()
        expect(page.get_by_text(re.compile(r"These are the best 6 of \d+ trainings, by test accuracy"))).to_be_visible()
    assert watched.complaints == []


def test_what_can_be_done_with_the_chosen_is_in_sight(watched, address, backend, tmp_path):
    page = watched.page
    seed(tmp_path, address, *(ended(f"op_{n:02}", "training", "completed", 600.0 * n + 900) for n in range(40)))
    with panel(tmp_path, address) as here:
        for width, height in ((1280, 800), (390, 664)):
            page.set_viewport_size({"width": width, "height": height})
            page.goto(f"{here.address}/operations")
            bar, boxes = page.locator("#for-chosen"), page.locator("tbody .choose input")
            assert not bar.evaluate(SEEN)
            for at in range(3):
                boxes.nth(at).check()
            expect(page.locator("#chosen")).to_have_text("3 runs chosen.")
            assert bar.evaluate(SEEN) and boxes.nth(2).evaluate(SEEN)
            page.locator("#bulk summary").click()
            for name in ("Run again…", "Take off"):
                assert page.get_by_role("button", name=name).evaluate(SEEN), (width, name)
            page.locator("#bulk summary").click()

            # The row with the focus is above the bar, the last one too.
            page.locator("#to-op_02").focus()
            for _ in range(37):
                page.keyboard.press("j")
                assert page.evaluate_handle("document.activeElement").evaluate(SEEN), width
            assert page.evaluate("document.activeElement.id") == "to-op_39"

            page.get_by_role("button", name="Clear", exact=True).click()
            expect(page.locator("#chosen")).to_contain_text("Choose two or more runs")
            expect(page.locator("tbody :checked")).to_have_count(0)
            assert page.evaluate("document.activeElement.closest('tr').id") == "row-op_00"
    assert watched.complaints == []
