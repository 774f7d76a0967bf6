"""Builds the ASGI app and manages component lifetimes."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI
from starlette.types import ASGIApp

from panel import __version__
from panel.backend.catalogue import Catalogue
from panel.backend.connect import connect
from panel.backend.http import HTTPClient
from panel.backend.ktrdr import Ktrdr
from panel.domain.events import EventBus
from panel.domain.memory import damage
from panel.live.hub import Hub
from panel.live.publisher import Publisher
from panel.live.reader import Reader
from panel.monitoring.discovery import Discovery
from panel.monitoring.inventory import DataInventory
from panel.monitoring.offers import Offers
from panel.monitoring.poller import Monitor
from panel.monitoring.unreported import UnreportedRuns
from panel.observability.rounds import cancel_all
from panel.observability.stalls import StallMonitor
from panel.settings import Settings
from panel.storage.process_lock import process_lock
from panel.storage.store import Storage
from panel.views.addresses import live_below
from panel.views.templating import ASSETS, STATIC_VERSION
from panel.web import problems
from panel.web.auth import login
from panel.web.auth.access import Access
from panel.web.metrics import Metrics, PanelCollector
from panel.web.middleware.bodies import BodiesMiddleware
from panel.web.middleware.compression import CompressionMiddleware
from panel.web.middleware.guard import GuardMiddleware
from panel.web.middleware.heads import HeadMiddleware
from panel.web.middleware.proxy import ProxyMiddleware
from panel.web.middleware.request_context import RequestContextMiddleware
from panel.web.middleware.roles import RolesMiddleware
from panel.web.panel import Panel, install
from panel.web.routes import (
    access,
    account,
    actions,
    api,
    audit,
    batches,
    bulk,
    checkpoints,
    compare,
    data,
    export,
    first,
    health,
    home,
    imports,
    labels,
    metrics,
    model_labels,
    models,
    notifications,
    operation,
    operations,
    queue,
    schedules,
    start,
    strategies,
    strategy_editing,
    stream,
    trades,
    workers,
)
from panel.web.static_files import StaticFiles
from panel.workflows.audit import AuditTrail
from panel.workflows.batch_strategies import BatchStrategies
from panel.workflows.batches import BatchWorkflow
from panel.workflows.bulk import BulkWorkflow
from panel.workflows.commands import Commands
from panel.workflows.imports import Imports
from panel.workflows.labels import Labels
from panel.workflows.mounted_files import MountedFiles
from panel.workflows.notifications import Notifications
from panel.workflows.plans import Plans
from panel.workflows.preflight import Sources
from panel.workflows.queue import Queue
from panel.workflows.replacing import ready_to_load
from panel.workflows.resuming import ResumeWorkflow
from panel.workflows.run_settings import RunSettings
from panel.workflows.schedules import Schedules
from panel.workflows.starting import StartWorkflow
from panel.workflows.strategy_library import StrategyLibrary
from panel.workflows.submit import SubmitWorkflow

LOOP_LOCK_TIMEOUT = 0.05  # seconds that the event loop may wait for another program's lock on the memory

log = logging.getLogger(__name__)

ROUTES = (
    login,
    access,
    account,
    audit,
    api,
    *api.PARTS,
    batches,
    schedules,
    operations,
    bulk,
    labels,
    compare,
    home,
    first,
    operation,
    trades,
    start,
    actions,
    imports,
    data,
    export,
    queue,
    workers,
    strategies,
    strategy_editing,
    models,
    model_labels,
    checkpoints,
    notifications,
    stream,
    health,
    metrics,
)

STATIC = StaticFiles(ASSETS / "static", STATIC_VERSION)  # one for all apps of a process: each file is made smaller once


def create_app(settings: Settings) -> ASGIApp:
    """The app behind its guard. Nothing is opened before its lifespan starts."""
    entrance, trail, stalls = Access(settings), AuditTrail(), StallMonitor()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        events = EventBus()
        measured = Metrics(events, stalls)
        # No retries here: the monitor's loop retries, and has to see each failure at once.
        async with connect(settings, max_retries=0, on_request=measured.asked) as client:
            await asyncio.to_thread(entrance.load)
            panel = compose(settings, client, events, measured, entrance, trail)
            install(app, panel)
            await panel.imports.restore()
            refused = panel.monitor.recorder.failed
            tasks = [asyncio.create_task(_kept(run, refused)) for run in _loops(panel)]
            try:
                yield
            finally:
                await cancel_all(tasks)
                await panel.bulk.close()
                await panel.starts.close()
                await panel.resume.close()
                await panel.catalogue.close()
                await panel.imports.close()
                await trail.close(panel.storage)
                entrance.sessions.save()
                panel.storage.close()

    app = FastAPI(
        title="ktrdr-panel", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None
    )
    # As they are: `include_router` copies each route, which costs the first request 70 ms.
    app.router.routes += [
        route for router in (*(area.router for area in ROUTES), audit.api_router) for route in router.routes
    ]
    app.mount("/static", STATIC)
    app.add_middleware(HeadMiddleware)
    app.add_middleware(BodiesMiddleware)
    app.add_middleware(RolesMiddleware)
    app.add_middleware(CompressionMiddleware)
    problems.install(app)
    authenticated = login.AuthenticationMiddleware(app, entrance, trail)
    return _in_front(settings, RequestContextMiddleware(GuardMiddleware(authenticated, settings.hosts), stalls))


def _in_front(settings: Settings, app: ASGIApp) -> ASGIApp:
    """Wrapped for a reverse proxy, where one is configured."""
    if settings.proxies or settings.root_path:
        paths = [str(getattr(route, "path", "")) for area in ROUTES for route in area.router.routes]
        segments = {"static", *(path.split("/")[1] for path in paths if path)}
        app = ProxyMiddleware(app, settings.proxies, settings.root_path, segments)
    live_below(settings.root_path)
    return app


def compose(
    settings: Settings, client: HTTPClient, events: EventBus, measured: Metrics, entrance: Access, trail: AuditTrail
) -> Panel:
    """Builds every component. Listeners of an event are called in the order of this function."""
    memory, embedded, hub, ktrdr = settings.memory_file, not settings.backend, Hub(), Ktrdr(client)
    storage = Storage(memory, LOOP_LOCK_TIMEOUT)
    storage.only_read()
    catalogue = Catalogue(ktrdr, settings.strategies_folder if settings.backend else None, embedded=embedded)
    monitor = Monitor(ktrdr, storage, events, hub, client.address)
    mounted = MountedFiles(settings.market_data) if settings.market_data and not embedded else None
    inventory = DataInventory(ktrdr, catalogue, storage, events, mounted.look if mounted else None, embedded=embedded)
    strategies_folder = settings.data_folder / "embedded" / "strategies" if embedded else settings.strategies_folder
    library = StrategyLibrary(ktrdr, catalogue, strategies_folder, memory.with_suffix(".files"), embedded=embedded)
    starts = StartWorkflow(ktrdr, storage, events, library.keep, lambda: damage(monitor.recorder.reason))
    commands = Commands(ktrdr, storage, monitor)
    ready = None if embedded else partial(ready_to_load, ktrdr.stored_range)
    queue_ = Queue(ktrdr, storage, starts, monitor, commands, process_lock(memory), events, ready)
    variants = BatchStrategies(storage, library, catalogue, memory.with_suffix(".files"))
    batches_ = BatchWorkflow(storage, queue_, monitor, library, variants, events)
    resume = ResumeWorkflow(ktrdr, storage, monitor, events, hub)
    sources = Sources(storage, catalogue, monitor, inventory, embedded)
    labels_, submit = Labels(storage, events), SubmitWorkflow(starts, sources, queue_)
    settings_of_runs = RunSettings(storage, library, events)
    reader = Reader(
        storage, monitor, inventory, resume, catalogue.kept_strategy, settings_of_runs, queue_.unanswered, embedded
    )
    measured.registry.register(PanelCollector(storage, monitor, hub, memory, embedded))
    return Panel(
        settings=settings,
        access=entrance,
        audit=trail,
        ktrdr=ktrdr,
        storage=storage,
        catalogue=catalogue,
        library=library,
        imports=Imports(memory.with_suffix(".imports"), settings.market_data, inventory.imported, own=embedded),
        monitor=monitor,
        discovery=Discovery(ktrdr, monitor, storage.memory),
        offers=Offers(ktrdr, embedded=embedded),
        unreported=UnreportedRuns(ktrdr, monitor, storage.memory),
        inventory=inventory,
        starts=starts,
        commands=commands,
        labels=labels_,
        bulk=BulkWorkflow(storage, monitor, commands, labels_, submit, queue_),
        queue=queue_,
        plans=Plans(storage, queue_, monitor, catalogue, events),
        resume=resume,
        sources=sources,
        submit=submit,
        batches=batches_,
        schedules=Schedules(storage, queue_, batches_, catalogue),
        notifications=Notifications(storage, monitor, events, settings.notify, settings.public_address),
        hub=hub,
        reader=reader,
        publisher=Publisher(hub, reader, events),
        metrics=measured,
    )


def _loops(panel: Panel) -> tuple[Callable[[], Awaitable[None]], ...]:
    """What runs until the panel stops."""
    loops = (panel.monitor.run, panel.discovery.run, panel.unreported.run, panel.inventory.run, panel.queue.run)
    more = (panel.plans.run, panel.batches.run, panel.starts.run, panel.publisher.beat, panel.notifications.run)
    audited = partial(panel.audit.run, panel.storage, panel.settings.audit_days)
    return (
        *loops,
        *more,
        panel.schedules.run,
        panel.offers.run,
        panel.reader.settings.run,
        panel.access.run,
        audited,
        panel.metrics.stalls.run,
        partial(panel.storage.keep, panel.settings.keep_days),
    )


async def _kept(run: Callable[[], Awaitable[None]], refused: Callable[[sqlite3.Error], None]) -> None:
    """Run until cancelled, or until there is nothing to do. An unexpected exception is logged, and the loop starts
    again after a second. `refused` hears of a memory that cannot be used."""
    while True:
        try:
            await run()
            return
        except sqlite3.Error as exc:
            refused(exc)
        except Exception:
            log.exception("a part of the panel broke off and is started again")
            task = asyncio.current_task()
            if task is not None and task.cancelling():  # it failed while it was being stopped
                return
        await asyncio.sleep(1.0)
