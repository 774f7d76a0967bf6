"""The main flow in a real Firefox: home, a start, live progress, the end, trades; not one message in its console."""

import re

import pytest

from tests.support.firefox import firefox
from tests.support.pages import until
from tests.support.results import BACKTEST, BARS, TRADES
from tests.support.scripted import RESULT, corrupt, operation, percent, stamp

pytestmark = pytest.mark.usefixtures("quick_rounds")

COLOUR = """
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.color = `var(${arguments[0]})`;
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour.match(/[0-9]+/g).slice(0, 3).map(Number);
"""
BAR = """
  document.querySelector("#tell").insertAdjacentHTML("afterend",
    '<div class="completed"><progress id="full" max="100" value="100"></progress></div>');
"""


def test_from_home_over_a_start_to_its_end(free_worker, here, backend, tmp_path):
    backend.operations["op_e"] = operation(
        "op_e", "backtesting", "completed", result_summary=BACKTEST, completed_at=stamp()
    )
    for name, listed in (("trades", TRADES), ("bars", BARS)):
        backend.answers[f"GET /operations/op_e/{name}"] = (200, {"success": True, "data": listed})
    with firefox(tmp_path) as browser:
        browser.open(here.address)
        browser.until("return document.body.dataset.contact === 'live'")
        browser.click("main a[href='/start/training']")
        browser.until("return document.querySelector('input[value=swing]')")
        browser.click("label:has(input[value=swing])")
        browser.until_text("#preflight", "swing")
        browser.click("#start-button")
        browser.until("return location.pathname.startsWith('/operations/op_training_')")
        started = browser.run("return location.pathname.split('/').pop()")

        going = {"metrics": {"epochs": corrupt(30)}}
        backend.operations[started] = lambda n: operation(started, progress=percent(n % 90, f"Epoch {n}/99"), **going)
        browser.until_text("#status", "Epoch")
        (at,) = re.findall(r"Epoch (\d+)/99", browser.run("return document.querySelector('#status').innerText"))
        browser.until_text("#status", f"Epoch {int(at) + 2}/99")
        browser.until("return document.querySelectorAll('#curves canvas').length === 2")
        backend.operations[started] = operation(
            started, status="completed", result_summary=RESULT, completed_at=stamp(), progress=percent(100), **going
        )
        browser.until_text("#status", "Completed")
        browser.until_text("#outcome", "87.2\u00a0%")

        # Firefox paints a bar by a pseudo element of its own.
        browser.run(BAR)
        bar = browser.picture("#full")
        assert list(bar.getpixel((bar.width // 2, bar.height // 2))) == browser.run(COLOUR, "--ok")

        browser.click("header a[href='/']")
        browser.until_text("#lists", "Finished lately")
        browser.click("header a[href='/operations']")
        browser.until_text("#found", "87.2 %")

        # Candles, and a trade of the list drawn on them.
        browser.open(f"{here.address}/operations/op_e/trades")
        browser.until_text("#drawn", "Bars 1 to 60 of 60")
        browser.click("[data-at]")
        browser.until("return document.querySelector('tr[aria-current]')?.innerText.includes('short')")
        assert browser.complaints(here.address) == []
        browser.run("console.error('seen'); document.body.setAttribute('style', 'color: red');")
        until(lambda: len(browser.complaints(here.address)) == 2)  # so what is checked can fail
        policy, complaints = browser.complaints(here.address)
        assert policy.startswith("Content-Security-Policy") and "seen" in complaints
