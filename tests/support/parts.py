"""Single components of a panel, for tests that need no more of it."""

from pathlib import Path
from typing import Any

from panel.backend.catalogue import Catalogue
from panel.backend.ktrdr import Ktrdr
from panel.client import AsyncCLIClient
from panel.domain.events import EventBus
from panel.monitoring.poller import Monitor
from panel.storage.process_lock import process_lock
from panel.storage.store import Storage
from panel.workflows.batch_strategies import BatchStrategies
from panel.workflows.batches import BatchWorkflow
from panel.workflows.commands import Commands
from panel.workflows.queue import Queue
from panel.workflows.starting import StartWorkflow
from panel.workflows.strategy_library import StrategyLibrary


class Everybody:
    """An audience that watches everything."""

    def readers(self, topic: str) -> int:
        return 1


def monitor_of(client: AsyncCLIClient, store: Storage, events: EventBus | None = None) -> Monitor:
    return Monitor(Ktrdr(client), store, events or EventBus(), Everybody(), client.address)


def starts_of(client: AsyncCLIClient, store: Storage, events: EventBus | None = None) -> StartWorkflow:
    return StartWorkflow(Ktrdr(client), store, events or EventBus())


def queue_of(client: AsyncCLIClient, store: Storage) -> tuple[EventBus, Queue]:
    """A queue that does not run, and the bus that it listens to."""
    bus = EventBus()
    ktrdr, monitor = Ktrdr(client), monitor_of(client, store, bus)
    parts = (starts_of(client, store, bus), monitor, Commands(ktrdr, store, monitor))
    return bus, Queue(ktrdr, store, *parts, process_lock(Path("never")), bus)


def batches_of(client: AsyncCLIClient, store: Storage, queue: Queue) -> BatchWorkflow:
    """Batches that are not followed, of strategies whose files are not at hand."""
    ktrdr, catalogue = Ktrdr(client), Catalogue(Ktrdr(client), None)
    library = StrategyLibrary(ktrdr, catalogue, None, Path("never"), embedded=False)
    variants = BatchStrategies(store, library, catalogue, Path("never"))
    return BatchWorkflow(store, queue, monitor_of(client, store), library, variants, EventBus())


def panel_of(app: Any) -> Any:
    """The typed panel of a running app, behind whatever stands in front of it."""
    while not hasattr(app, "state"):
        app = app._app
    return app.state.panel
