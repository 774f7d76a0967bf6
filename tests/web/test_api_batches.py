"""Batches over the JSON API: made once for each key, ranked, tested on unseen days, stopped, put away."""

import asyncio
import json
import re
import time
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from panel.domain.batches import BatchRun, Role, RunState
from panel.settings import Settings
from panel.storage.store import Storage
from tests.support.batches import seed_batch
from tests.support.history import ended, seed
from tests.support.inside import Answer, Inside, inside
from tests.support.pages import KEY, until, words
from tests.support.scripted import RESULT, stamp

GRID = {"strategy_name": "swing", "symbols": ["EURUSD", "GBPUSD"], "start_date": "2024-01-01"}
WALK = {"strategy_name": "swing", "way": "walk", "start_date": "2023-01-01", "end_date": "2023-12-31"}


@pytest.fixture
def here(address, tmp_path) -> Iterator[Inside]:
    with inside(tmp_path, address) as here:
        yield here


def test_a_batch_is_made_once_for_each_key(here):
    status, made = here.api("POST", "/api/batches", GRID)
    assert status == 201 and made["runs"] == 2 and made["form"]["symbols"] == "EURUSD, GBPUSD"
    assert [run["settings"] for run in made["board"]] == [{"Symbol": "EURUSD"}, {"Symbol": "GBPUSD"}]
    again = here.api("POST", "/api/batches", GRID)
    assert again[0] == 201 and again[1]["key"] == made["key"]
    listed = here.api("GET", "/api/batches")[1]["batches"]
    assert [(each["key"], each["title"], each["runs"]) for each in listed] == [(made["key"], "2 × swing", 2)]
    status, refused = here.api("POST", "/api/batches", GRID | {"symbols": ["AAPL", "EURUSD"]})
    assert status == 422 and "sent before with another batch" in refused["detail"]


def test_of_two_batches_at_once_with_one_key_the_other_is_refused(here):
    async def both() -> list[Answer]:
        bodies = [json.dumps(GRID | {"start_date": day}).encode() for day in ("2024-01-01", "2024-02-01")]
        own = [("host", here.host), ("content-type", "application/json"), ("idempotency-key", "one-key-for-both")]
        return await asyncio.gather(
            *(here.asked("POST", "/api/batches", [*own, ("content-length", str(len(body)))], body) for body in bodies)
        )

    answers = here.runner.run(both())
    assert sorted(answer.status for answer in answers) == [201, 422]
    assert [each["runs"] for each in here.api("GET", "/api/batches")[1]["batches"]] == [2]


FORM = {"key": KEY, "way": "grid", "strategy_name": "swing", "symbols": "EURUSD GBPUSD"}


def test_a_form_that_is_sent_again_with_other_values_makes_another_batch(here):
    def titles() -> list[str]:
        return [each["title"] for each in here.api("GET", "/api/batches")[1]["batches"]]

    first = here.post("/batches", FORM).header("location")
    assert here.post("/batches", FORM).header("location") == first == f"/batches/{KEY}" and titles() == ["2 × swing"]
    changed = FORM | {"symbols": "AUDUSD EURUSD GBPUSD"}
    second = here.post("/batches", changed).header("location")
    assert here.post("/batches", changed).header("location") == second, "once for these values"
    assert titles() == ["3 × swing", "2 × swing"]
    page = here.get(second).text
    assert "This is a new batch, as values were changed. The same form had started 2 × swing before" in words(page)
    assert f'href="{first}"' in page and "The same form" not in here.get(second.partition("?")[0]).text
    assert here.post("/batches", FORM).header("location") == first, "the first one is found by its own values"


def test_of_two_forms_at_once_with_one_key_and_other_values_each_makes_its_batch(here):
    def sent(symbols: str) -> tuple[list[tuple[str, str]], bytes]:
        body = urlencode(FORM | {"symbols": symbols}).encode()
        own = [("host", here.host), ("sec-fetch-site", "same-origin"), ("content-length", str(len(body)))]
        return [*own, ("content-type", "application/x-www-form-urlencoded")], body

    async def both() -> list[Answer]:
        return await asyncio.gather(*(here.asked("POST", "/batches", *sent(each)) for each in ("A B", "A B C")))

    addresses = [answer.header("location").partition("?")[0] for answer in here.runner.run(both())]
    assert ["2 × swing" in here.get(addresses[0]).text, "3 × swing" in here.get(addresses[1]).text] == [True, True]


