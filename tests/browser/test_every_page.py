"""Every page in a real Chromium: no violation that axe finds, nothing wider than 320 pixels, no message in the console."""

from collections import Counter
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from starlette.responses import Response

from panel.views.templating import ASSETS, STATIC
from tests.support.bars import hours, without
from tests.support.browsers import watched_page
from tests.support.pages import until
from tests.support.panels import panel
from tests.support.passwords import HASH
from tests.support.results import BACKTEST, BARS, TRADES
from tests.support.scripted import RESULT, corrupt, operation, percent, stamp

AXE = (Path(__file__).parents[1] / "support" / "vendor" / "axe-4.14.1.min.js").read_text("utf-8")
FOUND = """async (rules) => (await axe.run({resultTypes: ["violations"], ...rules})).violations
  .flatMap(({id, nodes}) => nodes.map((node) => `${id}: ${node.target} ${node.failureSummary}`))"""
BROKEN_DATES = """() => {
  const found = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), part = document.createRange();
  while (texts.nextNode()) for (const date of texts.currentNode.parentElement.closest("pre") ? [] : texts.currentNode.data.matchAll(/\\d{4}-\\d\\d-\\d\\d/g)) {
    part.setStart(texts.currentNode, date.index);
    part.setEnd(texts.currentNode, date.index + date[0].length);
    const lines = new Set([...part.getClientRects()].map((line) => Math.round(line.top)));
    if (lines.size > 1) found.push(`${date[0]} goes on in the next line in ${texts.currentNode.parentElement.outerHTML.slice(0, 200)}`);
  }
  return found;
}"""
EVERY_RULE: dict[str, object] = {}
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
STARTER = Path(__file__).parents[2] / "panel" / "embedded" / "starters" / "rsi_swing.yaml"
LONG = "a_very_long_strategy_name_" * 4
UNBROKEN = "longer" * 15
KEYS = {"unconfirmed": "k" * 32, "plan": "p" * 32, "kept": "s" * 32, "batch": "b" * 32}
PAGES = (
    "/operations/op_a",
    "/operations/op_b",
    "/operations/op_c",
    "/operations/op_d",
    "/operations/op_e",
    "/operations/op_e/trades",
    "/operations/{run}/strategy",
    "/",
    "/start/training",
    "/start/data_load",
    "/start/backtesting",
    "/start/dummy",
    f"/starts/{KEYS['unconfirmed']}",
    f"/plans/{KEYS['plan']}",
    "/queue",
    "/batches",
    "/batches/new",
    f"/batches/{KEYS['batch']}",
    "/data",
    "/data/EURUSD/1h",
    "/operations/op_a/cancel",
    "/workers",
    "/strategies",
    "/strategies/swing",
    "/strategies/swing/edit",
    f"/strategies/{UNBROKEN}",
    "/strategies-compare?old=run:{run}&new=file:swing",
    "/models",
    "/checkpoints",
    "/notifications",
    "/access",
    "/audit",
    "/operations",
    "/operations?state=failed&q=nothing",
    "/operations/compare?id=op_a&id=op_b",
)


