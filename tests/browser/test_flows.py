"""The panel in a real Chromium: the main job from the empty home page to the trained model's numbers."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.embedded.conftest import seed
from tests.support.lasting import Lasting
from tests.support.panels import free_port, panel, panel_process
from tests.support.scripted import RESULT, corrupt, operation, percent, served, stamp
from tests.support.small_strategy import STRATEGY
from tests.support.wires import proxied

STARTER = Path(__file__).parents[2] / "panel" / "embedded" / "starters" / "rsi_swing.yaml"


@pytest.fixture
def page(watched) -> Page:
    return watched.page


def test_the_main_job(watched, tmp_path):
    """Empty home, start training, load what is missing, watch it learn, read the result, find it again."""
    page = watched.page
    strategies = tmp_path / "embedded" / "strategies"
    strategies.mkdir(parents=True)
    # The starter as it is, but for more epochs: it would be through before all of it was seen.
    short = STARTER.read_text().replace("epochs: 50", "epochs: 180").replace("rsi_swing", "first_try", 1)
    (strategies / "first_try.yaml").write_text(short)
    with panel(tmp_path) as here:
        page.goto(here.address)
        expect(page.get_by_text("No runs are known yet.")).to_be_visible()
        page.get_by_role("link", name="Start training").first.click()
        page.get_by_text("first_try", exact=True).click()
        before = page.locator("#preflight")
        expect(before).to_contain_text("first_try is valid, 3 input features")
        expect(before).to_contain_text("EURUSD 1h no data stored, so the training would fail")
        page.get_by_role("button", name="Load sample data for EURUSD 1h").click()
        expect(before).to_contain_text(re.compile(r"EURUSD 1h [\d,]+ bars, .* Sample data"))
        page.get_by_role("button", name="Start training").click()

        page.wait_for_url("**/operations/op_training_*")
        status = page.locator("#status")
        expect(status).to_contain_text(re.compile(r"Epoch \d+/180 · Batch \d+/\d+"))
        expect(page.locator("#curves canvas")).to_have_count(2)
        expect(page).to_have_title(re.compile(r"^\d+ % · first_try"))
        offer = page.get_by_role("button", name="Tell me on the desktop when it ends")
        expect(offer).to_be_visible()
        expect(status).to_contain_text("Completed")
        expect(offer).to_be_hidden()
        expect(status).to_contain_text("Finished after 180 epochs")
        expect(page).to_have_title("Completed · first_try")
        outcome = page.locator("#outcome")
        for figure in ("Test accuracy", "Baseline", "Test loss", "Precision", "Model size"):
            expect(outcome).to_contain_text(figure)
        expect(outcome).to_contain_text("Sample data: generated, not from a real market")
        expect(outcome).to_contain_text("models/first_try/1h_v1")
        accuracy = outcome.locator("dd").first.inner_text()
        assert re.fullmatch(r"\d+\.\d\s%", accuracy)
        page.get_by_text("Every epoch as a table").click()
        expect(page.locator("#points tbody tr")).to_have_count(180)

        page.get_by_role("link", name="Home").first.click()
        expect(page.locator("#lists")).to_contain_text("first_try")
        expect(page.locator("#lists")).to_contain_text(accuracy)
        model = tmp_path / "embedded" / "models" / "first_try" / "1h_v1" / "model.npz"
        assert model.is_file()
    assert watched.complaints == []


def test_the_data_job(watched, tmp_path):
    """An empty map, one load, the chart, a hole in the file, one click to fill it, and a plan that loads and trains."""
    page = watched.page
    strategies = tmp_path / "embedded" / "strategies"
    strategies.mkdir(parents=True)
    text = STRATEGY.format(name="two_frames", epochs=3).replace(
        '{mode: single, timeframe: "1h"}', '{timeframes: ["1h", "1d"]}'
    )
    (strategies / "two_frames.yaml").write_text(text)
    file = tmp_path / "embedded" / "data" / "EURUSD_1h.csv"
    with panel(tmp_path) as here:
        page.goto(f"{here.address}/data")
        table = page.locator("#coverage")
        expect(table).to_contain_text("Nothing stored.")
        assert not file.exists()
        page.get_by_role("button", name="Load: EURUSD 1h").click()
        row = table.locator("tr", has_text="EURUSD 1h")
        expect(row).to_contain_text(re.compile(r"\d\d,\d\d\d\s+none"))
        expect(row).to_contain_text("Sample data")

        lines = file.read_text().splitlines()
        kept = [line for line in lines if not "2026-02-01" <= line[:10] < "2026-03-10"]
        file.write_text("\n".join(kept) + "\n")
        page.get_by_role("button", name="Look again").click()
        expect(row.locator("svg .hole")).to_have_count(1)
        row.get_by_role("link").click()
        expect(page.locator("#drawn")).to_contain_text("bars drawn")
        page.get_by_role("button", name="All", exact=True).click()
        expect(page.locator("#drawn")).to_contain_text(re.compile("Each candle stands for [45] bars; zoom in"))
        page.locator("#candles").focus()
        page.keyboard.press("ArrowLeft")
        page.get_by_text("The newest 200 bars as a table").click()
        expect(page.locator("details tbody tr")).to_have_count(200)

        page.goto(f"{here.address}/data")
        row.locator("summary").click()
        row.get_by_role("button", name="Fill").click()
        expect(row).to_contain_text(re.compile(r"\d\d,\d\d\d\s+none"))
        assert file.read_text().splitlines() == lines, "bar for bar as it was"

        page.goto(f"{here.address}/start/training")
        page.get_by_text("two_frames", exact=True).click()
        expect(page.locator("#preflight")).to_contain_text("EURUSD 1d no data stored, so the training would fail")
        page.set_viewport_size({"width": 1280, "height": 500})
        for name in ("Load what is missing, then train", "Start training"):
            expect(page.get_by_role("button", name=name)).to_be_in_viewport(ratio=1)
        page.get_by_role("button", name="Load what is missing, then train").click()
        page.wait_for_url("**/plans/*")
        page.wait_for_url("**/operations/op_training_*", timeout=60_000)
        expect(page.locator("#status")).to_contain_text("Finished after 3 epochs")
    assert watched.complaints == []


def test_from_a_trained_model_to_its_backtest(watched, tmp_path):
    """A finished training's page, the form that it fills, the check, the run, and an account over time."""
    page = watched.page
    seed(tmp_path / "embedded", "tiny")
    with panel(tmp_path) as here:
        page.goto(f"{here.address}/operations/op_training_seed")
        page.get_by_role("link", name="Backtest this model").click()
        expect(page.get_by_role("radio")).to_be_checked()
        expect(page.get_by_label("Strategy")).to_have_value("tiny")
        expect(page.get_by_label("From", exact=True)).to_have_value(re.compile("2025-1[12]-"))
        before = page.locator("#preflight")
        expect(before).to_contain_text(re.compile("models/tiny/1h_v1 has seen EURUSD from 2025-01-"))
        page.get_by_label("From", exact=True).fill("2025-11-01")
        page.get_by_label("To", exact=True).fill("2026-03-31")
        expect(before).to_contain_text("That flatters the result.")
        expect(before).to_contain_text("The period ends later.")
        page.get_by_label("Commission in %").fill("0.02")
        page.get_by_role("button", name="Start backtest").click()

        page.wait_for_url("**/operations/op_backtesting_*")
        status, outcome = page.locator("#status"), page.locator("#outcome")
        expect(status).to_contain_text("Completed", timeout=240_000)
        for figure in ("Return", "Max drawdown", "Sharpe ratio", "Trades", "Win rate", "Profit factor", "Buy and hold"):
            expect(outcome).to_contain_text(figure)
        expect(outcome).to_contain_text("Sample data: generated, not from a real market")
        expect(page.locator("#chart h2")).to_have_text("Over time")
        expect(page.locator("#curves canvas")).to_have_count(2)
        page.get_by_text("Every point as a table").click()
        first = page.locator("#points tbody tr").first
        expect(first).to_contain_text(re.compile(r"2025-11-03 00:00\s*100,000.00\s*100,000.00\s*0.0 %"))
        page.get_by_role("link", name=re.compile("signals$")).click()
        expect(page.locator("#drawn")).to_contain_text(re.compile(r"Bars [\d,]+ to [\d,]+ of"))
        page.locator("#trade-chart").press("ArrowLeft")
        page.go_back()
        page.get_by_role("link", name="Run again with changes").click()
        expect(page.get_by_label("Commission in %")).to_have_value("0.02")
    assert watched.complaints == []


