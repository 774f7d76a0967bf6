"""The embedded backend: KTRDR's REST contract with real work behind it, for a panel without a KTRDR.

It listens on no port: its `app` is called in this process. It imports nothing of the panel, and needs the
libraries of the `embedded` extra.
"""

from pathlib import Path


class EmbeddedBackend:
    """`app` is its ASGI app, with KTRDR's paths below /api/v1. Several may work in one `folder` at once. The trades and
    bars of a backtest are kept for `keep_days`; 0: for ever."""

    def __init__(self, folder: Path, strategies_folder: Path | None = None, keep_days: int = 0) -> None:
        # Imported only where it is needed, as below: the processes of operations import this package too, and begin in
        # less than half the time without.
        from panel.embedded.api import create_api
        from panel.embedded.backend import Backend

        self._backend = Backend(folder, strategies_folder, keep_days)
        self.app = create_api(self._backend)

    async def start(self) -> None:
        """Prepare the folder, and end what an earlier panel left running. May be called again."""
        import asyncio

        await asyncio.to_thread(self._backend.open)

    async def stop(self) -> None:
        """Stop the processes; returns when they have ended. May be called again."""
        import asyncio

        await asyncio.to_thread(self._backend.close)


__all__ = ["EmbeddedBackend"]
