"""The strategy editor in a real Chromium: one visit from a starter to a changed file, and what axe finds on the way."""

from playwright.sync_api import expect

from tests.support.axe import sound
from tests.support.panels import panel

SELECTED = "(area) => area.value.slice(area.selectionStart, area.selectionEnd)"


def test_a_starter_is_copied_broken_mended_and_saved(watched, tmp_path):
    page = watched.page
    with panel(tmp_path) as here:
        page.goto(f"{here.address}/strategies/rsi_swing")
        sound(page)
        page.get_by_role("link", name="Duplicate").click()
        area = page.get_by_label("File", exact=True)
        area.fill(area.input_value().replace("period: 14", "period: x"))
        page.get_by_role("button", name="Line 12").click()
        assert area.evaluate(SELECTED) == "  rsi_14: {type: rsi, period: x}"
        sound(page)
        area.fill(area.input_value().replace("period: x", "period: 21"))
        expect(page.locator("#remarks")).to_contain_text("Valid, says the embedded backend.")
        page.keyboard.press("Control+s")
        expect(page.get_by_role("heading", level=1)).to_have_text("rsi_swing_copy")
        page.get_by_label("With").select_option("rsi_swing")
        page.get_by_role("button", name="Show differences").click()
        expect(page.locator(".line-new").last).to_contain_text("period: 14")
        sound(page)
    assert watched.complaints == []
