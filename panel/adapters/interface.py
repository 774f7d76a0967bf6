"""What a script has to write to run an operation of its own: KTRDR's interface of an adapter, name by name."""

from abc import ABC, abstractmethod
from typing import Any

from httpx import AsyncClient
from rich.console import Console


class OperationAdapter(ABC):
    """Kind of operation -> REST, and back. Scripts compare these signatures, so they stay KTRDR's."""

    @abstractmethod
    def get_start_endpoint(self) -> str:
        """Path below the base URL."""

    @abstractmethod
    def get_start_payload(self) -> dict[str, Any]:
        """The JSON body; what the user did not choose is left out, so that the backend takes its own default."""

    @abstractmethod
    def parse_start_response(self, response: dict) -> str:  # type: ignore[type-arg]
        """The new operation's id."""

    @abstractmethod
    async def display_results(
        self,
        final_status: dict,  # type: ignore[type-arg]
        console: Console,
        http_client: AsyncClient | None = None,
    ) -> None:
        """Print how the operation ended. `final_status`: what `execute_operation` returned. `http_client`: to ask the
        backend for figures that are not in it."""
