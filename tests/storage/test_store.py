"""The panel's memory survives being closed, and a start's key is claimed once."""

import asyncio
import dataclasses
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from panel.backend.entities import snapshot_of
from panel.domain.observation import Cancel, Observation
from panel.domain.requests import Request
from panel.domain.verdict import judge
from panel.storage.store import Storage
from tests.support.scripted import RESULT, corrupt, epochs, operation


@pytest.fixture
def path(tmp_path):
    return tmp_path / "memory" / "panel.db"


def observation(operation_id="op_a", **changes) -> Observation:
    return Observation(snapshot_of(operation(operation_id, **changes), 1000.5), 1000.0)


def keep(store: Storage, evidence: Observation) -> None:
    store.memory.remember(evidence, judge(evidence, 1001.0), 1001.0)


def test_an_operation_comes_back_as_it_was(path):
    store = Storage(path)
    first = observation(status="completed", result_summary=RESULT, metrics={"epochs": corrupt(3)})
    first = dataclasses.replace(first, changes=7, rhythm=1.5, fell=True, cancel=Cancel.UNDELIVERED, cancel_at=2.0)
    keep(store, first)
    store.close()
    assert Storage(path).memory.recall("op_a") == first


def test_the_800_kilobytes_do_not_go_in(path):
    Storage(path).close()
    empty = sum(file.stat().st_size for file in path.parent.iterdir())
    store = Storage(path)
    for done in range(1, 101):
        history = {"epochs": [epochs(done)]}
        keep(store, Observation(snapshot_of(operation("op_a", metrics=history), 1000.0 + done), 1000.0 + done))
    store.close()
    assert sum(file.stat().st_size for file in path.parent.iterdir()) - empty < 100_000


def test_recent_and_unfinished(path):
    store = Storage(path)
    for n in range(5):
        status = "running" if n == 2 else "completed"
        keep(store, observation(f"op_{n}", status=status, created_at=f"2026-11-22T12:0{n}:00Z"))
    assert [evidence.snapshot.id for evidence in store.memory.recent(3)] == ["op_4", "op_3", "op_2"]
    assert [evidence.snapshot.id for evidence in store.memory.unfinished()] == ["op_2"]


def test_a_key_is_claimed_once_even_across_restarts(path):
    store = Storage(path)
    start, fresh = store.claim("k" * 20, "training", {"strategy_name": "swing"}, "op_x")
    assert fresh and start.state == "sending"
    store.close()
    again, fresh = Storage(path).claim("k" * 20, "training", {"strategy_name": "other"}, "op_y")
    assert not fresh
    assert (again.operation_id, again.form) == ("op_x", {"strategy_name": "swing"})


def test_the_outcome_of_a_start(path):
    store = Storage(path)
    store.claim("k" * 20, "data_load", {"symbol": "EURUSD"}, None)
    assert [start.key for start in store.unsettled_starts()] == ["k" * 20]
    store.settle("k" * 20, "started", operation_id="op_b")
    assert store.unsettled_starts() == []
    found = store.start_of("op_b")
    assert found is not None and found.form == {"symbol": "EURUSD"}


def test_several_processes_may_share_the_file(path):
    """Opened, brought up to date and written to at the same moment; each thread is as alone as a process."""

    def one(number: int) -> int:
        store = Storage(path)
        fresh = [store.claim(f"key-{place:016}", "training", {"by": str(number)}, None)[1] for place in range(20)]
        for place in range(20):
            store.settle(f"key-{place:016}", "started", operation_id=f"op_{number}")
        store.close()
        return sum(fresh)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(one, range(8))) == 20


def test_what_is_known_of_a_start_is_not_unlearned(path):
    """The panel and a command line look for it at the same time, and only one of them finds it."""
    store = Storage(path)
    store.claim("k" * 20, "training", {}, "op_x")
    assert store.settle("k" * 20, "started", operation_id="op_x").state == "started"
    assert store.settle("k" * 20, "unconfirmed", "not found").state == "started"


