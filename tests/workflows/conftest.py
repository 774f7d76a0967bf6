from contextlib import closing

import pytest

from panel.client import AsyncCLIClient
from panel.storage.store import Storage


@pytest.fixture
async def client(address):
    async with AsyncCLIClient(address, timeout=0.5, max_retries=0) as client:
        yield client


@pytest.fixture
def store(tmp_path):
    with closing(Storage(tmp_path / "panel.db")) as store:
        yield store
