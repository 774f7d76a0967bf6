"""Choosing all that a list matches, beyond its page: bounded, asked before what is final, and undone."""

import re
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from tests.support.history import ended, seed
from tests.support.inside import Answer, Inside, inside
from tests.support.pages import KEY, words

LIST = "/operations?kind=training"


@pytest.fixture
def here(address, tmp_path) -> Iterator[Inside]:
    many = [ended(f"op_{n:03}", "training", "completed", 9000 - n, 60, "swing") for n in range(60)]
    seed(tmp_path, address, *many, ended("op_load", "data_load", "completed", 100, 9))
    with inside(tmp_path, address) as here:
        yield here


def bulk(here: Inside, do: str, *ids: str, **more: str) -> Answer:
    body = urlencode(
        [("do", do), ("key", KEY), ("back", LIST), *more.items(), *(("id", each) for each in ids)]
    ).encode()
    headers = [("host", here.host), ("sec-fetch-site", "same-origin"), ("content-length", str(len(body)))]
    return here.ask("POST", "/operations/bulk", [*headers, ("content-type", "application/x-www-form-urlencoded")], body)


def count(here: Inside, address: str = LIST) -> str:
    return re.search(r"(\d+) of \d+ runs", words(here.get(address).text))[0]


def test_all_matches_are_archived_and_brought_back(here):
    assert "All 60 matches, not only those on this page" in words(here.get(LIST).text)
    assert "matches" not in here.get("/operations?kind=data_load").text
    gone = bulk(here, "archive", "op_059", all="1").header("location")
    assert "60 runs archived" in words(here.get(gone).text) and count(here).startswith("0 of ")
    assert count(here, "/operations?kind=data_load").startswith("1 of")
    here.post("/operations/undo", {"key": KEY, "back": LIST})
    assert count(here) == "60 of 61 runs"


def test_what_is_final_names_how_many_and_does_those(here):
    asked = bulk(here, "delete", all="1")
    page = words(asked.text)
    assert "Delete 60 runs?" in page and "and 40 more" in page and count(here) == "60 of 61 runs"
    named = re.findall(r'name="id" value="(op_\d+)"', asked.text)
    assert len(set(named)) == 60
    bulk(here, "delete", *named, sure="1")
    assert count(here).startswith("0 of ")


def test_there_is_a_bound_and_the_page_says_so(here, monkeypatch):
    for module in ("operations", "bulk"):
        monkeypatch.setattr(f"panel.web.routes.{module}.MAX_CHOSEN", 55)
    monkeypatch.setattr("panel.web.routes.bulk.PART", 11)
    assert "The first 55 of 60 matches, not only" in words(here.get(LIST).text)
    bulk(here, "archive", all="1")
    assert count(here) == "5 of 6 runs"
    monkeypatch.setattr("panel.web.routes.bulk.MAX_AGAIN", 4)
    assert "At most 4 runs are started again at once; 5 chosen." in words(bulk(here, "again", all="1").text)