@pytest.fixture
def everything(backend, address, tmp_path, monkeypatch):
    """One of each: running, completed, failed, cancelled, a backtest; long names, bars with a gap, a strategy that is
    broken, a start without an answer, a plan; and the run that {run} stands for."""
    monkeypatch.setattr("panel.workflows.starting.CHECKS", (0.01,))
    folder = tmp_path / "strategies"
    folder.mkdir()
    (folder / "swing.yaml").write_text(STARTER.read_text().replace("name: rsi_swing", "name: swing"))
    parameters = {"strategy_name": LONG, "symbols": ["EURUSD"] * 8, "commission": 0.001, "initial_capital": 100000.0}
    metadata = {"symbol": "EURUSD", "parameters": parameters}
    running = {"progress": percent(30, "Epoch 3/9 " + "x" * 90), "metrics": {"epochs": corrupt(30)}}
    ended = {"completed_at": stamp(), "metadata": metadata}
    backend.operations["op_a"] = operation("op_a", metadata=metadata, **running)
    backend.operations["op_b"] = operation("op_b", status="completed", result_summary=RESULT, **ended)
    failure = {"status": "failed", "error_message": "No data found in cache for " + "X" * 120}
    backend.operations["op_c"] = operation("op_c", **failure, **ended)
    backend.operations["op_d"] = operation("op_d", status="cancelled", progress=percent(40), **ended)
    backend.operations["op_e"] = operation("op_e", "backtesting", "completed", result_summary=BACKTEST, **ended)
    for name, listed in (("trades", TRADES), ("bars", BARS)):
        backend.answers[f"GET /operations/op_e/{name}"] = (200, {"success": True, "data": listed})
    backend.strategies = [
        {"name": LONG, "description": "words " * 60, "symbol": "EURUSD", "timeframe": "1h"},
        {"name": UNBROKEN, "description": "", "symbol": "EURUSD", "timeframe": "1h"},
        {"name": "no_model", "description": "", "symbol": "EURUSD", "timeframe": "1h"},
        {"name": "swing", "description": "", "symbol": "EURUSD", "timeframe": "1h"},
    ]
    backend.bars = {("EURUSD", "1h"): hours(60), ("A_LONG_SYMBOL.NAME", "15m"): without(hours(40), 100, 30)}
    with panel(tmp_path, address, strategies_folder=folder) as here:
        sent = {"strategy_name": "swing", "symbols": "EURUSD", "timeframes": "1h", "insist": "1"}
        run = here.post("/start/training", sent | {"key": KEYS["kept"]}).headers["location"].rpartition("/")[2]
        backend.answers["POST /trainings/start"] = lambda _: Response("<html>bad gateway", 502)
        here.post("/start/training", sent | {"key": KEYS["unconfirmed"]})
        here.post("/plans", sent | {"key": KEYS["plan"], "load": "EURUSD 1h tail"})
        batch = {"way": "grid", "strategy_name": "swing", "symbols": "EURUSD GBPUSD", "key": KEYS["batch"]}
        assert here.post("/batches", batch).status_code == 303
        (folder / "swing.yaml").write_text((folder / "swing.yaml").read_text().replace("period: 14", "period: 99"))
        here.post("/data/look")
        here.until("/data", lambda text: "looking…" not in text and text.count('class="there"') == 3)
        yield here, run


def settled(page: Page) -> None:
    """The stream is there, and what the page asks for by itself has come."""
    expect(page.locator("body")).to_have_attribute("data-contact", "live")
    expect(page.locator("main .htmx-request")).to_have_count(0)


def faults(page: Page) -> list[str]:
    """Every rule at both widths; the rules about colours, which is all that a theme changes, in the dark too."""
    found = []
    page.evaluate(AXE)
    for width in (1280, 320):
        page.set_viewport_size({"width": width, "height": 900})
        found += page.evaluate(FOUND, EVERY_RULE)
        if page.evaluate("document.documentElement.scrollWidth") > width:
            found.append(f"wider than {width} pixels")
        found += page.evaluate(BROKEN_DATES)
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    return [*found, *page.evaluate(FOUND, COLOURS)]


@pytest.mark.parametrize("pages", [PAGES[::2], PAGES[1::2]])
def test_axe_finds_nothing_and_everything_reflows(browser, everything, pages):
    here, run = everything
    with watched_page(browser) as watched:
        page = watched.page
        for path in pages:
            page.set_viewport_size({"width": 1280, "height": 900})
            page.emulate_media(color_scheme="light", reduced_motion="reduce")
            answer = page.goto(here.address + path.replace("{run}", run))
            assert answer and answer.status == 200, path
            settled(page)
            assert faults(page) == [], path
        assert watched.complaints == []


def test_the_login_and_a_refused_form_too(browser, free_worker, here, backend, address, tmp_path):
    """And what is checked can fail."""
    with watched_page(browser) as watched, panel(tmp_path / "locked", address, password=HASH) as locked:
        page = watched.page
        page.goto(locked.address)
        expect(page.get_by_label("Password")).to_be_visible()
        assert faults(page) == []
        page.goto(f"{here.address}/start/training")
        page.get_by_text("swing", exact=True).click()
        page.get_by_label("Symbols").fill("../x")
        page.get_by_role("button", name="Start training").click()
        expect(page.get_by_role("alert")).to_contain_text("Please correct: Symbols.")
        assert faults(page) == []
        page.evaluate(
            "document.querySelector('main').insertAdjacentHTML('beforeend', '<img src=\"/static/icon.svg\">')"
        )
        assert [line.partition(":")[0] for line in page.evaluate(FOUND, EVERY_RULE)] == ["image-alt"]


