"""The pictures of the documentation, taken of a panel that really does what they show.

    .venv/bin/python -m docs.screenshots [FOLDER]

Run it in a checkout after `./run test`, which installs the browser. A panel with its embedded backend works in a
temporary folder: it loads sample data, trains, backtests, fails once on purpose. It takes two to five minutes.
Pictures have at most 256 colours, so that they stay small; those below docs/images/ are replaced.
"""

import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from urllib.parse import urlencode

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.panels import panel_process

FOLDER = Path(__file__).parent / "images"
STARTERS = Path(__file__).parents[1] / "panel" / "embedded" / "starters"
EPOCHS = 600  # of a training that is photographed while it runs: a quarter of a minute
WIDE, PHONE = 1280, 390
COLOURS = 256
LARGEST = 120_000  # bytes
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
TIMEOUT = 240_000  # milliseconds that one step may take on a busy machine
TODAY = datetime.now(UTC).date()


class Camera:
    def __init__(self, browser: Browser, address: str, folder: Path) -> None:
        self._browser, self._address, self._folder = browser, address, folder

    @contextmanager
    def page(self, path: str, width: int = WIDE, theme: str = "light") -> Iterator[Page]:
        context = self._browser.new_context(
            viewport={"width": width, "height": 800},
            color_scheme="dark" if theme == "dark" else "light",
            reduced_motion="reduce",
            timezone_id="UTC",
            base_url=self._address,
        )
        try:
            page = context.new_page()
            page.set_default_timeout(TIMEOUT)
            page.goto(path)
            yield page
        finally:
            context.close()

    def shot(self, page: Page, name: str, highest: int = 1000) -> None:
        """The page from its top, as far as it goes or so many pixels, whichever is less."""
        page.wait_for_timeout(800)  # charts are drawn, and streams have spoken
        wide, high = page.evaluate("[innerWidth, document.body.getBoundingClientRect().bottom + scrollY]")
        assert page.evaluate("document.documentElement.scrollWidth") <= wide, f"{name} is wider than its page"
        clip = {"x": 0, "y": 0, "width": wide, "height": min(high, highest)}
        raw = page.screenshot(full_page=True, clip=clip, animations="disabled")
        picture = (
            Image.open(BytesIO(raw))
            .convert("RGB")
            .quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        )
        file = self._folder / f"{name}.png"
        picture.save(file, optimize=True)
        size = file.stat().st_size
        assert size <= LARGEST, f"{name} has {size:,} bytes"
        print(f"{name}.png  {picture.width} × {picture.height}  {size:,} bytes", flush=True)

    def look(self, name: str, path: str, width: int = WIDE, theme: str = "light", highest: int = 1000) -> None:
        with self.page(path, width, theme) as page:
            self.shot(page, name, highest)


def start(page: Page, kind: str, button: str, **fields: str) -> str:
    """Through the form; the operation's path."""
    page.goto(f"/start/{kind}?{urlencode(fields)}")
    page.get_by_role("button", name=button, exact=True).click()
    page.wait_for_url("**/operations/op_*")
    return page.url.partition("/operations/")[2]


def come(page: Page, share: int) -> None:
    """Until so many per cent are done, in tens."""
    reached = re.compile(rf"^[{share // 10}-9][0-9]$")
    expect(page.locator("#status")).to_have_attribute("data-share", reached, timeout=TIMEOUT)


def ended(page: Page, word: str) -> None:
    expect(page.locator("#status .word")).to_have_text(word, timeout=TIMEOUT)


def load(page: Page, symbol: str, timeframe: str, **dates: str) -> None:
    """Through the form, until no load is left."""
    page.goto(f"/start/data_load?{urlencode({'symbol': symbol, 'timeframe': timeframe, 'mode': 'full', **dates})}")
    page.get_by_role("button", name="Load data", exact=True).click()
    page.wait_for_url(re.compile(r"/operations/op_|/data$"))
    page.goto("/data")
    expect(page.locator("#queue li")).to_have_count(0, timeout=TIMEOUT)


def before_a_start(camera: Camera) -> None:
    with camera.page("/workers") as page:  # known a moment after the panel has begun
        expect(page.locator("main")).to_contain_text("Free", timeout=TIMEOUT)
    with camera.page("/start/training") as page:
        page.get_by_text("rsi_swing", exact=True).click()
        expect(page.locator("#preflight")).to_contain_text("no data stored")
        expect(page.locator("#preflight")).to_contain_text("is free", timeout=TIMEOUT)
        camera.shot(page, "before-a-start", 760)
        page.get_by_role("button", name="Load sample data for EURUSD 1h").click()
        expect(page.locator("#preflight .checks")).to_contain_text("bars", timeout=TIMEOUT)
        expect(page.locator("#preflight progress")).to_have_count(0, timeout=TIMEOUT)


