"""Changing strategy files: edit, duplicate, upload, delete, restore. No input is lost."""

import asyncio
import re
from contextlib import suppress
from urllib.parse import quote, urlencode

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, Response
from starlette.datastructures import UploadFile

from panel.backend.decoding import line
from panel.domain.audit import Outcome
from panel.domain.schedules import repeat_text
from panel.files.strategy_folder import NEW_NAME, Changed, digest
from panel.files.strategy_yaml import MAX_BYTES, Refused
from panel.views.strategies import DiffLine, difference
from panel.web.panel import Panel, PanelDep
from panel.web.recording import note
from panel.web.respond import fragment, page, problem_page, redirect, refused_status, see_other
from panel.web.routes.strategies import NOT_OPENED, at_hand, attachment, known, why_read_only
from panel.workflows.strategy_uses import uses_of

router = APIRouter()

_DRAFT, _EXCERPT = 300, 200  # characters
_NAME_LINE = re.compile(r"^name:.*$", re.MULTILINE)


@router.get("/strategies/{name}/edit")
async def edit(request: Request, panel: PanelDep, name: str, copy: str = "") -> HTMLResponse:
    """`copy`: for a new file that begins as this one does."""
    found = await at_hand(panel, name)
    if not copy:
        return await _editor(request, panel, name, found.text, digest(found.text) if found.own else "", name)
    new = f"{re.sub('[^A-Za-z0-9_-]', '_', name)}_copy"
    text = _NAME_LINE.sub(f"name: {new}", found.text, count=1) if NEW_NAME.fullmatch(new) else found.text
    return await _editor(request, panel, new, text, "", name)


@router.post("/strategies-check")
async def check(request: Request, panel: PanelDep) -> HTMLResponse:
    """The remarks on what is typed. A POST, because a text does not fit into an address; nothing is changed."""
    typed = await _form(request)
    text = _lines(typed.get("text", ""))
    review = await panel.library.review(typed.get("name", "").strip(), text)
    return fragment("fragments/remarks.html", review=review, source=[line(each, _EXCERPT) for each in text.split("\n")])


@router.post("/strategies/{name}/edit")
async def save(request: Request, panel: PanelDep, name: str) -> Response:
    typed = await _form(request)
    target, text, opened = typed.get("name", name).strip(), _lines(typed.get("text", "")), typed.get("opened", "")
    draft = typed.get("draft", "")[:_DRAFT]
    if typed.get("opened_name", target) != target:
        opened = ""  # another file than the one that was read
    note(request, subject=target)
    try:
        review = await panel.library.save(target, text, opened)
    except Changed as exc:
        return await _editor(request, panel, target, text, opened, name, draft, conflict=exc)
    except Refused as exc:
        wrong = "" if NEW_NAME.fullmatch(target) else "name"
        return await _editor(
            request, panel, target, text, opened, name, draft, refused=f"Not saved: {exc}.", wrong=wrong
        )
    if not review.valid:
        refused = "Not saved: it would not be a valid strategy."
        return await _editor(request, panel, target, text, opened, name, draft, refused=refused, wrong="text")
    return redirect(request, f"/strategies/{quote(target, safe='')}")


