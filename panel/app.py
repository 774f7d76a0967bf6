"""The panel as one ASGI app: its rooms, put together, and their lives."""

import asyncio
import hashlib
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.responses import Response
from starlette.types import ASGIApp, Scope

from panel import __version__
from panel.backend.catalogue import Catalogue
from panel.backend.connect import connect
from panel.backend.ktrdr import Ktrdr
from panel.live.hub import Hub
from panel.live.publisher import Publisher
from panel.monitoring.discovery import Discovery
from panel.monitoring.inventory import DataInventory
from panel.monitoring.poller import Monitor
from panel.monitoring.unreported import UnreportedRuns
from panel.settings import Settings, without_userinfo
from panel.storage.process_lock import ProcessLock
from panel.storage.store import Storage
from panel.views.templating import ASSETS
from panel.web import problems
from panel.web.auth import login
from panel.web.middleware.guard import GuardMiddleware
from panel.web.middleware.request_context import RequestContextMiddleware
from panel.web.routes import actions, api, browse, compare, health, pages, start
from panel.web.routes import data as market
from panel.web.routes import metrics as measured
from panel.web.routes import operations as listing
from panel.web.routes import stream as streams
from panel.web.routes.metrics import Gauges, Metrics, Sources
from panel.workflows.queue import LoadQueue
from panel.workflows.resuming import ResumeWorkflow
from panel.workflows.starting import StartWorkflow

log = logging.getLogger(__name__)


def create_app(settings: Settings) -> ASGIApp:
    """The app behind its guard. Nothing is opened before its lifespan starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # No repeats here: the relay's own loop is the repeat, and it wants to know at once.
        metrics = Metrics()
        async with connect(settings, max_retries=0, on_request=metrics.asked) as client:
            ktrdr = Ktrdr(client)
            memory = memory_of(settings)
            store = Storage(memory)
            catalogue = Catalogue(ktrdr, settings.strategies_folder if settings.backend else None)
            live = Publisher(Hub(), store, catalogue, embedded=not settings.backend)
            live.relay = Monitor(ktrdr, store, live, client.address)
            live.resuming = ResumeWorkflow(ktrdr, live.relay)
            starting = StartWorkflow(ktrdr, store, live.relay.observe, live.relay.expect, live.starts_changed)
            live.survey = DataInventory(ktrdr, catalogue, store, live.stored_changed)
            live.loads = LoadQueue(
                ktrdr, store, starting, live.relay, catalogue, ProcessLock(memory), live.queue_changed
            )
            app.state.settings, app.state.store, app.state.catalogue, app.state.live = settings, store, catalogue, live
            app.state.starting, app.state.ktrdr, app.state.metrics = starting, ktrdr, metrics
            sources = Sources(live, store.memory.counts, lambda: len(store.open_loads()), memory)
            metrics.registry.register(Gauges(sources))
            live.told = metrics.judged
            keep_memory = partial(store.keep, settings.keep_days)
            discovery = Discovery(ktrdr, live.relay, store.memory)
            unreported = UnreportedRuns(ktrdr, live.relay)
            looking = (live.relay.run, discovery.run, unreported.run, live.survey.run, live.loads.run, starting.run)
            tasks = [asyncio.create_task(_kept(run)) for run in (*looking, live.beat, keep_memory)]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await starting.close()
                await live.resuming.close()
                await live.close()
                await catalogue.close()
                store.close()

    app = FastAPI(
        title="ktrdr-panel", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None
    )
    for room in (api, listing, compare, pages, start, actions, market, browse, streams, health, measured):
        app.include_router(room.router)
    app.mount("/static", Static(directory=ASSETS / "static"))
    problems.install(app)
    if not settings.password:
        return RequestContextMiddleware(GuardMiddleware(app, settings.hosts))
    app.include_router(login.router)
    app.state.login = login.AuthenticationMiddleware(app, settings)
    return RequestContextMiddleware(GuardMiddleware(app.state.login, settings.hosts))


async def _kept(run: Callable[[], Awaitable[None]]) -> None:
    """Run until cancelled. What nobody expected is written to the log, and costs a second, not the panel."""
    while True:
        try:
            await run()
        except Exception:
            log.exception("a part of the panel broke off and is started again")
            task = asyncio.current_task()
            if task is not None and task.cancelling():  # it broke while it was being stopped
                return
        await asyncio.sleep(1.0)


class Static(StaticFiles):
    """Files of one version of the panel; their addresses carry it, so a browser may keep them."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = "public, max-age=3600"
        return response


def memory_of(settings: Settings) -> Path:
    """The file that remembers this backend: operations of one are not another's."""
    backend = without_userinfo(settings.backend)
    readable = re.sub(r"[^a-z0-9]+", "-", backend.lower()).strip("-")[:60]
    name = f"{readable}-{hashlib.sha256(backend.encode()).hexdigest()[:8]}" if backend else "embedded"
    return settings.data_folder / "panel" / f"{name}.db"
