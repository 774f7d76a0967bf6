"""The one choice of a backend: a real KTRDR at an address, or the embedded one in this process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from panel.client import AsyncCLIClient
from panel.settings import Settings

EMBEDDED_URL = "http://embedded/api/v1"  # never resolved: requests to it stay in this process


@asynccontextmanager
async def connect(settings: Settings, **options: Any) -> AsyncIterator[AsyncCLIClient]:
    """A client for the configured backend; `options` are AsyncCLIClient's. The embedded backend lives as
    long as the client does."""
    if settings.backend:
        async with AsyncCLIClient(settings.backend, **options) as client:
            yield client
        return
    # Only here: with a KTRDR configured, the embedded backend's libraries need not be installed.
    from panel.embedded import EmbeddedBackend

    backend = EmbeddedBackend(settings.data_folder / "embedded", settings.strategies_folder)
    await backend.start()
    try:
        transport = httpx.ASGITransport(app=backend.app, raise_app_exceptions=False)
        async with AsyncCLIClient(EMBEDDED_URL, transport=transport, **options) as client:
            client.address = "the embedded backend"
            yield client
    finally:
        await backend.stop()
