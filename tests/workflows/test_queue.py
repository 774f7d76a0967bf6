"""Loads one after another, none lost; plans that load what is missing and then train."""

import asyncio
import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from html import unescape

import pytest

from panel.domain.gaps import DAY
from tests.support.bars import at, hours
from tests.support.lives import living
from tests.support.loads import LOAD, deletes, ends, load, slowly, started
from tests.support.pages import KEY, until, words
from tests.support.panels import panel
from tests.support.parts import panel_of
from tests.support.scripted import Backend, operation, percent, stamp
from tests.support.workers import worker

pytestmark = pytest.mark.usefixtures("queue_is_quick")


def test_the_first_load_begins_at_once(here, backend):
    answer = load(here)
    assert answer.status_code == 303 and answer.headers["location"].startswith("/operations/op_data_load_")
    assert [each["mode"] for each in started(backend)] == ["tail"]


@pytest.mark.parametrize(
    ("days", "more", "sent"),
    [
        (200, {}, {"start_date": "2024-01-01"}),
        (20, {}, {}),
        (200, {"mode": "backfill"}, {}),
        (200, {"start_date": "2024-01-01", "end_date": "2099-01-01"}, {}),
    ],
)
def test_new_bars_after_a_long_time_leave_no_hole_at_a_ktrdr(days, more, sent):
    """It looks back 30 days when no first day is named, and drops all that lies before a day that is."""
    backend = Backend()
    with living(backend) as life:
        backend.bars = {("EURUSD", "1h"): [at("2024-01-01T10:00"), time.time() - days * DAY]}
        life.runner.run(asyncio.sleep(5))
        life.post("/start/data_load", {"key": KEY, **LOAD, **more}, 1, 5.0)
        assert started(backend) == [LOAD | more | sent]


def test_a_load_waits_for_a_backend_that_does_not_say_what_is_stored():
    backend = Backend()
    backend.bars = {("EURUSD", "1h"): [at("2024-01-01"), at("2024-06-01")]}
    with living(backend) as life:
        life.runner.run(asyncio.sleep(5))
        backend.answers["POST /data/range"] = (503, {"detail": "busy"})
        life.post("/start/data_load", {"key": KEY, **LOAD}, 1, 60.0)
        sent = started(backend)
        del backend.answers["POST /data/range"]
        life.runner.run(asyncio.sleep(30))
        assert (sent, started(backend)) == ([], [LOAD | {"start_date": "2024-01-01"}])


def test_the_second_waits_for_the_first_and_is_seen_waiting(here, backend, rounds):
    load(here)
    assert load(here, "second" * 4, symbol="GBPUSD").headers["location"] == "/data"
    page = words(here.get("/data").text)
    assert "Loads 2" in page and "GBPUSD 1h waits, number 2" in page
    assert "Waits: one load runs at a time" in words(here.get("/queue").text)
    rounds(here)
    assert len(started(backend)) == 1
    ends(backend)
    until(lambda: len(started(backend)) == 2)
    assert started(backend)[1]["symbol"] == "GBPUSD"


def test_a_load_of_another_program_is_waited_for(here, backend):
    """Also one that began this moment: the backend is asked before each start."""
    backend.operations["op_data_load_theirs"] = operation("op_data_load_theirs", "data_load", progress=percent(40))
    item = {"operation_id": "op_data_load_theirs", "operation_type": "data_load", "status": "running", "symbol": "TSLA"}
    backend.answers["GET /operations"] = (200, {"success": True, "data": [item]})
    assert load(here).headers["location"] == "/data"
    assert "started elsewhere" in words(here.get("/data").text)
    assert started(backend) == []
    backend.answers["GET /operations"] = (200, {"success": True, "data": []})
    ends(backend)
    until(lambda: len(started(backend)) == 1)


def test_the_same_form_twice_is_one_load(here, backend):
    first, second = load(here), load(here)
    assert first.headers["location"] == second.headers["location"] and len(started(backend)) == 1


def test_a_waiting_load_can_be_removed(here, backend, rounds):
    load(here)
    load(here, "second" * 4)
    assert here.post(f"/loads/{'second' * 4}/cancel").status_code == 303
    assert "waits" not in words(here.get("/data").text)
    ends(backend)
    rounds(here)
    assert len(started(backend)) == 1 and not any("DELETE" in hit for hit in backend.hits)


