"""What is stored: asked gently, drawn as a map, looked at again after a load; and its candles."""

import asyncio
import json
import time
from datetime import UTC, datetime

import pytest

from panel.backend.openings import ending_of
from panel.domain.gaps import DAY, Ending, Range
from panel.views.charts import place_of
from tests.support.bars import hours, until_now, without
from tests.support.history import ended, seed
from tests.support.libraries import take_away
from tests.support.lives import living
from tests.support.loads import LOAD, ends, load
from tests.support.pages import KEY, until, words
from tests.support.panels import panel, stream
from tests.support.parts import panel_of
from tests.support.scripted import Backend, operation, percent, stamp


def test_the_map_shows_what_is_stored_and_what_is_missing(here, backend):
    backend.bars = {("EURUSD", "1h"): without(hours(60), 100, 30), ("TSLA", "1h"): hours(30, stock=True)}
    backend.strategies[0] |= {"symbol": "GBPUSD", "timeframe": "4h"}
    here.post("/data/look")
    page = words(
        here.until(
            "/data",
            lambda text: "looking…" not in text and "Nothing stored" in text and text.count('class="there"') == 3,
        )
    )
    assert "EURUSD 1h 2024-01-01 to 2025-02-21" in page and f"{len(backend.bars['EURUSD', '1h']):,}" in page
    assert "2024-04-09 to 2024-05-10" in page or "2024-04-10 to 2024-05-10" in page
    assert "GBPUSD 4h swing needs it Nothing stored." in page
    assert backend.hits["GET /symbols"] == 1


def test_the_map_says_where_sessions_of_exchanges_are_not_known(here, backend, monkeypatch):
    """Such a panel knows the week of currencies all the same: two lost days are a gap."""
    backend.bars = {("EURUSD", "1h"): without(hours(20), 30, 2)}
    assert "libraries that know the sessions" not in here.get("/data").text
    take_away(monkeypatch)
    here.post("/data/look")
    page = words(here.until("/data", lambda text: "looking…" not in text and 'class="there"' in text))
    assert "of stocks it learns the rest, so a single missing trading day is no gap." in page
    assert "2024-01-31 to 2024-02-02" in page


def test_what_was_not_asked_for_yet_is_not_called_nothing(here, backend):
    """A panel's first page comes before the backend's answer."""
    backend.bars = {("EURUSD", "1h"): hours(60)}
    assert "The backend is being asked what is stored." in here.get("/data").text
    here.post("/data/look")
    here.until("/data", lambda text: "EURUSD" in text)
    assert "being asked what is stored" not in here.get("/data").text


def test_the_backend_is_asked_gently_and_not_again_soon():
    backend = Backend()
    backend.bars = {(f"SYM{n}", "1d"): hours(20) for n in range(6)}
    with living(backend) as life:
        life.inside.post("/data/look", {})
        life.runner.run(asyncio.sleep(1))
        assert backend.hits["POST /data/range"] < 4
        life.runner.run(asyncio.sleep(30))
        page = life.inside.get("/data").text
        assert page.count('class="there"') == 6 and "looking…" not in page and "Nothing stored" in page
        for _ in range(5):
            life.inside.post("/data/look", {})
            life.inside.get("/data")
        life.runner.run(asyncio.sleep(30))
    assert backend.hits["POST /data/range"] == 7  # six stored, one that a strategy names
    assert backend.hits["GET /symbols"] == 1


def test_what_is_known_is_remembered_across_restarts(address, backend, tmp_path):
    backend.bars = {("EURUSD", "1h"): without(hours(60), 100, 30)}
    with panel(tmp_path, address) as here:
        here.post("/data/look")
        here.until("/data", lambda text: 'class="hole"' in text)
    with panel(tmp_path, address) as here:
        assert 'class="hole"' in here.get("/data").text


def test_after_a_load_its_row_is_looked_at_again(here, backend):
    backend.bars = {("EURUSD", "1h"): without(hours(60), 100, 30)}
    here.post("/data/look")
    here.until("/data", lambda text: 'class="hole"' in text)
    with stream(here, "stored") as reader:
        address = load(here).headers["location"]
        place = place_of("EURUSD", "1h")
        reader.until(lambda stream: "Loading, 0&nbsp;%" in stream.places.get(place, ""))
        backend.bars["EURUSD", "1h"] = hours(60)
        ends(backend)
        reader.until(
            lambda stream: (
                'class="there"' in stream.places["coverage"] and 'class="hole"' not in stream.places["coverage"]
            )
        )
    assert "no gaps" in words(here.until(address, lambda text: "Stored now" in text and "no gaps" in text))


