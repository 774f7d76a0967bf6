"""The list of operations: what its address asks for, what it then shows, and what its stream tells."""

import re
import time
from pathlib import Path

import pytest

from panel.domain.history import OperationQuery
from panel.domain.state import GROUPS, State
from panel.web.routes.operations import asked
from tests.support.history import DAY, ended, seed
from tests.support.pages import words
from tests.support.panels import Panel, panel, stream
from tests.support.scripted import RESULT, Backend, operation, percent, served, stamp


def shown(page: str) -> list[str]:
    return re.findall(r'<tr id="row-([^"]+)"', page)


def seed_five(folder: Path, backend: str) -> None:
    seed(
        folder,
        backend,
        ended("op_old", "training", "completed", 9 * DAY, 500, "swing", result_summary=RESULT),
        ended("op_bad", "training", "failed", 2 * DAY, 5, "Trend", error_message="No data found in cache for X 1h"),
        ended("op_stop", "backtesting", "cancelled", DAY, 50, "swing", symbol="AAPL"),
        ended("op_load", "data_load", "completed", 600, 9, result_summary={"rows_downloaded": 0, "gaps_filled": 3}),
        ended("op_new", "training", "completed", 60, 30, "swing", result_summary=RESULT),
    )


@pytest.fixture(scope="module")
def listed(tmp_path_factory):
    """A panel that remembers five operations which the backend has long forgotten."""
    folder = tmp_path_factory.mktemp("listed")
    with served(Backend().app) as backend:
        seed_five(folder, backend + "/api/v1")
        with panel(folder, backend + "/api/v1") as here:
            yield here


@pytest.fixture
def fresh(address, tmp_path):
    """The same, for a test that lets more happen."""
    seed_five(tmp_path, address)
    with panel(tmp_path, address) as here:
        yield here


def test_an_empty_address_asks_for_everything_the_newest_first():
    assert asked({}).wanted == OperationQuery() and asked({"q": "  ", "kind": ""}).address() == "/operations"


def test_an_address_says_what_is_wanted():
    wish = asked(
        {"kind": "training", "state": "failed", "from": "2024-01-01", "to": "2024-01-31", "q": " a b ", "page": "3"}
    )
    assert (wish.wanted.kind, wish.wanted.states, wish.wanted.search) == ("training", (State.FAILED,), "a b")
    assert wish.wanted.since == 1704067200.0 and wish.wanted.until == 1704067200.0 + 31 * DAY, "the last day counts"
    assert (wish.page, wish.wanted.offset) == (3, 100)
    # … and from that the same address comes back, without the page.
    assert wish.address() == "/operations?kind=training&state=failed&from=2024-01-01&to=2024-01-31&q=a+b"


@pytest.mark.parametrize("state", [*GROUPS, "stalled", "problems"])
def test_states_are_asked_for_in_groups_or_alone(state):
    assert asked({"state": state}).wanted.states == (GROUPS[state] if state in GROUPS else (State(state),))


def test_every_live_state_is_running_to_people_and_every_end_belongs_somewhere():
    assert set().union(*GROUPS.values()) == set(State)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"from": "junk"}, "“junk” is not a date"),
        ({"to": "2024-13-01"}, "“2024-13-01” is not a date"),
        ({"state": "dead"}, "“dead” is not a state"),
    ],
)
def test_what_makes_no_sense_is_left_out_and_said(given, sentence):
    wish = asked(given)
    assert wish.wanted == OperationQuery() and wish.ignored == (sentence,) and wish.given == {}


LETTERS = " ".join("swintrawing"[:10])  # each occurs in every training of "swing"


@pytest.mark.parametrize(
    ("typed", "searched", "left"),
    [
        (f"{LETTERS} zebra  Quagga", LETTERS, "zebra Quagga"),
        (f"{LETTERS} tag:zebra", LETTERS, "tag:zebra"),
        (f"swing {'x' * 200}", "swing", "x" * 59 + "…"),
        ("x" * 201, "", "x" * 59 + "…"),
    ],
)
def test_words_that_are_too_many_are_left_out_and_said_at_the_search(listed, typed, searched, left):
    page = listed.get("/operations", params={"q": typed}).text
    said = re.search(r'<div id="left-out" role="status">(.*?)</div>', page)[1]
    assert words(said) == f"“{left}” goes beyond the 10 words and 200 characters of a search, and was left out."
    assert re.search(r'<input id="search"[^>]* aria-describedby="left-out"', page)
    assert f'name="q" value="{searched}"' in page, "the field has what is searched for"
    assert shown(page) == shown(listed.get("/operations", params={"q": searched}).text) != []


