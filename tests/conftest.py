import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.support.browsers import Watched, chromium, watched_page
from tests.support.panels import Panel, panel
from tests.support.scripted import Backend, operation, served, stamp
from tests.support.stories import AGO, remember

# The suite has a process for each core already: more threads in each only wait for one another.
os.environ |= {"POLARS_MAX_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def backend() -> Backend:
    return Backend()


@pytest.fixture
def address(backend: Backend) -> Iterator[str]:
    """Of the scripted backend, on a socket."""
    with served(backend.app) as address:
        yield address + "/api/v1"


@pytest.fixture
def here(address: str, tmp_path: Path) -> Iterator[Panel]:
    """A panel over the scripted backend."""
    with panel(tmp_path, address) as here:
        yield here


@pytest.fixture
def quick_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Discovery rounds and heartbeats follow each other sooner than in life."""
    monkeypatch.setattr("panel.monitoring.discovery.INTERVAL", 0.3)
    monkeypatch.setattr("panel.live.publisher.BEAT", 0.5)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    with watched_page(browser) as page:
        yield page


@pytest.fixture
def remembering(backend, address, tmp_path):
    """Make a panel that remembers what an earlier one read."""
    with ExitStack() as opened:

        def made(operation_id, readings, now):
            began = time.time() - AGO
            backend.operations[operation_id] = operation(operation_id, **{"created_at": stamp(began), **now})
            remember(tmp_path, address, operation_id, readings, began)
            return opened.enter_context(panel(tmp_path, address))

        yield made
