"""Files of market data over the API: what is wrong with them, importing, exporting, gaps."""

import io
import json
import zipfile
from datetime import timedelta

import pytest

from panel.embedded.bars import Bars
from tests.support.market_files import bars as rows_of
from tests.support.market_files import ktrdr, written

pytestmark = pytest.mark.anyio


@pytest.fixture
def bars(folder):
    (folder / "data").mkdir(exist_ok=True)
    return Bars(folder / "data")


async def send(wire, path, text, **query):
    answer = await wire.http.post(path, content=text if isinstance(text, bytes) else text.encode(), params=query)
    return answer.status_code, answer.json()


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


async def test_a_file_is_looked_at_asked_about_and_stored(wire, bars):
    text = written(rows_of(), "", lambda at: f"{at:%Y.%m.%d,%H:%M}")
    status, body = await send(wire, "/data/import/preview", text, name="EURUSD60.csv")
    (found,) = body["data"]
    assert status == 200 and (found["symbol"], found["timeframe"], found["bars"]) == ("EURUSD", "1h", 120)
    assert [question["key"] for question in found["questions"]] == ["zone"] and len(found["chart"]) == 120
    where = {"name": "EURUSD60.csv", "symbol": "EURUSD", "timeframe": "1h"}
    status, body = await send(wire, "/data/import", text, **where)
    assert (
        status == 422 and "has to be answered first" in body["error"]["message"] and list(bars.folder.iterdir()) == []
    )
    where["answers"] = json.dumps({"zone": "UTC"})
    status, body = await send(wire, "/data/import", text, **where)
    assert (status, body["data"]["bars"], body["data"]["added"]) == (200, 120, 120)
    assert bars.stored("EURUSD", "1h").source == "own"
    status, body = await send(wire, "/data/import", text, **where)
    assert status == 409 and body["error"]["details"]["overlap"]["common"] == 120
    assert (await send(wire, "/data/import", text, **where, existing="replace"))[1]["data"]["kept"].endswith(".bak")


async def test_an_archive_is_looked_at_and_stored_file_by_file(wire, bars):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("EURUSD_1h.csv", ktrdr(rows_of()))
        archive.writestr("BAD_1h.csv", "x\n")
    status, body = await send(wire, "/data/import/preview", out.getvalue(), name="all.zip")
    assert status == 200 and [("refused" in row, row["file"]) for row in body["data"]] == [
        (False, "EURUSD_1h.csv"),
        (True, "BAD_1h.csv"),
    ]
    where = {"name": "all.zip", "symbol": "EURUSD", "timeframe": "1h"}
    assert (await send(wire, "/data/import", out.getvalue(), **where, member="EURUSD_1h.csv"))[1]["data"]["bars"] == 120
    assert (await send(wire, "/data/import", out.getvalue(), **where, member="none.csv"))[0] == 422


@pytest.mark.parametrize(
    ("text", "query", "status"),
    [
        ("", {}, 422),
        ("<html>", {}, 422),
        (ktrdr(rows_of()), {"symbol": "../x"}, 422),
        (ktrdr(rows_of()), {"timeframe": "7x"}, 422),
        (ktrdr(rows_of()), {"answers": "{"}, 422),
        (ktrdr(rows_of()), {"answers": '{"zone": "Mars/Olympus"}'}, 200),  # the file says its zone itself
        (ktrdr(rows_of()).replace("Z,", ","), {"answers": '{"zone": "Mars/Olympus"}'}, 422),
        (ktrdr(rows_of()), {"existing": "burn"}, 422),
    ],
)
async def test_what_cannot_be_imported_is_refused(wire, bars, text, query, status):
    where = {"name": "EURUSD_1h.csv", "symbol": "EURUSD", "timeframe": "1h"} | query
    assert (await send(wire, "/data/import", text, **where))[0] == status
    assert len(list(bars.folder.iterdir())) == (status == 200)


async def test_a_range_is_exported(wire, bars):
    bars.file("EURUSD", "1h").write_text(ktrdr(rows_of()))
    start = int(rows_of()[10][0].timestamp())
    answer = await wire.http.get("/data/export/EURUSD/1h", params={"start": start, "end": start + 3600})
    assert answer.text.splitlines()[0] == ",open,high,low,close,volume" and len(answer.text.splitlines()) == 3
    assert answer.headers["content-disposition"] == 'attachment; filename="EURUSD_1h.csv"'
    parquet = await wire.http.get("/data/export/EURUSD/1h", params={"format": "parquet"})
    assert parquet.content.startswith(b"PAR1")
    assert (await wire.http.get("/data/export/NONE/1h")).status_code == 404
    assert (await wire.http.get("/data/export/EURUSD/1h", params={"end": 0})).status_code == 404


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
