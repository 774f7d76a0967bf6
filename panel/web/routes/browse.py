"""Pages to look things up: workers, strategies, models, checkpoints. They start and change nothing."""

import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from panel.backend.catalogue import Catalogue
from panel.backend.ktrdr import Ktrdr
from panel.domain.checkpoints import REASONS, doubt
from panel.domain.history import OperationQuery
from panel.domain.models import model_key
from panel.domain.observation import Observation
from panel.domain.strategies import Strategy
from panel.domain.values import number, text
from panel.errors import CLIClientError
from panel.live.publisher import Publisher
from panel.storage.operations import OperationStore
from panel.web.auth.login import own_path
from panel.web.respond import by_htmx, fragment, go, page

router = APIRouter()

T = TypeVar("T")

REMEMBERED = 300  # trainings among which a model's is looked for


@router.get("/workers")
async def workers(request: Request) -> HTMLResponse:
    live: Publisher = request.app.state.live
    return page(request, "workers.html", stream="workers", **live.workers())


@router.get("/strategies")
async def strategies(request: Request) -> HTMLResponse:
    catalogue: Catalogue = request.app.state.catalogue
    memory: OperationStore = request.app.state.store.memory
    try:
        listed, problem = await catalogue.strategies(), ""
    except CLIClientError as exc:
        listed, problem = [], exc.message
    best = _best(_trainings(memory))
    rows = [
        {
            "strategy": strategy,
            "runs": _last_runs(request, strategy),
            "best": best.get(strategy.name) or best.get(strategy.title),
        }
        for strategy in listed
    ]
    return page(request, "strategies.html", rows=rows, problem=problem)


@router.get("/models")
async def all_models(request: Request) -> HTMLResponse:
    ktrdr: Ktrdr = request.app.state.ktrdr
    models, problem = await _asked(ktrdr.models)
    makers = {
        model_key(_path(observation)): observation
        for observation in reversed(_trainings(request.app.state.store.memory))
    }
    rows = [{"model": model, "maker": makers.get(model.key)} for model in models]
    return page(request, "models.html", rows=rows, problem=problem)


@router.get("/checkpoints")
async def all_checkpoints(request: Request) -> HTMLResponse:
    live: Publisher = request.app.state.live
    ktrdr: Ktrdr = request.app.state.ktrdr
    checkpoints, problem = await _asked(ktrdr.checkpoints)
    rows, now = [], time.time()
    for checkpoint in checkpoints:
        observation = live.relay.known(checkpoint.operation_id)
        view = live.view(observation, live.relay.verdict(observation), now) if observation else None
        rows.append({"checkpoint": checkpoint, "of": view, "doubt": doubt(checkpoint, observation)})
    return page(request, "checkpoints.html", rows=rows, problem=problem, reasons=REASONS)


@router.post("/look-now")
async def look_now(request: Request) -> Response:
    """Have the backend asked soon, for whoever does not want to wait for the usual round."""
    live: Publisher = request.app.state.live
    live.relay.wake()
    if by_htmx(request):
        return fragment("fragments/asked.html", **live.line())
    form = await request.form()
    return go(request, own_path(str(form.get("back", ""))))


async def _asked(listed: Callable[[], Awaitable[list[T]]]) -> tuple[list[T], str]:
    """(the backend's list, why there is none)."""
    try:
        return await listed(), ""
    except CLIClientError as exc:
        return [], exc.message


def _last_runs(request: Request, strategy: Strategy) -> list[dict[str, Any]]:
    """A training that others started carries the name inside the file, not the file's."""
    live: Publisher = request.app.state.live
    memory: OperationStore = request.app.state.store.memory
    names = dict.fromkeys(name for name in (strategy.name, strategy.title) if name)
    found = [observation for name in names for observation in memory.find(OperationQuery(strategy=name, limit=3))[0]]
    found.sort(key=lambda observation: -(observation.snapshot.created_at or observation.changed_at))
    now = time.time()
    return [live.view(observation, live.relay.verdict(observation), now) for observation in found[:3]]


def _trainings(memory: OperationStore) -> list[Observation]:
    """Those that left a model, the latest first."""
    found, _ = memory.find(OperationQuery(kind="training", sort="ended", limit=REMEMBERED))
    return [observation for observation in found if _path(observation)]


def _best(trainings: list[Observation]) -> dict[str, dict[str, Any]]:
    """Strategy -> its model with the best test accuracy."""
    best: dict[str, dict[str, Any]] = {}
    for observation in trainings:
        accuracy = number(observation.snapshot.measured.get("test_accuracy"))
        known = best.get(observation.snapshot.strategy)
        if accuracy is not None and (known is None or accuracy > known["accuracy"]):
            best[observation.snapshot.strategy] = {"accuracy": accuracy, "path": _path(observation)}
    return best


def _path(observation: Observation) -> str:
    return text((observation.snapshot.result or {}).get("model_path"))