@router.post("/strategies")
async def upload(request: Request, panel: PanelDep) -> Response:
    """Opens an uploaded file in the editor, where it can be saved."""
    async with request.form(max_files=1, max_fields=5, max_part_size=2 * MAX_BYTES) as form:
        chosen = form.get("file")
        if not isinstance(chosen, UploadFile) or not chosen.filename:
            return _not_opened(request, "none")
        content = await chosen.read(MAX_BYTES + 1)
        stem = re.sub(r"\.ya?ml$", "", chosen.filename.replace("\\", "/").rpartition("/")[2], flags=re.IGNORECASE)[:100]
    if len(content) > MAX_BYTES:
        return _not_opened(request, "large")
    try:
        text = _lines(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return _not_opened(request, "encoding")
    with suppress(OSError):  # a full disk: then it is shown at this address
        token = await asyncio.to_thread(panel.library.uploads.keep, stem, text)
        if (answer := see_other(request, f"/strategies-uploaded/{token}")) is not None:
            return answer
    return await _editor(request, panel, stem, text, "", stem)


@router.get("/strategies-uploaded/{token}")
async def uploaded(request: Request, panel: PanelDep, token: str) -> HTMLResponse:
    """The editor with a file that was uploaded lately."""
    found = await asyncio.to_thread(panel.library.uploads.of, token)
    if found is None:
        raise HTTPException(404, "This uploaded file is not kept any more. Choose it again on the page of strategies.")
    name, text = found
    return await _editor(request, panel, name, text, "", name, f"upload/{token}")


def _not_opened(request: Request, why: str) -> Response:
    """A browser sees it beside the field of the file."""
    answer = see_other(request, f"/strategies?refused={why}")
    if answer is None:
        raise HTTPException(422, NOT_OPENED[why])
    return answer


@router.get("/strategies/{name}/delete")
async def ask_delete(request: Request, panel: PanelDep, name: str) -> Response:
    """The question before a file is deleted, with what depends on it."""
    found = await at_hand(panel, name)
    if not found.own:
        return problem_page(request, 409, "Not deleted", "This file comes with the backend and is not changed.")
    listed, _ = await known(panel, name)
    names = dict.fromkeys(each for each in (name, listed.title if listed else "") if each)
    return page(
        request,
        "strategy-delete.html",
        name=name,
        opened=digest(found.text),
        uses=await uses_of(panel.storage, panel.catalogue, names),
        read_only=await why_read_only(request, panel),
        repeat_text=repeat_text,
    )


@router.post("/strategies/{name}/delete")
async def delete(request: Request, panel: PanelDep, name: str) -> Response:
    """It can be brought back: the version that is kept of it is in the address of the page that follows."""
    try:
        version = await panel.library.delete(name, (await _form(request)).get("opened", ""))
    except Changed as exc:
        raise HTTPException(409, "This file has changed since its page was opened. Nothing was deleted.") from exc
    except Refused as exc:
        raise HTTPException(409, f"Not deleted: {exc}.") from exc
    return redirect(request, "/strategies?" + urlencode({"deleted": name, "version": version}))


@router.post("/strategies/{name}/undelete")
async def undelete(request: Request, panel: PanelDep, name: str) -> Response:
    try:
        await panel.library.undelete(name, (await _form(request)).get("version", ""))
    except Changed as exc:
        raise HTTPException(409, "There is a new file of this name. Nothing was changed.") from exc
    except Refused as exc:
        raise HTTPException(409, f"Not restored: {exc}.") from exc
    return redirect(request, f"/strategies/{quote(name, safe='')}")


@router.post("/strategies-text")
async def typed_text(request: Request) -> Response:
    """The typed text as a download: for a folder that cannot be written to."""
    typed = await _form(request)
    return attachment(typed.get("name", "strategy").strip(), _lines(typed.get("text", "")))


@router.get("/strategies/{name}/restore")
async def restore(request: Request, panel: PanelDep, name: str, version: str) -> HTMLResponse:
    """An earlier version in the editor, to be saved over the file of today."""
    folder = panel.library.folder
    text = await asyncio.to_thread(folder.version, name, version) if folder else None
    if folder is None or text is None:
        raise HTTPException(404, "This version is not kept any more.")
    try:
        now = await asyncio.to_thread(folder.text, name)
    except Refused as exc:
        raise HTTPException(422, f"The file of today cannot be read: {exc}.") from exc
    return await _editor(request, panel, name, text, "" if now is None else digest(now), name, f"{name}@{version}")


async def _editor(
    request: Request,
    panel: Panel,
    name: str,
    text: str,
    opened: str,
    back: str,
    draft: str = "",
    *,
    conflict: Changed | None = None,
    refused: str = "",
    wrong: str = "",
) -> HTMLResponse:
    """`back`: the strategy that it was opened from. `draft`: what the browser keeps the typed text under.
    `wrong`: the field that `refused` is about, if one. After a conflict the form holds the digest of what is there
    now, so that saving again means to replace it."""
    if conflict is not None or refused:
        note(request, Outcome.REFUSED, detail=refused or "The file has changed meanwhile.")
    review = await panel.library.review(name, text)
    lines: list[DiffLine] | None = []
    if conflict is not None:
        opened = "" if conflict.now is None else digest(conflict.now)
        lines = await asyncio.to_thread(difference, conflict.now or "", text)
    read_only = await why_read_only(request, panel)
    return page(
        request,
        "strategy-edit.html",
        status=refused_status(request, 409 if conflict else 422 if refused else 200),
        name=name,
        text=text,
        opened=opened,
        back=back,
        draft=draft or f"{back}/{name}",
        conflict=conflict,
        lines=lines,
        refused=refused,
        wrong=wrong,
        read_only=read_only,
        review=review,
        source=[line(each, _EXCERPT) for each in text.split("\n")],
    )


async def _form(request: Request) -> dict[str, str]:
    """As `respond.typed`, for longer texts."""
    async with request.form(max_files=0, max_fields=10, max_part_size=2 * MAX_BYTES) as form:
        return {name: value for name, value in form.items() if isinstance(value, str)}


def _lines(text: str) -> str:
    """Browsers send every end of a line as CR LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