def test_a_running_load_is_cancelled_from_the_queue(here, backend):
    operation_id = load(here).headers["location"].removeprefix("/operations/")
    here.post(f"/loads/{KEY}/cancel")
    assert backend.hits[f"DELETE /operations/{operation_id}"] == 1


def test_a_cancel_that_the_backend_refuses_is_no_success(here, backend):
    """Also for a browser without scripts, which gets a page."""
    operation_id = load(here).headers["location"].removeprefix("/operations/")
    backend.answers[f"DELETE /operations/{operation_id}"] = (500, {"detail": "the disk is full"})
    answer = here.post(f"/loads/{KEY}/cancel")
    assert answer.status_code == 502 and "The cancel was not accepted" in words(answer.text)
    assert "the disk is full" in words(answer.text)


def test_an_entry_whose_cancel_the_backend_does_not_take_now_is_not_called_cancelled(here, backend):
    operation_id = load(here).headers["location"].removeprefix("/operations/")
    backend.answers[f"DELETE /operations/{operation_id}"] = (400, {"detail": "It is starting up, try later"})
    assert "It is starting up, try later" in words(here.post(f"/loads/{KEY}/cancel").text)
    assert load(here).headers["location"] == f"/operations/{operation_id}", "the same entry, which runs"
    load(here, "second" * 4)
    assert "waits" in words(here.get("/data").text) and len(started(backend)) == 1
    del backend.answers[f"DELETE /operations/{operation_id}"]
    assert here.post(f"/loads/{KEY}/cancel").status_code == 303
    assert backend.operations[operation_id]["status"] == "cancelled"


def test_the_queue_survives_a_restart(address, backend, tmp_path):
    with panel(tmp_path, address) as here:
        load(here)
        load(here, "second" * 4, symbol="GBPUSD")
    ends(backend)
    with panel(tmp_path, address) as here:
        until(lambda: len(started(backend)) == 2)
        assert here.get("/data").status_code == 200
    assert [body["symbol"] for body in started(backend)] == ["EURUSD", "GBPUSD"]


def test_a_load_marked_failed_too_early_holds_the_queue_until_it_really_ends(here, backend):
    """Quirk 6: after a minute "failed", while it goes on; then it turns to completed."""
    load(here)
    load(here, "second" * 4, symbol="GBPUSD")
    ends(backend, status="failed", error_message="Operation was RUNNING but no worker claimed it", completed_at=None)
    page = here.until("/", lambda text: "marked failed" in text)
    assert "Running, marked failed" in words(page) and len(started(backend)) == 1
    ends(backend)
    until(lambda: len(started(backend)) == 2)


def test_a_backend_that_restarted_in_mid_load_lets_the_queue_go_on(here, backend):
    """Quirk 17: running at 0 %, then failed."""
    address = load(here).headers["location"]
    load(here, "second" * 4, symbol="GBPUSD")
    ends(backend, status="running")
    ends(backend, status="failed", error_message="Backend was restarted")
    until(lambda: len(started(backend)) == 2)
    assert "Backend was restarted" in words(here.get(address).text)


def test_progress_that_goes_backwards_is_shown_as_it_is(here, backend):
    """Quirk 18: 90 %, then 64.3 % while segments are tried again."""
    address = load(here).headers["location"]
    name = address.removeprefix("/operations/")
    for share in (90.0, 64.3):
        context = {"step_current": 2, "step_total": 12}
        backend.operations[name] = operation(
            name, "data_load", progress=percent(share, f"Segment at {share}", context=context)
        )
        texts = (f"Segment at {share}", f"{int(share)} %", "Segment 2 of 12")
        here.until(address, lambda text, texts=texts: all(each in words(text) for each in texts))


def test_dates_that_would_replace_what_is_stored_are_asked_about_with_numbers(here, backend):
    """Quirk 8: a load with dates leaves only that period in the stored file."""
    backend.bars["EURUSD", "1h"] = hours(100)
    dates = {"start_date": "2024-06-03", "end_date": "2024-07-01"}
    page = load(here, **dates)
    read = words(page.text)
    assert page.status_code == 422 and started(backend) == []
    assert f"of {len(hours(100)):,} bars (2024-01-01 to 2025-11-28) about" in read and "would remain" in read
    assert "Without dates nothing is replaced" in read and 'value="2024-06-03"' in page.text
    assert load(here, **dates, replace="1").status_code == 303
    assert started(backend) == [LOAD | dates]
    assert load(here, "other" * 4).status_code == 303, "without dates there is no question"