def test_a_cancel_in_the_page_asks_first(watched, here, backend):
    page = watched.page
    backend.operations["op_a"] = operation("op_a", progress=percent(30, "Epoch 3/9"), metrics={"epochs": corrupt(3)})
    page.goto(f"{here.address}/operations/op_a")
    page.get_by_role("link", name="Cancel…").click()
    expect(page.locator("#ask")).to_contain_text("3 epochs")
    assert backend.hits["DELETE /operations/op_a"] == 0
    page.get_by_role("button", name="Cancel this training").click()
    expect(page.locator("#status")).to_contain_text("Cancelled")
    assert backend.hits["DELETE /operations/op_a"] == 1
    assert watched.complaints == []


def test_a_double_click_starts_one_training(watched, free_worker, here, backend):
    page = watched.page
    page.goto(f"{here.address}/start/training")
    page.get_by_text("swing", exact=True).click()
    page.get_by_role("button", name="Start training").dblclick()
    page.wait_for_url("**/operations/op_training_*")
    assert backend.hits["POST /trainings/start"] == 1


def test_an_error_is_beside_its_field_and_the_input_survives(watched, free_worker, here, backend):
    page = watched.page
    page.goto(f"{here.address}/start/training")
    page.get_by_text("swing", exact=True).click()
    page.get_by_label("Symbols").fill("EURUSD, ../x")
    page.locator("#start_date").fill("2024-01-01")
    page.get_by_role("button", name="Start training").click()
    expect(page.locator("#symbols-help")).to_contain_text("“../x” is not a symbol")
    expect(page.get_by_label("Symbols")).to_have_value("EURUSD, ../x")
    expect(page.locator("#start_date")).to_have_value("2024-01-01")
    expect(page.locator("input[value=swing]")).to_be_checked()
    # A reload, or a closed tab, does not lose it either.
    page.reload()
    expect(page.get_by_label("Symbols")).to_have_value("EURUSD, ../x")
    page.get_by_label("Symbols").fill("EURUSD")
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url("**/operations/op_training_*")
    assert backend.bodies[-1][1]["symbols"] == ["EURUSD"] and backend.bodies[-1][1]["start_date"] == "2024-01-01"


