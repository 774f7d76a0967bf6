"""Charts under mouse and fingers, as their captions tell."""

import time
from datetime import datetime

from playwright.sync_api import Page, expect

from tests.support.pages import until
from tests.support.scripted import epochs, operation, percent, stamp

HOUR = 3600
FIRST = 1_700_006_400  # a midnight


def opened(page: Page, here, backend, bars: int = 1200) -> Page:
    backend.bars = {("EURUSD", "1h"): [FIRST + HOUR * n for n in range(bars)]}
    page.goto(f"{here.address}/data/EURUSD/1h")
    expect(page.locator("#drawn")).to_contain_text(f"{bars:,} bars drawn")
    page.locator("#candles").scroll_into_view_if_needed()
    return page


def spot(page: Page, across: float, down: float, chart: str = "#candles") -> tuple[float, float]:
    box = page.locator(chart).bounding_box()
    assert box
    return box["x"] + box["width"] * across, box["y"] + box["height"] * down


def hour_at(page: Page, across: float) -> int:
    """Which bar, counted from the first, is under the mouse there."""
    page.mouse.move(*spot(page, across, 0.4))
    text = page.locator("#bar output").first.inner_text()
    return int(datetime.fromisoformat(f"{text}+00:00").timestamp() - FIRST) // HOUR


def drag(page: Page, begin: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*begin)
    page.mouse.down()
    page.mouse.move(*end, steps=5)
    page.mouse.up()


def test_candles_are_dragged_and_a_double_click_shows_everything(watched, here, backend):
    page = opened(watched.page, here, backend)
    middle = spot(page, 0.5, 0.4)
    before = hour_at(page, 0.2)
    drag(page, middle, (middle[0] + 120, middle[1]))
    until(lambda: hour_at(page, 0.2) < before)
    assert hour_at(page, 0.2) > 100, "the first bars are far away"
    page.mouse.dblclick(*middle)
    until(lambda: hour_at(page, 0.01) <= 20 and hour_at(page, 0.9) >= 1100)
    assert watched.complaints == []


OBSERVED = """() => {
  let charts;
  Object.defineProperty(window, "LightweightCharts", { get: () => charts, set: (made) => {
    charts = { ...made, createChart: (...given) => (window.drawnChart = made.createChart(...given)) };
  } });
}"""


