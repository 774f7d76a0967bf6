"""Chooses the backend: a real KTRDR at an address, or the embedded one in this process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import Any

import httpx

from panel.backend.http import HTTPClient
from panel.errors import UnsafeSettings
from panel.settings import BASE_URL, DEFAULT_BASE_URL, Settings

EMBEDDED_URL = "http://embedded/api/v1"  # never resolved: requests to it stay in this process

_LIBRARIES = ("numpy", "pandas", "polars", "talib")  # of the `embedded` extra, by the names they are imported by


def embedded_missing() -> list[str]:
    """Libraries of the embedded backend that are not installed; does not import them."""
    return [name for name in _LIBRARIES if find_spec(name) is None]


def check(settings: Settings) -> None:
    """Raises UnsafeSettings when these settings allow no backend."""
    if not settings.backend and (missing := embedded_missing()):
        raise UnsafeSettings(
            f"No backend is named, and the embedded one is not installed ({', '.join(missing)} missing). "
            f"Install it: pip install 'ktrdr-panel[embedded]'. Or name a KTRDR: {BASE_URL}={DEFAULT_BASE_URL}"
        )


def source_of(settings: Settings, symbol: str, timeframe: str) -> str:
    """Of what the embedded backend stores: "sample", "own" or "mixed"; "" of nothing, and of a KTRDR's."""
    if settings.backend:
        return ""
    check(settings)
    from panel.embedded.bars import Bars

    try:
        stored = Bars(settings.data_folder / "embedded" / "data").stored(symbol, timeframe)
    except ValueError:  # a file that cannot be used
        return ""
    return stored.source if stored else ""


@asynccontextmanager
async def connect(settings: Settings, **options: Any) -> AsyncIterator[HTTPClient]:
    """A client for the configured backend; `options` are HTTPClient's. The embedded backend lives as
    long as the client does."""
    if settings.backend:
        async with HTTPClient(settings.backend, **options) as client:
            yield client
        return
    check(settings)
    # Only here: with a KTRDR configured, the embedded backend's libraries need not be installed.
    from panel.embedded import EmbeddedBackend

    backend = EmbeddedBackend(settings.data_folder / "embedded", settings.strategies_folder, settings.keep_days)
    await backend.start()
    try:
        transport = httpx.ASGITransport(app=backend.app, raise_app_exceptions=False)
        address = "the embedded backend"
        async with HTTPClient(EMBEDDED_URL, transport=transport, address=address, **options) as client:
            yield client
    finally:
        await backend.stop()
