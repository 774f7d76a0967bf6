"""Importing in a real Chromium: dropped, asked about, stored, seen; and what axe finds on the way."""

import base64

from playwright.sync_api import Page, expect

from tests.support.axe import sound
from tests.support.kinds import KINDS
from tests.support.panels import panel

DROP = """([name, text]) => {
  const data = new DataTransfer();
  data.items.add(new File([Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0))], name));
  document.body.dispatchEvent(new DragEvent("drop", {bubbles: true, cancelable: true, dataTransfer: data}));
}"""


def dropped(page: Page, address: str, kind: str) -> None:
    page.goto(f"{address}/data/import")
    page.evaluate(DROP, [KINDS[kind].file, base64.b64encode(KINDS[kind].content).decode()])
    expect(page.get_by_role("heading", level=1)).to_have_text(KINDS[kind].file)


def test_a_file_is_dropped_asked_about_stored_and_seen(watched, tmp_path):
    page = watched.page
    data = tmp_path / "embedded" / "data"
    data.mkdir(parents=True)
    (data / "GBPUSD_1h.csv").write_bytes(KINDS["one bad line"].content)
    with panel(tmp_path) as here:
        page.goto(f"{here.address}/data")
        sound(page)
        page.get_by_role("button", name="Import it… GBPUSD_1h.csv").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("GBPUSD_1h.csv")
        sound(page)
        page.get_by_label("Leave out this line").check()
        page.get_by_label("Replace it with this file").check()
        page.get_by_role("button", name="Store these bars").click()
        expect(page.locator(".notice.good")).to_contain_text("119 bars")
        dropped(page, here.address, "metatrader 4")
        sound(page)
        page.get_by_label("Tokyo").check()
        page.get_by_role("button", name="Read it like this").click()
        expect(page.locator(".surface .what")).to_contain_text("2023-12-31 15:00")
        page.get_by_role("button", name="Store these bars").click()
        page.get_by_role("link", name="Look at the candles").click()
        expect(page.locator("#drawn")).to_contain_text("120 bars drawn")
        dropped(page, here.address, "web page")
        expect(page.locator(".notice.failed")).to_contain_text("Line 1: This is a web page")
    assert watched.complaints == []
