"""The monitor over a scripted backend: what it finds out, from which source, and at what cost."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from panel.backend.entities import snapshot_of
from panel.backend.ktrdr import Ktrdr
from panel.client import AsyncCLIClient
from panel.domain.events import LoadedBarsChecked
from panel.domain.observation import Observation
from panel.domain.snapshot import Status
from panel.domain.system_health import system_health
from panel.monitoring.discovery import Discovery
from panel.monitoring.live import LiveOperations
from panel.monitoring.poller import Monitor
from panel.storage.store import Storage
from tests.support.parts import monitor_of
from tests.support.scripted import Backend, operation, percent, stamp

pytestmark = pytest.mark.anyio


class Wire(httpx.ASGITransport):
    """The way to the scripted backend. On paths in `hung` no answer comes in time."""

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend.app)
        self.hung: tuple[str, ...] = ()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.removeprefix("/api/v1").startswith(self.hung or ("never",)):
            raise httpx.ReadTimeout("no answer", request=request)
        return await super().handle_async_request(request)


@asynccontextmanager
async def monitoring(wire: Wire, folder: Path) -> AsyncIterator[Monitor]:
    async with AsyncCLIClient("http://backend/api/v1", transport=wire, max_retries=0) as client:
        store = Storage(folder / "panel.db")
        monitor = monitor_of(client, store)
        discovery = Discovery(Ktrdr(client), monitor, store.memory, every=0.3)
        tasks = [asyncio.create_task(monitor.run()), asyncio.create_task(discovery.run())]
        try:
            yield monitor
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            store.close()


async def until(reached: Callable[[], object], timeout: float = 120.0) -> None:
    end = time.monotonic() + timeout
    while not reached():
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


@pytest.fixture
def wire(backend: Backend) -> Wire:
    return Wire(backend)


def busy_with(operation_id: str) -> dict[str, object]:
    return {"worker_id": "training-worker-1", "worker_type": "training", "status": "busy"} | {
        "current_operation_id": operation_id,
        "last_healthy_at": stamp(),
    }


async def test_quirk_1_a_training_in_no_list_is_found_through_its_worker(backend, wire, tmp_path):
    backend.operations["op_hidden"] = operation("op_hidden", progress=percent(7.0, "Epoch 7/100"))
    backend.workers = [busy_with("op_hidden")]
    async with monitoring(wire, tmp_path) as monitor:
        await until(lambda: monitor.known("op_hidden"))
        assert monitor.known("op_hidden").snapshot.step == "Epoch 7/100"


async def test_quirk_1_the_lists_frozen_values_never_replace_fresh_ones(backend, wire, tmp_path):
    backend.operations["op_a"] = lambda reading: operation("op_a", progress=percent(10.0 + reading, "fresh"))
    frozen = {"operation_id": "op_a", "operation_type": "training", "status": "running", "progress_percentage": 1.0}
    backend.answers["GET /operations"] = (200, {"success": True, "data": [frozen | {"current_step": "frozen"}]})
    async with monitoring(wire, tmp_path) as monitor:
        await until(lambda: backend.hits["GET /operations"] >= 2)
        assert monitor.known("op_a").snapshot.step == "fresh"
        assert all(reading.step == "fresh" for reading in monitor._store.memory.readings("op_a"))


async def test_quirk_2_what_left_the_list_is_followed_by_its_id_to_its_end(backend, wire, tmp_path):
    def load(reading: int) -> dict[str, object]:
        result = {"mode": "tail", "gaps_filled": 1, "rows_downloaded": 362}
        done = {"completed_at": stamp(), "result_summary": result, "progress": percent(100.0)}
        running = {"progress": percent(40.0, "Segment 2/12")}
        return (
            operation("op_load", "data_load", "completed", **done)
            if reading > 2
            else operation("op_load", "data_load", **running)
        )

    backend.operations["op_load"] = load
    listed = [{"operation_id": "op_load", "operation_type": "data_load", "status": "running"}]
    backend.answers["GET /operations"] = lambda request: (
        200,
        {"data": listed if backend.hits["GET /operations"] == 1 else []},
    )
    async with monitoring(wire, tmp_path) as monitor:
        await until(
            lambda: (
                (observation := monitor.known("op_load"))
                and monitor.verdict(observation).headline.startswith("362 bars came.")
            )
        )
        monitor.gaps_found(LoadedBarsChecked("op_load", 0))  # the stored bars were looked through
        assert monitor.running() == []


async def test_quirk_2_a_backend_that_forgot_everything_takes_nothing_away(backend, wire, tmp_path):
    backend.operations["op_a"] = operation("op_a", status="completed", completed_at=stamp())
    backend.operations["op_b"] = operation("op_b", progress=percent(30.0, "Epoch 3/10"))
    item = {"operation_type": "training", "status": "running"}
    backend.answers["GET /operations"] = (
        200,
        {"data": [{"operation_id": "op_a"} | item, {"operation_id": "op_b"} | item]},
    )
    async with monitoring(wire, tmp_path) as monitor:
        await until(lambda: monitor.known("op_a") and monitor.known("op_b"))
    backend.operations.clear()
    backend.answers.clear()
    async with monitoring(wire, tmp_path) as monitor:
        await until(lambda: monitor.known("op_b").forgotten)
        assert monitor.verdict(monitor.known("op_b")).word == "Forgotten"
        assert monitor.verdict(monitor.known("op_a")).word == "Completed"
        assert monitor.known("op_b").snapshot.percentage == 30.0


async def test_operations_known_from_a_list_are_read_a_few_a_round(backend, wire, tmp_path):
    item = {"operation_type": "training", "status": "completed", "progress_percentage": 100.0}
    for n in range(20):
        backend.operations[f"op_{n:02}"] = operation(f"op_{n:02}", status="completed", completed_at=stamp())
    listed = [item | {"operation_id": f"op_{n:02}", "created_at": stamp(1e9 - n)} for n in range(20)]
    backend.answers["GET /operations"] = (200, {"data": listed})
    async with monitoring(wire, tmp_path) as monitor:
        await until(lambda: (observation := monitor.known("op_03")) and observation.snapshot.full)
        read = [n for n in range(20) if monitor.known(f"op_{n:02}").snapshot.full]
        assert read == list(range(len(read))) and len(read) < 20  # the latest first
    del backend.operations["op_19"]
    async with monitoring(wire, tmp_path) as monitor:  # after a restart it goes on where it was
        await until(lambda: monitor.known("op_18").snapshot.full and monitor.known("op_19").forgotten)


async def test_quirk_14_a_list_that_waits_for_a_hung_worker_is_slow_not_silent(backend, wire, tmp_path):
    backend.operations["op_a"] = operation("op_a", progress=percent(30.0, "Epoch 3/10"))
    backend.workers = [busy_with("op_a")]
    async with monitoring(wire, tmp_path) as monitor:
        await until(lambda: monitor.known("op_a"))
        wire.hung = ("/operations",)
        await until(lambda: monitor.connection.slow_since)
        assert monitor.connection.failing_since is None
        await until(lambda: monitor.verdict(monitor.known("op_a")).word == "No answer about this one")
        wire.hung = ()
        await until(lambda: monitor.connection.slow_since is None)
        await until(lambda: monitor.verdict(monitor.known("op_a")).word == "Running")


async def test_one_operation_that_hangs_is_reported_at_once_and_as_long_as_it_does(backend, wire, tmp_path):
    """Although the list, which does not wait for its worker here, comes in time."""
    backend.operations["op_a"] = operation("op_a", progress=percent(30.0, "Epoch 3/10"))
    backend.workers = [busy_with("op_a")]
    async with monitoring(wire, tmp_path) as monitor:
        await until(lambda: monitor.known("op_a"))
        wire.hung = ("/operations/op_a",)
        await until(lambda: monitor.known("op_a").timed_out)
        since, asked = monitor.connection.slow_since, backend.hits["GET /operations"]
        assert since is not None
        await until(lambda: backend.hits["GET /operations"] > asked + 2)
        assert monitor.connection.slow_since == since
        wire.hung = ()
        await until(lambda: monitor.connection.slow_since is None)


@pytest.mark.parametrize("port", [5432, 5439, 15432])  # a sandbox has its own
async def test_an_error_about_one_operation_is_reported_as_one(backend, wire, tmp_path, port):
    """As when KTRDR's database is down."""
    backend.operations["op_a"] = operation("op_a", progress=percent(30.0, "Epoch 3/10"))
    backend.workers = [busy_with("op_a")]
    async with monitoring(wire, tmp_path) as monitor:
        await until(lambda: monitor.known("op_a"))
        said = f"[Errno 111] Connect call failed ('127.0.0.1', {port})"
        backend.answers["GET /operations/op_a"] = 400, {"detail": said}
        await until(lambda: monitor.connection.error)
        assert "Connect call failed" in monitor.connection.error
        await until(lambda: monitor.verdict(monitor.known("op_a")).word == "Backend has errors")
        verdict = monitor.verdict(monitor.known("op_a"))
        assert "its database does not answer" in verdict.headline and "PostgreSQL" in verdict.advice
        assert "Connect call failed" in verdict.evidence[-1]
        (link, *_) = system_health(monitor.connection, monitor.worker_list, [], 0.0, embedded=False)
        assert (link.state, link.word) == ("problems", "Backend has errors")
        assert "its database does not" in link.text and "PostgreSQL" in link.advice
        del backend.answers["GET /operations/op_a"]
        await until(lambda: not monitor.connection.error and monitor.connection.slow_since is None)


