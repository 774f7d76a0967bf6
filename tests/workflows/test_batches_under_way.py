"""Batches that are under way: not too many at once, and stopped at any moment."""

import asyncio
import threading

import pytest

from panel.errors import InvalidForm
from tests.support.pages import KEY
from tests.support.parts import batches_of, queue_of

pytestmark = pytest.mark.anyio

OTHER = "other-key-0123456789"
FORM = {"way": "grid", "strategy_name": "swing", "symbols": "AAA BBB"}


@pytest.fixture
def queue(client, store):
    return queue_of(client, store)[1]


@pytest.fixture
def batches(client, store, queue):
    return batches_of(client, store, queue)


async def test_only_so_many_are_under_way_at_once(batches, store, monkeypatch):
    monkeypatch.setattr("panel.workflows.batches.MAX_OPEN", 1)
    await batches.begin(KEY, FORM, "a test")
    with pytest.raises(InvalidForm, match="1 batches are under way already"):
        await batches.begin(OTHER, FORM, "a test")
    assert store.batches.batch(OTHER) is None
    assert (await batches.begin(KEY, FORM, "a test")).key == KEY, "a repeat asks for no other"
    store.batches.stop(KEY)
    assert (await batches.begin(OTHER, FORM, "a test")).key == OTHER


async def test_a_run_that_is_stopped_while_it_is_being_queued_is_taken_out_again(batches, queue, store):
    """The stop is written between the look whether it still runs and its entry in the queue."""
    await batches.begin(KEY, FORM, "a test")
    gate = threading.Event()
    before = asyncio.create_task(store.write(lambda _: gate.wait(60)))  # all that is written after it waits
    stopped = asyncio.create_task(store.write(lambda store: store.batches.stop(KEY)))
    running = asyncio.create_task(batches.run())
    try:
        while not queue.knows(f"{KEY}-1"):  # it is handed over, and not on disk  # noqa: ASYNC110
            await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(before, stopped)
        async with asyncio.timeout(20):
            while (entry := queue.entry(f"{KEY}-1")) is None or entry.open:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    finally:
        gate.set()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert entry.state == "cancelled" and queue.open() == [] and not queue.knows(f"{KEY}-2")