@pytest.mark.parametrize(
    ("mode", "bars", "state"),
    [
        ("full", without(until_now(), 100, 30), "problems"),
        ("full", until_now(), "completed"),
        ("full", until_now(4), "problems"),
        ("tail", until_now(), "completed"),
        ("tail", without(until_now(), 100, 30), "unchecked"),  # whether the gap was there before is not known
    ],
)
def test_a_load_that_an_earlier_panel_left_unchecked_is_checked(address, backend, tmp_path, mode, bars, state):
    result = {"mode": mode, "gaps_filled": 1, "rows_downloaded": 500}
    left = ended("op_load", "data_load", "completed", 900, 9, parameters={"mode": mode}, result_summary=result)
    backend.operations["op_load"] = left
    backend.bars = {("EURUSD", "1h"): bars}
    seed(tmp_path, address, left)
    with panel(tmp_path, address) as here:
        here.until("/data", lambda text: "looking…" not in text and 'class="there"' in text)
        until(lambda: here.get("/api/operations/op_load").json()["verdict"]["state"] == state)


@pytest.mark.parametrize(
    ("others", "state", "headline"),
    [
        ((), "unchecked", "500 bars came. The last bar is of {}; later ones did not come."),
        (("YYYY",), "completed", "500 bars fetched. The last bar is of {}, as of every other load of its exchange"),
    ],
)
def test_a_symbol_of_which_no_later_bars_are_known_to_exist_is_not_blamed(
    address, backend, tmp_path, others, state, headline
):
    """It may be delisted, or its market closed."""
    about = {"parameters": {"mode": "full"}, "result_summary": {"gaps_filled": 1, "rows_downloaded": 500}}
    bars = until_now(10)
    backend.bars = {(symbol, "1h"): bars for symbol in ("ZZZZ", *others)}
    for symbol in others:
        seed(tmp_path, address, ended(f"op_{symbol}", "data_load", "completed", 900, 9, symbol=symbol, **about))
    told = [{"symbol": symbol, "exchange": "FARAWAY", "available_timeframes": ["1h"]} for symbol in ("ZZZZ", *others)]
    backend.answers["GET /symbols"] = 200, {"success": True, "data": told}
    with panel(tmp_path, address) as here:
        here.post("/data/look")
        for symbol in ("ZZZZ", *others):
            here.until("/data", lambda text, symbol=symbol: f"{symbol} 1h</a>" in text)
        backend.operations["op_ZZZZ"] = ended("op_ZZZZ", "data_load", "completed", 60, 9, symbol="ZZZZ", **about)
        here.read("op_ZZZZ")

        def verdict():
            return here.get("/api/operations/op_ZZZZ").json()["verdict"]

        until(lambda: verdict()["state"] == state and "last bar" in verdict()["headline"])
        assert verdict()["headline"].startswith(headline.format(datetime.fromtimestamp(bars[-1], UTC).date()))


def moment_of(text: str) -> float:
    return datetime.fromisoformat(f"{text}Z").timestamp()


@pytest.mark.parametrize(
    ("symbol", "last", "until_", "ending"),
    [
        ("0700.HK", "2025-01-28T00:00:00", "2025-02-02T18:00:00", None),  # Chinese New Year
        ("0700.HK", "2025-01-28T00:00:00", "2025-02-06T00:00:00", Ending.MISSED),
        ("7203.T", "2019-04-26T00:00:00", "2019-05-06T12:00:00", None),  # ten days of a new emperor
        ("AAPL", "2024-07-01T00:00:00", "2024-07-09T00:00:00", Ending.MISSED),
        ("EURUSD", "2024-07-01T00:00:00", "2024-07-09T00:00:00", Ending.MISSED),
        ("ZZZZ", "2024-07-01T00:00:00", "2024-07-09T00:00:00", Ending.UNKNOWN),
        ("ZZZZ", "2024-07-01T00:00:00", "2024-07-03T00:00:00", None),
    ],
)
def test_the_markets_calendar_tells_whether_bars_lack_at_the_end(symbol, last, until_, ending):
    stored = Range(symbol, "1d", moment_of(last) - 100 * DAY, moment_of(last), 70)
    assert ending_of(stored, moment_of(until_)) is ending


