"""Files of the embedded backend's data folder on the data page, and a pair that a backend cannot answer for."""

import asyncio
from datetime import timedelta
from html import unescape

import httpx
import pytest

from panel.backend.catalogue import Catalogue
from panel.backend.http import HTTPClient
from panel.backend.ktrdr import Ktrdr
from panel.domain.events import EventBus, StoredDataChanged
from panel.monitoring.inventory import DataInventory
from panel.storage.store import Storage
from tests.support.kinds import KINDS
from tests.support.market_files import bars, ktrdr
from tests.support.pages import words
from tests.support.panels import panel


def with_dropped_rows() -> str:
    """1h bars without a rest, of which twenty have no prices and one is there twice, with other prices."""
    lines = ktrdr(bars(1199)).splitlines()
    for at in range(501, 521):
        lines[at] = lines[at].partition(",")[0] + ",,,,,"
    lines.insert(701, lines[700].partition(",")[0] + ",9.9,9.9,9.9,9.9,1")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("panel")
    data = folder / "embedded" / "data"
    data.mkdir(parents=True)
    (data / "AAA_1h.csv").write_text("x\n1\n")
    (data / "index.csv").write_bytes(KINDS["web page"].content)
    (data / "GBPUSD_1h.csv").write_bytes(KINDS["one bad line"].content)
    (data / "EURUSD_1h.csv").write_bytes(KINDS["impossible bars"].content)
    (data / "DROPS_1h.csv").write_text(with_dropped_rows())
    with panel(folder) as here:
        here.post("/data/look")
        yield here, data


def test_each_file_that_cannot_be_used_has_its_row(embedded):
    here, data = embedded
    page = here.until("/data", lambda text: "Files that cannot be used" in text and 'href="/data/EURUSD/1h"' in text)
    read = unescape(words(page))
    assert "AAA_1h.csv Line 1: No columns for time" in read and "index.csv Line 1: This is a web page" in read
    assert "GBPUSD_1h.csv Line 71: 2 fields where the others have 6." in read
    assert page.count('action="/data/import-stored"') == 3 and "4 bars cannot be true" in read
    before = {path.name: path.read_bytes() for path in data.glob("*.csv")}
    answer = here.post("/data/import-stored", data={"file": "GBPUSD_1h.csv"})
    assert "119 bars of GBPUSD 1h" in words(here.get(answer.headers["location"]).text)
    assert {path.name: path.read_bytes() for path in data.glob("*.csv")} == before


def test_lines_that_hold_no_bar_are_counted_wherever_the_file_is_used(embedded):
    """Twenty hours without prices, of a symbol that never rests, and two different bars of one time."""
    here, _ = embedded
    read = words(here.until("/data", lambda text: 'href="/data/DROPS/1h"' in text and "looking…" not in text))
    assert "1 bar cannot be true" in read and "20 lines hold no bar 20 × no prices" in read
    read = words(here.get("/data/DROPS/1h").text)
    assert "1 bar cannot be true" in read and "20 lines hold no bar 20 × no prices" in read
    assert "1,179 bars" in read and "1 gap " in read
    form = {"strategy_name": "trend", "symbols": "DROPS", "timeframes": "1h"}
    read = words(here.post("/start/training/look", form, **{"hx-request": "true"}).text)
    assert "has 1 bar that cannot be true" in read and "has 20 lines that hold no bar" in read


def test_bars_that_cannot_be_true_are_on_the_candles(embedded):
    here, _ = embedded
    shown = here.get("/data/EURUSD/1h/bars").json()
    assert [reason for _, reason in shown["bad"]] == [
        "a price of zero or below",
        "the high is below the low",
        "a price that is infinite",
    ]
    period = here.get("/data/EURUSD/1h/bars?start=1704067200&end=1704499200").json()
    assert [at for at, _ in period["bad"]] == [at for at, _ in shown["bad"]] and period["bars"] == 120
    assert "The bar above cannot be true: the high is below the low." in words(here.get("/data/EURUSD/1h").text)


def test_an_unknown_volume_is_not_shown_as_none_and_a_small_one_not_as_nothing(embedded):
    """In the table, and on the candles of a period and of the newest bars."""
    here, data = embedded
    head, *lines = [line.rpartition(",")[0] for line in ktrdr(bars(120)).splitlines()]
    (data / "PEPEUSD_1h.csv").write_text("\n".join([head, *lines]) + "\n")
    (data / "BIGX_1h.csv").write_text("\n".join([f"{head},volume", *(f"{line},0.0405" for line in lines)]) + "\n")
    here.post("/data/look")
    here.until("/data", lambda text: 'href="/data/BIGX/1h"' in text and 'href="/data/PEPEUSD/1h"' in text)
    first = int(bars(1)[0][0].timestamp())
    for symbol, volume, shown in (("PEPEUSD", None, "–"), ("BIGX", 0.0405, "0.0405")):
        page = here.get(f"/data/{symbol}/1h").text
        assert page.count(f'<td class="number">{shown}</td></tr>') == 120
        for query in ("", f"?start={first}&end={first + 500_000}"):
            candles = here.get(f"/data/{symbol}/1h/bars{query}").json()["candles"]
            assert len(candles) == 120 and {candle[5] for candle in candles} == {volume}
        (data / f"{symbol}_1h.csv").unlink()


