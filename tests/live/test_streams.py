"""Streams over a real server: one poller for all readers, every end reaches every page, nothing is left behind."""

import asyncio
import gc
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from panel.live.hub import Mailbox, frame
from panel.monitoring import discovery
from tests.support.lives import living
from tests.support.pages import until, words
from tests.support.panels import RawReader, free_port, panel, panel_process, stream
from tests.support.scripted import RESULT, Backend, corrupt, epochs, operation, percent, served, stamp

CONNECTS = int(os.environ.get("KTRDR_PANEL_TEST_CONNECTS", "1000"))  # 10,000 and more take their time


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
    assert sum(map(len, reader.observation)) < 10_000 and sum(len(data) for _, data in reader.events) < 10_000


def test_an_end_reaches_every_page(here, backend):
    backend.operations["op_a"] = lambda n: running(n, 1)
    with stream(here, "op_a") as on_its_page, stream(here, "home") as at_home:
        here.get("/operations/op_a")
        on_its_page.until(lambda stream: "Epoch 1/100" in stream.places.get("status", ""))
        at_home.until(lambda stream: "card-op_a" in stream.places.get("lists", ""))
        backend.operations["op_a"] = completed()
        on_its_page.until(
            lambda stream: "Completed" in stream.places["status"] and "87.2 %" in words(stream.places["outcome"])
        )
        at_home.until(
            lambda stream: "row-op_a" in stream.places["lists"] and "Nothing is running" in stream.places["lists"]
        )


def test_home_changes_when_the_backend_answers_for_the_first_time(address, backend, tmp_path):
    free = threading.Event()

    async def held(_):
        await asyncio.to_thread(free.wait, 120)
        return 200, {"success": True, "data": [], "total_count": 0, "active_count": 0}

    backend.answers |= {"GET /operations": held, "GET /health": held}
    with panel(tmp_path, address) as here, stream(here, "home") as at_home:
        waiting = ("is being asked", "does not answer")  # the latter on a machine that is slow to open a stream
        at_home.until(lambda stream: any(each in stream.places.get("lists", "") for each in waiting))
        free.set()
        at_home.until(lambda stream: "No runs are known yet" in stream.places["lists"])


def test_a_start_elsewhere_shows_up_by_itself(here, backend):
    """A training is in no list until somebody asks for it; the workers name it."""
    with stream(here, "home") as at_home:
        at_home.until(lambda stream: "No runs are known yet" in stream.places.get("lists", ""))
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
            assert "Failed" not in "".join(reader.observation), "nobody called it failed"


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
        here.read("op_a", "op_b")
    with panel(tmp_path, address) as here, stream(here, "home") as at_home:
        at_home.until(lambda stream: "card-op_a" in stream.places.get("lists", ""))
        assert "row-op_b" in at_home.places["lists"] and "Symbol X not found" in at_home.places["lists"]


def test_nothing_is_asked_for_when_nothing_runs_but_one_small_round():
    backend = Backend()
    with living(backend) as life:
        life.open("home")
        life.runner.run(asyncio.sleep(60))
        assert "lists" in life.streams["home"]
        backend.hits.clear()
        life.runner.run(asyncio.sleep(60))
        assert backend.hits == {"GET /operations": 6, "GET /workers": 6, "GET /agent/status": 1}


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly_with_open_streams(address, tmp_path, sign):
    with panel_process(tmp_path, address) as (here, process), ExitStack() as stack:
        for page in ["home"] * 48 + ["op_unknown", "line"]:
            stack.enter_context(RawReader(here, page)).until(b"event: beat")
        process.send_signal(sign)
        process.wait(120)  # the promise: within five seconds
    logged = (tmp_path / "log").read_text()
    assert process.returncode in (0, -sign), logged
    assert "Traceback" not in logged and "ERROR" not in logged