def test_a_load_that_ended_before_the_panel_came_is_looked_through_too(address, backend, tmp_path, quick_rounds):
    """The list, which tells of it first, knows no timeframe."""
    backend.bars = {("EURUSD", "1h"): without(until_now(), 100, 30)}
    about = {"symbol": "EURUSD", "timeframe": "1h", "parameters": {"mode": "full"}}
    result = {"mode": "full", "rows_downloaded": 900, "gaps_filled": 1}
    ended = {"completed_at": stamp(time.time() - 600), "metadata": about, "result_summary": result}
    backend.operations["op_l"] = operation("op_l", "data_load", "completed", **ended)
    item = {"operation_id": "op_l", "operation_type": "data_load", "status": "completed", "symbol": "EURUSD"}
    backend.answers["GET /operations"] = (200, {"success": True, "data": [item]})
    with panel(tmp_path, address) as here:
        page = here.until("/", lambda text: "still missing" in text, 60)
    assert "900 bars came, but 1 gap is still missing." in words(page)


@pytest.mark.parametrize(
    ("first", "last", "state", "headline"),
    [
        ("2016-01-01", 1, "completed", "2,846 bars fetched. Nothing came before 2016-01-01."),
        ("2015-01-02", 1, "completed", "2,846 bars fetched."),
        ("2015-01-02", 320, "problems", "2,846 bars came, but none is stored after {}."),
    ],
)
def test_what_lacks_at_either_end_of_a_load_is_told(first, last, state, headline):
    """Its first or last segments failed, of which the backend says nothing: there is no gap between the bars."""
    backend = Backend()
    step = "⚡ Downloading 12 segments from IB: Segment {0}/12: {1} 00:00 to {1} 00:00 ({0}/12)"
    with living(backend) as life:
        life.runner.run(asyncio.sleep(5))
        now = time.time() // DAY * DAY
        life.post("/start/data_load", {"key": KEY, **LOAD, "timeframe": "1d", "mode": "full"}, 1, 5.0)
        (name,) = backend.operations
        for number, day in enumerate(("2015-01-01", "2016-01-01", "2017-01-01"), 1):
            backend.operations[name] |= {"progress": percent(10.0 * number, step.format(number, day))}
            life.runner.run(asyncio.sleep(6))
        opens = int(datetime.fromisoformat(f"{first}T00:00:00Z").timestamp())
        every = [opens + DAY * n for n in range(int((now - opens) / DAY) - last + 1)]
        backend.bars = {("EURUSD", "1d"): [at for at in every if datetime.fromtimestamp(at, UTC).weekday() < 5]}
        done = {"mode": "full", "gaps_filled": 1, "rows_downloaded": 2846}
        backend.operations[name] |= {"status": "completed", "completed_at": stamp(), "result_summary": done}
        life.runner.run(asyncio.sleep(60))
        told = json.loads(life.inside.get(f"/api/operations/{name}").text)["verdict"]
        ends = datetime.fromtimestamp(backend.bars["EURUSD", "1d"][-1], UTC)
    assert (told["state"], told["headline"]) == (state, headline.format(f"{ends:%Y-%m-%d}"))


def test_a_load_that_brought_bars_of_which_none_is_stored_is_no_plain_success(here, backend):
    """The result's number and the stored bars disagree: the worse one is said."""
    backend.bars = {("GBPUSD", "1h"): hours(20)}  # POST /data/range answers 404 for EURUSD
    address = load(here).headers["location"]
    ends(backend)
    page = words(here.until(address, lambda text: "Stored now" in text and "Finished with problems" in text))
    assert "362 bars came, and none is stored." in page and "Stored now of EURUSD 1h : nothing." in page


def test_a_row_that_was_not_there_appears_with_its_load(here, backend):
    backend.bars = {("EURUSD", "1h"): hours(20)}
    with stream(here, "stored") as reader:
        load(here, symbol="NEWONE", timeframe="15m")
        reader.until(lambda stream: "NEWONE 15m" in stream.places.get("coverage", ""))
        reader.until(lambda stream: "Loading, 0&nbsp;%" in stream.places.get(place_of("NEWONE", "15m"), ""))
    assert "NEWONE 15m" in words(here.get("/data").text).partition("Gaps")[2]


