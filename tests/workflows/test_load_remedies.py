"""Before a start, a load is offered only where it can work, and one that failed says so beside its line."""

import httpx
import pytest

from tests.support.bars import hours
from tests.support.kinds import KINDS
from tests.support.loads import LOAD, ends, load, started
from tests.support.market_files import bars, ktrdr
from tests.support.pages import KEY, until, words
from tests.support.panels import panel, stream

OWN = {"strategy_name": "rsi_swing", "symbols": "AUDUSD", "timeframes": "1h"}


def look(here, **form: str) -> str:
    """What stands beside the form, its buttons included."""
    page = here.post("/start/training/look", form).text
    return page.partition('id="preflight"')[2].partition('id="as-command"')[0]


@pytest.fixture
def own(tmp_path):
    """A panel over the embedded backend, with a file that was imported."""
    (tmp_path / "embedded" / "data").mkdir(parents=True)
    with panel(tmp_path) as here:
        yield here


def test_no_load_is_offered_into_a_file_of_ones_own(own):
    (own.settings.data_folder / "embedded" / "data" / "AUDUSD_1h.csv").write_text(ktrdr(bars(2000)))
    page = look(own, **OWN | {"start_date": "2025-12-01"})
    assert "None lies in this period, so the training would fail. Your own file ends 2024-03-24." in words(page)
    assert 'href="/data/import?symbol=AUDUSD&amp;timeframe=1h">Import newer bars</a>' in page
    assert "/start/data_load" not in page and "/plans" not in page
    older = words(look(own, **OWN | {"start_date": "2023-01-01"}))
    assert "Your own file begins 2024-01-01. Import older bars" in older
    refused = own.post("/start/training", {"key": KEY} | OWN | {"start_date": "2025-12-01"})
    assert refused.status_code == 422 and "Import newer bars first." in words(refused.text)
    asked = load(own, symbol="AUDUSD")
    assert (
        asked.status_code == 422 and 'id="symbol-help" class="help"><strong class="error">AUDUSD 1h: Your' in asked.text
    )
    assert "Sample data is never mixed into it: import newer bars instead." in words(asked.text)
    assert own.get("/api/operations").json()["operations"] == []


def test_no_load_is_offered_over_a_file_that_cannot_be_used(own):
    """MetaTrader's files do not say whose clock their times are of: only an import asks."""
    file = own.settings.data_folder / "embedded" / "data" / "EURUSD60.csv"
    file.write_bytes(KINDS["metatrader 4"].content)
    before, asked, why = (
        file.read_bytes(),
        OWN | {"symbols": "EURUSD"},
        "EURUSD60.csv cannot be used: line 1: Which zone",
    )
    page = look(own, **asked)
    assert f"EURUSD 1h no usable data, so the training would fail. {why}" in words(page)
    assert 'action="/data/import-stored"' in page and 'name="file" value="EURUSD60.csv"' in page
    assert "/start/data_load" not in page and "/plans" not in page
    refused = own.post("/start/training", {"key": KEY} | asked)
    assert refused.status_code == 422 and "Import it first." in words(refused.text)
    plan = own.post("/plans", {"key": KEY, "load": "EURUSD 1h tail"} | asked, **{"hx-request": "true"})
    assert why in words(plan.text)
    steps = own.post("/first").text
    assert why in words(steps) and 'name="file" value="EURUSD60.csv"' in steps and "EURUSD 1h</button>" not in steps
    body = {"symbol": "EURUSD", "timeframe": "1h", "mode": "tail"}
    answer = httpx.post(f"{own.address}/api/start/data_load", json=body, headers={"Idempotency-Key": KEY})
    assert answer.status_code == 422 and why in answer.text
    assert own.get("/api/operations").json()["operations"] == [] and file.read_bytes() == before
    own.post("/data/look")
    row = own.until("/data", lambda text: "cannot be used: line 1" in text).partition("</tbody>")[0]
    pair = next(part for part in row.split("<tr") if "EURUSD 1h" in part)
    assert why in words(pair) and "Nothing stored." not in pair
    assert 'value="EURUSD60.csv"' in pair and "/start/data_load" not in pair
    assert why in words(load(own).text)
    file.unlink()
    assert load(own).status_code in (200, 303), "what is gone is in no load's way"