def test_a_load_that_would_replace_what_came_while_it_waited_is_not_sent_and_says_so(here, backend, monkeypatch):
    """Two buttons of one row, one after the other: older bars, then the gaps from the first day that was stored."""
    monkeypatch.setattr("panel.storage.queue.ANSWERED_DIRECTLY", 0.0)
    stored, first = hours(100), "2024-01-01"
    backend.bars["EURUSD", "1h"] = stored
    load(here, mode="backfill")
    assert load(here, "second" * 4, start_date=first).headers["location"] == "/data", "nothing is lost as it is now"
    backend.bars["EURUSD", "1h"] = [at - 364 * DAY for at in stored] + stored
    ends(backend)
    page = words(here.until("/", lambda text: "not started:" in text))
    assert "Data load EURUSD 1h not started: The backend would replace what it has stored" in page
    assert len(started(backend)) == 1
    queue = here.get("/queue").text
    assert "Not started" in words(queue) and f"start_date={first}" in queue, "the form can be filled in again"


def test_a_load_that_may_replace_what_is_stored_is_sent_when_its_turn_comes(here, backend):
    backend.bars["EURUSD", "1h"] = hours(100)
    load(here, symbol="GBPUSD")
    dates = {"start_date": "2024-06-03", "end_date": "2024-07-01"}
    assert load(here, "second" * 4, **dates, replace="1").headers["location"] == "/data"
    ends(backend)
    until(lambda: len(started(backend)) == 2)
    assert started(backend)[1]["start_date"] == "2024-06-03" and "replace" not in started(backend)[1]


def test_a_load_from_the_first_stored_day_on_replaces_nothing_and_is_not_asked_about(here, backend):
    """As KTRDR fills gaps: within a load of new bars that begins where the stored ones do."""
    backend.bars = {("EURUSD", "1h"): hours(100)}
    load(here, mode="tail", start_date="2024-01-01")
    until(lambda: len(started(backend)) == 1)


@pytest.mark.parametrize(
    ("typed", "field", "error"),
    [
        ({"symbol": "../x"}, "symbol", "is not a symbol"),
        ({"symbol": ""}, "symbol", "Symbol is needed"),
        ({"start_date": "2024-05-01", "end_date": "2024-01-01"}, "end_date", "has to come after"),
        ({"start_date": "2199-01-01"}, "start_date", "lies in the future"),
        ({"start_date": "soon"}, "start_date", "is not a date"),
    ],
)
def test_what_cannot_be_loaded_is_said_beside_its_field(here, backend, typed, field, error):
    page = load(here, **typed)
    assert page.status_code == 422 and started(backend) == []
    assert error in page.text.partition(f'id="{field}-help"')[2].partition("</p>")[0]
    assert "Loads" not in words(here.get("/data").text).partition("Stored market data")[2]


def test_a_refused_load_says_why_in_the_form(here, backend):
    backend.answers["POST /data/acquire/download"] = (422, {"detail": "The symbol is not traded"})
    page = load(here)
    assert page.status_code == 422 and "The symbol is not traded" in words(page.text)


def test_a_load_that_is_not_confirmed_holds_the_queue_and_says_so(here, backend, monkeypatch, rounds):
    monkeypatch.setattr("panel.workflows.starting.CHECKS", (0.01,))
    backend.answers["POST /data/acquire/download"] = (500, {"detail": "Data acquisition failed: lost"})
    assert load(here).headers["location"] == "/data"
    assert "EURUSD 1h not confirmed" in words(here.get("/data").text)
    load(here, "second" * 4, symbol="GBPUSD")
    rounds(here)
    assert backend.hits["POST /data/acquire/download"] == 1
    assert "begins within a minute" not in words(here.get("/data").text), "it waits for the person"
    here.post(f"/loads/{KEY}/cancel")  # the person decides, and what was sent is on its way all the same
    rounds(here)
    assert backend.hits["POST /data/acquire/download"] == 1
    assert "may still arrive: the next one begins within a minute" in words(here.get("/data").text)
    monkeypatch.setattr("panel.storage.store.IN_FLIGHT", 0.0)
    until(lambda: backend.hits["POST /data/acquire/download"] == 2)


