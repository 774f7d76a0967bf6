"""A backend whose every text is an attack, in a real Chromium."""

import re
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.support.hostile import STARTS, Poisoned
from tests.support.panels import panel
from tests.support.scripted import served


def test_no_text_of_a_backend_comes_to_life(browser: Browser, tmp_path: Path) -> None:
    """A canary in every text: no dialog, no request that is not the panel's own, no element that it names."""
    backend = Poisoned(lasts=600.0)
    backend.bars["EURUSD", "1h"] = [1_700_000_000.0 + 3600 * n for n in range(50)]
    backend.lasts["dummy"] = 1.0
    strange: list[str] = []
    with served(backend.app) as address, panel(tmp_path, address + "/api/v1") as here:
        for kind, form in STARTS.items():
            here.post(f"/start/{kind}", {"key": f"first-{kind:>12}".replace(" ", "-"), **form})
        ids = list(backend.rows)
        context = browser.new_context()
        page = context.new_page()
        page.on("dialog", lambda dialog: (strange.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda asked: strange.append(asked.url) if re.search(r"/x$|evil", asked.url) else None)
        paths = ["/", "/data", "/data/EURUSD/1h", "/start/training", "/start/data_load"]
        for path in [*paths, *(f"/operations/{name}" for name in ids), "/"]:
            page.goto(here.address + path)
            expect(page.locator("body")).to_have_attribute("data-contact", "live")  # all of the stream's parts are in
            if page.locator("#candles").count():
                expect(page.locator("#drawn")).to_contain_text("bars drawn")
            alive = page.evaluate(
                'document.querySelectorAll(\'img[src=x], [hx-post="/x"], iframe, a[href^="javascript:"]\').length'
                " + [...document.scripts].filter((s) => !s.src).length"
            )
            assert alive == 0, path
        expect(page.locator("#lists")).to_contain_text("<img src=x onerror=alert(1)>")
        context.close()
    assert not strange
