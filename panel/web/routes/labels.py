"""The label of one run: name, note, tags, star. Archiving it, and undoing that."""

import sqlite3
import time
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from panel.domain.labels import LabelChange, Shelf, typed_name, typed_note, typed_tags
from panel.errors import CLIClientError
from panel.web.panel import Panel, PanelDep
from panel.web.respond import actor_of, by_htmx, fragment, page, problem_page, redirect, typed
from panel.web.routes.operation import find
from panel.web.routes.operations import asked
from panel.workflows.starting import new_key

router = APIRouter(prefix="/operations")

TOO_LATE = "That was more than a minute ago, or has been undone. Nothing was changed."
UNWRITABLE = "The panel's memory cannot be written now. Nothing was changed."


@router.get("/{operation_id}/label")
async def form(request: Request, panel: PanelDep, operation_id: str) -> Response:
    """The form, in place or on a page of its own."""
    view = panel.reader.among_neighbours(await find(panel, operation_id))
    more: dict[str, Any] = {"typed": view.label, "conflict": False, "problem": "", "tags": panel.storage.memory.tags()}
    if by_htmx(request):
        return fragment("fragments/label-form.html", view, **more)
    return page(request, "label.html", view, **more)


@router.post("/{operation_id}/label")
async def edit(request: Request, panel: PanelDep, operation_id: str) -> Response:
    """Replaces its label, unless another person did so since the form was drawn: then both are shown."""
    observation, given = await find(panel, operation_id), await typed(request)
    version = given.get("version", "")
    before = panel.storage.labels.of(operation_id)
    wanted = replace(
        before,
        name=typed_name(given.get("name", "")),
        note=typed_note(given.get("note", "")),
        tags=typed_tags(given.get("tags", "")),
        version=int(version) if version.isascii() and version.isdigit() and len(version) < 10 else -1,
    )
    problem, done = "", False
    try:
        _, done = await panel.labels.edit(operation_id, wanted, actor_of(request))
    except sqlite3.Error:
        problem = UNWRITABLE
    if done and not by_htmx(request):
        return redirect(request, f"/operations/{operation_id}")
    view = panel.reader.among_neighbours(observation)
    shown = view.label if done else wanted
    more: dict[str, Any] = {"typed": shown, "conflict": not done and not problem, "problem": problem, "saved": done}
    more["tags"] = panel.storage.memory.tags()
    if by_htmx(request):
        return fragment("fragments/label-saved.html", view, **more)
    return page(request, "label.html", view, status=503 if problem else 409, **more)


@router.post("/{operation_id}/star")
async def star(request: Request, panel: PanelDep, operation_id: str) -> Response:
    """Set the star `on` or off."""
    await find(panel, operation_id)
    change = LabelChange(star=(await typed(request)).get("star") == "1")
    await _changed(panel, operation_id, change, actor_of(request))
    return _back(request, panel, operation_id)


@router.post("/{operation_id}/archive")
async def archive(request: Request, panel: PanelDep, operation_id: str) -> Response:
    """Into the archive, or with `back` out of it."""
    await find(panel, operation_id)
    shelf = Shelf.SHOWN if (await typed(request)).get("out") else Shelf.ARCHIVED
    await _changed(panel, operation_id, LabelChange(shelf=shelf), actor_of(request))
    return _back(request, panel, operation_id)


@router.get("/{operation_id}/delete")
async def ask_delete(request: Request, panel: PanelDep, operation_id: str) -> Response:
    """The question before one run is deleted, which is answered as for many."""
    view = panel.reader.among_neighbours(await find(panel, operation_id))
    if view.verdict.live:
        message = "It still runs. Cancel it first, or archive it once it has ended."
        return problem_page(request, 409, "Not deleted", message)
    more: dict[str, Any] = {"views": [view], "hidden": [], "left": 0, "outcomes": None}
    return page(request, "bulk.html", what="delete", back="/operations", key=new_key(), **more)


@router.post("/undo")
async def undo(request: Request, panel: PanelDep) -> Response:
    given = await typed(request)
    try:
        count = await panel.bulk.undo(given.get("key", "")[:64], actor_of(request))
    except sqlite3.Error as exc:
        raise HTTPException(503, UNWRITABLE) from exc
    except CLIClientError as exc:
        raise HTTPException(502, f"Some of what was started could not be cancelled: {exc.message}") from exc
    if count is None:
        return problem_page(request, 409, "Not undone", TOO_LATE)
    return redirect(request, list_address(given.get("back", "")))


@router.post("/views")
async def keep_view(request: Request, panel: PanelDep) -> Response:
    """Keep an address of the list by name; with `drop` the name goes."""
    given = await typed(request)
    name, address = typed_name(given.get("name", "")), list_address(given.get("back", ""))
    try:
        if given.get("drop"):
            await panel.storage.write(lambda store: store.labels.drop_view(name))
        elif name:
            query = address.partition("?")[2]
            kept = await panel.storage.write(lambda store: store.labels.keep_view(name, query, time.time()))
            if not kept:
                message = "There are 100 views already. Remove one first."
                return problem_page(request, 409, "Not kept", message)
    except sqlite3.Error as exc:
        raise HTTPException(503, UNWRITABLE) from exc
    return redirect(request, address)


def list_address(given: str) -> str:
    """An address of the list, rebuilt from a form's value: it leads nowhere else."""
    query = asked(dict(parse_qsl(given.partition("?")[2][:2000])))
    return query.address(page=query.page if query.page > 1 else None)


def with_undo(address: str, key: str) -> str:
    return f"{address}{'&' if '?' in address else '?'}done={key}"


async def _changed(panel: Panel, operation_id: str, change: LabelChange, actor: str) -> None:
    try:
        await panel.labels.change([operation_id], change, actor, new_key())
    except sqlite3.Error as exc:
        raise HTTPException(503, UNWRITABLE) from exc


def _back(request: Request, panel: Panel, operation_id: str) -> Response:
    if not by_htmx(request):
        return redirect(request, f"/operations/{operation_id}")
    observation = panel.monitor.known(operation_id)
    if observation is None:
        raise HTTPException(404, "Neither the panel nor the backend knows this operation.")
    return fragment("fragments/label.html", panel.reader.among_neighbours(observation))