def test_where_a_start_is_not_confirmed_the_backends_words_stand():
    """It answered, with an error: nobody has to look for the reason in its log."""
    backend, said = Backend(), "Data acquisition failed: [Errno 111] Connect call failed ('127.0.0.1', 5439)"
    backend.answers["POST /data/acquire/download"] = (500, {"detail": said})
    backend.workers = [worker("w1")]
    with living(backend) as life:
        life.runner.run(asyncio.sleep(5))
        life.post("/start/data_load", {"key": KEY, **LOAD}, 1, 30.0)
        for page in ("/", "/queue", "/data"):
            text = unescape(words(life.inside.get(page).text))
            assert f"whether it began is not known: {said}" in text and "no answer said" not in text, page
            assert "1 start not confirmed" in text and f"Whether 1 start began is not known. {said}" in text, page


def test_loads_behind_one_that_is_not_confirmed_are_not_about_to_start():
    """They wait for a person, however long that takes."""
    backend = Backend()
    backend.answers["POST /data/acquire/download"] = (500, {"detail": "Data acquisition failed: lost"})
    with living(backend) as life:
        life.runner.run(asyncio.sleep(5))
        life.post("/start/data_load", {"key": KEY, **LOAD}, 1, 30.0)
        del backend.answers["POST /data/acquire/download"]
        for number, symbol in enumerate(("GBPUSD", "TSLA")):
            life.post("/start/data_load", {"key": f"{number}" * 16, **LOAD, "symbol": symbol}, 1, 5.0)
        life.runner.run(asyncio.sleep(900))
        queue, home = life.inside.get("/queue").text, words(life.inside.get("/").text)
        start = words(life.inside.get(re.search(r'/starts/[^"]+', queue)[0]).text)
        data, told = words(life.inside.get("/data").text), json.loads(life.inside.get("/api/queue").text)
        assert len(started(backend)) == 1
        life.runner.run(panel_of(life.app).queue.cancel(KEY))
        life.runner.run(asyncio.sleep(30))
        assert len(started(backend)) == 2, "the first of those that waited"
    assert "a load before it is not confirmed: check it or remove it" in words(queue) and "about to start" not in queue
    assert re.search(r'href="/starts/[^"]+">a load before it is not confirmed', queue) and "in about" not in queue
    assert not re.search(r'data-label="Begins">now', queue) and "Waits: after those before it" in words(queue)
    assert "What to fetch New bars" in start and "tail" not in start
    assert "2 in the queue GBPUSD 1h, TSLA 1h · a load before them is not confirmed: check it or remove it" in home
    assert "The others wait until the one that is not confirmed is found or removed." in data
    assert [each["begins_at"] for each in told["entries"]] == [None, None, None]


def test_no_time_is_given_behind_a_load_that_ended_with_the_backend():
    """How long earlier loads took says nothing of this one."""
    backend = Backend()
    with living(backend) as life:
        life.runner.run(asyncio.sleep(5))

        def begins(key: str, symbol: str) -> str:
            life.post("/start/data_load", {"key": key * 16, **LOAD, "symbol": symbol}, 1, 5.0)
            return list(backend.operations)[-1]

        about = backend.operations[begins("a", "EURUSD")]["metadata"]
        nothing = {"mode": "tail", "gaps_filled": 0, "rows_downloaded": 0}
        ends(backend, metadata=about, result_summary=nothing, created_at=stamp(time.time() - 30))
        life.runner.run(asyncio.sleep(30))
        second = begins("b", "GBPUSD")
        begins("c", "TSLA")
        seen = []
        for share in (10.0, 20.0, 30.0, 40.0, 0.0):
            backend.operations[second] = backend.operations[second] | {
                "progress": percent(share, f"Segment {share}" if share else "")
            }
            life.runner.run(asyncio.sleep(5))
            seen.append(json.loads(life.inside.get("/api/queue").text)["entries"][-1]["begins_at"])
        page = words(life.inside.get("/queue").text)
    assert "Ended with the backend" in page and seen[0] and seen[-1] is None


def test_no_time_is_given_while_the_backend_cannot_be_reached():
    backend = Backend()
    with living(backend) as life:
        life.runner.run(asyncio.sleep(5))
        life.line.faults.add("refused", times=None)
        life.runner.run(asyncio.sleep(30))
        life.post("/start/data_load", {"key": KEY, **LOAD}, 1, 30.0)
        queue = words(life.inside.get("/queue").text)
        told = json.loads(life.inside.get("/api/queue").text)["entries"]
    assert "Waits: the backend cannot be reached" in queue and [each["begins_at"] for each in told] == [None]


