"""The one entry for a submit: what it answers for each fate of what was asked for."""

import asyncio

import pytest

from panel.client import AsyncCLIClient
from panel.domain.events import StartsChanged
from panel.storage.store import Storage
from panel.workflows import submit as submitted
from panel.workflows.starting import new_key
from panel.workflows.submit import SubmitWorkflow
from tests.support.loads import LOAD
from tests.support.pages import KEY
from tests.support.parts import queue_of, starts_of
from tests.support.scripted import Backend

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    monkeypatch.setattr("panel.workflows.starting.CHECKS", (0.01,))


@pytest.fixture
async def client(address):
    async with AsyncCLIClient(address, timeout=2, max_retries=0) as client:
        yield client


@pytest.fixture
def store(tmp_path):
    store = Storage(tmp_path / "panel.db")
    yield store
    store.close()


async def queued(store: Storage) -> None:
    """It is written down by another thread."""
    for _ in range(2000):
        if store.queue.open():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nothing was queued")


def refuses(backend: Backend, status: int, detail: str) -> None:
    backend.answers["POST /trainings/start"] = (status, {"detail": detail})


async def test_each_fate_of_a_start_is_a_result_of_its_own(client, store, backend):
    submit = SubmitWorkflow(starts_of(client, store))

    async def training(**form: str) -> submitted.SubmitResult:
        return await submit.submit("training", {"strategy_name": "swing"} | form, new_key(), "a test")

    started = await training()
    assert isinstance(started, submitted.Started) and started.operation_id in backend.operations
    assert await training(start_date="tomorrow") == submitted.Invalid(
        {"start_date": "“tomorrow” is not a date; write it like 2024-01-31."}
    )
    refuses(backend, 422, "Strategy not found (searched: /opt)")
    refused = await training()
    assert isinstance(refused, submitted.Refused) and refused.errors == {"strategy_name": "Strategy not found"}
    refuses(backend, 500, "lost")
    unconfirmed = await training()
    assert isinstance(unconfirmed, submitted.Unconfirmed) and unconfirmed.open
    await starts_of(client, store).dismiss(unconfirmed.start.key)
    assert not submitted.result_of(store.start(unconfirmed.start.key)).open


async def test_what_never_left_is_not_sent(store):
    async with AsyncCLIClient("http://127.0.0.1:9/api/v1", max_retries=0) as client:
        result = await SubmitWorkflow(starts_of(client, store)).submit("dummy", {}, new_key(), "a test")
    assert isinstance(result, submitted.NotSent) and "Could not connect" in submitted.message_of(result)


async def test_a_submit_waits_for_its_load_until_it_is_decided(client, store):
    """Woken by what happens, not by a clock."""
    bus, queue = queue_of(client, store)
    asked = asyncio.create_task(
        SubmitWorkflow(starts_of(client, store), queue=queue).submit("data_load", LOAD, KEY, "")
    )
    await queued(store)
    bus.publish(StartsChanged())
    await asyncio.sleep(0)
    assert not asked.done() and store.queue.entry(KEY).state == "waiting"
    store.queue.settle(KEY, "running", operation_id="op_a")
    bus.publish(StartsChanged())
    assert await asked == submitted.Started("op_a")


async def test_a_button_that_keeps_its_key_tries_again_after_a_refusal(client, store):
    _, queue = queue_of(client, store)
    submit = SubmitWorkflow(starts_of(client, store), queue=queue)
    await queue.add("data_load", KEY, LOAD)
    store.queue.settle(KEY, "refused", "The symbol is not known.")
    again = await submit.submit("data_load", LOAD, KEY, "")
    assert again == submitted.Refused("The symbol is not known.", {"symbol": "The symbol is not known."})
    asked = asyncio.create_task(submit.submit("data_load", LOAD, KEY, "", repeatable=True))
    await queued(store)
    assert [load.state for load in store.queue.open()] == ["waiting"]
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)


@pytest.mark.parametrize("end", ["refused", "cancelled"])
async def test_a_button_that_keeps_its_key_tries_again_as_often_as_nothing_was_started(client, store, end):
    _, queue = queue_of(client, store)
    submit, keys = SubmitWorkflow(starts_of(client, store), queue=queue), []
    for _ in range(3):
        asked = asyncio.create_task(submit.submit("data_load", LOAD, KEY, "", repeatable=True))
        await queued(store)
        keys += [entry.key for entry in queue.open()]
        store.queue.settle(keys[-1], end)
        queue.wake()
        await asked
    assert len(set(keys)) == 3 == len(keys) and keys[0] == KEY


async def test_a_button_that_keeps_its_key_starts_nothing_beside_what_it_has_started(client, store):
    _, queue = queue_of(client, store)
    submit = SubmitWorkflow(starts_of(client, store), queue=queue)
    await queue.add("data_load", KEY, LOAD)
    store.queue.settle(KEY, "running", operation_id="op_a")
    for state in ("running", "done"):
        store.queue.settle(KEY, state)
        asked = submit.submit("data_load", LOAD, KEY, "", repeatable=True)
        assert await asked == submitted.Started("op_a") and len(queue.open()) == int(state == "running")


async def test_a_key_that_was_sent_to_start_and_to_wait_starts_once(client, store, backend):
    _, queue = queue_of(client, store)
    submit = SubmitWorkflow(starts_of(client, store), queue=queue)
    form = {"strategy_name": "swing"}
    both = [submit.submit("training", form, KEY, "", wait=wait) for wait in (False, True)]
    first, second = await asyncio.gather(*both)
    assert isinstance(first, submitted.Started) and second == first and store.queue.open() == []
    other = "other-key-0123456789"
    waits = asyncio.create_task(submit.submit("training", form, other, "", wait=True))
    await asyncio.sleep(0)
    assert isinstance(await submit.submit("training", form, other, ""), submitted.Queued)
    assert isinstance(await waits, submitted.Queued)
    assert store.start(other) is None and backend.hits["POST /trainings/start"] == 1