def test_ten_words_are_searched_for(listed):
    wish = asked({"q": f"{LETTERS[:-2]} zebra"})
    assert wish.ignored == () and wish.wanted.search.endswith("zebra")
    page = listed.get("/operations", params={"q": f"{LETTERS[:-2]} zebra"}).text
    assert shown(page) == [] and "was left out" not in page


@pytest.mark.parametrize("page", ["0", "-1", "x", "1e3", "²", "9" * 30])
def test_a_page_number_that_is_none_is_the_first(page):
    assert asked({"page": page, "sort": "; drop", "up": "x"}).wanted == OperationQuery()


def test_a_heading_sorts_and_sorts_the_other_way_round():
    assert asked({}).sorted_by("took") == "/operations?sort=took"
    assert asked({"sort": "took"}).sorted_by("took") == "/operations?sort=took&up=1"
    assert asked({"sort": "took", "up": "1", "q": "x"}).sorted_by("created") == "/operations?q=x"
    assert asked({}).sorted_by("name") == "/operations?sort=name&up=1", "names begin with A"
    assert asked({"sort": "name"}).address(page=2) == "/operations?sort=name&page=2"


def test_everything_is_listed_also_what_the_backend_forgot(listed: Panel):
    page = listed.get("/operations").text
    assert shown(page) == ["op_new", "op_load", "op_stop", "op_bad", "op_old"]
    read = words(page)
    assert "5 runs" in read and "Clear filters" not in read
    assert "Completed swing Training EURUSD 1h Test accuracy 87.2 % Test loss 0.666" in read
    assert "Failed Trend Training EURUSD 1h No data found in cache for X 1h" in read
    assert "Finished with problems EURUSD Data load 1h The backend calls this completed, but not one bar came" in read


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("kind=training", ["op_new", "op_bad", "op_old"]),
        ("state=completed", ["op_new", "op_load", "op_old"]),
        ("state=attention", ["op_load"]),
        ("state=failed", ["op_bad"]),
        ("state=running", []),
        ("strategy=swing&symbol=AAPL", ["op_stop"]),
        ("q=no+data+trend", ["op_bad"]),
        ("sort=took", ["op_old", "op_stop", "op_new", "op_load", "op_bad"]),
        ("sort=name&up=1", ["op_load", "op_new", "op_stop", "op_old", "op_bad"]),
        ("sort=created&up=1&state=completed", ["op_old", "op_load", "op_new"]),
        ("page=7&kind=training", ["op_new", "op_bad", "op_old"]),
    ],
)
def test_the_address_filters_and_sorts(listed: Panel, query, found):
    page = listed.get(f"/operations?{query}")
    assert page.status_code == 200
    assert shown(page.text) == found


def test_a_period_is_days_and_both_count(listed: Panel):
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 2 * DAY))
    page = listed.get(f"/operations?from={day}&to={day}").text
    assert shown(page) == ["op_bad"]
    assert f'name="from" value="{day}"' in page and "1 of 5 runs Clear filters" in words(page)


def test_when_nothing_matches_it_says_what_was_asked(listed: Panel):
    read = words(listed.get("/operations?kind=data_load&state=failed&from=2020-01-01&q=%22%3E%3Cimg%3E").text)
    assert "Nothing matches kind Data load, state “failed”, started on 2020-01-01 or later, the words" in read
    assert "0 of 5 runs Clear filters" in read


def test_nothing_at_all_names_the_next_step(here: Panel):
    here.until("/operations", lambda page: "No runs are known yet." in words(page))


def test_a_backend_that_was_not_asked_yet_is_not_said_to_have_run_nothing(tmp_path):
    with panel(tmp_path, "http://127.0.0.1:9/api/v1") as here:
        page = words(here.get("/operations").text)
        assert "What ran at the backend is not known yet." in page and "No runs are known yet" not in page


