"""A start that every worker is too busy for: the page, the API and the command line say what keeps them busy."""

import asyncio
import time

import httpx
import pytest

from panel.domain.workers import Worker, WorkerList
from panel.workflows.no_room import Work, no_room
from panel.workflows.preflight import worker_lines
from tests.support.command_line import run
from tests.support.lives import living
from tests.support.pages import KEY, until, words
from tests.support.scripted import RESULT, Backend, operation, percent, stamp
from tests.support.workers import worker

HINT = {
    "error": "No training workers available",
    "worker_type": "training",
    "registered_workers": 0,
    "hint": "Workers auto-register after startup. Retry in a few seconds, or check worker container logs.",
}  # KTRDR's own, whether they are busy or missing
BUSY = {"worker_id": "w1", "worker_type": "training", "status": "busy", "current_operation_id": "op_a"}


@pytest.fixture
def full(backend):
    backend.workers = [BUSY]
    backend.operations["op_a"] = operation("op_a", progress=percent(40, "Epoch 4/10"))
    backend.answers["POST /trainings/start"] = 503, {"detail": HINT}
    return backend


def test_the_page_links_what_is_busy_and_offers_the_queue(full, here):
    here.until("/operations/op_a", lambda text: "40 %" in text)
    page = here.post("/start/training", {"key": KEY, "strategy_name": "swing", "insist": "1"})
    sentence = words(page.text)
    assert (
        "The only training worker is busy: w1 works on swing EURUSD 1h (40 %)" in sentence
        and "can wait in the queue" in sentence
    )
    assert '<a href="/operations/op_a">Look at it</a>' in page.text and "Add to the queue" in sentence
    assert "container logs" not in page.text


def test_the_check_before_the_start_links_it_too(quick_rounds, full, here):
    here.until("/operations/op_a", lambda text: "40 %" in text)
    link = '<a href="/operations/op_a">Look at it</a>'
    until(lambda: link in here.post("/start/training/look", {"strategy_name": "swing"}).text)  # workers are listed soon
    assert "w1 works on swing EURUSD 1h (40 %)" in words(
        here.post("/start/training/look", {"strategy_name": "swing"}).text
    )


def test_the_api_says_it_too(full, here):
    here.until("/operations/op_a", lambda text: "40 %" in text)
    body = {"strategy_name": "swing", "confirm": ["insist"]}
    answer = httpx.post(here.address + "/api/start/training", json=body, headers={"idempotency-key": "x" * 20})
    assert answer.status_code == 422 and "w1 works on swing EURUSD 1h" in answer.json()["detail"]


def test_the_record_of_a_refused_start_says_it_plainly(full, here):
    here.post("/start/training", {"key": KEY, "strategy_name": "swing", "insist": "1"})
    full.workers = [BUSY | {"status": "available", "current_operation_id": None}]  # the list does not tell why any more
    page = here.get(f"/starts/{KEY}").text
    sentence, _, folded = words(page).partition("The backend’s words")
    assert "The backend had no free worker for it." in sentence and "container logs" not in sentence
    assert folded.startswith(" No training workers available") and "<details><summary>The backend’s words" in page
    body = {"strategy_name": "swing", "confirm": ["insist"]}
    ask = {"json": body, "headers": {"idempotency-key": "y" * 20}}
    assert httpx.post(here.address + "/api/start/training", **ask).status_code == 422
    problem = httpx.post(here.address + "/api/start/training", **ask).json()
    assert "container logs" not in problem["detail"] and "container logs" in problem["backend_said"]


def test_the_command_line_names_the_option_that_waits(full, address, tmp_path):
    done = run(tmp_path, "train", "swing", backend=address)
    assert done.returncode == 1 and "The only training worker is busy: w1 works on op_a." in done.stderr + done.stdout
    assert "--queue" in done.stderr + done.stdout and "container logs" not in done.stderr + done.stdout


def test_a_worker_that_does_not_answer_is_not_called_busy(quick_rounds, full, here):
    """Its worker was killed with -9: the backend lists it for five minutes, with what it had worked on."""
    here.until("/operations/op_a", lambda text: "40 %" in text)
    full.workers = [BUSY | {"status": "temporarily_unavailable", "last_healthy_at": stamp(time.time() - 60)}]
    form = {"key": KEY, "strategy_name": "swing", "insist": "1"}
    until(lambda: "No training worker answers" in words(here.post("/start/training/look", form).text))
    looked = words(here.post("/start/training/look", form).text)
    assert "No training worker answers the backend. w1 last answered 1 min" in looked and "works on" not in looked
    refused = words(here.post("/start/training", form).text)
    assert "No training worker answers the backend. w1 last answered 1 min" in refused and "works on" not in refused
    body, headers = {"strategy_name": "swing", "queue": True}, {"idempotency-key": "y" * 20}
    httpx.post(here.address + "/api/start/training", json=body, headers=headers)
    until(lambda: "Waits: no training worker answers the backend" in words(here.get("/queue").text))


def test_what_has_just_ended_does_not_keep_a_worker_busy_for_long(quick_rounds, full, here):
    """The backend lists a worker as busy for up to ten seconds after the end of its work."""
    here.until("/operations/op_a", lambda text: "40 %" in text)
    full.operations["op_a"] = operation("op_a", status="completed", progress=percent(100), result_summary=RESULT)
    here.until("/operations/op_a", lambda text: "Completed" in text)
    sentence = "No worker is listed as free yet: w1 was busy with swing EURUSD 1h, which has just ended."
    until(lambda: sentence in words(here.post("/start/training/look", {"strategy_name": "swing"}).text))
    page = here.post("/start/training", {"key": KEY, "strategy_name": "swing", "insist": "1"})
    assert "The only training worker is listed as busy: w1 with swing EURUSD 1h, which has just ended." in words(
        page.text
    )


