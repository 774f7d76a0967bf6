"""One model: its page, a note about it, its files, and retiring it."""

import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from panel.domain.labels import ModelLabel, typed_note
from panel.domain.models import NAMED
from panel.files.archive import packed
from panel.files.values import Refused
from panel.views.artifacts import ModelRow
from panel.web.panel import Panel, PanelDep
from panel.web.respond import actor_of, page, redirect, refused_status, typed
from panel.web.routes.labels import UNWRITABLE
from panel.web.routes.models import model_rows

router = APIRouter(prefix="/models/{strategy}/{version}")


@router.get("")
async def one(request: Request, panel: PanelDep, strategy: str, version: str) -> Response:
    row = await _find(panel, f"{strategy}/{version}")
    return _page(request, panel, row, row.label.note)


@router.post("/note")
async def note(request: Request, panel: PanelDep, strategy: str, version: str) -> Response:
    """Replaces the note, unless another person did so since the form was drawn."""
    row, given = await _find(panel, f"{strategy}/{version}"), await typed(request)
    text, seen = typed_note(given.get("note", "")), given.get("version", "")

    def change(label: ModelLabel) -> ModelLabel | None:
        return replace(label, note=text) if str(label.version) == seen or label.note == text else None

    label, done = await _edit(request, panel, row.model.key, change)
    if done:
        return redirect(request, row.model.address)
    return _page(request, panel, replace(row, label=label), text, conflict=True)


@router.post("/retire")
async def retire(request: Request, panel: PanelDep, strategy: str, version: str) -> Response:
    """Leaves it out of forms; with `back` it is offered again. No file is touched."""
    row, back = await _find(panel, f"{strategy}/{version}"), bool((await typed(request)).get("back"))
    await _edit(request, panel, row.model.key, lambda label: replace(label, retired=not back))
    return redirect(request, row.model.address)


@router.get("/download")
async def download(panel: PanelDep, strategy: str, version: str) -> Response:
    """Its files as a zip archive."""
    row, folder = await _find(panel, f"{strategy}/{version}"), _folder(panel)
    if folder is None:
        raise HTTPException(404, "This model's files are with the backend. The panel cannot read them.")
    try:
        data = await anyio.to_thread.run_sync(packed, folder, Path(*row.model.key.split("/")))
    except Refused as exc:
        raise HTTPException(422, str(exc)) from exc
    name = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "_.-") else "_" for sign in row.model.key)
    headers = {"Content-Disposition": f'attachment; filename="{name}.zip"'}
    return Response(data, media_type="application/zip", headers=headers)


async def _find(panel: Panel, key: str) -> ModelRow:
    if not NAMED.fullmatch(key):
        raise HTTPException(404, "There is no model with such a name.")
    rows, problem = await model_rows(panel)
    row = next((row for row in rows if row.model.path and row.model.key == key), None)
    if row is None:
        why = f"The backend's models are not known now. {problem}" if problem else "The backend lists no such model."
        raise HTTPException(404, why)
    return row


async def _edit(
    request: Request, panel: Panel, key: str, change: Callable[[ModelLabel], ModelLabel | None]
) -> tuple[ModelLabel, bool]:
    actor, now = actor_of(request), time.time()
    try:
        return await panel.storage.write(lambda store: store.labels.edit_model(key, change, actor, now))
    except sqlite3.Error as exc:
        raise HTTPException(503, UNWRITABLE) from exc


def _page(request: Request, panel: Panel, row: ModelRow, text: str, *, conflict: bool = False) -> Response:
    more: dict[str, Any] = {"row": row, "text": text, "conflict": conflict, "own_files": _folder(panel) is not None}
    return page(request, "model.html", status=refused_status(request, 409) if conflict else 200, **more)


def _folder(panel: Panel) -> Path | None:
    """Where the embedded backend has its models."""
    return None if panel.settings.backend else panel.settings.data_folder / "embedded" / "models"