def a_training(camera: Camera) -> str:
    with camera.page("/") as page:
        operation = start(page, "training", "Start training", strategy_name="rsi_swing")
        expect(page.locator("#status")).to_contain_text("Epoch 1", timeout=TIMEOUT)
        come(page, 30)
        camera.shot(page, "training-running", 900)
        camera.look("training-running-phone", page.url, PHONE, highest=900)
        ended(page, "Completed")
        camera.shot(page, "training", 1100)
        camera.look("training-dark", page.url, theme="dark", highest=900)
        camera.look("training-phone", page.url, PHONE, highest=1000)
    return operation


def a_failure(camera: Camera) -> None:
    """A training on data that is not there, started in spite of the warning."""
    with camera.page("/start/training?strategy_name=rsi_swing&symbols=USDCHF") as page:
        page.get_by_role("button", name="Start training", exact=True).click()
        page.get_by_label("Start it anyway").check()
        page.get_by_role("button", name="Start training", exact=True).click()
        page.wait_for_url("**/operations/op_*")
        ended(page, "Failed")
        page.locator("#report-fold summary").click()
        camera.shot(page, "failure", 900)


def a_backtest(camera: Camera) -> None:
    with camera.page("/") as page:
        dates = {"start_date": f"{TODAY - timedelta(days=365)}", "end_date": f"{TODAY - timedelta(days=1)}"}
        model = {"strategy_name": "rsi_swing", "model_path": "models/rsi_swing/1h_v1"}
        operation = start(page, "backtesting", "Start backtest", **model, **dates)
        ended(page, "Completed")
        camera.shot(page, "backtest", 1200)
        page.goto(f"/operations/{operation}/trades")
        expect(page.locator("#drawn")).to_contain_text("Bars", timeout=TIMEOUT)
        camera.shot(page, "trades", 1200)


def stored_data(camera: Camera) -> None:
    """Two loads that leave a hole of some months between them."""
    with camera.page("/data") as page:
        load(page, "GBPUSD", "1d", start_date="2022-01-01", end_date="2023-09-30")
        load(page, "GBPUSD", "1d", start_date="2024-05-01", end_date=f"{TODAY - timedelta(days=20)}")
        load(page, "AAPL", "1d")
        expect(page.locator("#coverage")).to_contain_text("gap")
        camera.shot(page, "data", 700)
    camera.look("candles", "/data/AAPL/1d", highest=800)


def several(camera: Camera, first: str) -> None:
    with camera.page("/") as page:
        load(page, "EURUSD", "1h")  # all of it, so that the second training takes longer
        second = start(page, "training", "Start training", strategy_name="rsi_swing")
        come(page, 10)
        page.locator("#cancel").click()
        expect(page.locator("#ask")).to_contain_text("Let it run")
        camera.shot(page, "cancel", 600)
        page.get_by_role("link", name="Let it run").click()
        camera.look("home", "/", highest=700)
        camera.look("home-phone", "/", PHONE, highest=900)
        ended(page, "Completed")
    camera.look("operations", "/operations", highest=700)
    camera.look("compare", f"/operations/compare?id={first}&id={second}", highest=1200)


def a_batch(camera: Camera) -> None:
    """Six short trainings: the queue while they wait, and the leaderboard at their end."""
    tried = {"setting_1": "indicators.rsi_14.period", "values_1": "7, 14, 21"}
    tried |= {"setting_2": "training.epochs", "values_2": "10, 40"}
    asked = {"strategy_name": "rsi_swing", "way": "grid", "start_date": f"{TODAY - timedelta(days=600)}"}
    with camera.page("/batches/new?" + urlencode(asked | tried)) as page:
        expect(page.locator("#batch-plan")).to_contain_text("6 trainings")
        page.locator("#start-button").click()
        expect(page.locator("#board")).to_be_visible()
        camera.look("queue", "/queue", highest=620)
        expect(page.locator("#board")).to_contain_text("6 of 6 trainings completed", timeout=TIMEOUT)
        camera.shot(page, "batch", 760)


def longer_starters(folder: Path) -> None:
    """The starters, with enough epochs for `rsi_swing` to be photographed while it runs, and a threshold at which it
    trades."""
    folder.mkdir(parents=True)
    for file in STARTERS.glob("*.yaml"):
        text = file.read_text("utf-8").replace("epochs: 50", f"epochs: {EPOCHS}")
        (folder / file.name).write_text(
            text.replace("confidence_threshold: 0.5", "confidence_threshold: 0.44"), "utf-8"
        )


def main(folder: Path) -> None:
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    installed = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with (
        tempfile.TemporaryDirectory() as data,
        ExitStack() as opened,
        sync_playwright() as playwright,
    ):
        longer_starters(Path(data) / "embedded" / "strategies")
        here, _ = opened.enter_context(panel_process(Path(data)))
        camera = Camera(playwright.chromium.launch(executable_path=installed, args=FLAGS), here.address, folder)
        before_a_start(camera)
        first = a_training(camera)
        a_backtest(camera)
        a_failure(camera)
        stored_data(camera)
        several(camera, first)
        a_batch(camera)
    total = sum(file.stat().st_size for file in folder.glob("*.png"))
    print(f"{total:,} bytes in all, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else FOLDER)
