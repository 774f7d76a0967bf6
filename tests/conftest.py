from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.panels import Panel, panel
from tests.support.scripted import Backend, served


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