def test_a_load_that_was_removed_cannot_be_started(path):
    store = Storage(path)
    store.queue.add([Request("k" * 20, "data_load", {"symbol": "EURUSD"})])
    assert store.queue.settle("k" * 20, "cancelled")
    assert not store.queue.begin("k" * 20) and not store.queue.settle("k" * 20, "starting")
    load = store.queue.entry("k" * 20)
    assert load is not None and load.state == "cancelled"


def test_an_entry_that_has_begun_meanwhile_is_not_withdrawn_as_one_that_waits(path):
    """What it began has to be cancelled first."""
    store = Storage(path)
    store.queue.add([Request("k" * 20, "data_load", {"symbol": "EURUSD"})])
    assert store.queue.begin("k" * 20) and store.queue.settle("k" * 20, "running", operation_id="op_a")
    assert not store.queue.withdraw("k" * 20, None) and not store.queue.withdraw("k" * 20, "op_b")
    assert store.queue.entry("k" * 20).state == "running"
    assert store.queue.withdraw("k" * 20, "op_a") and store.queue.entry("k" * 20).state == "cancelled"


def test_a_plan_that_was_cancelled_meanwhile_trains_nothing(path):
    store = Storage(path)
    for key, settled in (("c" * 20, "cancelled"), ("w" * 20, "waiting")):
        plan = store.queue.add_plan(key, {"strategy_name": "swing"}, [{"symbol": "EURUSD"}], "me")
        assert plan is not None and store.queue.settle_plan(key, settled)
        for _ in range(2):
            store.queue.train(plan)
    assert [entry.kind for entry in store.queue.of_plan("c" * 20)] == ["data_load"]
    assert store.queue.plan("c" * 20).state == "cancelled"
    assert [entry.kind for entry in store.queue.of_plan("w" * 20)] == ["data_load", "training"]


def test_what_is_forgotten_for_its_age_takes_its_start_along_and_what_was_deleted_does_not(path):
    """A form whose run was deleted may still be open in a browser."""
    store = Storage(path)
    for key, name in (("o" * 20, "op_old"), ("d" * 20, "op_deleted")):
        keep(store, observation(name, status="completed"))
        store.claim(key, "training", {"strategy_name": "swing"}, name)
        store.settle(key, "started")
    assert store.memory.drop(["op_deleted"]) == 1 and store.memory.forget(2000.0) == 1
    assert store.start("o" * 20) is None and store.start_of("op_old") is None
    assert store.start("d" * 20).operation_id == "op_deleted"


def test_a_plan_is_there_with_all_its_loads_or_not_at_all(path):
    store = Storage(path)
    with pytest.raises(TypeError):
        store.queue.add_plan("k" * 20, {}, [{"symbol": "EURUSD"}, {"symbol": object()}], "")  # type: ignore[dict-item]
    assert store.queue.plan("k" * 20) is None and store.queue.of_plan("k" * 20) == []


def waiting(store: Storage) -> list[str]:
    return [entry.key for entry in store.queue.open()]


def test_the_queue_keeps_its_order_and_can_be_given_another(path):
    store = Storage(path)
    for key in "abcd":
        store.queue.add([Request(key, "training", {})])
    assert waiting(store) == ["a", "b", "c", "d"]
    store.queue.move("c", "up")
    assert waiting(store) == ["a", "c", "b", "d"]
    store.queue.move("d", "top")
    assert waiting(store) == ["d", "a", "c", "b"]
    store.queue.move("d", "down")
    store.queue.move("b", "down")  # it is the last
    store.queue.move("a", "up")  # it is the first
    store.queue.move("nobody", "top")
    assert waiting(store) == ["a", "d", "c", "b"]
    store.queue.begin("a")
    store.queue.move("d", "up")  # what runs is not passed
    assert waiting(store) == ["a", "d", "c", "b"]
    assert store.queue.add([Request("e", "training", {})]) and waiting(store)[-1] == "e"