def test_the_sorted_column_is_announced_to_screen_readers(listed: Panel):
    page = listed.get("/operations?sort=took&up=1&q=swing").text
    [(order, heading)] = re.findall(r'<th[^>]*aria-sort="(\w+)"[^>]*><a[^>]*>(\w+)', page)
    assert (order, heading) == ("ascending", "Took")


def test_under_htmx_only_what_was_found_comes(listed: Panel):
    answer = listed.get("/operations?state=failed", headers={"hx-request": "true"}).text
    assert answer.startswith('<div id="found" tabindex="-1" data-address="/operations?state=failed"') and shown(
        answer
    ) == ["op_bad"]


def test_a_long_list_comes_in_pages(address, tmp_path):
    seed(tmp_path, address, *(ended(f"op_{n:03}", "dummy", "completed", 60.0 * n + 60) for n in range(120)))
    with panel(tmp_path, address) as here:
        first, last = here.get("/operations?q=op").text, here.get("/operations?q=op&page=3").text
    assert shown(first) == [f"op_{n:03}" for n in range(50)] and shown(last) == [f"op_{n:03}" for n in range(100, 120)]
    assert "1 of 3 Older" in words(first) and "Newer 3 of 3" in words(last)
    assert 'href="/operations?q=op&amp;page=2"' in first and "120 of 120 runs" in words(first)


def test_the_kind_of_a_run_without_a_name_is_written_once(fresh: Panel, backend):
    backend.operations["op_x"] = operation("op_x", "dummy", progress=percent(5), metadata={})
    assert "Trial run" in words(fresh.get("/operations/op_x").text)
    assert "Trial run Trial run" not in words(fresh.get("/operations").text)


def test_what_is_new_since_the_page_was_drawn(fresh: Panel, backend):
    def news(query: str) -> str:
        return words(fresh.get(f"/operations/news?{query}").text)

    assert news("had=5") == "" and news("") == "" and news("had=x") == ""
    backend.operations["op_x"] = operation("op_x", progress=percent(5, "Epoch 1/9"))
    fresh.read("op_x")
    assert news("had=5") == "1 new run: show" and news("had=4") == "2 new runs: show"
    assert news("had=0&state=running") == "1 more matches now: show" and news("had=1&kind=data_load") == ""


def test_the_stream_updates_the_rows_on_the_page_and_no_other(fresh: Panel, backend):
    backend.operations["op_a"] = lambda n: operation("op_a", progress=percent(10 + n, f"Epoch {n}/99"))
    backend.operations["op_b"] = lambda n: operation("op_b", progress=percent(10 + n, f"Epoch {n}/99"))
    for name in ("op_a", "op_b"):
        fresh.get(f"/operations/{name}")
    with stream(fresh, "operations?id=op_a&id=op_old") as reader:
        reader.until(lambda stream: "Epoch 4/99" in stream.places.get("row-op_a", ""))
        backend.operations["op_a"] = operation("op_a", status="completed", result_summary=RESULT, completed_at=stamp())
        reader.until(lambda stream: "Completed" in stream.places["row-op_a"])
        assert "87.2 %" in reader.places["row-op_a"] and "row-op_old" in reader.places
        assert set(reader.places) == {"line", "row-op_a", "row-op_old"}
        assert ("listed", "1") in reader.events, "so that a page can say what is new"


@pytest.mark.parametrize("query", ["id=..", "id=op_a&id=a%2Fb", "id=", "id=a%0d%0ab"])
def test_a_stream_takes_only_ids(listed: Panel, query):
    assert listed.get(f"/stream/operations?{query}").status_code == 404


def test_loads_of_one_symbol_say_what_they_fetched(address, tmp_path):
    loads = [("op_new", "tail"), ("op_old", "backfill"), ("op_all", "full"), ("op_odd", "sideways")]
    answers = [ended(name, "data_load", "completed", 600, 9, parameters={"mode": mode}) for name, mode in loads]
    seed(tmp_path, address, *answers)
    with panel(tmp_path, address) as here:
        for page in ("/operations", "/"):
            text = words(here.get(page).text)
            for said in ("1h · new bars", "1h · history", "1h · history and new bars", "1h · sideways"):
                assert said in text, (page, said)
        text = words(here.get("/operations/op_old").text)
        assert "What to fetch History" in text and "What to fetch backfill" not in text
