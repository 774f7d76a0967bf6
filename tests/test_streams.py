"""Streams over a real server: one poller for all readers, every end reaches every page, nothing is left behind."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.panels import free_port, panel, panel_process, stream
from tests.scripted import RESULT, corrupt, epochs, operation, percent, served, stamp


def running(at: float, n: int = 0, **more):
    return operation(
        "op_a", progress=percent(at, f"Epoch {n}/100"), metrics={"epochs": corrupt(n)} if n else None, **more
    )


def completed():
    return operation("op_a", status="completed", progress=percent(100), result_summary=RESULT, completed_at=stamp())


def test_two_readers_one_poller(here, backend):
    """Both see every change, and the backend is asked once for both."""
    backend.operations["op_a"] = lambda n: running(n, n)
    with stream(here, "op_a") as one, stream(here, "op_a") as two:
        for reader in (one, two):
            reader.until(lambda stream: "Epoch 3/100" in stream.places.get("status", ""))
            reader.until(lambda stream: len(stream.epochs()) >= 3)
        assert backend.readings["op_a"] <= 5


def test_the_current_state_comes_first_on_every_connect(here, backend):
    backend.operations["op_a"] = lambda n: running(40, 7)
    here.get("/operations/op_a")
    for _ in range(2):
        with stream(here, "op_a") as reader:
            reader.until(lambda stream: "status" in stream.places and stream.curves())
            assert "Epoch 7/100" in reader.places["status"]
            assert reader.curves()["plots"][0]["curves"][0]["values"] == [
                float(f"{epoch['train_loss']:.6g}") for epoch in epochs(7)
            ]


def test_the_800_kilobytes_are_never_forwarded(here, backend):
    backend.operations["op_a"] = lambda n: running(40, 60)
    with stream(here, "op_a") as reader:
        reader.until(lambda stream: "status" in stream.places and stream.curves())
    assert sum(map(len, reader.seen)) < 10_000 and sum(len(data) for _, data in reader.events) < 10_000


def test_an_end_reaches_every_page(here, backend):
    backend.operations["op_a"] = lambda n: running(n, 1)
    with stream(here, "op_a") as on_its_page, stream(here, "home") as at_home:
        here.get("/operations/op_a")
        on_its_page.until(lambda stream: "Epoch 1/100" in stream.places.get("status", ""))
        at_home.until(lambda stream: "card-op_a" in stream.places.get("lists", ""))
        backend.operations["op_a"] = completed()
        on_its_page.until(
            lambda stream: "Completed" in stream.places["status"] and "87.2 %" in stream.places["outcome"]
        )
        at_home.until(
            lambda stream: "row-op_a" in stream.places["lists"] and "Nothing is running" in stream.places["lists"]
        )


def test_a_start_elsewhere_shows_up_by_itself(here, backend):
    """A training is in no list until somebody asks for it; the workers name it."""
    with stream(here, "home") as at_home:
        at_home.until(lambda stream: "Nothing has run yet" in stream.places.get("lists", ""))
        backend.operations["op_a"] = running(12, 3)
        backend.workers = [
            {"worker_id": "w", "worker_type": "training", "status": "busy", "current_operation_id": "op_a"}
        ]
        at_home.until(lambda stream: "card-op_a" in stream.places["lists"])


def test_fifty_streams_cost_the_backend_one_request_a_second(here, backend):
    backend.operations["op_a"] = lambda n: running(n % 99, n)
    here.get("/operations/op_a")
    with ExitStack() as stack, ThreadPoolExecutor(50) as pool:
        readers = list(pool.map(lambda _: stack.enter_context(stream(here, "op_a")), range(50)))
        before, began = backend.readings["op_a"], time.monotonic()
        until = f"Epoch {before + 5}/100"
        list(pool.map(lambda reader: reader.until(lambda stream: until in stream.places.get("status", "")), readers))
        spent = time.monotonic() - began
        # Not a matter of speed: a slow machine only makes fewer requests.
        assert backend.readings["op_a"] - before <= 1.2 * spent + 1


def test_a_backend_that_goes_silent_and_comes_back(tmp_path, backend):
    port = free_port()
    backend.operations["op_a"] = lambda n: running(30, 3)
    with panel(tmp_path, f"http://127.0.0.1:{port}/api/v1") as here, stream(here, "op_a") as reader:
        reader.until(lambda stream: "Backend unreachable" in stream.places.get("line", ""))
        assert f"127.0.0.1:{port}" in reader.places["line"]
        with served(backend.app, port):
            reader.until(lambda stream: "Backend unreachable" not in stream.places["line"])
            here.get("/operations/op_a")
            reader.until(lambda stream: "Epoch 3/100" in stream.places.get("status", ""))
        reader.until(lambda stream: "Backend silent" in stream.places["status"])
        assert 'class="share">30<' in reader.places["status"], "the last values stay"
        with served(backend.app, port):
            reader.until(lambda stream: "Running" in stream.places["status"])
            assert "Failed" not in "".join(reader.seen), "nobody called it failed"


def test_a_forgotten_operation_keeps_what_is_remembered(here, backend):
    backend.operations["op_a"] = lambda n: running(30, 5)
    with stream(here, "op_a") as reader:
        here.get("/operations/op_a")
        reader.until(lambda stream: "Epoch 5/100" in stream.places.get("status", ""))
        del backend.operations["op_a"]
        reader.until(lambda stream: "no longer knows" in stream.places["status"])
    page = here.get("/operations/op_a").text
    assert "Forgotten" in page and "Completed" not in page and "Train loss" in page


def test_a_panel_that_was_restarted_knows_what_ran(address, backend, tmp_path):
    backend.operations["op_a"] = lambda n: running(30, 5)
    backend.operations["op_b"] = operation("op_b", "data_load", "failed", error_message="Symbol X not found")
    with panel(tmp_path, address) as here:
        here.get("/operations/op_a")
        here.get("/operations/op_b")
    with panel(tmp_path, address) as here, stream(here, "home") as at_home:
        at_home.until(lambda stream: "card-op_a" in stream.places.get("lists", ""))
        assert "row-op_b" in at_home.places["lists"] and "Symbol X not found" in at_home.places["lists"]


def test_nothing_is_asked_for_when_nothing_runs_but_one_small_round(here, backend):
    with stream(here, "home") as at_home:
        at_home.until(lambda stream: "lists" in stream.places)
        before, began = backend.hits.total(), time.monotonic()
        time.sleep(6)
        assert backend.hits.total() - before <= (time.monotonic() - began) / 5 + 1


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly_with_open_streams(address, tmp_path, sign):
    with panel_process(tmp_path, address) as (here, process), ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(stream(here, "home")).until(lambda stream: stream.events)
        process.send_signal(sign)
        process.wait(5)  # the promise: within five seconds
    said = (tmp_path / "log").read_text()
    assert process.returncode in (0, -sign), said
    assert "Traceback" not in said and "ERROR" not in said


def test_streams_that_come_and_go_leave_nothing_behind(here, backend):
    """Tasks, mailboxes and descriptors return to where they were."""
    import gc
    import os

    from panel.fanout import Mailbox

    backend.operations["op_a"] = lambda n: running(30, 5)
    here.get("/operations/op_a")

    def open_and_leave(_):
        with stream(here, "op_a") as reader:
            reader.until(lambda stream: "status" in stream.places)

    def left() -> tuple[int, int]:
        gc.collect()
        boxes = sum(isinstance(thing, Mailbox) for thing in gc.get_objects())
        return boxes, len(os.listdir("/proc/self/fd"))

    open_and_leave(0)
    time.sleep(0.5)
    before = left()
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(open_and_leave, range(300)))
    for _ in range(100):
        if left()[0] <= before[0] and left()[1] <= before[1] + 5:
            break
        time.sleep(0.05)
    assert left()[0] <= before[0] and left()[1] <= before[1] + 5