def test_a_load_that_goes_on_does_not_send_the_whole_map_again(here, backend):
    backend.bars = {(f"SYM{n}", "1d"): hours(20) for n in range(5)} | {("EURUSD", "1h"): hours(20)}
    here.post("/data/look")
    here.until("/data", lambda text: text.count('class="there"') == 6 and "looking…" not in text)
    name = load(here).headers["location"].removeprefix("/operations/")
    place = place_of("EURUSD", "1h")
    with stream(here, "stored") as reader:
        reader.until(lambda stream: "Loading, " in stream.places.get(place, "") and "coverage" in stream.places)
        reader.observation.clear()
        for at in (11, 22, 33):
            backend.operations[name] = operation(name, "data_load", progress=percent(at, f"Segment {at}"))
            reader.until(lambda stream, at=at: f"Loading, {at}&nbsp;%. Segment {at}" in stream.places[place])
    pieces = [piece for piece in reader.observation if 'hx-target="#line"' not in piece]  # a worker may come or go
    assert not any('hx-target="#coverage"' in piece for piece in pieces)
    assert max(map(len, pieces)) < 1500


def test_candles_come_as_they_are_stored_and_thinned_when_many(here, backend):
    backend.bars = {("EURUSD", "1h"): hours(60)}
    newest = here.get("/data/EURUSD/1h/bars").json()
    assert newest["each"] == 1 and len(newest["candles"]) == 1500
    assert newest["candles"][-1] == [hours(60)[-1], 1.0, 1.2, 0.9, 1.1, 5.0]
    whole = here.get(f"/data/EURUSD/1h/bars?start={hours(60)[0]}&end={hours(60)[-1] + 3600}").json()
    assert whole["each"] == 3 and sum(candle[5] for candle in whole["candles"]) == 5 * len(hours(60))
    page = here.get("/data/EURUSD/1h")
    assert "The newest 200 bars as a table" in page.text


@pytest.mark.parametrize(
    "path",
    [
        "/data/..%2fx/1h",
        "/data/EURUSD/7x",
        "/data/EURUSD/1h/bars?start=nan",
        "/data/EURUSD/1h/bars?start=1e300&end=2e300",
    ],
)
def test_what_is_no_symbol_or_time_asks_nothing(here, backend, path):
    assert here.get(path).status_code in (404, 422)
    assert not any(hit.startswith("GET /data") for hit in backend.hits)


def test_a_symbol_that_would_lead_elsewhere_is_not_asked_for(here, backend):
    backend.bars = {("../operations", "1h"): hours(10), ("EURUSD", "1h"): hours(10), ("A B", "1h"): hours(10)}
    backend.strategies[0] |= {"symbol": "../../x", "timeframe": "1h"}
    here.post("/data/look")
    page = here.until("/data", lambda text: text.count('class="there"') == 1 and "looking…" not in text)
    asked = {body["symbol"] for hit, body in backend.bodies if hit == "POST /data/range"}
    assert asked == {"EURUSD"} and "operations/1h" not in page


def test_a_load_that_was_believed_failed_and_then_completes_is_looked_through():
    """The backend calls one failed that no worker has claimed yet, and takes that back minutes later."""
    backend = Backend()
    backend.bars = {("EURUSD", "1h"): without(hours(60), 100, 30)}
    with living(backend) as life:
        life.runner.run(asyncio.sleep(15))
        life.inside.post("/start/data_load", {"key": KEY, **LOAD, "mode": "full", "start_date": "2024-01-01"})
        life.runner.run(asyncio.sleep(5))
        (name,) = backend.operations
        ends(backend, 1, "failed", error_message="Operation was RUNNING but no worker claimed it")
        life.runner.run(asyncio.sleep(200))
        assert "no worker claimed it" in words(life.inside.get(f"/operations/{name}").text)
        assert panel_of(life.app).monitor.running() == [], "it is believed"
        ends(backend)
        listed = {"operation_id": name, "operation_type": "data_load", "status": "completed"}
        backend.answers["GET /operations"] = (200, {"data": [listed]})
        life.runner.run(asyncio.sleep(120))
        page = words(life.inside.get(f"/operations/{name}").text)
    assert "362 bars came, but 1 gap is still missing" in page


@pytest.mark.parametrize("result", [None, {}, {"mode": "full", "gaps_filled": 3}, {"rows_downloaded": "362"}])
@pytest.mark.parametrize(
    ("bars", "words_of_it"),
    [
        (without(hours(60), 100, 30), "How many bars came is not known, and 1 gap is still missing."),
        (hours(60), "It left no gap. How many bars came, the backend does not say."),
    ],
)
def test_a_load_whose_result_does_not_say_what_came_is_looked_through(result, bars, words_of_it):
    backend = Backend()
    backend.bars = {("EURUSD", "1h"): bars}
    with living(backend) as life:
        life.runner.run(asyncio.sleep(15))
        life.inside.post("/start/data_load", {"key": KEY, **LOAD, "mode": "full"})
        life.runner.run(asyncio.sleep(5))
        (name,) = backend.operations
        ends(backend, result_summary=result)
        life.runner.run(asyncio.sleep(60))
        assert words_of_it in words(life.inside.get(f"/operations/{name}").text)


