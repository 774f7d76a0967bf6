"""Data loads: every mode, nothing lost, nobody's own file touched."""

import pandas as pd
import pytest

from panel.embedded.bars import Bars

pytestmark = pytest.mark.anyio


@pytest.fixture
def bars(folder):
    return Bars(folder / "data")


async def test_the_first_load_fetches_two_years_up_to_now(wire, bars):
    done = await wire.load(timeframe="1d")
    assert done["status"] == "completed" and done["result_summary"]["cache_hit"] is False
    stored, now = bars.stored("EURUSD", "1d"), pd.Timestamp.now("UTC")
    assert stored.source == "sample"
    assert now - stored.end < pd.Timedelta(days=6) and abs((now - stored.start).days - 730) < 6
    assert stored.end + pd.Timedelta(days=1) <= now, "only bars that are over"


async def test_a_tail_goes_on_where_the_file_ends(wire, bars):
    await wire.load(start_date="2026-01-01", end_date="2026-02-01")
    before = bars.read("EURUSD", "1h")
    done = await wire.load()
    after = bars.read("EURUSD", "1h")
    assert done["result_summary"] | {"rows_downloaded": 0} == {
        "mode": "tail",
        "symbol": "EURUSD",
        "timeframe": "1h",
        "cache_hit": True,
        "gaps_filled": 1,
        "rows_downloaded": 0,
        "source": "sample market generator",
    }
    assert done["result_summary"]["rows_downloaded"] == len(after) - len(before) > 1000
    assert after.index[0] == before.index[0] and after.index[-1] > pd.Timestamp("2026-06-01", tz="UTC")
    again = await wire.load()
    assert again["result_summary"]["rows_downloaded"] == again["result_summary"]["gaps_filled"] == 0


async def test_a_backfill_fetches_what_lies_before(wire, bars):
    await wire.load(start_date="2024-01-01", end_date="2024-02-01")
    done = await wire.load(mode="backfill", start_date="2023-01-01")
    stored = bars.stored("EURUSD", "1h")
    assert f"{stored.start:%Y-%m-%d}" == "2023-01-02" and f"{stored.end:%Y-%m}" == "2024-02"
    assert done["result_summary"]["rows_downloaded"] > 5000


async def test_a_full_load_goes_from_2020_to_now_in_segments(wire, bars):
    operation_id = (await wire.post("/data/acquire/download", {"symbol": "EURUSD", "timeframe": "1h", "mode": "full"}))[
        "operation_id"
    ]
    seen = await wire.until(operation_id, lambda operation: operation["progress"]["steps_completed"] > 0)
    context = seen["progress"]["context"]
    assert context["step_total"] == seen["progress"]["steps_total"] >= 6
    assert context["operation"] == "Download EURUSD 1h (full mode)"
    assert context["step_detail"].startswith(f"Segment {context['step_current']}/")
    assert context["step_detail"] in seen["progress"]["current_step"]
    done = await wire.end(operation_id)
    assert done["status"] == "completed" and f"{bars.stored('EURUSD', '1h').start:%Y-%m-%d}" == "2020-01-02"
    assert done["progress"]["steps_completed"] == done["progress"]["steps_total"]


async def test_dates_add_to_what_is_stored_and_fill_holes(wire, bars):
    await wire.load(start_date="2024-01-01", end_date="2024-06-30")
    whole = bars.read("EURUSD", "1h")
    hole = whole.loc["2024-03-01":"2024-03-20"].index
    whole.drop(hole).to_csv(bars.file("EURUSD", "1h"), date_format="%Y-%m-%dT%H:%M:%SZ", index_label="")
    done = await wire.load(start_date="2024-03-01", end_date="2024-03-21")
    assert done["result_summary"]["rows_downloaded"] == len(hole)
    pd.testing.assert_frame_equal(bars.read("EURUSD", "1h"), whole)


async def test_a_file_of_the_users_own_is_never_written_to(wire, bars):
    own = "time,open,high,low,close,volume\n2024-01-02T00:00:00Z,1,2,0.5,1.5,7\n"
    bars.file("EURUSD", "1h").write_text(own)
    done = await wire.load()
    assert done["status"] == "failed" and "data of your own" in done["error_message"]
    assert bars.file("EURUSD", "1h").read_text() == own
    bars.file("EURUSD", "1h").write_text("not market data")
    assert "line 1: No columns" in (await wire.load())["error_message"]
    assert bars.file("EURUSD", "1h").read_text() == "not market data"


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",open,high,low,close,volume\n2024-01-02T00:00:00Z,,,,1.5,\n",
        "date,Open,High,Low,Close,Volume,open\n2024-01-02T00:00:00Z,1,2,0.5,1.5,7,\n",
    ],
    ids=["empty", "only closes", "twin columns"],
)
async def test_a_load_never_replaces_a_file_that_it_does_not_understand(wire, bars, text):
    bars.file("EURUSD", "1h").write_text(text)
    done = await wire.load()
    assert done["status"] == "failed" and done["error_message"].endswith("Nothing was changed.")
    assert done["error_message"].startswith("EURUSD_1h.csv")
    assert bars.file("EURUSD", "1h").read_text() == text


async def test_an_unknown_symbol_fails_as_it_does_at_interactive_brokers(wire):
    done = await wire.load(symbol="NOSUCH")
    assert done["status"] == "failed" and done["error_message"].startswith("Symbol NOSUCH not found")


async def test_a_cancelled_load_keeps_what_it_fetched(wire, bars):
    body = {"symbol": "BTCUSD", "timeframe": "5m", "mode": "full"}
    operation_id = (await wire.post("/data/acquire/download", body))["operation_id"]
    await wire.until(operation_id, lambda operation: operation["progress"]["steps_completed"] > 0)
    assert (await wire.ask("DELETE", f"/operations/{operation_id}"))[0] == 200
    done = await wire.end(operation_id)
    assert done["status"] == "cancelled"
    assert bars.stored("BTCUSD", "5m").bars > 100_000


async def test_where_sample_data_appears_it_says_so(wire, bars):
    await wire.load(timeframe="1d")
    bars.file("MINE", "1d").write_text("time,open,high,low,close,volume\n2024-01-02,1,2,0.5,1.5,7\n")
    ranges = {
        symbol: (await wire.post("/data/range", {"symbol": symbol, "timeframe": "1d"}))["data"]["source"]
        for symbol in ("EURUSD", "MINE")
    }
    assert ranges == {"EURUSD": "sample", "MINE": "own"}
    read = (await wire.get("/data/eurusd/1d", params={"limit": 3}))["data"]
    assert read["metadata"]["source"] == "sample" and len(read["ohlcv"]) == len(read["dates"]) == 3
    assert read["metadata"]["limited"] and read["metadata"]["original_points"] > 400
    symbols = {item["symbol"]: item["source"] for item in (await wire.get("/symbols"))["data"]}
    assert symbols["MINE"] == "own" and symbols["EURUSD"] == "sample market generator"
    assert (await wire.get("/health"))["data_source"] == "sample market generator"