def test_one_bar_that_cannot_be_true_is_spoken_of_in_the_singular(embedded):
    here, data = embedded
    rows = bars(120, timedelta(hours=4))
    at, opened, high, low, *rest = rows[70]
    rows[70] = (at, opened, low, high, *rest)
    (data / "EURUSD_4h.csv").write_text(ktrdr(rows))

    def seen(text):
        here.post("/data/look")
        return 'id="bad-EURUSD-4h"' in text

    assert "1 bar cannot be true" in words(here.until("/data", seen))
    (data / "EURUSD_4h.csv").unlink()


def test_a_file_that_appears_or_changes_is_seen_at_the_next_look(embedded):
    here, data = embedded
    here.until("/data", lambda text: "Files that cannot be used" in text)
    (data / "ZZZ_1h.csv").write_bytes(KINDS["good"].content)
    (data / "AAA_1h.csv").write_bytes(KINDS["good"].content)

    def seen(text):
        here.post("/data/look")
        return all(f'href="/data/{symbol}/1h"' in text for symbol in ("ZZZ", "AAA"))

    assert "AAA_1h.csv" not in here.until("/data", seen)
    (data / "ZZZ_1h.csv").unlink()

    def gone(text):
        here.post("/data/look")
        return 'href="/data/ZZZ/1h"' not in text

    here.until("/data", gone)


@pytest.mark.anyio
async def test_one_pair_that_the_backend_cannot_answer_for_hides_no_other(tmp_path):
    def play(request):
        path = request.url.path.removeprefix("/api/v1")
        if path == "/symbols":
            listed = [{"symbol": symbol, "available_timeframes": ["1h"]} for symbol in ("AAA", "ZZZ")]
            return httpx.Response(200, json={"data": listed})
        if path == "/data/range" and b"AAA" in request.content:
            return httpx.Response(500, json={"detail": "Error tokenizing data. C error"})
        if path == "/data/range":
            stored = {"start_date": "2024-01-01", "end_date": "2024-01-02", "point_count": 25}
            return httpx.Response(200, json={"data": stored})
        if path == "/data/ZZZ/1h":
            dates = [f"2024-01-01T{hour:02}:00:00" for hour in range(24)]
            return httpx.Response(200, json={"data": {"dates": dates, "ohlcv": []}})
        return httpx.Response(404, json={"detail": "Not found"})

    store = Storage(tmp_path / "memory.db", 0.05)
    async with HTTPClient("http://backend.test/api/v1", transport=httpx.MockTransport(play), max_retries=0) as client:
        ktrdr = Ktrdr(client)
        events, changed = EventBus(), asyncio.Event()
        events.subscribe(StoredDataChanged, lambda _: changed.set())
        inventory = DataInventory(ktrdr, Catalogue(ktrdr, None), store, events)
        loop = asyncio.create_task(inventory.run())
        inventory.look()
        async with asyncio.timeout(30):
            while inventory.row("ZZZ", "1h").gaps is None or inventory.row("AAA", "1h").asked_at is None:
                await changed.wait()
                changed.clear()
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
    store.close()
    row = inventory.row("AAA", "1h")
    assert row.problem == "Error tokenizing data. C error" and row.asked_at and not row.range.bars
    assert [each.pair for each in inventory.rows()] == [("AAA", "1h"), ("ZZZ", "1h")]


def test_files_in_a_ktrdrs_folder_that_it_cannot_use_have_their_rows(address, tmp_path):
    """KTRDR passes over them in silence. What it stored itself is not named, and nothing is written there."""
    data = tmp_path / "ktrdr"
    data.mkdir()
    (data / "EURUSD_1h.csv").write_bytes(KINDS["good"].content)
    (data / "GBPUSD_1h.csv").write_bytes(KINDS["one bad line"].content)
    (data / "AUDUSD_60.csv").write_bytes(KINDS["good"].content)
    (data / "USDJPY_1h.csv").write_bytes(KINDS["dukascopy"].content)
    before = {path.name: path.read_bytes() for path in data.iterdir()}
    with panel(tmp_path / "panel", address, ktrdr_data_folder=data) as here:
        here.post("/data/look")
        page = here.until("/data", lambda text: "Files that cannot be used" in text)
        read = unescape(words(page))
        assert "GBPUSD_1h.csv Line 71: 2 fields where the others have 6." in read
        assert "AUDUSD_60.csv KTRDR looks for AUDUSD_1h.csv. Import the file" in read
        assert "USDJPY_1h.csv This is a file of Dukascopy, and KTRDR does not read its form." in read
        assert page.count('action="/data/import-stored"') == 3
        assert "119 bars of GBPUSD 1h" in words(
            here.get(here.post("/data/import-stored", {"file": "GBPUSD_1h.csv"}).headers["location"]).text
        )
        (data / "GBPUSD_1h.csv").write_bytes(KINDS["good"].content)
        here.post("/data/look", {"again": "1"})
        here.until("/data", lambda text: "GBPUSD_1h.csv" not in text)
        (data / "GBPUSD_1h.csv").write_bytes(before["GBPUSD_1h.csv"])
    assert {path.name: path.read_bytes() for path in data.iterdir()} == before