@pytest.mark.parametrize("result", [None, {"rows_downloaded": "362"}])
def test_such_a_load_of_an_earlier_panel_is_looked_through_too(address, backend, tmp_path, result):
    parameters = {"mode": "full"}
    left = ended("op_load", "data_load", "completed", 900, 9, parameters=parameters, result_summary=result)
    backend.operations["op_load"] = left
    backend.bars = {("EURUSD", "1h"): without(hours(60), 100, 30)}
    seed(tmp_path, address, left)
    with panel(tmp_path, address) as here:
        until(lambda: here.get("/api/operations/op_load").json()["verdict"]["state"] == "problems")


@pytest.mark.parametrize("fails", [False, True])
def test_a_load_that_ends_while_the_bars_are_looked_through_is_judged_by_another_look(fails):
    backend = Backend()
    backend.bars = {("EURUSD", "1h"): without(hours(60), 100, 30)}
    reading, read = [], asyncio.Event()

    async def slowly(request):
        found = backend._stored("EURUSD", "1h", dict(request.query_params))  # as it is now
        reading.append(found)
        await read.wait()
        return (503, {"detail": "too much to do"}) if fails and len(reading) == 1 else found

    with living(backend) as life:
        life.runner.run(asyncio.sleep(15))
        for key in ("first" * 4, "second" * 4):
            life.inside.post("/start/data_load", {"key": key, **LOAD, "mode": "full"})
        life.runner.run(asyncio.sleep(60))
        backend.answers["GET /data/EURUSD/1h"] = slowly
        backend.bars["EURUSD", "1h"] = without(hours(60), 100, 20)
        ends(backend)
        while not reading or len(backend.operations) < 2:
            life.runner.run(asyncio.sleep(1))
        life.runner.run(asyncio.sleep(5))
        backend.bars = {("EURUSD", "1h"): hours(60)}  # the second load fills the hole
        ends(backend, 2)
        second = list(backend.operations)[-1]
        while not panel_of(life.app).inventory.seen_ended(second):
            life.runner.run(asyncio.sleep(1))
        assert "Stored now" not in words(life.inside.get(f"/operations/{second}").text), "that is not known yet"
        life.runner.run(told(read))
        life.runner.run(asyncio.sleep(60))
        verdicts = [life.inside.api("GET", f"/api/operations/{name}")[1]["verdict"] for name in backend.operations]
        page = words(life.inside.get(f"/operations/{second}").text)
    assert [each["state"] for each in verdicts] == ["completed" if fails else "problems", "completed"]
    assert "Stored now" in page and "no gaps" in page


async def told(event: asyncio.Event) -> None:
    event.set()


@pytest.mark.parametrize(
    ("bars", "brought", "said"),
    [
        (hours(60), 362, "The last load went through."),
        (hours(60), 0, "The last load brought not one bar, although bars were missing."),
        (without(hours(60), 100, 30), 362, "After the last load 1 gap was still there."),
    ],
)
def test_the_line_of_the_data_source_tells_of_the_load_that_ended_last(bars, brought, said):
    """Not of the one before: also where a page is open, and draws itself as soon as an end is seen."""
    backend = Backend()
    backend.bars = {("EURUSD", "1h"): bars}
    with living(backend) as life:
        life.runner.run(asyncio.sleep(15))
        life.open("home")
        assert "Nothing is known of it until a load ends." in life.inside.get("/").text
        life.post("/start/data_load", {"key": KEY, **LOAD, "mode": "full", "start_date": "2024-01-01"}, 1, 5.0)
        ends(backend, result_summary={"mode": "full", "gaps_filled": 1, "rows_downloaded": brought})
        life.runner.run(asyncio.sleep(60))
        assert said in life.inside.get("/").text and said in life.streams["home"]["line"]
        life.post("/start/data_load", {"key": f"{KEY[:-1]}2", **LOAD, "mode": "full"}, 1, 5.0)
        ends(backend, 2, "failed", error_message="Something broke.")
        life.runner.run(asyncio.sleep(60))
        assert "The last load failed: Something broke." in life.inside.get("/").text
