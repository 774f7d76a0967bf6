"""The backend has answered a start, and the memory does not take the answer: nobody else may decide about it meanwhile."""

import asyncio
import sqlite3
from contextlib import closing

import pytest

from panel.adapters import DataLoadOperationAdapter
from panel.client import AsyncCLIClient
from panel.workflows.starting import new_key
from tests.support.loads import LOAD
from tests.support.parts import starts_of

pytestmark = pytest.mark.anyio

SAID_NO = (422, {"detail": "The symbol is not traded"})
TOOK_IT = (200, {"success": True, "operation_id": "op_load", "status": "started"})


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    monkeypatch.setattr("panel.workflows.starting.CHECKS", (0.01,))
    monkeypatch.setattr("panel.workflows.starting.ANSWERED_BY", 0.0)
    monkeypatch.setattr("panel.workflows.starting.ROUND", 0.02)
    monkeypatch.setattr("panel.storage.store.WRITE_LOCK_TIMEOUT", 0.01)


@pytest.fixture
async def client(address):
    """A patient one: an answer that is late on a busy machine would be a lost one."""
    async with AsyncCLIClient(address, max_retries=0) as client:
        yield client


@pytest.fixture
def lock(store):
    """Another program's connection, which may hold the memory's write lock."""
    with closing(sqlite3.connect(store.path, isolation_level=None, check_same_thread=False)) as other:
        yield other


@pytest.mark.parametrize("meddle", ["", "check_again", "dismiss"])
@pytest.mark.parametrize(
    ("answer", "outcome"), [(SAID_NO, ("refused", None)), (TOOK_IT, ("started", "op_load"))], ids=["refused", "started"]
)
async def test_an_outcome_that_cannot_be_written_is_the_one_that_is_written_later(
    client, store, backend, lock, answer, outcome, meddle
):
    """No look at the backend would find it again, and a start that is put aside would stay so."""

    def locks(_):
        lock.execute("BEGIN IMMEDIATE")
        return answer

    backend.answers["POST /data/acquire/download"] = locks
    starting, key = starts_of(client, store), new_key()
    told = await starting.submit(key, DataLoadOperationAdapter("EURUSD", "1h"), LOAD)
    assert (told.state, told.operation_id) == outcome and store.start(key).state == "sending"
    asked = backend.hits.total()
    if meddle:
        assert (await getattr(starting, meddle)(key)).state == "sending" and backend.hits.total() == asked
    lock.execute("ROLLBACK")
    running = asyncio.create_task(starting.run())
    async with asyncio.timeout(20):
        while store.start(key).state == "sending":  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (store.start(key).state, store.start(key).operation_id) == outcome
    assert backend.hits.total() == asked, "there was nothing to look for"
