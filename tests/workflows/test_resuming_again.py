"""When a resume may be sent again: whenever the one before it has certainly begun nothing."""

import sqlite3
from contextlib import closing

import pytest

from panel.backend.ktrdr import Ktrdr
from panel.client import AsyncCLIClient
from panel.domain.events import EventBus
from panel.errors import CLIClientError
from panel.live.hub import Hub
from panel.workflows.resuming import ResumeWorkflow
from tests.support.parts import monitor_of
from tests.support.scripted import operation, stamp

pytestmark = pytest.mark.anyio

POST = "POST /operations/op_r/resume"


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    monkeypatch.setattr("panel.storage.store.WRITE_LOCK_TIMEOUT", 0.01)


@pytest.fixture
async def client(address):
    """A patient one: an answer that is late on a busy machine would be a lost one."""
    async with AsyncCLIClient(address, max_retries=0) as client:
        yield client


@pytest.fixture
async def resuming(client, store, backend):
    """Of a cancelled training that the panel has read."""
    backend.operations["op_r"] = operation("op_r", status="cancelled", completed_at=stamp())
    backend.answers[POST] = (200, {"success": True, "data": {"status": "resuming"}})
    monitor = monitor_of(client, store)
    await monitor.look("op_r")
    return ResumeWorkflow(Ktrdr(client), store, monitor, EventBus(), Hub())


async def test_one_that_could_not_be_written_down_was_not_sent_and_can_be_asked_for_again(resuming, store, backend):
    await store.write(lambda _: None)  # to open the file takes patience
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            await resuming.send("op_r", "me")
    assert backend.hits[POST] == 0
    await resuming.send("op_r", "me")
    assert backend.hits[POST] == 1


async def test_one_that_the_backend_refused_can_be_asked_for_again(resuming, store, backend):
    taken, backend.answers[POST] = backend.answers[POST], (409, {"detail": "No worker is free"})
    with pytest.raises(CLIClientError, match="No worker is free"):
        await resuming.send("op_r", "me")
    backend.answers[POST] = taken
    for _ in range(2):  # once it is taken it is not sent again
        await resuming.send("op_r", "me")
    assert backend.hits[POST] == 2
    assert [each.outcome for each in store.memory.requests("op_r")] == ["No worker is free", "taken"]


async def test_one_that_never_left_can_be_asked_for_again(store):
    async with AsyncCLIClient("http://127.0.0.1:9/api/v1", max_retries=0) as client:
        resuming = ResumeWorkflow(Ktrdr(client), store, monitor_of(client, store), EventBus(), Hub())
        for _ in range(2):
            with pytest.raises(CLIClientError, match="Could not connect"):
                await resuming.send("op_r", "me")
    assert len(store.memory.requests("op_r")) == 2


async def test_one_that_may_have_arrived_is_not_sent_again(resuming, backend):
    backend.answers[POST] = (500, {"detail": "All connection attempts failed"})
    with pytest.raises(CLIClientError):
        await resuming.send("op_r", "me")
    await resuming.send("op_r", "me")
    assert backend.hits[POST] == 1