def test_frames_go_to_the_socket_past_asgi(here):
    """What a new uvicorn could break: then everything still works, but costs several times as much."""
    with RawReader(here, "home") as reader:
        reader.until(b"event: beat")
        for n in range(20):
            here.inside.call(here.inside.fanout.publish, "home", "card-x", frame(f"reading {n};"))
            reader.until(b"reading %d;" % n)
        assert here.inside.sent["/stream/home"] <= 3  # the head, the first frames, and the request's end


def test_a_stream_takes_no_task(here):
    with ExitStack() as stack:
        stack.enter_context(RawReader(here, "home")).until(b"event: beat")
        before = here.inside.tasks()
        for _ in range(9):
            stack.enter_context(RawReader(here, "home")).until(b"event: beat")
        until(lambda: here.inside.tasks() - before <= 3)  # some of the panel's own come and go
        assert here.inside.fanout.streams == 10
    until(lambda: here.inside.fanout.streams == 0)


@pytest.mark.parametrize("http", ["h11", "httptools"])
def test_under_another_server_frames_come_out_of_the_mailbox(address, tmp_path, http):
    with panel(tmp_path, address, http=http) as here, RawReader(here, "home") as reader:
        reader.until(b"event: beat")
        for n in range(20):
            here.inside.call(here.inside.fanout.publish, "home", "card-x", frame(f"reading {n};"))
            reader.until(b"reading %d;" % n)
        assert here.inside.sent["/stream/home"] >= 20


def test_frames_of_one_turn_come_in_one_chunk(here):
    def several() -> None:
        for n in range(9):
            here.inside.fanout.publish("home", f"card-{n % 3}", frame(f"reading {n};"))

    with RawReader(here, "home") as reader:
        reader.until(b"event: beat")
        reader.got = b""
        here.inside.call(several)
        together = b"".join(frame(f"reading {n};") for n in (6, 7, 8))
        reader.until(together)  # between two chunks there would be a length; another topic's frame may stand beside it


def test_readers_that_never_read_cost_little_and_others_nothing(here):
    """Five of them, and 8 MB that they could have had: a few kilobytes wait for each, the latest of each place."""
    fanout, publish = here.inside.fanout, lambda place, n: here.inside.fanout.publish("home", place, heavy(place, n))

    def heavy(place: str, n: int) -> bytes:
        return frame(f"{place} {n};" + "x" * 4000)

    fanout.reader_timeout = 600.0  # a slow machine is not a reader that takes nothing for too long
    with RawReader(here, "home") as good, ExitStack() as stack:
        stalled = [stack.enter_context(RawReader(here, "home", room=4096)) for _ in range(5)]
        good.until(b"event: beat")
        until(lambda: fanout.streams == 6)
        for n in range(1000):
            for place in ("one", "two"):
                here.inside.call(publish, place, n)
            if n % 100 == 99:
                good.until(b"two %d;" % n)
        for reader in stalled:
            reader.until(b"two 999;").until(b"one 999;")
            assert len(reader.got) < 1_000_000
            assert b"one 500;" not in reader.got
        here.inside.call(publish, "one", 1000)  # and from there on they are like the others
        for reader in [good, *stalled]:
            reader.until(b"one 1000;")
        assert fanout.dropped == 0


@pytest.mark.parametrize("bytes_sent", [20_000, 2_000_000], ids=["unacknowledged", "full"])
def test_a_reader_that_takes_nothing_for_too_long_is_dropped(here, bytes_sent):
    """Whether its socket is full, or so little was sent that only the system knows that nobody takes it."""
    fanout = here.inside.fanout
    fanout.reader_timeout = 600.0
    with RawReader(here, "home") as good, ExitStack() as stack:
        until(lambda: fanout.streams == 1)
        here.inside.call(fanout.publish, "home", "card-x", frame("begun"))
        good.until(b"begun")
        fanout.reader_timeout = 1.0  # for those who come from now on
        stalled = stack.enter_context(RawReader(here, "home", room=4096))
        until(lambda: fanout.streams == 2)
        here.inside.call(fanout.publish, "home", "card-x", frame("x" * bytes_sent))
        good.until(b"x\n\n")
        until(lambda: fanout.streams == 1 and fanout.dropped == 1)
        with suppress(ConnectionResetError):
            while stalled.end.recv(65536):  # until it ends, which it does
                pass
        here.inside.call(fanout.publish, "home", "card-x", frame("still here"))
        good.until(b"still here")