async def test_a_backend_that_does_not_answer_at_all_is_silent(backend, wire, tmp_path):
    async with monitoring(wire, tmp_path) as monitor:
        await until(lambda: monitor.connection.answered_at)
        wire.hung = ("/",)
        await until(lambda: monitor.connection.failing_since)
        wire.hung = ()
        await until(lambda: monitor.connection.failing_since is None)


async def test_quirk_6_a_failure_that_was_believed_after_a_minute_may_still_be_wrong(
    backend, wire, tmp_path, monkeypatch
):
    """A load that waits in the backend for a thread is marked failed, stands still for minutes, and completes."""
    monkeypatch.setattr("panel.backend.ktrdr.SETTLE", 0.1)
    unclaimed = "Operation was RUNNING but no worker claimed it"
    backend.operations["op_a"] = operation("op_a", "data_load", "failed", error_message=unclaimed)
    listed = {"operation_id": "op_a", "operation_type": "data_load", "status": "failed"}
    backend.answers["GET /operations"] = (200, {"data": [listed | {"status": "running"}]})
    async with monitoring(wire, tmp_path) as monitor:
        await until(lambda: monitor.known("op_a") and not monitor.running())
        assert monitor.verdict(monitor.known("op_a")).word == "Failed"
        backend.operations["op_a"] = operation("op_a", "data_load", "completed", result_summary={"rows_downloaded": 5})
        backend.answers["GET /operations"] = (200, {"data": [listed | {"status": "completed"}]})
        await until(lambda: monitor.known("op_a").snapshot.status is Status.COMPLETED)


