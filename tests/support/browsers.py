"""A real Chromium, and a page that is being watched."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, expect, sync_playwright

expect.set_options(timeout=120_000)  # a busy machine is no failure

# Each window of a new context draws two hidden pages below its address field otherwise: 0.9 s of CPU.
_UNUSED = ("WebUIOmniboxPopup", "WebUIOmniboxAimPopup")
# Of a flag that comes twice the last one counts, so those that Playwright switches off are named too.
_PLAYWRIGHTS = (
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades",
    "LensOverlay",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "PaintHolding",
    "PreconnectToSearch",
    "ThirdPartyStoragePartitioning",
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--host-resolver-rules=MAP evil.test 127.0.0.1",  # a name that is not the panel's leads to it
    f"--disable-features={','.join((*_UNUSED, *_PLAYWRIGHTS))}",
]


@contextmanager
def chromium() -> Iterator[Browser]:
    installed = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=installed, args=FLAGS)
        yield browser
        browser.close()


class Watched:
    """A page whose console, script errors and policy violations are kept."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on(
            "console",
            lambda message: self.complaints.append(message.text) if message.type in ("error", "warning") else None,
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))


@contextmanager
def watched_page(browser: Browser) -> Iterator[Watched]:
    """A page of 1280 × 900 whose complaints are kept, those of the content security policy included."""
    # A bar that glides to its next value is drawn 60 times a second, by the processor.
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    context.add_init_script(
        "document.addEventListener('securitypolicyviolation', (e) => console.error('CSP', e.violatedDirective, e.blockedURI))"
    )
    context.set_default_timeout(60_000)
    yield Watched(context.new_page())
    context.close()