def test_a_form_whose_batch_was_deleted_says_so_and_starts_another(address, tmp_path):
    seed_batch(tmp_path, address, 0.5, 0.6)
    with inside(tmp_path, address) as here:
        here.post(f"/batches/{KEY}/put", {"where": "delete"})
        answer = here.post("/batches", FORM)
        assert answer.status == 422 and "that batch was deleted since. Send it again" in words(answer.text)
        fresh = re.search(r'name="key" value="([^"]+)"', answer.text)[1]
        address = here.post("/batches", FORM | {"key": fresh}).header("location")
        assert fresh != KEY and here.get(address).status == 200


def test_a_refusal_names_the_field_at_fault(here):
    for change, field in (
        ({"strategy_name": ""}, "strategy_name"),
        ({"symbols": "EURUSD"}, "symbols"),
        ({"symbols": ["EUR USD!", "A"]}, "symbols"),
        ({"symbols": ["A"]}, ""),
        ({"settings": {"training.epochs": [1, 2]}}, "settings.training.epochs"),
        ({"way": "walk", "end_date": "2024-06-30", "symbols": [], "test_days": 60}, "train_days"),
        ({"epochs": 3}, "epochs"),
        ({"start_date": "soon"}, "start_date"),
        ({"start_date": "86400"}, "start_date"),
        ({"start_date": 86400}, "start_date"),
        ({"start_date": "2024-01-01T18:30:00Z"}, "start_date"),
        ({"periods": [{"start_date": "2024-01-01", "end_date": "then"}]}, "end_date"),
    ):
        for path in ("/api/batches", "/api/batches/look"):
            status, refused = here.api("POST", path, GRID | change)
            assert status == 422 and [each["field"] for each in refused["errors"]] == [field], refused
    assert here.api("GET", "/api/batches")[1] == {"batches": []}


def test_what_a_walk_forward_would_start(here):
    status, plan = here.api("POST", "/api/batches/look", WALK | {"train_days": 120, "test_days": 60})
    assert (status, plan) == (200, {"runs": 4, "possible": 4, "strategies": [], "seconds": None})


def test_how_long_they_take_counts_from_the_request_on_the_same_markets(address, tmp_path):
    """Most of a short training is the wait for its beginning."""
    at = time.time() - 901
    seed(
        tmp_path,
        address,
        *(
            ended(
                f"op_{symbol}", "training", "completed", 900, took, "swing", symbol=symbol, started_at=stamp(at + took)
            )
            for symbol, took in (("EURUSD", 20), ("GBPUSD", 100))
        ),
    )
    with inside(tmp_path, address) as here:

        def seconds(**changes) -> float:
            return here.api("POST", "/api/batches/look", GRID | changes)[1]["seconds"]

        assert seconds() == 120, "two runs, of 20 and of 100 s"
        assert seconds(symbols=["EURUSD"], timeframes=["1h", "4h"]) == 40
        assert seconds(symbols=["AUDUSD", "USDJPY"]) == 120, "of others, where there is none on these"
        form = {"strategy_name": "swing", "way": "grid", "symbols": "GBPUSD", "timeframes": "1h 4h"}
        assert "About 3 min: a training of this strategy took 2 min" in words(here.post("/batches/look", form).text)


def test_a_leaderboard_and_the_best_on_unseen_days(address, tmp_path):
    seed_batch(tmp_path, address, 0.45, 0.5, 0.38, 0.41)
    with inside(tmp_path, address) as here:
        board = here.api("GET", f"/api/batches/{KEY}")[1]
        assert [run["number"] for run in board["board"]] == [2, 1, 4, 3] and board["best"] == [2, 1, 4]
        first = board["board"][0]
        assert first["over_baseline"] == 0.1 and first["results"]["test_accuracy"] == 0.5
        assert board["unseen_from"] == "2025-01-01" and board["chance"]["samples"] == 900 and board["open"] == 0
        days = {"start_date": "2025-01-01", "end_date": "2025-06-30"}
        path = f"/api/batches/{KEY}/backtest"
        for _ in range(2):
            status, tested = here.api("POST", path, days)
            assert status == 200 and tested["open"] == 3
        assert [len(run["tests"]) for run in tested["board"]] == [1, 1, 1, 0]
        status, refused = here.api("POST", path, days | {"numbers": [9]})
        assert status == 422 and refused["errors"][0]["field"] == "numbers"
        status, refused = here.api("POST", path, {"start_date": "2025-01-02", "end_date": "2025-01-01"})
        assert status == 422 and refused["errors"][0]["field"] == "end_date"
        assert here.api("POST", f"/api/batches/{KEY}/delete")[0] == 409
        status, stopped = here.api("POST", f"/api/batches/{KEY}/stop")
        assert status == 200 and stopped["stopped"]
        until(lambda: here.api("GET", f"/api/batches/{KEY}")[1]["open"] == 0)


