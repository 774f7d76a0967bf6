"""The chain from the browser to the market: what each link says, and when it speaks up."""

import time
from dataclasses import replace

import pytest

from panel.backend.entities import snapshot_of, workers_of
from panel.domain.connection import Connection
from panel.domain.gaps import NOTHING_STORED
from panel.domain.observation import Observation
from panel.domain.system_health import system_health, trouble
from panel.domain.workers import WorkerList
from tests.support.pages import words
from tests.support.panels import free_port, panel, stream
from tests.support.scripted import operation, stamp
from tests.support.workers import worker

NOW = 1_800_000_000.0
THERE = Connection("http://ktrdr/api/v1", answered_at=NOW - 2)
HOST_DOWN = "Host service connection failed: HTTP error for POST /data/validate: All connection attempts failed"
GATEWAY_DOWN = (
    "Failed to create IB connection: ConnectionRefusedError [Errno 111] Connect call failed ('127.0.0.1', 4002)"
)

pytestmark = pytest.mark.usefixtures("quick_rounds")


def worker_list(*workers, at=NOW - 5):
    return WorkerList().heard(workers_of(list(workers)), at)


def loaded(status, at, error=None):
    shot = snapshot_of(operation("op_l", "data_load", status, error_message=error, completed_at=stamp(at)), NOW)
    return Observation(shot, at)


def links(line=THERE, near=None, loads=(), embedded=False):
    backend, workers, source = system_health(line, near or worker_list(worker("w1")), loads, NOW, embedded=embedded)
    return {"backend": backend, "workers": workers, "source": source}


def test_when_all_is_well_nothing_speaks_up():
    found = links(near=worker_list(worker("w1", "busy", "op_a"), worker("w2"), worker("b1", kind="backtesting")))
    assert found["workers"].text == "1 backtesting worker, 2 training workers; 1 busy."
    assert trouble(list(found.values())) is None and not any(link.needs_attention for link in found.values())
    later = links(replace(THERE, answered_at=NOW))
    assert later["backend"].without_age == found["backend"].without_age, "an age alone is nothing new"


def test_workers_listed_before_the_backend_was_silent_are_not_called_well():
    """It may have been restarted: its workers come back up to 35 s later."""
    line = replace(THERE)
    line.failed("Could not connect", NOW - 4)
    line.answered(NOW - 1, None)
    found = links(line)
    assert (found["workers"].state, trouble(list(found.values())).word) == ("queued", "Workers not known")
    assert trouble(list(links(line, worker_list(worker("w1"), at=NOW)).values())) is None


def test_what_was_not_asked_yet_is_not_called_well():
    """A panel that has just started, or that opens in the middle of a story."""
    found = system_health(Connection("http://ktrdr/api/v1"), WorkerList(), (), NOW, embedded=False)
    assert trouble(found).word == "Asking" and not trouble(found).needs_attention
    found = system_health(THERE, WorkerList(), (), NOW, embedded=False)
    assert trouble(found).word == "Not listed yet"
    found = system_health(THERE, worker_list(worker("w1"), at=NOW - 60), (), NOW, embedded=False)
    assert trouble(found).word == "Workers not known"


def test_several_silent_workers_are_spoken_of_in_the_plural():
    dead = [worker("w1"), worker("w2")]
    for each in dead:
        each["status"] = "temporarily_unavailable"
    assert links(near=worker_list(dead[0]))["workers"].advice.startswith("It may hang and wake again.")
    link = links(near=worker_list(*dead))["workers"]
    assert link.text == "w1, w2 do not answer." and link.advice.startswith("They may hang and wake again.")


def test_a_silent_backend_names_the_address_and_what_to_do():
    found = links(replace(THERE, failing_since=NOW - 60, message="Could not connect."))
    assert found["backend"].state == "failed" and found["backend"].at == NOW - 60 and found["backend"].needs_attention
    assert "http://ktrdr/api/v1" in found["backend"].advice
    assert found["workers"].text == "The backend does not list its workers now."


def test_a_slow_backend_is_not_a_silent_one():
    for doing, blamed in ((worker("w1", "busy", "op_a"), True), (worker("w1"), False)):  # one that is free is not asked
        found = links(replace(THERE, slow_since=NOW - 30), worker_list(doing))
        assert (found["backend"].state, found["backend"].word) == ("problems", "Backend slow")
        assert ("waits for a worker that hangs" in found["backend"].text) is blamed
        assert ("A worker that hangs may wake" in found["backend"].advice) is blamed


