"""A run that failed for want of bars offers what its advice says: to load them, and to train again."""

import re

import pytest

from tests.support.bars import hours
from tests.support.loads import ends, started
from tests.support.pages import until, words
from tests.support.panels import panel
from tests.support.scripted import operation, stamp

ABSENT = "No data found in cache for USDCHF 1h. Load it first, then train again."


def failed(name: str, error: str = ABSENT, kind: str = "training", **more):
    asked = {"strategy_name": "swing", "symbols": ["USDCHF"], "timeframes": ["1h"], "start_date": "2024-01-05"}
    about = {"symbol": "USDCHF", "timeframe": "1h", "parameters": asked | more}
    return operation(name, kind, "failed", error_message=error, metadata=about, completed_at=stamp())


def state_of(here, name: str) -> str:
    page = here.until(f"/operations/{name}", lambda text: "Failed" in text)
    return page.partition('<section id="status"')[2].partition("</section>")[0]


def sent(shown: str) -> dict[str, str]:
    form = shown.partition('action="/plans"')[2].partition("</form>")[0]
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form))


def test_the_advice_is_one_button_and_one_start(quick_rounds, free_worker, here, backend):
    backend.bars = {("EURUSD", "1h"): hours(60)}
    backend.operations["op_a"] = failed("op_a")
    shown = state_of(here, "op_a")
    assert "Failed No data found in cache for USDCHF 1h. Load this data first, then start again." in words(shown)
    primary = re.findall(r'class="button primary".*?</(?:button|a)>', shown, re.S)
    assert [words(f"<p {each}") for each in primary] == ["Load USDCHF 1h, then train again"]
    assert "Run again with changes" in shown and "Repeat…" not in shown

    # Pressed twice, in another tab too: one load, and one training as it was.
    form = sent(shown)
    assert form["load"] == "USDCHF 1h tail 2024-01-05" and sent(state_of(here, "op_a")) == form
    plans = {here.post("/plans", each).headers["location"] for each in (form, form, sent(state_of(here, "op_a")))}
    assert len(plans) == 1
    until(lambda: len(started(backend)) == 1)
    backend.bars["USDCHF", "1h"] = hours(100)
    ends(backend)
    until(lambda: backend.hits["POST /trainings/start"] == 1)
    body = next(body for hit, body in backend.bodies if hit == "POST /trainings/start")
    assert (body["symbols"], body["timeframes"], body["start_date"]) == (["USDCHF"], ["1h"], "2024-01-05")
    assert len(started(backend)) == 1


def test_after_a_plan_that_stopped_the_button_makes_another(quick_rounds, here, backend):
    backend.bars = {("EURUSD", "1h"): hours(60)}
    backend.operations["op_a"] = failed("op_a")
    first = sent(state_of(here, "op_a"))
    at = here.post("/plans", first).headers["location"]
    until(lambda: len(started(backend)) == 1)
    ends(backend, status="failed", error_message="No contract of USDCHF")
    here.until(at, lambda text: "Stopped" in text)
    second = sent(state_of(here, "op_a"))
    assert second["key"] != first["key"] and second == first | {"key": second["key"]}


@pytest.mark.parametrize(
    ("error", "more"),
    [
        ("No data found in cache for USDCHF 1h in the period asked for. Stored are 12 bars.", {}),
        ("No data found in cache", {}),
        ("No data found in cache for USDCHF 9q", {}),
        ("Out of memory", {}),
        (ABSENT, {"end_date": "2023-01-05"}),
    ],
)
def test_no_load_is_offered_that_would_not_mend_it(here, backend, error, more):
    backend.operations["op_a"] = failed("op_a", error, **more)
    shown = state_of(here, "op_a")
    assert "/plans" not in shown and 'class="button primary" href="/start/training?again=op_a"' in shown


def test_a_backtest_leads_to_the_form_of_the_load(here, backend):
    backend.operations["op_a"] = failed("op_a", kind="backtesting")
    shown = state_of(here, "op_a")
    where = "/start/data_load?symbol=USDCHF&amp;timeframe=1h&amp;mode=tail&amp;start_date=2024-01-05"
    assert f'class="button primary" href="{where}"' in shown and "/plans" not in shown


def test_no_load_is_offered_of_what_the_sample_market_does_not_have(tmp_path):
    with panel(tmp_path) as here:
        form = {"key": "k" * 22, "strategy_name": "rsi_swing", "timeframes": "1h", "insist": "1"}
        for key, symbol in (("k" * 22, "EURUSD"), ("l" * 22, "NOSUCH")):
            at = here.post("/start/training", form | {"key": key, "symbols": symbol}).headers["location"]
            page = here.until(at, lambda text, of=symbol: f"No data found in cache for {of} 1h" in text)
            assert (f"Load {symbol} 1h, then train again" in words(page)) == (symbol == "EURUSD")