def test_a_request_that_is_repeated_moves_once(path):
    store = Storage(path)
    store.queue.add([Request(key, "training", {}) for key in "abc"])
    for _ in range(2):
        store.queue.move("c", "up", "request")
    assert waiting(store) == ["a", "c", "b"]
    store.queue.move("c", "up", "another")
    assert waiting(store) == ["c", "a", "b"]


def test_many_are_queued_in_order_or_none(path, monkeypatch):
    monkeypatch.setattr("panel.storage.queue.MAX_ENTRIES", 3)
    store = Storage(path)
    store.queue.add([Request(key, "training", {}) for key in "ab"])
    assert store.queue.add([Request(key, "training", {}) for key in "cd"]) is None and waiting(store) == ["a", "b"]
    again = store.queue.add([Request(key, "training", {}) for key in "cb"])
    assert again is not None and [entry.key for entry in again] == ["c", "b"] and waiting(store) == ["a", "b", "c"]


def test_what_is_held_cannot_be_started(path):
    store = Storage(path)
    store.queue.add([Request("a", "training", {})])
    store.queue.hold("a", True)
    assert not store.queue.begin("a")
    store.queue.hold("a", False)
    assert store.queue.begin("a") and not store.queue.begin("a")


def test_a_full_queue_takes_nothing_more_and_forgets_nothing(path, monkeypatch):
    monkeypatch.setattr("panel.storage.queue.MAX_ENTRIES", 3)
    store = Storage(path)
    assert (
        all(store.queue.add([Request(key, "training", {})]) for key in "abc")
        and store.queue.add([Request("d", "training", {})]) is None
    )
    assert store.queue.add([Request("a", "training", {})]) is not None, "it is there already"
    assert store.queue.add_plan("p", {}, [{"symbol": "EURUSD"}], "") is None and store.queue.plan("p") is None
    store.queue.settle("b", "done")
    assert store.queue.add([Request("d", "training", {})]) is not None and waiting(store) == ["a", "c", "d"]


def test_a_write_is_carried_out_when_nobody_waits_for_it_any_more(path):
    async def write(store: Storage) -> None:
        gate, done = threading.Event(), []
        before = asyncio.create_task(store.write(lambda _: gate.wait(60)))
        abandoned = asyncio.create_task(store.write(lambda _: done.append("it")))
        await asyncio.sleep(0)  # both are handed over
        abandoned.cancel()
        await asyncio.wait([abandoned])
        gate.set()
        await before
        await store.write(lambda _: done.append("the next"))
        assert done == ["it", "the next"]

    with closing(Storage(path)) as store:
        asyncio.run(write(store))


@pytest.mark.parametrize("how", ["ABORT", "ROLLBACK"])  # of the statement; or, as on a full disk, of all at once
def test_curves_that_were_rolled_back_are_written_with_the_next_reading(path, how):
    with closing(Storage(path)) as store, closing(sqlite3.connect(path)) as other:
        trained = observation(status="completed", result_summary=RESULT, metrics={"epochs": [epochs(4)]})
        entry = trained, judge(trained, 1001.0), 1001.0
        other.execute(
            f"CREATE TRIGGER refuse BEFORE INSERT ON readings BEGIN SELECT RAISE({how}, 'database or disk is full'); END"
        )
        with pytest.raises(sqlite3.Error, match="database or disk is full"):
            store.remember([entry])
        other.execute("DROP TRIGGER refuse")
        store.remember([entry])
        assert store.memory.epochs("op_a") == trained.snapshot.epochs != ()


def test_curves_of_what_was_dropped_are_written_when_it_is_found_again(path):
    with closing(Storage(path)) as store:
        trained = observation(status="completed", result_summary=RESULT, metrics={"epochs": [epochs(4)]})
        keep(store, trained)
        assert store.drop(5000.0) == 1 and not store.memory.epochs("op_a")
        keep(store, trained)
        assert store.memory.epochs("op_a") == trained.snapshot.epochs
