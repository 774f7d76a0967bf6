"""Names, notes, tags and stars of runs, on their page and in lists; many at once; undo."""

import csv
import io
import json
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.history import ended, seed
from tests.support.inside import Answer, Inside, inside
from tests.support.pages import KEY, until, words
from tests.support.parts import panel_of
from tests.support.scripted import RESULT, Backend, operation, percent, stamp

HTMX = ("hx-request", "true")
OTHER = "o" * 22
EVIL = '=x"><img src=x onerror=a>\x1b[31m\u202e'


@pytest.fixture
def backend() -> Backend:
    backend = Backend()
    backend.operations["op_live"] = operation("op_live", progress=percent(5, "Epoch 5/100"))
    return backend


def free(kind: str) -> dict[str, Any]:
    """A worker that does nothing, as the backend lists it."""
    about = {"worker_id": f"{kind}-1", "worker_type": kind, "endpoint_url": "", "status": "available"}
    return about | {
        "current_operation_id": None,
        "last_healthy_at": stamp(),
        "health_check_failures": 0,
        "metadata": {},
    }


@pytest.fixture
def here(address, tmp_path) -> Iterator[Inside]:
    """A panel that remembers four runs and follows one."""
    seed(
        tmp_path,
        address,
        ended("op_a", "training", "completed", 900, 60, "swing", result_summary=RESULT),
        ended("op_b", "training", "completed", 800, 60, "swing", parameters={"start_date": "2024-01-01"}),
        ended("op_c", "training", "failed", 700, 60, "trend", error_message="No data"),
        ended("op_d", "data_load", "completed", 600, 9, result_summary={"rows_downloaded": 5, "mode": "tail"}),
    )
    with inside(tmp_path, address) as here:
        assert here.get("/operations/op_live").status == 200
        until(lambda: "op_live" in shown(here))
        yield here


def shown(here: Inside, query: str = "") -> list[str]:
    return re.findall(r'<tr id="row-([^"]+)"', here.get(f"/operations{query}").text)


def bulk(here: Inside, do: str, ids: list[str], key: str = KEY, **more: str) -> Answer:
    body = urlencode([("do", do), ("key", key), *more.items(), *(("id", each) for each in ids)]).encode()
    headers = [("host", here.host), ("sec-fetch-site", "same-origin"), ("content-length", str(len(body)))]
    return here.ask("POST", "/operations/bulk", [*headers, ("content-type", "application/x-www-form-urlencoded")], body)


def test_a_name_is_shown_wherever_the_run_is(here):
    form = {"name": "Best of May", "tags": "Good, may", "note": "one\ntwo", "version": "0"}
    assert here.post("/operations/op_a/label", form).header("location") == "/operations/op_a"
    page = here.get("/operations/op_a")
    assert "<h1>Best of May</h1>" in page.text and "one\ntwo" in page.text and "q=tag%3Agood" in page.text
    assert "Training EURUSD 1h · swing" in words(page.text)
    for path in ("/", "/operations", "/operations?q=best+tag:may", "/operations/compare?id=op_a&id=op_b"):
        assert "Best of May" in words(here.get(path).text), path
    assert shown(here, "?q=tag:ma") == []
    [text] = json.loads(here.get("/api/operations?q=tag:may").text)["operations"]
    assert (text["name"], text["tags"], text["starred"], text["archived"]) == (
        "Best of May",
        ["good", "may"],
        False,
        False,
    )
    assert json.loads(here.get("/api/operations/op_a").text)["note"] == "one\ntwo"


def test_runs_that_differ_in_a_setting_say_so(here):
    assert "swing Training EURUSD 1h · from 2024-01-01" in words(here.get("/operations").text)


def test_a_change_by_another_person_is_shown_and_not_lost(here):
    assert here.post("/operations/op_a/label", {"name": "first", "version": "0"}).status == 303
    late = here.post("/operations/op_a/label", {"name": "second", "note": "mine", "version": "0"})
    assert late.status == 409 and "This was changed in the meantime" in late.text
    assert (
        "Theirs first" in words(late.text) and 'value="second"' in late.text and 'name="version" value="1"' in late.text
    )
    assert "<h1>first</h1>" in here.get("/operations/op_a").text
    assert here.post("/operations/op_a/label", {"name": "second", "version": "1"}).status == 303
    for junk in ("", "x", "-1", "9" * 30, "²"):
        assert here.post("/operations/op_a/label", {"name": "third", "version": junk}).status == 409


def test_the_form_in_place_replaces_the_label_of_the_page(here):
    assert 'id="label-form"' in here.get("/operations/op_a/label", HTMX).text
    saved = here.post("/operations/op_a/label", {"name": "n", "version": "0"}, HTMX).text
    assert saved.startswith('<hx-partial hx-target="#label"') and "<h1>n</h1>" in saved and "label-form" not in saved
    assert "label-form" in here.post("/operations/op_a/label", {"name": "m", "version": "0"}, HTMX).text