def test_a_page_that_comes_back_gets_the_last_state(here, backend):
    backend.operations["op_a"] = lambda n: running(n % 90, n)
    with RawReader(here, "op_a") as reader:
        reader.until(b"Epoch 1/100")
    until(lambda: here.inside.fanout.streams == 0)
    backend.operations["op_a"] = completed()
    with RawReader(here, "op_a", head="Last-Event-ID: 7\r\n") as reader:
        reader.until(b"Completed").until(b"87.2 %")


def test_a_stream_opens_while_the_backend_is_silent(tmp_path):
    with panel(tmp_path, f"http://127.0.0.1:{free_port()}/api/v1") as here:
        for page in ("home", "op_a", "line", "stored"):
            with RawReader(here, page) as reader:
                reader.until(b"Backend unreachable")
                assert reader.got.startswith(b"HTTP/1.1 200 ")


def test_home_shows_the_first_answer_also_when_it_is_empty(tmp_path, backend):
    heard = threading.Event()

    async def later(scope, receive, send) -> None:
        if scope["type"] == "http":
            await asyncio.to_thread(heard.wait)
        await backend.app(scope, receive, send)

    with (
        served(later) as address,
        panel(tmp_path, address + "/api/v1") as here,
        stream(here, "home") as reader,
    ):
        reader.until(lambda stream: "is being asked" in stream.places.get("lists", ""))
        heard.set()
        reader.until(lambda stream: "No runs are known yet" in stream.places["lists"])


def test_an_outage_is_over_with_the_first_answer(tmp_path, backend):
    """The panel asks every 1.5 seconds, and one answer is enough."""
    assert discovery.RECOVERY < 3
    port = free_port()
    with panel(tmp_path, f"http://127.0.0.1:{port}/api/v1") as here, stream(here, "home") as reader:
        reader.until(lambda stream: "Backend unreachable" in stream.places.get("line", ""))
        with served(backend.app, port):
            reader.until(lambda stream: "Backend unreachable" not in stream.places["line"])
            assert backend.hits["GET /operations"] + backend.hits["GET /workers"] + backend.hits["GET /health"] <= 2


def test_a_brief_stream_sends_the_state_and_ends(here, backend):
    backend.operations["op_a"] = running(40, 7)
    here.read("op_a")
    frames = here.get("/stream/op_a", headers={"Panel-Brief": "1"}).text
    assert "Epoch 7/100" in frames and "event: beat" in frames and "event: curves" in frames


def test_streams_that_come_and_go_leave_nothing_behind(here, backend):
    """Tasks, mailboxes, descriptors and memory return to where they were. Some leave before they are answered."""
    backend.operations["op_a"] = lambda n: running(30, 5)
    here.get("/operations/op_a")

    def open_and_leave(n: int) -> None:
        reader = RawReader(here, "op_a")
        if n % 3:
            reader.until(b"event: beat")
        reader.reset()

    def unfinished() -> tuple[int, int, int]:
        gc.collect()
        boxes = sum(isinstance(thing, Mailbox) for thing in gc.get_objects())
        return boxes, len(os.listdir("/proc/self/fd")), here.inside.tasks()

    def come_and_go(count: int) -> None:
        with ThreadPoolExecutor(8) as pool:
            for first in range(0, count, 100):  # what waits in the pool weighs something too
                list(pool.map(open_and_leave, range(first, first + 100)))
        until(lambda: here.inside.fanout.streams == 0)

    come_and_go(100)
    time.sleep(0.5)
    before, weight = unfinished(), memory()
    come_and_go(CONNECTS)
    until(lambda: all(now <= then + 3 for now, then in zip(unfinished(), before, strict=True)))
    assert unfinished()[0] <= before[0]
    assert memory() - weight < 8_000_000  # a stream that stayed would be 40 kB


def memory() -> int:
    """Resident bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
