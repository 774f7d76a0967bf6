"""Files of market data over the API: what is wrong with them; gaps."""

from datetime import timedelta

import pytest

from panel.embedded.bars import Bars
from tests.support.market_files import bars as rows_of
from tests.support.market_files import ktrdr

pytestmark = pytest.mark.anyio


@pytest.fixture
def bars(folder):
    (folder / "data").mkdir(exist_ok=True)
    return Bars(folder / "data")


async def test_each_file_has_its_row_and_a_bad_one_hides_no_other(wire, bars):
    bars.file("AAA", "1h").write_text("x\n1\n")
    bars.file("ZZZ", "1h").write_text(ktrdr(rows_of(600)))
    found = {row["file"]: row for row in (await wire.get("/data/files"))["data"]}
    assert found["AAA_1h.csv"]["problem"]["line"] == 1 and "No columns" in found["AAA_1h.csv"]["problem"]["reason"]
    assert found["ZZZ_1h.csv"]["problem"] is None
    assert (found["ZZZ_1h.csv"]["bars"], found["ZZZ_1h.csv"]["source"]) == (600, "own")
    symbols = {row["symbol"]: row for row in (await wire.get("/symbols"))["data"]}
    assert symbols["ZZZ"]["available_timeframes"] == ["1h"] and symbols["ZZZ"]["problems"] == []
    assert symbols["AAA"]["available_timeframes"] == []
    assert [(row["file"], row["timeframe"]) for row in symbols["AAA"]["problems"]] == [("AAA_1h.csv", "1h")]
    status, body = await wire.ask("POST", "/data/range", {"symbol": "AAA", "timeframe": "1h"})
    assert status == 422 and body["detail"].startswith("AAA_1h.csv: line 1: No columns")
    assert (await wire.ask("GET", "/data/AAA/1h"))[0] == 422
    stored = await wire.post("/data/range", {"symbol": "ZZZ", "timeframe": "1h"})
    assert stored["data"]["point_count"] == 600


async def test_bars_that_cannot_be_true_are_counted_and_marked(wire, bars):
    lines = ktrdr(rows_of()).splitlines()
    lines[51] = lines[51].partition(",")[0] + ",0,0,0,0,0"
    lines[53] = lines[53].partition(",")[0] + ",inf,inf,1e400,inf,5"
    bars.file("EURUSD", "1h").write_text("\n".join(lines))
    (row,) = (await wire.get("/data/files"))["data"]
    assert {kind: found["lines"] for kind, found in row["bad_bars"].items()} == {
        "not finite": [54],
        "not positive": [52],
    }
    read = (await wire.get("/data/EURUSD/1h"))["data"]
    assert read["metadata"]["bad_bars"] == {
        "2024-01-03T02:00:00": "a price of zero or below",
        "2024-01-03T04:00:00": "a price that is infinite",
    }
    assert read["ohlcv"][52][:4] == [None, None, None, None] and read["ohlcv"][0][0] == rows_of()[0][1]


async def test_gaps_are_those_of_the_markets_calendar(wire, bars):
    days = [row for row in rows_of(200, timedelta(days=1)) if row[0].weekday() < 5]
    days = [row for row in days if f"{row[0]:%m-%d}" not in ("01-01", "05-14")]
    bars.file("EURUSD", "1d").write_text(ktrdr(days))
    found = (await wire.get("/data/gaps/EURUSD/1d"))["data"]
    assert found["calendar"] == "forex" and [start for start, _ in found["gaps"]] == [1_715_644_800]
    assert (await wire.ask("GET", "/data/gaps/NONE/1d"))[0] == 404


async def test_a_load_into_a_file_in_another_spelling_changes_nothing(wire, bars):
    (bars.folder / "EURUSD_60.csv").write_text(ktrdr(rows_of()))
    done = await wire.load()
    assert done["status"] == "failed" and "data of your own" in done["error_message"]
    assert [path.name for path in bars.folder.iterdir()] == ["EURUSD_60.csv"]