def test_no_candle_is_behind_the_volume(browser, here, backend):
    """The lowest low, on a day with as much volume as every other."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.add_init_script(f"({OBSERVED})()")
    opened(page, here, backend, bars=60)
    lowest = """() => {
      const [pane] = drawnChart.panes(), [candles, volume] = pane.getSeries();
      const low = Math.min(...candles.data().map((bar) => bar.low)), most = Math.max(...volume.data().map((bar) => bar.value));
      return volume.priceToCoordinate(most) - candles.priceToCoordinate(low);
    }"""
    until(lambda: page.evaluate(lowest) is not None)
    assert page.evaluate(lowest) > 0, "a wick ends above the bars of volume"
    page.close()


def test_a_period_without_bars_is_refused_beside_its_fields(watched, here, backend):
    page = opened(watched.page, here, backend)  # 50 days from 2023-11-15 on
    here.post("/data/look", {"again": "1"})
    until(lambda: page.reload() and page.locator("#candles").get_attribute("data-start"))
    expect(page.locator("#drawn")).to_contain_text("1,200 bars drawn")
    start, end, refused = page.locator("#from"), page.locator("#to"), page.locator("#refused")
    for first, last, why in (
        ("2010-02-01", "2010-02-20", "No bars in this period: stored from 2023-11-15 to 2024-01-03."),
        ("2030-01-01", "2030-03-01", "No bars in this period: stored from 2023-11-15 to 2024-01-03."),
        ("2023-12-20", "2023-12-10", "The end comes before the start."),
    ):
        start.fill(first)
        end.fill(last)
        expect(refused).to_have_text(why)
        assert (start.input_value(), end.input_value()) == (first, last)
    page.get_by_role("button", name="All").click()
    expect(refused).to_have_text("")
    expect(start).to_have_value("2023-11-15")
    expect(page.locator("#drawn")).to_contain_text("1,200 bars drawn")
    assert watched.complaints == []


def test_the_caption_has_the_last_bar_in_view(watched, here, backend):
    """More bars than those in view are fetched beforehand."""
    page = opened(watched.page, here, backend)
    for first, last, hour in (
        ("2023-12-01", "2023-12-05", "2023-12-05 23:00"),
        ("2023-12-03", "2023-12-03", "2023-12-03 23:00"),
    ):
        page.locator("#from").fill(first)
        page.locator("#to").fill(last)
        with page.expect_response(lambda answer: "bars?" in answer.url):  # those around them
            pass
        expect(page.locator("#bar output").first).to_have_text(hour)
    assert watched.complaints == []


def test_prices_have_the_digits_that_they_are_written_with(watched, here, backend):
    page, prices = watched.page, watched.page.locator("#bar output")
    for close, written in (
        (0.00001234, "0.00001234"),
        (1.1, "1.10"),
        (1.10022, "1.10022"),
        (151.237, "151.237"),
        (64000.0, "64000.00"),
    ):
        bars = {
            "dates": ["2024-01-01T00:00:00Z"],
            "ohlcv": [[close, close, close, close, 5.0]],
            "points": None,
            "metadata": {},
        }
        backend.answers["GET /data/EURUSD/1h"] = (200, {"success": True, "data": bars})
        opened(page, here, backend, bars=1)
        expect(prices.nth(4)).to_have_text(written)
    assert watched.complaints == []


def test_a_chosen_period_is_not_lost_to_bars_that_are_fetched_beforehand(watched, here, backend):
    """The chart was moved just before, and looks for more once it rests."""
    watched.page.clock.install()
    page = opened(watched.page, here, backend)
    page.locator("#from").fill("2023-12-01")
    page.locator("#to").fill("2023-12-05")
    expect(page.locator("#bar output").first).to_have_text("2023-12-05 23:00")
    held = []
    page.route("**/bars?*", lambda route: held.append(route))
    page.locator("#to").fill("2023-12-03")
    page.mouse.move(*spot(page, 0.5, 0.5))
    page.mouse.wheel(0, 300)
    page.mouse.move(0, 0)  # the caption is of the last bar again
    until(lambda: held)
    page.clock.run_for(2000)
    for route in held:
        route.continue_()
    page.unroute("**/bars?*")
    expect(page.locator("#bar output").first).to_have_text("2023-12-03 23:00")
    assert watched.complaints == []


def test_a_finger_that_goes_up_or_down_on_candles_scrolls_the_page(browser, here, backend):
    context = browser.new_context(viewport={"width": 390, "height": 700}, has_touch=True, is_mobile=True)
    page = opened(context.new_page(), here, backend)
    page.evaluate("document.body.style.paddingBottom = '900px'")
    protocol, top, (x, y) = context.new_cdp_session(page), page.evaluate("scrollY"), spot(page, 0.4, 0.4)
    for up in range(0, 120, 10):
        point = {"type": "touchMove" if up else "touchStart", "touchPoints": [{"x": x, "y": y - up}]}
        protocol.send("Input.dispatchTouchEvent", point)
    protocol.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    until(lambda: page.evaluate("scrollY") > top)
    context.close()


def test_curves_zoom_together_and_show_everything_again(watched, here, backend):
    page = watched.page
    running = {"created_at": stamp(time.time() - 30), "progress": percent(50, "Epoch 50/100", steps_total=100)}
    backend.operations["op_a"] = operation("op_a", **running, metrics={"epochs": [epochs(100), 100]})
    page.goto(f"{here.address}/operations/op_a")
    places, wheres = page.locator("#curves .plot"), page.locator("#curves .where")
    expect(wheres).to_have_count(2)
    places.first.scroll_into_view_if_needed()
    first, second = "#curves figure:nth-child(1) .plot", "#curves figure:nth-child(2) .plot"

    def epoch(across: float) -> int:
        """Under the mouse, on both charts."""
        page.mouse.move(*spot(page, across, 0.4, first))
        numbers = [int(text.split(" ")[1]) for text in wheres.all_inner_texts()]
        assert numbers[0] == numbers[1]
        return numbers[0]

    expect(page.locator("#curves")).to_contain_text("epoch 100")
    whole = [epoch(0.3), epoch(0.9)]
    drag(page, spot(page, 0.4, 0.4, second), spot(page, 0.6, 0.5, second))
    zoomed = [epoch(0.3), epoch(0.9)]
    assert whole[0] < zoomed[0] < zoomed[1] < whole[1]
    page.mouse.dblclick(*spot(page, 0.5, 0.4, first))
    assert [epoch(0.3), epoch(0.9)] == whole
    page.mouse.move(0, 0)
    expect(wheres.first).to_contain_text("epoch 100")
    assert watched.complaints == []