async def test_quirk_5_the_end_of_a_resumed_training_is_believed_and_costs_no_more_readings(backend, wire, tmp_path):
    """What the backend calls "resuming" for ever is not read for ever."""
    before = time.time() - 300
    backend.operations["op_a"] = operation("op_a", status="resuming", created_at=stamp(before))
    backend.workers = [busy_with("op_a") | {"status": "available", "current_operation_id": None}]
    listed = {"operation_id": "op_a", "operation_type": "training", "status": "resuming"}
    backend.answers["GET /operations"] = (200, {"data": [listed]})
    async with monitoring(wire, tmp_path) as monitor:
        await until(lambda: monitor.known("op_a"))
        aged = monitor.known("op_a")
        monitor.keep(
            aged, Observation(aged.snapshot, before, sought_at=before)
        )  # as if it had been watched for five minutes
        await until(lambda: not monitor.running())
        assert monitor.verdict(monitor.known("op_a")).word == "Probably ended"
        asked = backend.hits["GET /operations/op_a"]
        rounds = backend.hits["GET /operations"] + 3
        await until(lambda: backend.hits["GET /operations"] >= rounds)
        assert backend.hits["GET /operations/op_a"] <= asked + 1


async def test_quirk_15_a_cancelled_training_still_worked_on_is_known_from_the_workers(backend, wire, tmp_path):
    ended = stamp(time.time() - 120)
    backend.operations["op_a"] = operation("op_a", status="cancelled", completed_at=ended, error_message="shutdown")
    backend.workers = [busy_with("op_a")]
    async with monitoring(wire, tmp_path) as monitor:
        await until(
            lambda: (
                (observation := monitor.known("op_a"))
                and monitor.verdict(observation).word == "Cancelled, still worked on"
            )
        )
        backend.workers = []
        await until(lambda: monitor.verdict(monitor.known("op_a")).word == "Cancelled")
        await monitor.recorder.flush()
        states = [reading.state for reading in monitor._store.memory.readings("op_a")]
        assert states[-2:] == ["stray", "cancelled"]


