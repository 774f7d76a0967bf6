"""Many operations in one call of the JSON API: once for each key, an outcome for each, and an undo."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from unittest.mock import ANY

import pytest

from panel.domain.bulk import Action, BulkRequest
from panel.storage.labels import GRACE, UNDO
from panel.workflows.bulk import KeyReused
from tests.support.history import ended, seed
from tests.support.inside import Inside, inside
from tests.support.lives import living
from tests.support.pages import until
from tests.support.parts import panel_of
from tests.support.scripted import Backend, operation, percent
from tests.support.virtual import clock_set

CHANGE = "/api/operations/change"
NO_DATES = (
    "0",
    "1732000000",
    "1712123112345",
    "-1",
    "2026",
    "2026-1129",
    "20261329",
    "soon",
    "",
    0,
    20261129,
    1e9,
    True,
)
TRAININGS = {"kind": "training", "state": ["completed"]}


@pytest.fixture
def backend() -> Backend:
    backend = Backend()
    for name in ("op_one", "op_two"):
        backend.operations[name] = operation(name, progress=percent(5, "Epoch 5/100"))
    return backend


@pytest.fixture
def here(address, tmp_path) -> Iterator[Inside]:
    """A panel that remembers three trainings and a load, and follows two trainings."""
    seed(
        tmp_path,
        address,
        *(ended(f"op_{n}", "training", "completed", 900 - n, 60, "swing") for n in range(3)),
        ended("op_load", "data_load", "completed", 600, 9, result_summary={"rows_downloaded": 5, "mode": "tail"}),
    )
    with inside(tmp_path, address) as here:
        for name in ("op_one", "op_two"):
            assert here.get(f"/operations/{name}").status == 200
        until(lambda: here.api("GET", "/api/operations?state=running")[1]["total"] == 2)
        yield here


def change(here: Inside, key: str = "many-at-once", **body: object) -> tuple[int, dict]:
    return here.api("POST", CHANGE, body, key)


def states(answer: dict) -> dict[str, str]:
    return {each["id"]: each["state"] for each in answer["results"]}


def waiting(here: Inside) -> list[str]:
    return [entry.key for entry in panel_of(here.app).storage.queue.open()]


def test_what_the_backend_does_not_cancel_now_is_not_called_ended(here, backend):
    backend.answers["DELETE /operations/op_one"] = (400, {"detail": "Worker is starting up, try later"})
    _, result = change(here, do="cancel", ids=["op_one", "op_two"])
    assert states(result) == {"op_one": "refused", "op_two": "done"}
    assert result["results"][0]["message"] == "Worker is starting up, try later"


def test_running_operations_are_cancelled_with_an_outcome_each(here, backend):
    backend.answers["DELETE /operations/op_two"] = (500, {"detail": "The worker's port is closed"})
    status, result = change(here, do="cancel", ids=["op_two", "op_one", "op_0", "op_nobody"])
    assert status == 200
    assert states(result) == {"op_two": "refused", "op_one": "done", "op_0": "refused", "op_nobody": "refused"}
    messages = {each["id"]: each["message"] for each in result["results"]}
    assert "port is closed" in messages["op_two"] and messages["op_0"] == "It has already ended."
    assert result["changed"] == ["op_one"] and result["left_out"] == ["op_two", "op_0", "op_nobody"]
    assert result["undo"] == "" and result["undo_until"] is None
    assert change(here, do="cancel", ids=["op_two", "op_one", "op_0", "op_nobody"])[1] == result
    assert backend.hits["DELETE /operations/op_one"] == 1, "a repeat asks for nothing"


@pytest.mark.parametrize(("reached", "word"), [(True, "Stopping"), (False, "Cancel not delivered")])
def test_a_cancel_that_fails_takes_nothing_of_an_earlier_one_back(here, backend, reached, word):
    taken = {"operation_id": "op_one", "status": "cancelled", "task_cancelled": False, "remote_cancelled": reached}
    backend.answers["DELETE /operations/op_one"] = (200, {"success": True, "data": taken})  # and it goes on for now
    assert here.post("/operations/op_one/cancel", {}).status == 303
    first = here.api("GET", "/api/operations/op_one")[1]
    assert first["verdict"]["word"] == word
    backend.answers["DELETE /operations/op_one"] = (500, {"detail": "Internal error"})

    _, result = change(here, do="cancel", ids=["op_one", "op_two"])
    asked_again = not reached
    assert states(result) == {"op_one": "refused" if asked_again else "unchanged", "op_two": "done"}
    assert ("is being cancelled already" in result["results"][0]["message"]) is not asked_again
    assert backend.hits["DELETE /operations/op_one"] == 1 + asked_again
    here.post("/operations/op_one/cancel", {})
    assert backend.hits["DELETE /operations/op_one"] == 2 + asked_again
    after = here.api("GET", "/api/operations/op_one")[1]
    assert (after["cancel"], after["verdict"]) == (first["cancel"], first["verdict"])
    page = here.post("/operations/bulk", {"do": "cancel", "id": "op_one", "key": "k" * 20})
    assert (page.status == 422 and "are being cancelled already" in page.text) is not asked_again


@pytest.mark.parametrize("way", ["list", "many", "one"])
def test_a_cancel_that_takes_unusually_long_can_be_sent_again(backend, way):
    taken = {"operation_id": "op_one", "status": "cancelled", "task_cancelled": False, "remote_cancelled": True}
    hit = "DELETE /operations/op_one"
    backend.answers[hit] = (200, {"success": True, "data": taken})  # and its worker hangs
    with living(backend) as life:
        here, keys = life.inside, iter("abcdef")

        def again() -> None:
            key = next(keys) * 20
            if way == "list":
                here.post("/operations/bulk", {"do": "cancel", "id": "op_one", "key": key, "sure": "1"})
            elif way == "many":
                change(here, key, do="cancel", ids=["op_one"])
            else:
                assert here.api("POST", "/api/operations/op_one/cancel", {}, key)[0] == 202

        def advice() -> str:
            return here.api("GET", "/api/operations/op_one")[1]["verdict"]["advice"]

        life.runner.run(asyncio.sleep(5))
        here.post("/operations/op_one/cancel", {})
        life.runner.run(asyncio.sleep(15))
        again()
        assert advice() == "" and backend.hits[hit] == 1, "it may still end by the first"
        life.runner.run(asyncio.sleep(10))
        assert "unusually long" in advice()
        again()
        assert advice() == "" and backend.hits[hit] == 2
        again()
        assert backend.hits[hit] == 2, "the second gets its time as well"


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_cancels_at_once_the_one_that_was_taken_counts(here, backend, first):
    taken = (200, {"success": True, "data": {"operation_id": "op_one", "remote_cancelled": True}})
    answers = [taken, (500, {"detail": "Internal error"})]

    async def in_turn(_request):
        return answers[(backend.hits["DELETE /operations/op_one"] - 1 + first) % 2]

    backend.answers["DELETE /operations/op_one"] = in_turn
    commands = panel_of(here.app).commands

    async def both():
        return await asyncio.gather(*(commands.cancel("op_one") for _ in range(2)), return_exceptions=True)

    assert [each is None for each in here.runner.run(both())] == [not first, bool(first)]
    assert here.api("GET", "/api/operations/op_one")[1]["cancel"] == "acknowledged"


@pytest.mark.parametrize("other", [(Action.STAR, "b"), (Action.DELETE, "a")])
def test_two_requests_with_one_key_at_once_do_not_share_an_answer(here, other):
    bulk, (action, text) = panel_of(here.app).bulk, other
    asked = [BulkRequest(Action.STAR, ("op_0",), text="a"), BulkRequest(action, ("op_0", "op_1"), text=text)]

    async def at_once():
        done = (bulk.apply(each, "k" * 20, "somebody", print) for each in (asked[0], asked[1], asked[0]))
        return await asyncio.gather(*done, return_exceptions=True)

    first, second, repeated = here.runner.run(at_once())
    assert isinstance(second, KeyReused) and first == repeated and [each.id for each in first] == ["op_0"]


def test_all_that_match_are_cancelled(here, backend):
    assert states(change(here, do="cancel", match={"state": ["running"]})[1]) == {"op_one": "done", "op_two": "done"}
    assert backend.hits["DELETE /operations/op_one"] == backend.hits["DELETE /operations/op_two"] == 1


def test_what_matched_the_first_time_is_started_again_once(here, backend):
    status, result = change(here, do="again", match=TRAININGS)
    assert status == 200 and states(result) == dict.fromkeys(("op_2", "op_1", "op_0"), "queued")
    assert len(waiting(here)) == 3 and {each["queue_key"] for each in result["results"]} == set(waiting(here))
    # What was started completes, and would match too.
    seed_more = ended("op_new", "training", "completed", 1, 1, "swing")
    backend.operations["op_new"] = seed_more
    assert here.get("/operations/op_new").status == 200
    until(lambda: here.api("GET", "/api/operations?kind=training&state=completed")[1]["total"] == 4)
    assert change(here, do="again", match=TRAININGS)[1] == result and len(waiting(here)) == 3
    for status, back in ((200, 3), (409, None)):
        answer = here.api("POST", "/api/operations/undo", {"undo": result["undo"]}, "undo-key-1")
        assert answer[0] == status and answer[1].get("back") == back
    assert waiting(here) == []


def test_what_was_started_again_is_taken_back_for_a_minute_only(here):
    result = change(here, do="again", match=TRAININGS)[1]
    for seconds, status, left in ((UNDO + GRACE + 5, 409, 3), (UNDO - 5, 200, 0)):
        with clock_set(seconds):
            undone = here.api("POST", "/api/operations/undo", {"undo": result["undo"]}, "undo-key-1")
        assert (undone[0], len(waiting(here))) == (status, left)


@pytest.fixture
def impatient(monkeypatch) -> None:
    """For a panel that is made after it: a write waits for no lock."""
    monkeypatch.setattr("panel.storage.store.WRITE_LOCK_TIMEOUT", 0.0)


def test_without_a_writable_memory_runs_are_cancelled_and_nothing_else_is_done(impatient, here, backend):
    assert change(here, do="star", ids=["op_0"])[0] == 200  # the memory is open
    with closing(sqlite3.connect(panel_of(here.app).storage.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for do in ("archive", "again"):
            assert change(here, f"no-{do}-at-all", do=do, ids=["op_1"])[0] == 503
        cancelled = change(here, "cancel-at-once", do="cancel", ids=["op_one", "op_two"])[1]
    assert states(cancelled) == {"op_one": "done", "op_two": "done"} and waiting(here) == []
    assert backend.hits["DELETE /operations/op_one"] == backend.hits["DELETE /operations/op_two"] == 1


def test_a_repeat_after_a_crash_goes_on_with_the_same(here):
    panel, body = panel_of(here.app), {"do": "archive", "ids": ["op_0", "op_1"]}
    result = change(here, **body)[1]
    key = result["undo"]
    here.runner.run(panel.storage.write(lambda store: store._db.execute("UPDATE bulk SET results = NULL")))
    assert states(change(here, **body)[1]) == dict.fromkeys(("op_0", "op_1"), "unchanged")
    request = BulkRequest(Action.AGAIN, ("op_0",), text="x")
    here.runner.run(panel.storage.write(lambda store: store.bulk.claim("k" * 20, request, 1.0)))
    again = here.runner.run(
        panel.bulk.apply(BulkRequest(Action.AGAIN, ("op_0", "op_1"), text="x"), "k" * 20, "a test", print)
    )
    assert [each.id for each in again] == ["op_0"] and len(waiting(here)) == 1
    assert here.api("POST", "/api/operations/undo", {"undo": key}, "undo-key-1")[1] == {"back": 2}


def test_a_key_is_good_for_one_request(here):
    assert change(here, do="star", ids=["op_0"])[0] == 200
    for other in (
        {"do": "star", "ids": ["op_1"]},
        {"do": "unstar", "ids": ["op_0"]},
        {"do": "delete", "match": TRAININGS},
    ):
        status, problem = change(here, **other)
        assert status == 422 and "sent before with another request" in problem["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"do": "cancel"}, "match"),
        ({"do": "cancel", "ids": ["op_0"], "match": TRAININGS}, "match"),
        ({"do": "delete", "match": {}}, "match"),
        ({"do": "delete", "match": {"name": "x"}}, "name"),
        ({"do": "delete", "match": {"q": "  "}}, "match"),
        ({"do": "delete", "match": {"q": "op " * 10 + "swing"}}, "q"),
        *(({"do": "delete", "match": {"since": since}}, "since") for since in NO_DATES),
        ({"do": "delete", "ids": []}, "ids"),
        ({"do": "delete", "ids": ["x"] * 501}, "ids"),
        ({"do": "again", "ids": [f"op_{n}" for n in range(201)]}, "ids"),
        ({"do": "burn", "ids": ["op_0"]}, "do"),
        ({"do": "untag", "ids": ["op_0"]}, "tags"),
    ],
)
def test_a_refusal_names_the_field_and_nothing_is_done(here, body, field):
    status, problem = change(here, **body)
    assert status == 422 and [each["field"] for each in problem["errors"]] == [field]
    assert here.api("GET", "/api/operations")[1]["total"] == 6 and waiting(here) == []


@pytest.mark.parametrize(
    "since", ["29981129", "2998-11-29", "29981129T1830", "2998-11-29t18:30:00.5z", "2998-11-29 18:30+02:00"]
)
def test_a_day_of_digits_is_that_day(here, since):
    assert change(here, do="delete", match={"since": since}) == (
        200,
        {"results": [], "changed": [], "left_out": [], "undo": ANY, "undo_until": ANY},
    )
    assert here.api("GET", "/api/operations")[1]["total"] == 6


def test_more_than_can_be_changed_at_once_are_refused(here, monkeypatch):
    monkeypatch.setattr("panel.web.routes.api_bulk.MAX_CHOSEN", 2)
    status, problem = change(here, do="delete", match=TRAININGS)
    assert status == 422 and problem["detail"] == (
        "3 operations match, and at most 2 are changed at once. Narrow it down."
    )
