"""The client for scripts. Its names are a contract: they are those of KTRDR's own command-line client."""

from typing import Any

from panel.adapters import OperationAdapter
from panel.backend import polling
from panel.backend.http import HTTPClient
from panel.backend.ktrdr import Ktrdr


class AsyncCLIClient(HTTPClient):
    """`async with AsyncCLIClient(…) as cli:`; the arguments are `HTTPClient`'s."""

    async def execute_operation(
        self, adapter: OperationAdapter, on_progress: polling.OnProgress | None = None, poll_interval: float = 0.3
    ) -> dict[str, Any]:
        """See `panel.backend.polling.execute_operation`."""
        return await polling.execute_operation(Ktrdr(self), adapter, on_progress, poll_interval)