def test_days_are_unseen_only_after_the_last_bar_that_a_label_looked_at(address, tmp_path):
    seed_batch(tmp_path, address, 0.45, 0.5, 0.38, 0.41, used={"unseen_from": "2025-01-03"})
    with inside(tmp_path, address) as here:
        assert here.api("GET", f"/api/batches/{KEY}")[1]["unseen_from"] == "2025-01-03"
        page = here.get(f"/batches/{KEY}").text
        assert "They have seen nothing from 2025-01-03 on." in words(page)
        assert 'id="start_date" name="start_date" type="date" value="2025-01-03"' in page


def test_a_failed_backtest_is_no_failed_training(address, tmp_path):
    seed_batch(tmp_path, address, 0.45, 0.5, 0.38)
    store = Storage(Settings.from_environ({}, backend=address, data_folder=tmp_path).memory_file)
    days = {"start_date": "2025-01-01", "end_date": "2025-06-30"}
    test = BatchRun("t" * 16, KEY, 2, Role.UNSEEN, "backtesting", days, {}, f"{KEY}-2", RunState.QUEUED)
    store.batches.extend([test])
    store.batches.settle(test.key, RunState.FAILED, "Its worker died.", None)
    store.close()
    with inside(tmp_path, address) as here:
        read = words(here.get(f"/batches/{KEY}").text)
        assert "3 of 3 trainings completed; 1 backtest failed. Started" in read
        assert here.api("GET", f"/api/batches/{KEY}")[1]["failed"] == 0


def test_seeds_are_only_tries_at_a_ktrdr(address, tmp_path):
    """It does not read them."""
    seed_batch(tmp_path, address, 0.45, 0.5)
    said = "KTRDR does not use seeds: each is one more try by chance."
    (tmp_path / "strategies").mkdir()
    with inside(tmp_path, address, strategies_folder=tmp_path / "strategies") as here:
        board = here.get(f"/batches/{KEY}").text
        assert said in words(board) and ">Try</th>" in board and "random_seed" not in board
        assert said in words(here.get("/batches/new").text)
    seed_batch(tmp_path, "", 0.45, 0.5)
    with inside(tmp_path, "") as here:
        board = here.get(f"/batches/{KEY}").text
        assert "KTRDR does not use" not in board and ">random_seed</th>" in board
        form = words(here.get("/batches/new").text)
        assert "KTRDR does not use" not in form and "how much of a result is luck of the start?" in form


def test_runs_on_several_markets_are_compared_with_those_on_their_own(address, tmp_path):
    """Of two markets the one with more bars, and easier ones, has no better loss or accuracy."""
    accuracies = (0.444, 0.60, 0.44, 0.70, 0.40, 0.354)
    seed_batch(tmp_path, address, *accuracies, bars={"EURUSD": 1811, "GBPUSD": 6324})
    with inside(tmp_path, address) as here:
        page = here.get(f"/batches/{KEY}").text
        text = words(page)
        assert "on one test period" not in text and "Not all runs were tested on the same bars." in text
        assert "EURUSD: 0.4 points, by chance about" in text and "(3 tries, each tested on 1,811 bars)" in text
        assert "GBPUSD: 10.0 points, by chance about" in text and "(3 tries, each tested on 6,324 bars)" in text
        assert 'class="best"' not in page
        assert here.api("GET", f"/api/batches/{KEY}")[1]["chance"] is None


@pytest.mark.parametrize(
    ("source", "said"), [("sample", "Sample data"), ("mixed", "Partly sample data"), ("own", ""), ("", "")]
)
def test_a_batch_says_whether_a_market_made_its_bars(address, tmp_path, source, said):
    seed_batch(tmp_path, address, 0.45, 0.5, used={"source": source})
    with inside(tmp_path, address) as here:
        found = here.api("GET", f"/api/batches/{KEY}")[1]
        assert found["data"] == source and [run["data"] for run in found["board"]] == [source, source]
        assert here.api("GET", "/api/operations/op_training_1")[1]["data"] == source
        tags = re.findall(r'<span class="sample">([^<]*)', here.get(f"/batches/{KEY}").text)
        assert tags == ([said] if said else [])