def test_updates_do_not_take_focus_or_what_is_typed(page, here, backend):
    backend.operations["op_a"] = lambda n: operation("op_a", progress=percent(n % 90, f"Epoch {n}/99"))
    page.goto(f"{here.address}/operations/op_a")
    cancel = page.get_by_role("link", name="Cancel…")
    cancel.focus()
    page.get_by_text("The backend's answer, raw").click()
    cancel.focus()
    now = backend.readings["op_a"]
    expect(page.locator("#status")).to_contain_text(f"Epoch {now + 3}/99")
    assert page.evaluate("document.activeElement.id") == "cancel"
    expect(page.locator("details[open] pre")).to_be_visible()


def test_without_scripts_everything_still_works(browser, here, backend):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(here.address)
    page.get_by_role("link", name="Start training").first.click()
    page.get_by_text("swing", exact=True).click()
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url("**/operations/op_training_*")
    page.get_by_role("link", name="Cancel…").click()
    page.get_by_role("button", name="Cancel this training").click()
    page.wait_for_url("**/operations/op_training_*")
    assert (
        backend.hits["POST /trainings/start"] == 1 and sum(n for hit, n in backend.hits.items() if "DELETE" in hit) == 1
    )
    context.close()


def test_the_page_comes_back_by_itself_when_the_panel_was_killed(browser, backend, tmp_path):
    """Nothing is reloaded: the page says that it reconnects, and then shows fresh values."""
    backend.operations["op_a"] = lambda n: operation("op_a", progress=percent(n % 90, f"Epoch {n}/99"))
    page, port = browser.new_page(), free_port()
    with served(backend.app) as address:
        with panel_process(tmp_path, address + "/api/v1", port) as (here, process):
            page.goto(f"{here.address}/operations/op_a")
            expect(page.locator("#status")).to_contain_text(re.compile(r"Epoch \d"))
            page.evaluate("window.stays = true")
            expect(page.locator("#contact")).to_be_hidden()
            process.kill()
            expect(page.locator("#contact")).to_contain_text("Reconnecting")
            last_known = (
                "getComputedStyle(document.querySelector('#status .word'), '::after').content.includes('last known')"
            )
            assert page.evaluate(last_known)
            page.set_viewport_size({"width": 390, "height": 500})
            page.locator("#cancel").scroll_into_view_if_needed()
            page.evaluate("scrollTo(0, document.body.scrollHeight)")
            expect(page.locator("#contact")).to_be_in_viewport()
            page.locator("#cancel").click()
            expect(page.locator("#contact")).to_contain_text("What you just asked for may not have reached it.")
        with panel_process(tmp_path, address + "/api/v1", port):
            expect(page.locator("#contact")).to_be_hidden()
            backend.operations["op_a"] = operation(
                "op_a", status="completed", result_summary=RESULT, completed_at=stamp()
            )
            expect(page.locator("#status")).to_contain_text("Completed")
            assert page.evaluate("window.stays") is True and not page.evaluate(last_known)
    page.close()