async def test_quirks_10_and_24_what_lies_is_never_asked(backend, wire, tmp_path):
    backend.operations["op_a"] = operation(
        "op_a", status="failed", error_message="Symbol X not found", completed_at=stamp()
    )
    async with monitoring(wire, tmp_path) as monitor:
        await until(lambda: backend.hits["GET /workers"])
        assert not [hit for hit in backend.hits if "/ib/" in hit or hit.endswith("/retry") or "data/info" in hit]
        await monitor.look("op_a")


def in_pages(runs: list[dict]) -> Callable[[Request], tuple[int, dict]]:
    """A backend's list of so many runs, which may become more."""

    def listed(request: Request) -> tuple[int, dict]:
        limit, offset = int(request.query_params["limit"]), int(request.query_params.get("offset", 0))
        return 200, {"success": True, "data": runs[offset : offset + limit]}

    return listed


def short_runs(count: int) -> list[dict]:
    ended = {"operation_type": "data_load", "status": "completed", "created_at": stamp(), "duration_seconds": 1.0}
    return [{"operation_id": f"op_{number:02d}"} | ended for number in range(count)]


async def test_sixty_short_runs_between_two_rounds_are_all_known(backend, wire, tmp_path):
    """The list is read on while a page is full of operations that were not known."""
    runs: list[dict] = []
    backend.answers["GET /operations"] = in_pages(runs)
    async with monitoring(wire, tmp_path) as monitor:
        await until(lambda: backend.hits["GET /operations"] >= 2)
        runs += short_runs(60)
        await until(lambda: all(monitor.known(run["operation_id"]) for run in runs))


async def test_a_list_that_is_longer_than_a_round_is_read_to_its_end(backend, wire, tmp_path, monkeypatch):
    """Also when the panel was stopped after it had read its beginning."""
    monkeypatch.setattr("panel.monitoring.discovery.FIRST", 30)
    monkeypatch.setattr("panel.monitoring.discovery.ROUND_TIME", 0.0)  # one page a round
    runs = short_runs(90)
    backend.answers["GET /operations"] = in_pages(runs[:30])
    async with monitoring(wire, tmp_path) as monitor:
        await until(lambda: monitor.known("op_29"))
    backend.answers["GET /operations"] = in_pages(runs)
    async with monitoring(wire, tmp_path) as monitor:
        await until(lambda: all(monitor.known(run["operation_id"]) for run in runs))


async def test_a_load_whose_end_was_read_is_not_read_again_while_its_bars_are_looked_at(backend, wire, tmp_path):
    """That has a limit, which every reading began anew: it was never called ended when the bars could not be had."""
    backend.operations["op_load"] = operation("op_load", "data_load")
    async with monitoring(wire, tmp_path) as monitor:
        await monitor.look("op_load")
        ended = {"completed_at": stamp(), "result_summary": {"rows_downloaded": 362}}
        backend.operations["op_load"] = operation("op_load", "data_load", "completed", **ended)
        await until(lambda: monitor.known("op_load").snapshot.finished)
        assert monitor.verdict(monitor.known("op_load")).word == "Checking"
        rounds, read = backend.hits["GET /operations"], backend.hits["GET /operations/op_load"]
        await until(lambda: backend.hits["GET /operations"] >= rounds + 2)
        assert backend.hits["GET /operations/op_load"] == read


