"""Bytes on the wire of a first and a second visit, as Chromium counts them; and which pages it keeps for "back".

    python -m bench.page_bytes

The same panel, asked with and without compression by browsers that have no cache. A visit's stream is not in it.
Wanted: at most 60 kB for a first visit, 12 kB for a second.
"""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, sync_playwright

from tests.support.browsers import FLAGS
from tests.support.panels import panel
from tests.support.scripted import RESULT, Backend, operation, percent, served

PAGES = ("/", "/operations", "/operations/op_done", "/start/training", "/data", "/data/EURUSD/1h")
FIRST, SECOND = 60, 12  # kB


def visit(context: BrowserContext, address: str) -> tuple[int, int]:
    """Headers and bodies of everything that was fetched, without the stream; and how many answers."""
    page = context.new_page()
    protocol = context.new_cdp_session(page)
    protocol.send("Network.enable")
    sizes: dict[str, int] = {}
    protocol.on("Network.loadingFinished", lambda event: sizes.update({event["requestId"]: event["encodedDataLength"]}))
    page.goto(address)
    page.wait_for_load_state("load")
    page.wait_for_selector("body[data-contact=live]")
    fetched = [size for size in sizes.values() if size]
    page.close()
    return sum(fetched), len(fetched)


def visits(browser: Browser, address: str, **more: Any) -> list[tuple[int, int]]:
    context = browser.new_context(**more)
    found = [visit(context, address) for _ in range(2)]
    context.close()
    return found


def kept(browser: Browser, address: str) -> bool:
    """Whether "back" shows the page as it was left."""
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script("addEventListener('pageshow', (event) => { window.kept = event.persisted; })")
    page.goto(address)
    page.wait_for_selector("body[data-contact=live]")
    page.evaluate("window.before = true")
    page.click("header a[href='/models']")
    page.wait_for_url("**/models")
    page.go_back(wait_until="commit")
    page.wait_for_selector("body[data-contact=live]")
    was = bool(page.evaluate("window.before === true && window.kept === true"))
    context.close()
    return was


def main() -> None:
    backend = Backend()
    backend.operations["op_run"] = operation("op_run", progress=percent(12, "Epoch 12/100"))
    backend.operations["op_done"] = operation(
        "op_done", status="completed", progress=percent(100), result_summary=RESULT
    )
    backend.bars = {("EURUSD", "1h"): [1_700_000_000.0 + 3600 * n for n in range(300)]}
    installed = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with (
        tempfile.TemporaryDirectory() as folder,
        served(backend.app) as address,
        panel(Path(folder), address + "/api/v1") as here,
        sync_playwright() as playwright,
    ):
        switched_off = ["--disable-back-forward-cache"]  # by Playwright
        browser = playwright.chromium.launch(executable_path=installed, args=FLAGS, ignore_default_args=switched_off)
        print(f"kB of a first visit (wanted {FIRST}) and of a second (wanted {SECOND}); answers; uncompressed; kept:")
        for path in PAGES:
            (first, answers), (second, again) = visits(browser, here.address + path)
            ((plain, _), _) = visits(browser, here.address + path, extra_http_headers={"Accept-Encoding": "identity"})
            back = "kept" if kept(browser, here.address + path) else "not kept"
            print(
                f"  {first / 1000:6.1f} kB in {answers:2}, {second / 1000:6.1f} kB in {again}, "
                f"{plain / 1000:6.1f} kB uncompressed ({first / plain:.2f})  {back}  {path}"
            )
        browser.close()


if __name__ == "__main__":
    main()