def test_texts_of_people_come_to_nothing_in_pages_and_files(here):
    assert here.post("/operations/op_a/label", {"name": EVIL, "note": EVIL, "tags": EVIL, "version": "0"}).status == 303
    here.post("/operations/views", {"name": EVIL, "back": "/operations?q=x"})
    for path in (
        "/",
        "/operations",
        "/operations/op_a",
        "/operations/op_a/label",
        "/operations/compare?id=op_a&id=op_b",
    ):
        text = here.get(path).text
        assert "<img" not in text and "\x1b" not in text and "\u202e" not in text, path
    table = list(csv.DictReader(io.StringIO(here.get("/operations/list.csv?columns=note,tags").text)))
    assert [row["name"][:2] for row in table if row["id"] == "op_a"] == ["'="]
    assert not any(value[:1] in "=+@" for row in table for value in row.values() if value)


def test_a_star_pressed_twice_is_one(here):
    for _ in range(2):
        assert 'aria-pressed="true"' in here.post("/operations/op_a/star", {"star": "1"}, HTMX).text
    assert shown(here, "?star=1") == ["op_a"]
    here.post("/operations/op_a/star", {"star": "0"})
    assert shown(here, "?star=1") == []


def test_results_are_columns_and_the_list_is_sorted_by_them(here):
    page = here.get("/operations?kind=training&columns=took&columns=test_accuracy&sort=test_accuracy").text
    assert re.findall(r'<tr id="row-(\w+)"', page)[0] == "op_a" and 'data-columns="took,test_accuracy"' in page
    assert "87.2 %" in page and 'aria-sort="descending"' in page
    assert 'href="/operations/list.csv?kind=training&amp;columns=took,test_accuracy&amp;sort=test_accuracy"' in page
    rows = here.get("/operations/list.csv?kind=training&columns=took,test_accuracy&sort=test_accuracy").text.split(
        "\r\n"
    )
    assert rows[0].endswith("timeframe,took,test_accuracy,data") and rows[1].startswith(
        "op_a,swing,training,completed,"
    )
    assert rows[1].endswith("60.000,0.872,") and len(rows) == 6


def test_a_stream_draws_rows_with_the_columns_of_its_page(here):
    plain = here.get("/stream/operations?id=op_a").text
    other = here.get("/stream/operations?id=op_a&columns=test_accuracy").text
    assert 'id="row-op_a"' in plain and 'class="gist"' in plain and "data-label" not in plain
    assert 'data-label="Test accuracy"' in other and 'class="gist"' not in other


def test_archived_runs_come_back_by_undo(here):
    done = bulk(here, "archive", ["op_a", "op_b", "op_live"], back="/operations?kind=training")
    assert done.header("location") == f"/operations?kind=training&done={KEY}"
    page = here.get(done.header("location")).text
    assert "2 runs archived . Undo" in words(page), "what runs stays in the list"
    assert shown(here) == ["op_live", "op_d", "op_c"] and shown(here, "?archived=1") == ["op_b", "op_a"]
    assert "op_a" not in here.get("/").text and here.get("/operations/op_a").status == 200
    assert here.post("/operations/undo", {"key": KEY, "back": "https://evil.test/x?q=a"}).header("location") == (
        "/operations?q=a"
    )
    assert shown(here) == ["op_live", "op_d", "op_c", "op_b", "op_a"]
    assert here.post("/operations/undo", {"key": KEY}).status == 409


def test_deleting_asks_and_the_backend_cannot_bring_it_back(here, backend):
    asked = bulk(here, "delete", ["op_a", "op_live"])
    assert (
        asked.status == 200
        and "Delete 1 run?" in words(asked.text)
        and "1 of the chosen is left out" in words(asked.text)
    )
    assert "op_a" in shown(here), "asking deletes nothing"
    assert bulk(here, "delete", ["op_a", "op_live"], sure="1").status == 303
    assert bulk(here, "delete", ["op_a", "op_live"], sure="1").status == 303, "a second click is as good"
    assert "op_a" not in shown(here) and "op_live" in shown(here) and here.get("/operations/op_a").status == 404
    text = {
        "operation_id": "op_a",
        "operation_type": "training",
        "status": "completed",
        "created_at": "2024-01-01T00:00:00Z",
    }
    backend.answers["GET /operations"] = (200, {"success": True, "data": [text], "total_count": 1, "active_count": 0})
    backend.operations["op_a"] = operation("op_a", status="completed", result_summary=RESULT)
    panel = panel_of(here.app)
    here.runner.run(panel.discovery._ask(0))
    assert "op_a" not in shown(here, "?archived=all") and here.get("/operations/op_a").status == 404
    here.post("/operations/undo", {"key": KEY})
    assert "op_a" in shown(here)
    # For good: it is not even read again.
    bulk(here, "delete", ["op_a"], OTHER, sure="1")
    here.runner.run(panel.storage.write(lambda store: store.purge(time.time() + 3600)))
    read = backend.hits["GET /operations/op_a"]
    for turn in (0, 1, 2):
        here.runner.run(panel.discovery._ask(turn))
        here.runner.run(panel.discovery._complete_one())
    assert backend.hits["GET /operations/op_a"] == read and panel.monitor.known("op_a") is None


