"""The backend's own test operation: it counts for 200 s and takes no parameters."""

from dataclasses import dataclass
from typing import Any

from httpx import AsyncClient
from rich.console import Console

from panel.adapters.base import Kind, named
from panel.adapters.fields import written
from panel.domain.kinds import Traits
from panel.domain.values import number, text


@dataclass
class DummyOperationAdapter(Kind):
    """`duration` and `iterations` are accepted for scripts that pass them; the backend takes neither."""

    kind = "dummy"
    title = "Trial run"
    action = "Start a trial run"
    command = "dummy"
    endpoint = "/dummy/start"
    traits = Traits(inside=True)
    summary = "Count for 200 seconds, to see that everything is connected."

    duration: int = 200
    iterations: int = 100

    def get_start_payload(self) -> dict[str, Any]:
        return {}

    async def display_results(
        self, final_status: dict[str, Any], console: Console, http_client: AsyncClient | None = None
    ) -> None:
        console.print(f"{self.title} {text(final_status.get('status')) or 'completed'}.", markup=False)
        console.print(f"Steps: {_or_unknown(named(final_status, 'progress').get('total_steps'))}", markup=False)
        console.print(f"Seconds: {_or_unknown(named(final_status, 'metadata').get('duration'))}", markup=False)


def _or_unknown(value: Any) -> str:
    return written(value) if number(value) is not None else "N/A"