def test_what_chance_does_counts_neighbouring_bars_that_are_right_together(address, tmp_path):
    said = "This counts each bar as independent of its neighbours."
    seed_batch(tmp_path, address, 0.45, 0.5, 0.38, 0.41, tested={"test_accuracy_error": 0.04})
    with inside(tmp_path, address) as here:
        chance = here.api("GET", f"/api/batches/{KEY}")[1]["chance"]
        assert chance["lead_by_chance"] == pytest.approx(0.0420, abs=5e-5) and not chance["independent_bars"]
        text = words(here.get(f"/batches/{KEY}").text)
        assert "expected to lie about 4.2 points above it by chance" in text and said not in text
    other = tmp_path / "other"
    seed_batch(other, address, 0.45, 0.5, 0.38, 0.41)
    with inside(other, address) as here:
        chance = here.api("GET", f"/api/batches/{KEY}")[1]["chance"]
        assert chance["lead_by_chance"] == pytest.approx(0.0173, abs=5e-5) and chance["independent_bars"]
        assert said in words(here.get(f"/batches/{KEY}").text)


def test_the_middle_of_an_even_number_of_runs_lies_between_two(address, tmp_path):
    seed_batch(tmp_path, address, 0.444, 0.44, 0.4, 0.383, 0.376, 0.354)
    with inside(tmp_path, address) as here:
        page = here.get(f"/batches/{KEY}").text
        assert "6 tries on one test period. The best lies 5.2 points above the middle one." in words(page)
        assert 'class="best"' in page


def test_a_batch_is_one_row_of_home_and_named_on_the_page_of_each_run(address, tmp_path):
    seed_batch(tmp_path, address, 0.45, 0.5, 0.38)
    seed(tmp_path, address, ended("op_alone", "training", "completed", 400, 5, "lonely", result_summary=RESULT))
    with inside(tmp_path, address) as here:
        home = here.get("/").text
        assert home.count(f'href="/batches/{KEY}"') == 1 and "Batch · 3 runs ended lately" in words(home)
        assert home.partition("ended-lately")[2].count("<tr id=") == 2 and "lonely" in home
        assert f'href="/batches/{KEY}"' in here.get("/operations/op_training_2").text
        assert "/batches" not in here.get("/operations/op_alone").text.partition("<h1")[0].partition("crumbs")[2]


def test_a_batch_is_archived_deleted_and_brought_back(address, tmp_path):
    seed_batch(tmp_path, address, 0.45, 0.5)
    with inside(tmp_path, address) as here:

        def listed(archived: str = "") -> int:
            return len(here.api("GET", f"/api/batches{archived}")[1]["batches"])

        for act, now, put_away in (("archive", 0, 1), ("unarchive", 1, 0), ("delete", 0, 0), ("undo", 1, 0)):
            assert here.api("POST", f"/api/batches/{KEY}/{act}")[0] == 204
            assert (listed(), listed("?archived=true")) == (now, put_away), act
        assert here.api("POST", f"/api/batches/{KEY}/undo")[0] == 409
        assert here.api("POST", f"/api/batches/{KEY}/delete")[0] == 204
        assert here.api("GET", f"/api/batches/{KEY}")[0] == 404 and here.api("POST", "/api/batches/x/stop")[0] == 404


def test_its_page_archives_deletes_and_undoes(address, tmp_path):
    seed_batch(tmp_path, address, 0.45, 0.5)
    with inside(tmp_path, address) as here:
        assert 'value="archive"' in here.get(f"/batches/{KEY}").text
        gone = here.post(f"/batches/{KEY}/put", {"where": "archive"}).header("location")
        text = words(here.get(gone).text)
        assert "2 × swing archived. Undo for a minute" in text and "1 archived" in text and "No batch yet" in text
        assert "2 × swing" in words(here.get("/batches?archived=1").text)
        here.post(f"/batches/{KEY}/put", {"where": "delete"})
        assert here.get(f"/batches/{KEY}").status == 404
        assert here.post(f"/batches/{KEY}/undo", {}).header("location") == f"/batches/{KEY}"
        assert 'value="list"' in here.get(f"/batches/{KEY}").text  # it is where it was: in the archive
        assert here.post(f"/batches/{KEY}/put", {"where": "moon"}).status == 422
