"""The strategies: their list, the page of each, its earlier versions, and differences of two texts."""

import asyncio
from collections.abc import Sequence

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, Response

from panel.backend.strategy_content import content_of
from panel.domain.batches import originals
from panel.domain.history import OperationQuery
from panel.domain.snapshot import ID
from panel.domain.strategies import Strategy
from panel.domain.strategy_content import Content
from panel.errors import CLIClientError
from panel.files.started_strategies import Kept
from panel.files.strategy_folder import digest
from panel.files.strategy_yaml import Refused, is_plain_name, parse
from panel.views.artifacts import StrategyRow, best_models
from panel.views.operation import OperationView
from panel.views.strategies import difference, drawing, highlighted
from panel.web.auth.identity import identity_of
from panel.web.panel import Panel, PanelDep
from panel.web.respond import page
from panel.web.routes.models import trainings
from panel.web.routes.operation import find
from panel.workflows.strategy_library import Found

router = APIRouter()

RUNS = 8  # on a strategy's page

NOT_OPENED = {
    "none": "No file was chosen.",
    "large": "This file is larger than 256 kB.",
    "encoding": "This file is not UTF-8 text.",
}


@router.get("/strategies")
async def strategies(
    request: Request, panel: PanelDep, deleted: str = "", version: str = "", refused: str = ""
) -> HTMLResponse:
    """`deleted` and `version`: what has just been deleted, and can be brought back. `refused`: why a file was not
    opened, of NOT_OPENED."""
    try:
        listed, problem = await panel.catalogue.strategies(), ""
    except CLIClientError as exc:
        listed, problem = [], exc.message
    best = best_models(trainings(panel))
    variants = originals([each.name for each in listed if not each.problem])
    rows = [
        StrategyRow(
            each,
            _last_runs(panel, each),
            best.get(each.name) or best.get(each.title),
            tuple(other for other in listed if variants.get(other.name) == each.name),
        )
        for each in listed
        if each.name not in variants
    ]
    restorable = panel.library.folder is not None and is_plain_name(deleted) and bool(version)
    return page(
        request,
        "strategies.html",
        rows=rows,
        problem=problem,
        read_only=await why_read_only(request, panel),
        refused=NOT_OPENED.get(refused, ""),
        deleted={"name": deleted, "version": version} if restorable else None,
    )


@router.get("/strategies-compare")
async def compare(request: Request, panel: PanelDep, old: str = "", new: str = "") -> HTMLResponse:
    """`file:<name>`, `version:<name>:<id>` or `run:<operation>` for each."""
    sides = [await source(panel, spec) for spec in (old, new)]
    return page(
        request,
        "strategies-compare.html",
        old=sides[0],
        new=sides[1],
        specs=(old, new),
        lines=await asyncio.to_thread(difference, sides[0][1], sides[1][1]),
    )


@router.get("/strategies/{name}")
async def strategy(request: Request, panel: PanelDep, name: str) -> HTMLResponse:
    listed, problem = await known(panel, name)
    found: Found | None = None
    try:
        found = await panel.library.find(name)
    except Refused as exc:
        problem = f"The file cannot be read: {exc}."
    except CLIClientError as exc:
        problem = exc.message
    if listed is None and found is None and not problem:
        raise HTTPException(404, "There is no strategy with this name.")
    shown = listed or Strategy(name)
    folder = panel.library.folder
    content = await asyncio.to_thread(content_of_text, found.text) if found else Content()
    best = best_models(trainings(panel))
    return page(
        request,
        "strategy.html",
        strategy=shown,
        problem=problem or shown.problem,
        content=content,
        drawings=[drawing(each) for each in content.fuzzy_sets],
        found=found,
        opened=digest(found.text) if found else "",
        yaml=await asyncio.to_thread(highlighted, found.text) if found else "",
        versions=await asyncio.to_thread(folder.versions, name) if folder else [],
        read_only=await why_read_only(request, panel),
        runs=_last_runs(panel, shown, RUNS),
        best=best.get(name) or best.get(shown.title),
        others=[each.name for each in await _listed(panel) if each.name != name],
    )