async def test_a_backend_that_gives_the_same_page_for_every_offset_is_not_asked_on_and_on(backend, wire, tmp_path):
    backend.answers["GET /operations"] = (200, {"data": short_runs(100)})
    async with monitoring(wire, tmp_path):
        await until(lambda: backend.hits["GET /workers"] >= 3)
    assert backend.hits["GET /operations"] <= 3 + 4  # rounds, and the walk


async def test_more_operations_than_pollers_are_read_by_turns(backend, wire, tmp_path, monkeypatch):
    monkeypatch.setattr("panel.monitoring.poller.MAX_POLLERS", 2)
    monkeypatch.setattr("panel.monitoring.pace.TURN", 0.01)
    monkeypatch.setattr("panel.monitoring.pace.WATCHED_TURN", 3)  # everybody watches everything
    monkeypatch.setattr("panel.monitoring.pace.FASTEST", 0.01)
    monkeypatch.setattr("panel.monitoring.pace.WATCHED", 0.01)
    names = [f"op_{number}" for number in range(6)]
    for name in names:
        backend.operations[name] = operation(name)
    async with monitoring(wire, tmp_path) as monitor:
        for name in names:
            await monitor.look(name)
        assert len(monitor._pollers) == 2
        await until(lambda: all(backend.hits[f"GET /operations/{name}"] >= 4 for name in names))
        backend.operations["op_5"] = operation("op_5", status="completed", completed_at=stamp())
        await until(lambda: not monitor.verdict(monitor.known("op_5")).live)
        assert len(monitor._pollers) <= 2


async def test_an_unknown_id_is_asked_for_once_in_a_while(backend, wire, tmp_path, monkeypatch):
    async with monitoring(wire, tmp_path) as monitor:
        looks = [monitor.look(f"op_{number % 3}") for number in range(30)]
        assert await asyncio.gather(*looks) == [None] * 30
        assert await monitor.look("op_1") is None
        assert [backend.hits[f"GET /operations/op_{number}"] for number in range(3)] == [1, 1, 1]
        monkeypatch.setattr("panel.monitoring.lookup.UNKNOWN_FOR", 0.0)
        backend.operations["op_1"] = operation("op_1")
        assert await monitor.look("op_1") is not None


async def test_live_operations_are_in_order_although_sorted_rarely():
    live = LiveOperations()
    for number in (2, 0, 1, 3):
        live[f"op_{number}"] = Observation(snapshot_of(operation(f"op_{number}", created_at=stamp(1e9 + number)), 0), 0)
        live.newest_first()
    assert [each.snapshot.id for each in live.newest_first()] == ["op_3", "op_2", "op_1", "op_0"]
    live.pop("op_1")
    live.pop("op_1", None)
    assert [each.snapshot.id for each in live.newest_first()] == ["op_3", "op_2", "op_0"]


async def test_a_backend_that_asks_for_quiet_gets_it(backend, wire, tmp_path, monkeypatch):
    monkeypatch.setattr("panel.monitoring.pace.FASTEST", 0.01)
    monkeypatch.setattr("panel.monitoring.pace.WATCHED", 0.01)
    backend.operations["op_a"] = operation("op_a")
    slept: list[float] = []
    rest = asyncio.sleep

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await rest(min(seconds, 0.01))

    monkeypatch.setattr("panel.monitoring.discovery.LONGEST_QUIET", 7.0)
    monkeypatch.setattr("panel.monitoring.pace.LONGEST_QUIET", 9.0)
    monkeypatch.setattr("panel.monitoring.discovery.asyncio.sleep", sleep)  # everywhere
    async with monitoring(wire, tmp_path) as monitor:
        await monitor.look("op_a")
        busy = Response(status_code=503, content=b'{"detail": "busy"}', headers={"retry-after": "3600"})
        backend.answers |= {"GET /operations": lambda _: busy, "GET /operations/op_a": lambda _: busy}
        await until(lambda: 7.0 in slept and any(8.0 < each <= 9.0 for each in slept))