def test_a_worker_that_got_term_is_not_said_to_be_free_soon(quick_rounds, full, here):
    """The backend calls its run cancelled, and the worker works on."""
    here.until("/operations/op_a", lambda text: "40 %" in text)
    full.operations["op_a"] = operation("op_a", status="cancelled", progress=percent(40), completed_at=stamp())
    here.until("/operations/op_a", lambda text: "The backend calls it cancelled" in text)
    looked = words(here.post("/start/training/look", {"strategy_name": "swing"}).text)
    assert "No worker is free: w1 works on swing EURUSD 1h" in looked and "was just cancelled" not in looked


@pytest.mark.parametrize(
    ("process", "seconds", "what"),
    [
        ("w2", 60, "which died when its worker was restarted: cancel that, and a worker is free"),
        ("w1", 1200, "which has not moved for long: if it is dead, cancel it, and a worker is free"),
    ],
)
def test_a_worker_that_lists_what_is_dead_is_not_said_to_work_on_it(process, seconds, what):
    """KTRDR keeps it busy until somebody cancels that: whoever waits for it learns so. `process`: the one that lists
    it from some moment on; it began on w1."""
    backend = Backend()

    def lists(name: str, operation_id: str | None = "op_a") -> None:
        backend.workers = [worker(name, "busy" if operation_id else "available", operation_id, last_healthy_at=stamp())]

    with living(backend) as life:
        began = stamp()
        lists("w1")
        for epoch in range(8):
            step = percent(epoch * 5.0, f"Epoch {epoch}/600", steps_completed=epoch, steps_total=600)
            backend.operations["op_a"] = operation("op_a", created_at=began, started_at=began, progress=step)
            backend.operations["op_a"]["metadata"]["parameters"]["worker_id"] = "w1"
            life.inside.get("/operations/op_a")
            life.runner.run(asyncio.sleep(2))
        backend.answers["POST /trainings/start"] = 503, {"detail": HINT}
        life.open("queue")
        life.post("/start/training", {"key": KEY, "strategy_name": "swing", "wait": "1"}, 1, 1.0)
        assert "Waits: every worker is busy" in words(life.streams["queue"]["entries"])
        lists(process)
        for _ in range(seconds // 10):
            lists(process)
            life.runner.run(asyncio.sleep(10))
        listed = f"{process} lists swing EURUSD 1h, {what}"
        for page in (life.inside.get("/queue").text, life.streams["queue"]["entries"]):
            assert f"Waits: {listed}" in words(page) and '<a href="/operations/op_a">' in page
            assert "every worker is busy" not in page
        looked = life.inside.post("/start/training/look", {"strategy_name": "swing"}).text
        assert f"No worker is free: {listed}. The start waits in the queue." in words(looked)
        assert '<a href="/operations/op_a">Look at it</a>' in looked
        form = {"key": f"{KEY[:-1]}2", "strategy_name": "swing", "insist": "1"}
        (refused,) = [each.result() for each in life.post("/start/training", form, 1, 5.0)]
        said = f"The only training worker is listed as busy: {process} with swing EURUSD 1h, {what}."
        assert said in words(refused.text) and '<a href="/operations/op_a">Look at it</a>' in refused.text
        life.inside.post("/operations/op_a/cancel", {})
        lists(process, None)
        backend.answers.clear()
        life.runner.run(asyncio.sleep(30))
        assert "0 waiting, 1 under way" in words(life.streams["queue"]["entries"])


def test_of_several_busy_workers_the_one_that_lists_what_is_dead_is_named_first():
    many = WorkerList().heard([Worker(f"w{n}", "training", "busy", f"op_{n}") for n in range(5)], 1000.0)
    described = {f"op_{n}": Work(f"run {n}") for n in range(4)} | {"op_4": Work("long, which died", stuck=True)}
    assert "listed as busy: w4 with long, which died; w0 with run 0; " in no_room(many, "training", 1000.0, described)
    (line,) = worker_lines(many, "training", 0, 1000.0, described)
    assert line.text == "is free: w4 lists long, which died. The start waits in the queue."
    assert line.operation_id == "op_4"


def test_no_worker_at_all_is_another_sentence():
    listed = WorkerList().heard([Worker("w1", "training", "busy", "op_a", healthy_at=900.0)], 900.0).heard([], 1000.0)
    assert no_room(listed, "training", 1000.0).startswith(
        "No training worker is registered with the backend. w1 last answered"
    )
    many = WorkerList().heard([Worker(f"w{n}", "training", "busy", f"op_{n}") for n in range(5)], 1000.0)
    sentence = no_room(many, "training", 1000.0, {"op_1": Work("swing (3 %)")})
    assert sentence == "All 5 training workers are busy: w0 works on op_0; w1 works on swing (3 %); w2 works on op_2."
    free = Worker("w2", "training", "available")
    one_free = WorkerList().heard([Worker("w1", "training", "busy", "op_a"), free], 1000.0)
    assert no_room(one_free, "training", 1000.0) == "", "the list does not tell why"
    dead = Worker("w3", "training", "temporarily_unavailable", "op_b", healthy_at=940.0)
    one_left = WorkerList().heard([Worker("w1", "training", "busy", "op_a"), dead], 1000.0)
    assert no_room(one_left, "training", 1000.0) == "The only training worker that answers is busy: w1 works on op_a."
    for kind in ("data_load", "dummy", "agent_research"):
        assert no_room(WorkerList().heard([], 1000.0), kind, 1000.0) == "", "no worker of a list does these"