@router.get("/operations/{operation_id}/strategy")
async def of_run(request: Request, panel: PanelDep, operation_id: str) -> HTMLResponse:
    """The strategy as it was when this was started, beside what other runs of it started with."""
    view = panel.reader.operation(await find(panel, operation_id))
    name, kept = view.snapshot.strategy, await kept_strategy(panel, operation_id)
    try:
        now = await panel.library.find(kept.name if kept else name)
    except (Refused, CLIClientError):
        now = None
    others = []
    for run in _last_runs(panel, Strategy(name), RUNS + 1) if kept else []:
        text = await kept_strategy(panel, run.snapshot.id) if run.snapshot.id != operation_id else None
        if text is not None:
            others.append((run, text == kept))
    return page(
        request,
        "strategy-of-run.html",
        view,
        name=kept.name if kept else name,
        kept=kept,
        yaml=await asyncio.to_thread(highlighted, kept.text) if kept else "",
        today=now is not None,
        lines=await asyncio.to_thread(difference, kept.text, now.text) if kept and now else [],
        others=others,
    )


async def kept_strategy(panel: Panel, operation_id: str) -> Kept | None:
    """The strategy that the operation was started with; None where the panel has not kept it."""
    start = panel.storage.start_of(operation_id)
    try:
        return await panel.library.started_with(start.key) if start else None
    except Refused:
        return None


async def source(panel: Panel, spec: str) -> tuple[str, str]:
    """A text by its spec: what it is called, and the text. Raises HTTPException where there is none."""
    kind, _, rest = spec.partition(":")
    try:
        if kind == "file" and (found := await panel.library.find(rest)):
            return f"{rest}, the file of today", found.text
        if kind == "version" and panel.library.folder:
            name, _, version = rest.rpartition(":")
            text = await asyncio.to_thread(panel.library.folder.version, name, version)
            if text is not None:
                return f"{name}, an earlier version", text
        if kind == "run" and ID.fullmatch(rest) and (kept := await kept_strategy(panel, rest)):
            return f"{kept.name}, as it was for {rest}", kept.text
    except (Refused, CLIClientError) as exc:
        raise HTTPException(422, f"A file cannot be read: {exc}.") from exc
    raise HTTPException(404, "One of the two texts is not there, or is not kept any more.")


async def known(panel: Panel, name: str) -> tuple[Strategy | None, str]:
    """What the lists say of it, and why they are not known."""
    try:
        return next((each for each in await panel.catalogue.strategies() if each.name == name), None), ""
    except CLIClientError as exc:
        return None, exc.message


async def why_read_only(request: Request, panel: Panel) -> str:
    """Why this user cannot save; "" when they can."""
    if not identity_of(request).operates:
        return "you are logged in as a viewer"
    return await asyncio.to_thread(panel.library.trouble)


async def _listed(panel: Panel) -> Sequence[Strategy]:
    try:
        return await panel.catalogue.strategies()
    except CLIClientError:
        return ()


def content_of_text(text: str) -> Content:
    """Empty for a text that cannot be read."""
    try:
        return content_of(parse(text))
    except Refused:
        return Content()


def _last_runs(panel: Panel, strategy: Strategy, most: int = 3) -> list[OperationView]:
    """A training that others started carries the name inside the file, not the file's."""
    names = dict.fromkeys(name for name in (strategy.name, strategy.title) if name)
    queries = [OperationQuery(strategy=name, limit=most) for name in names]
    found = [observation for query in queries for observation in panel.storage.memory.page(query)]
    found.sort(key=lambda observation: -(observation.snapshot.created_at or observation.changed_at))
    return [panel.reader.operation(observation) for observation in found[:most]]


@router.get("/strategies/{name}/download")
async def download(panel: PanelDep, name: str) -> Response:
    return attachment(name, (await at_hand(panel, name)).text)


async def at_hand(panel: Panel, name: str) -> Found:
    """A strategy's file. Raises HTTPException when there is none or it cannot be read."""
    try:
        found = await panel.library.find(name)
    except (Refused, CLIClientError) as exc:
        raise HTTPException(422, f"The file cannot be read: {exc}.") from exc
    if found is None:
        raise HTTPException(404, "There is no file of this strategy at hand.")
    return found


def attachment(name: str, text: str) -> Response:
    """A strategy's file to be saved by the browser."""
    ascii_name = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "_.-") else "_" for sign in name)
    headers = {"content-disposition": f'attachment; filename="{ascii_name}.yaml"'}
    return Response(text, media_type="application/yaml", headers=headers)
