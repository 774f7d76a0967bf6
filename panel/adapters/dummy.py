"""The backend's own trial operation: it counts for 200 s and takes no parameters."""

from typing import Any

from panel.adapters.base import OperationAdapter


class DummyOperationAdapter(OperationAdapter):
    """A run of nothing, to try the line. `duration` and `iterations` are accepted for scripts that pass
    them; the backend ignores its body."""

    kind = "dummy"
    title = "Trial run"
    action = "Start a trial run"
    command = "dummy"
    summary = "Count for 200 seconds, to see that everything is connected."

    def __init__(self, duration: int = 200, iterations: int = 100) -> None:
        self.duration = duration
        self.iterations = iterations

    def get_start_endpoint(self) -> str:
        return "/dummy/start"

    def get_start_payload(self) -> dict[str, Any]:
        return {}