@pytest.mark.parametrize(
    ("workers", "state", "text"),
    [
        ([], "failed", "No training worker is registered with the backend."),
        ([worker("w1", "temporarily_unavailable", heard=40), worker("w2")], "problems", "w1 does not answer."),
        ([worker("w1", "temporarily_unavailable", heard=40)], "failed", "w1 does not answer."),
    ],
)
def test_workers(workers, state, text):
    link = links(near=worker_list(*workers))["workers"]
    assert (link.state, link.needs_attention) == (state, True) and text in link.text
    if workers:
        assert link.at == pytest.approx(NOW - 40, abs=1) and link.last


def test_a_worker_that_was_silent_and_then_dropped_is_missed_since_its_last_answer():
    """One that answered until the backend was restarted comes back by itself."""
    for status, state in (("temporarily_unavailable", "failed"), ("available", "problems")):
        listed = WorkerList().heard(worker_list(worker("w1", status, heard=300)).workers, NOW - 5).heard((), NOW)
        link = links(near=listed)["workers"]
        assert (link.word, link.state, link.last) == ("No training worker", state, True) and "w1" in link.text
        assert link.at == pytest.approx(NOW - 300 if state == "failed" else NOW - 5, abs=1)


def test_a_worker_with_an_operation_is_busy_whatever_it_is_called():
    """One that registers again is called available for some seconds, with what it works on beside it."""
    again = worker("w1") | {"current_operation_id": "op_a"}
    assert links(near=worker_list(again))["workers"].text.endswith("1 busy.")


def test_workers_not_listed_for_long_are_not_known():
    assert links(near=worker_list(worker("w1"), at=NOW - 90))["workers"].word == "Workers not known"


def test_the_data_source_is_judged_by_the_outcomes_of_loads():
    """KTRDR's own status of the Interactive Brokers connection is always "disconnected"."""
    assert links()["source"].word == "Not known"
    down = [
        loaded("failed", NOW - 60, HOST_DOWN),
        loaded("failed", NOW - 500, HOST_DOWN),
        loaded("completed", NOW - 900),
    ]
    link = links(loads=down)["source"]
    assert (link.state, link.at, link.needs_attention) == (
        "failed",
        NOW - 500,
        True,
    ) and "Start the host service" in link.advice
    assert not links(loads=[loaded("failed", NOW - 9000, HOST_DOWN)])["source"].needs_attention, "too old to be news"
    assert links(loads=[loaded("completed", NOW - 5), *down])["source"].state == "completed"
    assert links(loads=[loaded("failed", NOW - 5, "Symbol NOSUCH not found")])["source"].state == "completed"
    listed = replace(loaded("completed", NOW - 5).snapshot, full=False)
    assert links(loads=[Observation(listed, NOW - 5)])["source"].word == "Not known", "only its end is known"
    none = replace(loaded("completed", NOW - 5).snapshot, result={"rows_downloaded": 0, "gaps_filled": 1})
    link = links(loads=[Observation(none, NOW - 5)])["source"]
    assert (link.word, link.state) == ("No bars came", "problems") and link.text.startswith("The last load brought not")
    some = replace(loaded("completed", NOW - 5).snapshot, result={"rows_downloaded": 1944})
    link = links(loads=[Observation(some, NOW - 5, gaps_left=NOTHING_STORED)])["source"]
    assert (link.word, link.state) == ("Nothing stored", "queued") and "none of its bars is stored" in link.text
    for left, said in ((1, "After the last load 1 gap was still there."), (2, "2 gaps were still there.")):
        assert links(loads=[replace(loaded("completed", NOW - 5), gaps_left=left)])["source"].text.endswith(said)
    assert links(loads=[loaded("failed", NOW - 5, "Error 162")])["source"].text == "The last load failed: Error 162"
    with_backend = loaded("failed", NOW - 5, "Operation was RUNNING but no worker claimed it")
    assert links(loads=[with_backend])["source"].word == "Not known", "it ended with its backend"
    assert links(loads=[loaded("failed", NOW - 5, HOST_DOWN)], embedded=True)["source"].word == "Sample generator"


