"""Everything the panel consists of, as one typed value that routes ask for."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, FastAPI, Request

from panel.backend.catalogue import Catalogue
from panel.backend.ktrdr import Ktrdr
from panel.live.hub import Hub
from panel.live.publisher import Publisher
from panel.live.reader import Reader
from panel.monitoring.discovery import Discovery
from panel.monitoring.inventory import DataInventory
from panel.monitoring.offers import Offers
from panel.monitoring.poller import Monitor
from panel.monitoring.unreported import UnreportedRuns
from panel.settings import Settings
from panel.storage.store import Storage
from panel.web.auth.access import Access
from panel.web.metrics import Metrics
from panel.workflows.audit import AuditTrail
from panel.workflows.batches import BatchWorkflow
from panel.workflows.bulk import BulkWorkflow
from panel.workflows.commands import Commands
from panel.workflows.imports import Imports
from panel.workflows.labels import Labels
from panel.workflows.notifications import Notifications
from panel.workflows.plans import Plans
from panel.workflows.preflight import Sources
from panel.workflows.queue import Queue
from panel.workflows.resuming import ResumeWorkflow
from panel.workflows.schedules import Schedules
from panel.workflows.starting import StartWorkflow
from panel.workflows.strategy_library import StrategyLibrary
from panel.workflows.submit import SubmitWorkflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Built completely in `panel.app` before anything starts."""

    settings: Settings
    access: Access
    audit: AuditTrail
    ktrdr: Ktrdr
    storage: Storage
    catalogue: Catalogue
    library: StrategyLibrary
    imports: Imports
    monitor: Monitor
    discovery: Discovery
    offers: Offers
    unreported: UnreportedRuns
    inventory: DataInventory
    starts: StartWorkflow
    commands: Commands
    labels: Labels
    bulk: BulkWorkflow
    queue: Queue
    plans: Plans
    resume: ResumeWorkflow
    sources: Sources
    submit: SubmitWorkflow
    batches: BatchWorkflow
    schedules: Schedules
    notifications: Notifications
    hub: Hub
    reader: Reader
    publisher: Publisher
    metrics: Metrics


def install(app: FastAPI, panel: Panel) -> None:
    app.state.panel = panel


def panel_of(request: Request) -> Panel:
    """The only access to the app's untyped state."""
    return cast(Panel, request.app.state.panel)


async def _depend(request: Request) -> Panel:  # async: FastAPI runs others in a thread
    return panel_of(request)


PanelDep = Annotated[Panel, Depends(_depend)]
