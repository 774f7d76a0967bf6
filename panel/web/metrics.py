"""What is measured, for Prometheus. Labels have few values, known beforehand: no id and no text of the backend."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from panel import __version__
from panel.adapters import KINDS
from panel.domain.events import EventBus, VerdictRecorded
from panel.domain.state import State
from panel.errors import APIError, BackendConnectionError, BackendTimeout, CLIClientError, Unreadable
from panel.live.hub import Hub
from panel.monitoring.poller import Monitor
from panel.observability.stalls import StallMonitor
from panel.storage.store import Storage

disable_created_metrics()  # type: ignore[no-untyped-call]  # when each label was first counted is not of use

_STARTS = (kind.endpoint.split("/")[1] for kind in KINDS.values())
# First segments of the backend's paths; anything else is "other".
ENDPOINTS = {"health", "operations", "workers", "strategies", "symbols", "models", "checkpoints", *_STARTS}
_OFFERED_AT = frozenset(kind.offered_at for kind in KINDS.values())
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """One app's own registry, and what is counted as it happens."""

    def __init__(self, events: EventBus, stalls: StallMonitor) -> None:
        self.registry = CollectorRegistry()
        self.stalls = stalls
        self.registry.register(_StallCollector(self.stalls))
        self._seconds = Histogram(
            "ktrdr_panel_backend_request_seconds",
            "Time until the backend had answered, or had not.",
            ("method", "endpoint"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._failures = Counter(
            "ktrdr_panel_backend_failures",
            "Requests to the backend that came to nothing.",
            ("endpoint", "error"),
            registry=self.registry,
        )
        self._verdicts = Counter(
            "ktrdr_panel_verdicts",
            "Verdicts on operations that changed and were stored.",
            ("state",),
            registry=self.registry,
        )
        for state in State:
            self._verdicts.labels(state.value)
        ProcessCollector(registry=self.registry)
        events.subscribe(VerdictRecorded, lambda event: self._verdicts.labels(event.verdict.state.value).inc())

    def asked(self, method: str, path: str, seconds: float, error: CLIClientError | None) -> None:
        """Count one request to the backend; for `HTTPClient.on_request`."""
        first = path.lstrip("/").partition("/")[0]
        endpoint = first if first in ENDPOINTS else "other"
        self._seconds.labels(method, endpoint).observe(seconds)
        self.stalls.wake()  # the reading is judged and drawn now
        # Whether the backend has a kind at all is a question that "not found" answers.
        if error is not None and not (error.unknown and path in _OFFERED_AT):
            self._failures.labels(endpoint, kind_of(error)).inc()


@dataclass(frozen=True, slots=True, eq=False)
class PanelCollector(Collector):
    """Values that are looked up at each scrape."""

    storage: Storage
    monitor: Monitor
    hub: Hub
    memory: Path
    embedded: bool

    def collect(self) -> Iterable[Metric]:
        hub, connection = self.hub, self.monitor.connection
        yield InfoMetricFamily(
            "ktrdr_panel",
            "This panel.",
            {"version": __version__, "backend": "embedded" if self.embedded else "ktrdr"},
        )
        operations = GaugeMetricFamily(
            "ktrdr_panel_operations", "Operations remembered, by what is really going on.", labels=("kind", "state")
        )
        found: dict[tuple[str, str], int] = {}
        for (kind, state), count in self.storage.memory.counts().items():
            key = (kind if kind in KINDS else "other", state)
            found[key] = found.get(key, 0) + count
        for key, count in found.items():
            operations.add_metric(key, count)
        yield operations
        yield GaugeMetricFamily(
            "ktrdr_panel_backend_up",
            "1 while the backend answers.",
            int(bool(connection.answered_at and not connection.failing_since)),
        )
        yield GaugeMetricFamily(
            "ktrdr_panel_backend_answered_timestamp_seconds",
            "When the backend last answered.",
            connection.answered_at or 0,
        )
        yield GaugeMetricFamily("ktrdr_panel_streams", "Event streams that are open.", hub.streams)
        yield CounterMetricFamily("ktrdr_panel_frames", "Frames handed to streams.", hub.frames)
        yield CounterMetricFamily(
            "ktrdr_panel_readers_dropped", "Streams whose reader took nothing for too long.", hub.dropped
        )
        yield GaugeMetricFamily(
            "ktrdr_panel_queue", "Starts in the queue that wait or run.", self.storage.queue.count()
        )
        yield GaugeMetricFamily("ktrdr_panel_memory_bytes", "Size of the panel's memory on disk.", self._size())

    def _size(self) -> int:
        """The size of the database with its write-ahead log."""
        file = self.memory
        parts = (file, *(file.with_name(file.name + end) for end in ("-wal", "-shm")))
        return sum(part.stat().st_size for part in parts if part.exists())


def kind_of(error: CLIClientError) -> str:
    if isinstance(error, BackendConnectionError):
        return "connection"
    if isinstance(error, BackendTimeout):
        return "timeout"
    if isinstance(error, APIError) and error.status_code is not None:
        if error.status_code >= 400:
            return f"{error.status_code // 100}xx"
        return "unreadable" if isinstance(error, Unreadable) else "refused"
    return "other"


@dataclass(frozen=True, slots=True)
class _StallCollector(Collector):
    stalls: StallMonitor

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(
            "ktrdr_panel_longest_stall_seconds", "Longest time for which the event loop stood still.", labels=("over",)
        )
        family.add_metric(("minute",), self.stalls.of_last_minute())
        family.add_metric(("start",), self.stalls.longest)
        yield family
        counted = CounterMetricFamily(
            "ktrdr_panel_stalls", "Times that the event loop stood still for longer than this.", labels=("seconds",)
        )
        for limit, count in self.stalls.counts.items():
            counted.add_metric((f"{limit:g}",), count)
        yield counted
