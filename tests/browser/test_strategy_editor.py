"""The strategy editor in a real Chromium: one visit from a starter to a changed file, and what axe finds on the way."""

from playwright.sync_api import expect

from tests.support.axe import sound
from tests.support.panels import panel


def test_a_starter_is_copied_broken_mended_and_saved(watched, tmp_path):
    page = watched.page
    with panel(tmp_path) as here:
        page.goto(f"{here.address}/strategies/rsi_swing")
        sound(page)
        page.get_by_role("link", name="Duplicate").click()
        text, area = page.get_by_role("textbox", name="File"), page.locator("#text")
        original = area.input_value()
        page.set_viewport_size({"width": 1280, "height": 900})
        page.locator(".cm-line", has_text="period: 14").click()
        for sign in ("End", "ArrowLeft", "Backspace", "Backspace", "x"):
            page.keyboard.press(sign)
        expect(area).to_have_value(original.replace("period: 14", "period: x"))
        expect(page.locator(".cm-message")).to_contain_text("it has to be a whole number from 2 to 100, not x")
        expect(page.locator(".cm-lint-marker-error")).to_have_count(1)
        sound(page)

        page.keyboard.press("Tab")  # leaves the text
        assert page.evaluate("document.activeElement.className") != "yaml-editor"
        page.reload()
        expect(page.get_by_text("What you typed here before was filled in again.")).to_be_visible()
        text.press("Control+a")
        page.keyboard.type("x")  # over lines of many colours, which Chromium would style inline
        expect(area).to_have_value("x")
        page.keyboard.press("Control+z")
        page.get_by_role("button", name="Line 12").click()
        page.keyboard.type("  rsi_14: {type: rsi, period: 21}")
        expect(area).to_have_value(original.replace("period: 14", "period: 21"))
        expect(page.locator("#remarks")).to_contain_text("Valid, says the embedded backend.")
        expect(page.locator(".cm-message")).to_have_count(0)

        page.keyboard.press("Control+s")
        expect(page.get_by_role("heading", level=1)).to_have_text("rsi_swing_copy")
        page.get_by_label("With").select_option("rsi_swing")
        page.get_by_role("button", name="Show differences").click()
        expect(page.locator(".line-new").last).to_contain_text("period: 14")
        sound(page)
        page.goto(f"{here.address}/strategies/rsi_swing/edit?copy=1")
        expect(text).to_be_visible()
        expect(page.locator("#draft")).to_be_hidden()  # it was saved
    assert watched.complaints == []
