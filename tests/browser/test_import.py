"""Importing in a real Chromium: dropped, asked about, stored, seen; and what axe finds on the way."""

import base64

from playwright.sync_api import Page, expect

from tests.support.axe import sound
from tests.support.kinds import KINDS
from tests.support.market_files import bars, ktrdr
from tests.support.panels import panel

DROP = """([name, text]) => {
  const data = new DataTransfer();
  data.items.add(new File([Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0))], name));
  return ["dragenter", "dragover", "drop"].map((kind) =>
    !document.body.dispatchEvent(new DragEvent(kind, {bubbles: true, cancelable: true, dataTransfer: data})));
}"""


def dropped(page: Page, address: str, kind: str, on: str = "/data/import") -> None:
    page.goto(f"{address}{on}")
    prevented = page.evaluate(DROP, [KINDS[kind].file, base64.b64encode(KINDS[kind].content).decode()])
    assert prevented == [True] * 3, "else the browser opens the file in place of the panel"
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


def test_a_file_that_is_dropped_on_the_pages_of_stored_data_goes_on_to_its_import(watched, tmp_path):
    page = watched.page
    data = tmp_path / "embedded" / "data"
    data.mkdir(parents=True)
    (data / "EURUSD_1h.csv").write_text(ktrdr(bars()))
    with panel(tmp_path) as here:
        for place in ("/data", "/data/EURUSD/1h", "/data/GBPUSD/1h"):
            page.goto(f"{here.address}{place}")
            expect(page.locator("#import-form")).to_be_hidden()
            dropped(page, here.address, "metatrader 4", place)
            expect(page.locator(".surface .what")).to_contain_text("2023-12-31 22:00")
    assert watched.complaints == []
