"""Starts and the memory: the intent is on disk before the POST, outcomes are not lost, and old starts are looked for."""

import asyncio
import sqlite3
from contextlib import closing, contextmanager

import pytest

from panel.adapters import TrainingOperationAdapter
from panel.storage.store import Storage
from panel.workflows.starting import new_key
from tests.support.parts import starts_of
from tests.support.scripted import operation

pytestmark = pytest.mark.anyio

TRAINING = {"strategy_name": "swing"}


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    monkeypatch.setattr("panel.workflows.starting.CHECKS", (0.01, 0.01))
    monkeypatch.setattr("panel.workflows.starting.ANSWERED_BY", 0.0)
    monkeypatch.setattr("panel.workflows.starting.ROUND", 0.05)


@contextmanager
def locked(store: Storage):
    """Another program holds the write lock."""
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def becomes(check):
    async with asyncio.timeout(20):
        while True:
            if check():
                return
            await asyncio.sleep(0.01)


async def test_a_start_waits_for_its_intent_and_the_loop_does_not(client, store, backend, monkeypatch):
    monkeypatch.setattr("panel.storage.store.WRITE_LOCK_TIMEOUT", 60.0)
    starting = starts_of(client, store)
    with locked(store):
        start = asyncio.create_task(starting.submit(new_key(), TrainingOperationAdapter("swing"), TRAINING))
        for _ in range(100):  # the loop goes round while the writer's thread waits, and reads are answered
            await asyncio.sleep(0)
            assert store.unsettled_starts() == []
        assert not start.done() and backend.hits["POST /trainings/start"] == 0
    assert (await start).state == "started" and backend.hits["POST /trainings/start"] == 1


async def test_without_its_intent_no_start_is_sent(client, store, backend, monkeypatch):
    monkeypatch.setattr("panel.storage.store.WRITE_LOCK_TIMEOUT", 0.01)
    starting, key = starts_of(client, store), new_key()
    with locked(store), pytest.raises(sqlite3.OperationalError, match="locked"):
        await starting.submit(key, TrainingOperationAdapter("swing"), TRAINING)
    assert backend.hits["POST /trainings/start"] == 0 and store.start(key) is None
    assert (await starting.submit(key, TrainingOperationAdapter("swing"), TRAINING)).state == "started"


async def test_an_outcome_that_cannot_be_stored_is_reported_and_stored_later(client, store, backend, monkeypatch):
    monkeypatch.setattr("panel.storage.store.WRITE_LOCK_TIMEOUT", 0.01)
    backend.answers["POST /trainings/start"] = (500, {"detail": "lost"})
    starting = starts_of(client, store)
    start = await starting.submit(new_key(), TrainingOperationAdapter("swing"), TRAINING)
    backend.operations[start.operation_id] = operation(start.operation_id)
    running = None
    try:
        with locked(store):
            assert (await starting.check_again(start.key)).state == "started"
            assert store.start(start.key).state == "unconfirmed"  # on disk
        running = asyncio.create_task(starting.run())
        await becomes(lambda: store.start(start.key).state == "started")
    finally:
        if running is not None:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_a_start_of_last_week_is_looked_for_once_after_every_start_up(client, store, backend):
    start, _ = store.claim(new_key(), "training", TRAINING, "op_old")
    with closing(sqlite3.connect(store.path)) as db, db:
        db.execute("UPDATE starts SET asked_at = asked_at - 7 * 86400")
    for _ in range(2):
        before = backend.hits["GET /operations/op_old"]
        running = asyncio.create_task(starts_of(client, store).run())
        await becomes(
            lambda before=before: (
                backend.hits["GET /operations/op_old"] > before and store.start(start.key).state == "unconfirmed"
            )
        )
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
