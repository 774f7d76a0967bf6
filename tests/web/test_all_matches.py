"""Choosing all that a list matches, beyond its page: bounded, asked before what is final, and undone."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.history import ended, seed
from tests.support.inside import Answer, Inside, inside
from tests.support.pages import KEY, words
from tests.support.scripted import RESULT

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


def result(accuracy: float, loss: float) -> dict[str, Any]:
    return RESULT | {"test_metrics": RESULT["test_metrics"] | {"test_accuracy": accuracy, "test_loss": loss}}


def letters(text: str) -> list[str]:
    """The compared runs, in order."""
    return re.findall(r'<b>[A-F]</b>\s*<a href="/operations/([^"]+)"', text)


@pytest.fixture
def ranked(address, tmp_path) -> Iterator[Inside]:
    """Of sixty trainings every tenth has a result: the older, the more accurate, and the higher its loss."""
    many = [
        ended(
            f"op_{n:03}", "training", "completed", 9000 + n, 60, "swing",
            result_summary=None if n % 5 else result(0.3 + n / 100, 0.1 + n / 100),
        )
        for n in range(60)
    ]  # fmt: skip
    load = ended("op_load", "data_load", "completed", 100, 9)
    seed(tmp_path, address, *many, load, ended("op_load2", "data_load", "completed", 90, 9))
    with inside(tmp_path, address) as here:
        yield here


def compared(here: Inside, address: str, *ids: str) -> Answer:
    asked = [("key", KEY), ("back", address), *(("id", each) for each in ids), ("tag", "")]
    return here.get(f"/operations/compare?{urlencode(asked if ids else [*asked, ('all', '1')])}")


def test_of_all_matches_the_best_six_are_compared(ranked):
    text = compared(ranked, LIST)
    assert letters(text.text) == ["op_055", "op_050", "op_045", "op_040", "op_035", "op_030"]
    assert "These are the best 6 of 60 trainings, by test accuracy. More cannot be compared" in words(text.text)
    assert f'href="{LIST}"' in text.text, "the way back to the list"
    by_loss = compared(ranked, f"{LIST}&sort=test_loss&up=1")
    assert letters(by_loss.text) == ["op_000", "op_005", "op_010", "op_015", "op_020", "op_025"]
    assert "the first 6 of 60 trainings in the list’s order, by test loss" in words(by_loss.text)


def test_where_a_baseline_is_known_the_lead_over_it_decides(address, tmp_path):
    """The higher the accuracy here, the higher the baseline still."""
    many = []
    for n in range(8):
        summary = result(0.4 + n / 100, 0.1)
        summary["test_metrics"]["baseline_accuracy"] = 0.3 + n / 50
        many.append(ended(f"op_{n}", "training", "completed", 9000 + n, 60, "swing", result_summary=summary))
    seed(tmp_path, address, *many)
    with inside(tmp_path, address) as here:
        for text in (compared(here, LIST), compared(here, LIST, *(f"op_{n}" for n in range(8)))):
            assert letters(text.text) == [f"op_{n}" for n in range(6)]
            assert "the best 6 of 8 trainings, by lead over the baseline" in words(text.text)


def test_of_many_that_were_chosen_the_best_six_are_compared(ranked):
    text = compared(ranked, LIST, *(f"op_{n:03}" for n in range(50)))
    assert letters(text.text) == ["op_045", "op_040", "op_035", "op_030", "op_025", "op_020"]
    assert "the best 6 of 50 trainings, by test accuracy" in words(text.text)


def test_matches_of_several_kinds_are_compared_kind_by_kind(ranked):
    text = compared(ranked, "/operations")
    assert text.status == 422 and "these are 2 data loads and 60 trainings" in words(text.text)
    for words_of, way in re.findall(r'href="(/operations/compare[^"]+)" hx-ignore>([^<]+)<', text.text):
        assert way in ("Compare the 2 data loads", "Compare the 60 trainings")
        answer = ranked.get(words_of.replace("&amp;", "&"))
        assert answer.status == 200 and len(letters(answer.text)) == (2 if "loads" in way else 6)
    assert compared(ranked, "/operations?q=nothing").status == 422


@pytest.mark.parametrize("do", ["archive", "delete", "cancel", "again"])
@pytest.mark.parametrize("chosen", ["a page", "several pages", "all"])
def test_each_act_works_for_a_page_for_several_and_for_all(ranked, do, chosen):
    """By forms alone, as without scripts."""
    ids = {"a page": [f"op_{n:03}" for n in range(50)], "several pages": [f"op_{n:03}" for n in range(60)], "all": []}
    more = {"all": "1"} if chosen == "all" else {}
    text = bulk(ranked, do, *ids[chosen], **more)
    count = 50 if chosen == "a page" else 60
    if do == "cancel":
        assert text.status == 422 and "none of them runs" in words(text.text)
        return
    if do in ("delete", "again"):
        named = re.findall(r'name="id" value="(op_\d+)"', text.text)
        assert len(set(named)) == count
        text = bulk(ranked, do, *named, sure="1")
    if do == "again":
        assert f"Run again: {count} of {count} done" in words(text.text)
        assert ranked.post("/operations/undo", {"key": KEY}).status == 303
    else:
        assert f"{count} runs {do}d" in words(ranked.get(text.header("location")).text)
        assert ranked.post("/operations/undo", {"key": KEY}).status == 303
        assert "60 of 62 runs" in words(ranked.get(LIST).text)
