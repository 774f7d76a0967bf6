"""Pages to look things up: workers, strategies, models, checkpoints. They start and change nothing."""

import time
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from panel.catalogue import Catalogue, Strategy
from panel.errors import CLIClientError
from panel.evidence import Evidence
from panel.memory import Memory, Wanted
from panel.operations import number, text
from panel.saved import REASONS, checkpoints, doubt, model_key, models
from panel.web.live import Live
from panel.web.login import own_path
from panel.web.respond import by_htmx, fragment, go, page

router = APIRouter()

PATIENCE = 15.0  # seconds for a list that the backend reads from its disk
REMEMBERED = 300  # trainings among which a model's is looked for


@router.get("/workers")
async def workers(request: Request) -> HTMLResponse:
    live: Live = request.app.state.live
    return page(request, "workers.html", stream="workers", **live.workers())


@router.get("/strategies")
async def strategies(request: Request) -> HTMLResponse:
    catalogue: Catalogue = request.app.state.catalogue
    memory: Memory = request.app.state.store.memory
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
    answer, problem = await _asked(request, "/models")
    makers = {model_key(_path(seen)): seen for seen in reversed(_trainings(request.app.state.store.memory))}
    rows = [{"model": model, "maker": makers.get(model.key)} for model in models(answer)]
    return page(request, "models.html", rows=rows, problem=problem)


@router.get("/checkpoints")
async def all_checkpoints(request: Request) -> HTMLResponse:
    live: Live = request.app.state.live
    answer, problem = await _asked(request, "/checkpoints")
    rows, now = [], time.time()
    for checkpoint in checkpoints(answer):
        seen = live.relay.known(checkpoint.operation_id)
        view = live.view(seen, live.relay.verdict(seen), now) if seen else None
        rows.append({"checkpoint": checkpoint, "of": view, "doubt": doubt(checkpoint, seen)})
    return page(request, "checkpoints.html", rows=rows, problem=problem, reasons=REASONS)


@router.post("/look-now")
async def look_now(request: Request) -> Response:
    """Have the backend asked soon, for whoever does not want to wait for the usual round."""
    live: Live = request.app.state.live
    live.relay.wake()
    if by_htmx(request):
        return fragment("fragments/asked.html", **live.line())
    form = await request.form()
    return go(request, own_path(str(form.get("back", ""))))


async def _asked(request: Request, path: str) -> tuple[Any, str]:
    """(the backend's answer, why there is none)."""
    try:
        return await request.app.state.client.get(path, timeout=PATIENCE), ""
    except CLIClientError as exc:
        return None, exc.message


def _last_runs(request: Request, strategy: Strategy) -> list[dict[str, Any]]:
    """A training that others started carries the name inside the file, not the file's."""
    live: Live = request.app.state.live
    memory: Memory = request.app.state.store.memory
    names = dict.fromkeys(name for name in (strategy.name, strategy.title) if name)
    found = [seen for name in names for seen in memory.find(Wanted(strategy=name, limit=3))[0]]
    found.sort(key=lambda seen: -(seen.snapshot.created_at or seen.changed_at))
    now = time.time()
    return [live.view(seen, live.relay.verdict(seen), now) for seen in found[:3]]


def _trainings(memory: Memory) -> list[Evidence]:
    """Those that left a model, the latest first."""
    found, _ = memory.find(Wanted(kind="training", sort="ended", limit=REMEMBERED))
    return [seen for seen in found if _path(seen)]


def _best(trainings: list[Evidence]) -> dict[str, dict[str, Any]]:
    """Strategy -> its model with the best test accuracy."""
    best: dict[str, dict[str, Any]] = {}
    for seen in trainings:
        accuracy = number(seen.snapshot.measured.get("test_accuracy"))
        known = best.get(seen.snapshot.strategy)
        if accuracy is not None and (known is None or accuracy > known["accuracy"]):
            best[seen.snapshot.strategy] = {"accuracy": accuracy, "path": _path(seen)}
    return best


def _path(seen: Evidence) -> str:
    return text((seen.snapshot.result or {}).get("model_path"))
