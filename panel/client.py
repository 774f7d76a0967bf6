"""The client for scripts. Its names are a contract: they are those of KTRDR's own command-line client."""

from typing import Any

from panel.adapters import OperationAdapter
from panel.backend import polling
from panel.backend.blocking import SyncCLIClient
from panel.backend.http import ClientConfig, HTTPClient
from panel.backend.polling import MAX_UNEXPECTED_STATUSES
from panel.backend.retrying import calculate_backoff, enhance_with_ib_diagnostics, parse_response, should_retry
from panel.errors import APIError, CLIClientError, ConnectionError, TimeoutError  # noqa: A004  KTRDR's names

__all__ = [
    "MAX_UNEXPECTED_STATUSES",
    "APIError",
    "AsyncCLIClient",
    "CLIClientError",
    "ClientConfig",
    "ConnectionError",
    "SyncCLIClient",
    "TimeoutError",
    "calculate_backoff",
    "enhance_with_ib_diagnostics",
    "parse_response",
    "should_retry",
]


class AsyncCLIClient(HTTPClient):
    """`async with AsyncCLIClient(…) as cli:`; the arguments are `HTTPClient`'s."""

    async def execute_operation(
        self, adapter: OperationAdapter, on_progress: polling.OnProgress | None = None, poll_interval: float = 0.3
    ) -> dict[str, Any]:
        """See `panel.backend.polling.execute_operation`."""
        return await polling.execute_operation(self, adapter, on_progress, poll_interval)