def test_a_stream_that_could_not_be_opened_at_first_is_tried_again(page, here, backend):
    """A page that came just before the panel went away is not left behind."""
    backend.operations["op_a"] = operation("op_a", progress=percent(12, "Epoch 1/9"))
    page.route("**/stream/*", lambda route: route.abort())
    page.goto(f"{here.address}/operations/op_a")
    expect(page.locator("#contact")).to_contain_text("Reconnecting")
    backend.operations["op_a"] = operation("op_a", status="completed", result_summary=RESULT, completed_at=stamp())
    page.unroute("**/stream/*")
    expect(page.locator("#status")).to_contain_text("Completed")
    expect(page.locator("#contact")).to_be_hidden()


def test_a_script_that_comes_late_leaves_no_page_without_its_stream(page, here, backend):
    backend.operations["op_a"] = operation("op_a", progress=percent(12, "Epoch 1/9"))
    held = []
    page.route("**/vendor/hx-sse*", lambda route: held.append(route))
    page.goto(f"{here.address}/operations/op_a", wait_until="commit")
    expect(page.locator("#status")).to_contain_text("Epoch 1/9")
    page.wait_for_function("window.htmx")
    (script,) = held
    script.continue_()
    backend.operations["op_a"] = operation("op_a", status="completed", result_summary=RESULT, completed_at=stamp())
    expect(page.locator("#status")).to_contain_text("Completed")


def test_hostile_text_makes_nothing_in_the_page(watched, here, backend):
    text = '"><img src=x onerror="window.hit=1"><div hx-post="/start/dummy" hx-trigger="load"></div><script>window.hit=1</script>'
    metadata = {"symbol": text, "parameters": {"strategy_name": text, text: text}}
    backend.strategies = [{"name": text, "description": text, "symbol": text}]
    backend.operations["op_a"] = lambda n: operation(
        "op_a", progress=percent(n, text), metadata=metadata, error_message=text
    )
    backend.operations["op_b"] = operation("op_b", status="failed", error_message=text, metadata=metadata)
    for path in ("/operations/op_a", "/operations/op_b", "/start/training", "/"):
        watched.page.goto(here.address + path)
        expect(watched.page.locator("body")).to_have_attribute("data-contact", "live")
        expect(watched.page.locator("main .htmx-request")).to_have_count(0)
        assert watched.page.locator("main img, main script, main [hx-post='/start/dummy']").count() == 0
        assert watched.page.evaluate("window.hit") is None
    assert backend.hits["POST /dummy/start"] == 0
    assert watched.complaints == []


def test_the_theme_is_remembered(page, here):
    page.goto(here.address)
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.keyboard.press("t")
    after = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert before != after
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == after


def test_an_open_page_of_a_start_goes_on_to_what_was_found(page, tmp_path):
    """The answer was lost; the page says so, and follows by itself once the backend's list shows it."""
    backend = Lasting(lasts=60.0)
    form = {"strategy_name": "swing", "start_date": "2024-01-01", "end_date": "2024-02-01", "model_path": "m"}
    with served(backend.app) as address, proxied(int(address.rpartition(":")[2])) as line:
        line.faults.add("lost", "POST", "/backtests/start")
        with panel(tmp_path, f"{line.address}/api/v1") as here:
            place = here.post("/start/backtesting", {"key": "k" * 20, **form}).headers["location"]
            page.goto(here.address + place)
            expect(page.get_by_role("heading", name="Not confirmed")).to_be_visible()
            (name,) = backend.rows
            backend.shown.add(name)  # somebody asked for it
            page.wait_for_url(f"**/operations/{name}", timeout=60_000)
            page.goto("about:blank")