def test_no_load_is_offered_of_what_the_sample_market_does_not_have(own):
    page = look(own, **OWN | {"symbols": "NOSUCH"})
    assert "NOSUCH 1h no data stored, so the training would fail. The sample market does not have NOSUCH." in words(
        page
    )
    assert "/start/data_load" not in page and "/plans" not in page and "Import a file of it" in page
    assert load(own, symbol="NOSUCH").status_code == 422
    known = look(own, **OWN | {"symbols": "EURUSD"})
    assert "/start/data_load" in known and "/plans" in known


def test_a_load_that_failed_says_so_beside_its_line(quick_rounds, here, backend):
    backend.bars = {("GBPUSD", "1h"): hours(60)}
    assert "last load" not in words(look(here, strategy_name="swing"))
    load(here)
    until(lambda: started(backend) == [LOAD])
    ends(backend, status="failed", error_message="No contract of EURUSD")

    def shown() -> str:
        return words(look(here, strategy_name="swing"))

    until(lambda: "Its last load failed" in shown())
    assert "No contract of EURUSD Look at it" in shown() and "Load EURUSD 1h" in shown()
    load(here, key="s" * 22)
    until(lambda: len(started(backend)) == 2)
    ends(backend, 2)
    until(lambda: "is being loaded" not in shown() and "last load" not in shown())


def test_a_load_that_was_refused_says_so_beside_its_line(here, backend):
    backend.bars = {("GBPUSD", "1h"): hours(60)}
    backend.answers["POST /data/acquire/download"] = (404, {"detail": "No data provider for EURUSD"})
    load(here, inline="1")
    shown = words(look(here, strategy_name="swing"))
    assert "Its last load failed" in shown and "No data provider for EURUSD" in shown


def test_a_row_of_the_map_says_that_its_last_load_failed_until_one_goes_well(quick_rounds, here, backend):
    backend.bars = {("EURUSD", "1h"): hours(60), ("GBPUSD", "1h"): hours(60)}

    def row() -> str:
        return here.get("/data").text.partition(">EURUSD 1h</a>")[2].partition("</tr>")[0]

    with stream(here, "stored") as open_page:
        until(lambda: here.post("/data/look").status_code and row())
        load(here)
        until(lambda: len(started(backend)) == 1)
        ends(backend, status="failed", error_message="No contract of EURUSD")
        name = next(iter(backend.operations))
        open_page.until(lambda seen: "No contract of EURUSD" in seen.places.get("coverage", ""))
        until(lambda: "Last load: Failed" in words(row()))
        assert f'href="/operations/{name}"' in row() and "<time" in row().partition("Last load")[2]
        assert here.get("/data").text.count("Last load") == 1, "the other row's load did not fail"
        load(here, key="s" * 22)
        until(lambda: len(started(backend)) == 2)
        ends(backend, 2, result_summary={"gaps_filled": 0, "rows_downloaded": 0})
        until(lambda: "Last load" not in row())
        open_page.until(lambda seen: "Last load" not in seen.places["coverage"])


def test_a_load_that_was_refused_is_told_in_its_row(here, backend):
    backend.bars = {("EURUSD", "1h"): hours(60)}
    backend.answers["POST /data/acquire/download"] = (404, {"detail": "No data provider for EURUSD"})
    here.post("/data/look")
    here.until("/data", lambda text: ">EURUSD 1h</a>" in text)
    load(here)
    row = words(here.get("/data").text.partition(">EURUSD 1h</a>")[2].partition("</tr>")[0])
    assert "Last load: Not started" in row and "No data provider for EURUSD" in row