HASHES = """async (files) => {
  const hashed = async (file) => crypto.subtle.digest("SHA-256", await (await fetch(file)).arrayBuffer());
  const text = (hash) => [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return Promise.all(files.map(async (file) => text(await hashed(file))));
}"""


def test_what_was_packed_in_brotli_is_the_file_itself(browser, here):
    packed = sorted((ASSETS / "static" / "vendor").glob("*.br"))
    files = [file.with_suffix("") for file in packed]
    assert {file.suffix for file in (ASSETS / "static" / "vendor").iterdir() if file not in {*packed, *files}} == {
        ".md"
    }
    with watched_page(browser) as watched:
        watched.page.goto(f"{here.address}/workers")
        with watched.page.expect_response(f"**/{files[0].name}") as answer:
            found = watched.page.evaluate(HASHES, [f"{STATIC}/vendor/{file.name}" for file in files])
        assert answer.value.headers["content-encoding"] == "br"
    assert found == [sha256(file.read_bytes()).hexdigest() for file in files]


SYSTEM_COLOURS = """() => Object.fromEntries(["Highlight", "Canvas", "CanvasText"].map((name) => {
  const pen = document.createElement("canvas").getContext("2d");
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.setProperty("forced-color-adjust", "none");
  for (const drawn of ["Canvas", name]) { // the reader's colour may let the ground through
    probe.style.color = drawn;
    pen.fillStyle = getComputedStyle(probe).color;
    pen.fillRect(0, 0, 1, 1);
  }
  probe.remove();
  return [name, [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3)];
}))"""


def test_bars_and_candles_are_seen_in_the_readers_own_colours(browser, here, backend):
    """Forced colours take backgrounds away: a bar is drawn in the reader's own colours for what is chosen and for the
    ground, and keeps an edge. Candles are drawn in the colour of text on that ground."""
    backend.bars = {("EURUSD", "1h"): hours(60)}
    with watched_page(browser) as watched:
        page = watched.page
        page.emulate_media(forced_colors="active", reduced_motion="reduce")
        page.goto(here.address + "/workers")
        bars = "<progress max=100 value=0></progress><progress max=100 value=80></progress>"
        page.evaluate("(bars) => { document.getElementById('main').innerHTML = bars; }", bars)
        own = page.evaluate(SYSTEM_COLOURS)
        assert own["Highlight"] != own["Canvas"]
        empty, filled = (Image.open(BytesIO(page.locator("main progress").nth(n).screenshot())) for n in (0, 1))
        middle = filled.height // 2
        full, rest = (filled.getpixel((filled.width * part // 100, middle)) for part in (40, 95))
        assert list(full[:3]) == own["Highlight"]
        assert list(rest[:3]) == own["Canvas"] and rest == empty.getpixel((empty.width // 2, middle))
        assert len({empty.getpixel((empty.width // 2, row)) for row in range(empty.height)}) > 1
        page.goto(f"{here.address}/data/EURUSD/1h")
        expect(page.locator("#bar")).to_contain_text("Close")

        def drawn() -> Counter[tuple[int, ...]]:
            candles = Image.open(BytesIO(page.locator("#candles").screenshot())).convert("RGB")
            return Counter({colour: count for count, colour in candles.getcolors(1 << 20) or []})

        until(lambda: drawn()[tuple(own["CanvasText"])] > 1000)
        assert drawn().most_common(1)[0][0] == tuple(own["Canvas"])


def test_without_scripts_a_form_is_checked_and_data_has_a_table(browser, here, backend):
    backend.bars = {("EURUSD", "1h"): hours(60)}
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{here.address}/start/training")
    page.get_by_text("swing", exact=True).click()
    page.get_by_role("button", name="Check").click()
    assert "EURUSD 1h" in page.locator("#preflight").inner_text()
    assert page.locator("input[name=strategy_name]").first.is_checked()
    page.goto(f"{here.address}/data/EURUSD/1h")
    assert "needs JavaScript" in page.locator("main").inner_text()
    page.get_by_text("The newest 200 bars as a table").click()
    assert page.get_by_role("row").count() > 100
    context.close()