def test_tags_are_added_and_taken_off_many(here):
    assert bulk(here, "tag", ["op_a", "op_d"], tag="trial x").status == 303
    assert shown(here, "?q=tag:trial") == ["op_d", "op_a"]
    assert bulk(here, "untag", ["op_a"], OTHER, tag="trial").status == 303
    assert shown(here, "?q=tag:trial") == ["op_d"] and shown(here, "?q=tag:x") == ["op_d", "op_a"]
    assert "Type a tag first" in bulk(here, "tag", ["op_a"], "p" * 22, tag=" , ").text


def test_each_of_many_is_started_again_once_for_one_key(here, backend):
    backend.workers = [free("training")]
    panel, chosen = panel_of(here.app), ["op_a", "op_d"]
    here.runner.run(panel.discovery._ask(1))
    starts = ("POST /trainings/start", "POST /data/acquire/download")
    assert "Run again 2 runs?" in words(bulk(here, "again", chosen).text)
    assert not any(backend.hits[start] for start in starts)
    for _ in range(2):
        text = words(bulk(here, "again", chosen, sure="1").text)
        assert "Run again: 2 of 2 done" in text and text.count("Started.") + text.count("Waits in the queue.") == 2
    until(lambda: here.get("/queue").status == 200 and all(backend.hits[start] for start in starts))
    assert [backend.hits[start] for start in starts] == [1, 1]


def test_what_finds_no_free_worker_waits(here):
    text = words(bulk(here, "again", ["op_b", "op_c"], sure="1").text)
    assert "Run again: 2 of 2 done" in text and text.count("Waits in the queue.") == 2
    assert [entry.form["strategy_name"] for entry in panel_of(here.app).storage.queue.open()] == ["swing", "trend"]


def test_what_was_started_again_is_cancelled_by_undo(here):
    text = bulk(here, "again", ["op_b", "op_c"], sure="1", back="/operations?kind=training").text
    assert "Cancel what was started" in words(text)
    undone = here.post("/operations/undo", {"key": KEY, "back": "/operations?kind=training"})
    assert undone.header("location") == "/operations?kind=training"
    assert panel_of(here.app).storage.queue.open() == []
    assert here.post("/operations/undo", {"key": KEY}).status == 409


@pytest.fixture
def other_bars(backend) -> None:
    """Nothing of what the runs want is stored."""
    backend.bars = {("AAPL", "1h"): [1.0]}


def test_what_cannot_be_started_holds_up_no_other(other_bars, here):  # before the panel has asked what is stored
    text = words(bulk(here, "again", ["op_b", "op_d"], sure="1").text)
    assert "Run again: 1 of 2 done" in text and "Not started." in text and "Open its form" in text


def test_only_what_runs_is_cancelled(here, backend):
    asked = words(bulk(here, "cancel", ["op_live", "op_a"]).text)
    assert "Cancel 1 run?" in asked and "left out: what has ended, or is being cancelled already." in asked
    assert "1 of 1 done" in words(bulk(here, "cancel", ["op_live", "op_a"], sure="1").text)
    assert backend.hits["DELETE /operations/op_live"] == 1 and backend.hits["DELETE /operations/op_a"] == 0
    assert "1 of 1 done" in words(bulk(here, "cancel", ["op_live", "op_a"], sure="1").text), "pressed again, told again"
    assert backend.hits["DELETE /operations/op_live"] == 1
    assert "out of date" in words(bulk(here, "cancel", ["op_a"], sure="1").text), "the key was used for others"
    assert "none of them runs" in bulk(here, "cancel", ["op_a"], OTHER, sure="1").text


@pytest.mark.parametrize(
    ("do", "ids", "key"),
    [
        ("archive", [], KEY),
        ("archive", ["../x"], KEY),
        ("archive", [f"op_{n}" for n in range(501)], KEY),
        ("archive", ["op_a"], "short"),
        ("archive", ["op_nobody"], KEY),
        ("nothing", ["op_a"], KEY),
    ],
)
def test_what_makes_no_sense_changes_nothing(here, do, ids, key):
    assert bulk(here, do, ids, key).status == 422 and len(shown(here)) == 5


def test_a_view_is_kept_by_name_and_leads_back(here):
    address = "/operations?kind=training&columns=took&sort=took"
    assert here.post("/operations/views", {"name": "Slow ones", "back": address}).header("location") == address
    assert f'href="{address.replace("&", "&amp;")}" hx-ignore>Slow ones</a>' in here.get("/operations").text
    here.post("/operations/views", {"name": "Slow ones", "drop": "1", "back": ""})
    assert "Slow ones" not in here.get("/operations").text


def test_a_memory_that_cannot_be_written_says_so(here):
    (file,) = (here.settings.data_folder / "panel").glob("*.db")
    with closing(sqlite3.connect(file)) as db:
        db.execute("CREATE TRIGGER full BEFORE INSERT ON labels BEGIN SELECT raise(FAIL, 'full'); END")
    assert here.post("/operations/op_a/label", {"name": "n", "version": "0"}).status == 503
    assert here.post("/operations/op_a/star", {"star": "1"}).status == 503
    assert bulk(here, "archive", ["op_a"]).status == 503 and "op_a" in shown(here)
