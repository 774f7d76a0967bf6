from collections import Counter
from contextlib import closing

import pytest

from panel.client import AsyncCLIClient
from panel.storage.store import Storage
from panel.workflows.queue import Queue
from tests.support.pages import until
from tests.support.workers import worker


@pytest.fixture
async def client(address):
    async with AsyncCLIClient(address, timeout=0.5, max_retries=0) as client:
        yield client


@pytest.fixture
def store(tmp_path):
    with closing(Storage(tmp_path / "panel.db")) as store:
        yield store


@pytest.fixture
def queue_is_quick(monkeypatch, backend):
    backend.workers = [worker("w1"), worker("w2", kind="backtesting")]
    monkeypatch.setattr("panel.workflows.queue.ROUND", 0.1)


@pytest.fixture
def rounds(monkeypatch):
    """Have a panel's queue look five more times; what it should not start it would start then."""
    done, look = Counter(), Queue._round

    async def counted(queue):
        await look(queue)
        done[queue] += 1

    monkeypatch.setattr(Queue, "_round", counted)

    def wait(here):
        queue = here.inside.panel.queue
        enough = done[queue] + 5
        until(lambda: here.inside.call(queue.wake) or done[queue] >= enough)

    return wait