# Plans


def test_a_button_whose_load_was_removed_can_be_pressed_again(here, backend):
    load(here)
    htmx = {"hx-request": "true"}
    for expected in (1, 1):
        assert (
            here.post(
                "/start/data_load", {"key": "again" * 4, "inline": "1", **LOAD, "symbol": "TSLA"}, **htmx
            ).status_code
            == 204
        )
        (waiting,) = re.findall(r'action="(/loads/[^"]+/cancel)"', here.get("/data").text.partition("TSLA")[2])
        assert here.post(waiting).status_code == 303
        assert len(started(backend)) == expected


def test_a_start_that_was_withdrawn_and_whose_cancel_goes_on_failing_is_tried_ever_more_seldom(monkeypatch):
    monkeypatch.undo()  # virtual time is quick enough
    backend = Backend()
    slowly(backend, "/data/acquire/download")
    with living(backend) as life:
        life.runner.run(asyncio.sleep(15))
        life.line.faults.add("page-never", "DELETE", times=None)
        life.post("/start/data_load", {"key": KEY, **LOAD}, 1, 0.3)
        life.post(f"/loads/{KEY}/cancel", {}, 1, 1200.0)
        (running,) = backend.operations
        assert 5 < len(panel_of(life.app).storage.memory.requests(running)) < 12
        life.line.faults.clear()
        life.runner.run(asyncio.sleep(330))
        assert backend.operations[running]["status"] == "cancelled"


def test_a_load_that_is_removed_while_it_is_being_started_is_cancelled(here, backend):
    slowly(backend, "/data/acquire/download")
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(load, here)
        until(lambda: backend.hits["POST /data/acquire/download"] == 1)
        assert here.post(f"/loads/{KEY}/cancel").status_code == 303
        answer.result()
    until(lambda: deletes(backend) == 1)
    assert "EURUSD 1h waits" not in words(here.get("/data").text)


def test_a_load_that_is_removed_while_the_backend_is_asked_for_others_is_not_started(here, backend, rounds):
    removed = threading.Event()

    async def slow(request):
        await asyncio.to_thread(removed.wait, 20)
        return 200, {"success": True, "data": []}

    until(lambda: backend.hits["GET /operations"])  # the panel's own first look
    backend.answers["GET /operations"] = slow
    before = backend.hits["GET /operations"]
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(load, here)
        until(lambda: backend.hits["GET /operations"] > before)
        until(lambda: here.inside.call(here.inside.panel.storage.queue.entry, KEY))
        assert here.post(f"/loads/{KEY}/cancel").status_code == 303
        removed.set()
        answer.result()
    rounds(here)
    assert started(backend) == []


def test_what_a_load_cannot_be_told_does_not_hold_up_a_training(here, backend):
    """Quirk 14: the list of operations does not come, and everything else does."""
    until(lambda: backend.hits["GET /operations"] and here.inside.panel.monitor.worker_list.workers)
    backend.answers["GET /operations"] = (500, {"detail": "no list"})
    load(here)
    here.post("/start/training", {"key": "train" * 4, "strategy_name": "swing", "wait": "1"})
    until(lambda: backend.hits["POST /trainings/start"] == 1)
    page = words(here.until("/queue", lambda text: "did not answer" in text))
    assert "EURUSD 1h" in page and "Waits: the backend did not answer what was asked before its start" in page
    assert started(backend) == []
    del backend.answers["GET /operations"]
    until(lambda: len(started(backend)) == 1)


def test_a_button_whose_load_was_refused_is_pressed_often_and_loads_once(here, backend):
    backend.answers["POST /data/acquire/download"] = (422, {"detail": "bad symbol"})
    body, htmx = {"key": "again" * 4, "inline": "1", **LOAD, "symbol": "TSLA"}, {"hx-request": "true"}
    assert "bad symbol" in words(here.post("/start/data_load", body, **htmx).text)
    del backend.answers["POST /data/acquire/download"]
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda _: here.post("/start/data_load", body, **htmx), range(5)))
    assert len(here.get("/api/queue").json()["entries"]) == 1