@pytest.mark.parametrize(
    ("error", "state", "says"),
    [
        (GATEWAY_DOWN, "failed", "The Interactive Brokers Gateway does not answer, so no load can bring bars."),
        (HOST_DOWN.lower(), "failed", "Interactive Brokers' host service does not answer"),
        ("Symbol  not found", "completed", "It answered the last load: Symbol  not found"),
        ("Symbol info lookup failed", "problems", "The last load failed"),
    ],
)
def test_the_data_source_and_the_failed_load_say_the_same(error, state, says):
    link = links(loads=[loaded("failed", NOW - 5, error), loaded("failed", NOW - 90, HOST_DOWN)])["source"]
    assert link.state == state and says in link.text
    assert link.at == (NOW - 90 if state == "failed" else NOW - 5), "out of reach since the first of such ends"


def test_every_page_reports_a_lost_worker_only_when_something_changes(here, backend):
    backend.workers = [worker("w1", last_healthy_at=stamp())]
    here.until("/start/training", lambda text: "1 training worker; none busy." in text)
    assert "All well" in words(here.get("/").text)
    with stream(here, "line") as reader:
        beats = 2
        reader.until(lambda stream: sum(name == "heard" for name, _ in stream.events) == beats)
        assert len([piece for piece in reader.observation if "All well" in piece]) == 1, (
            "ages travel with the heartbeat"
        )
        answered, listed = map(float, reader.events[-1][1].split())
        assert time.time() - answered < 15 and time.time() - listed < 25
        backend.workers = [worker("w1", "temporarily_unavailable", last_healthy_at=stamp(time.time() - 40))]
        reader.until(lambda stream: "w1 does not answer." in stream.places["line"])
    assert "After five minutes without an answer the backend drops it" in words(here.get("/data").text)


def test_the_workers_page(here, backend):
    backend.operations["op_a"] = operation("op_a", progress={"percentage": 41.0})
    here.read("op_a")
    backend.workers = [worker("w1", "busy", "op_a", last_healthy_at=stamp()), worker("w2"), worker("w3", "odd_one")]
    backend.workers[1]["endpoint_url"] = "javascript:alert(1)"
    page = here.until("/workers", lambda text: "w1" in text)
    assert re_row(page, "w1").startswith("Busy w1 training · http://127.0.0.1:5005 swing Training · running, 41 %")
    assert re_row(page, "w2").startswith("Free w2") and "Odd one" in re_row(page, "w3")
    assert 'href="/operations/op_a"' in page and 'href="http' not in page and 'href="javascript' not in page
    with stream(here, "workers") as reader:
        backend.workers = [worker("w1", "temporarily_unavailable", "op_a", failures=3)]
        reader.until(lambda stream: "3 questions unanswered" in stream.places.get("workers", ""))
        assert "Gone within the last hour" in reader.places["workers"] and "w2" in reader.places["workers"]


def test_no_workers_says_what_that_means(here, backend):
    page = here.until("/workers", lambda text: "No worker is registered." in text)
    assert "Trainings and backtests are refused until one is" in words(page)


def test_over_a_silent_backend_the_workers_are_not_known(tmp_path):
    with panel(tmp_path, f"http://127.0.0.1:{free_port()}/api/v1") as here:
        page = here.until("/workers", lambda text: "so its workers are not known." in text)
        assert "No worker is registered" not in words(page)


def test_the_embedded_backend_shows_its_own_worker(tmp_path):
    with panel(tmp_path) as here:
        page = here.until("/workers", lambda text: "embedded-training" in text)
        assert "Free embedded-training" in words(page) and "A sample generator makes the data" in words(page)


def test_a_look_now_asks_soon_and_leads_only_to_own_pages(here, backend):
    backend.operations["op_a"] = operation("op_a")
    here.get("/operations/op_a")
    assert here.post("/look-now", {"back": "/workers"}).headers["location"] == "/workers"
    for elsewhere in ("//evil.test", "https://evil.test", "/\\evil.test", ""):
        assert here.post("/look-now", {"back": elsewhere}).headers["location"] == "/"
    assert words(here.post("/look-now", **{"hx-request": "true"}).text).startswith("Asked")


def re_row(page: str, name: str) -> str:
    return next(words(row) for row in page.split("<tr")[1:] if name in row).split("> ", 1)[-1]


def test_what_hangs_and_what_is_an_error_do_not_take_turns():
    connection = Connection("http://x", answered_at=NOW)
    assert connection.late(NOW) and connection.late(NOW + 1, "Connect call failed")
    assert not connection.late(NOW + 2) and not connection.late(NOW + 3, "again")
    assert (connection.slow_since, connection.error) == (NOW, "Connect call failed")
    assert connection.answered(NOW + 4, False) and (connection.slow_since, connection.error) == (None, "")
