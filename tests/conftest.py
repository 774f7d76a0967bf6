import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.panels import Panel, panel
from tests.support.scripted import Backend, operation, served, stamp
from tests.support.stories import AGO, remember
from tests.support.workers import worker

# The suite has a process for each core already: more threads in each only wait for one another.
os.environ |= {"POLARS_MAX_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
# A slow machine is no failure.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Each of the suite's processes imports every test module. At first they share them out, so each is compiled once."""
    worker, root = os.environ.get("PYTEST_XDIST_WORKER"), Path(__file__).parent
    if worker and session.config.args == session.config.getini("testpaths"):
        share = int(worker.removeprefix("gw")), int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
        for file in sorted(root.rglob("test_*.py"))[share[0] :: share[1]]:
            import_module(".".join(file.relative_to(root.parent).with_suffix("").parts))


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
def free_worker(backend: Backend) -> None:
    """The backend has one. Asked for before a panel: a panel that has listed none says that a start will wait, until it
    lists them again ten seconds later."""
    backend.workers = [worker("w1", last_healthy_at=stamp())]


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
