"""Importing market data: choose files, look at them, answer, store. Works with plain forms."""

import time
from collections.abc import Mapping
from typing import Literal, cast

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, Response

from panel.files.names import LENGTHS, SYMBOL
from panel.files.uploads import Decisions, ImportedFile, NotKept, Upload
from panel.files.values import Answers
from panel.views.imports import import_view, upload_view
from panel.web.panel import Panel, PanelDep
from panel.web.respond import by_htmx, page, redirect, typed
from panel.web.uploads import received
from panel.workflows.import_jobs import missing
from panel.workflows.imports import MAX_FILES, MAX_UPLOAD, wait

router = APIRouter()

GONE = "This upload is not kept any more. Choose the file again."


@router.get("/data/import")
async def choose(request: Request, panel: PanelDep) -> HTMLResponse:
    """`?symbol=&timeframe=`: what the file is of."""
    return _choose(request, panel)


@router.post("/data/import")
async def upload(request: Request, panel: PanelDep) -> Response:
    """The files come as the form's field `file`."""
    if missing():
        return _choose(request, panel, status=409)
    if problem := panel.imports.room(int(request.headers.get("content-length", "0"))):
        return _choose(request, panel, problem, 413)
    upload = await panel.imports.begin()
    try:
        files = await received(request, upload.folder, MAX_FILES)
        if not files:
            raise HTTPException(422, "No file was chosen.")
    except HTTPException as exc:
        panel.imports.forget(upload.id)
        return _choose(request, panel, str(exc.detail), exc.status_code)
    except BaseException:  # the browser is gone in the middle of it
        panel.imports.forget(upload.id)
        raise
    await panel.imports.received(upload, files, _market(request))
    return redirect(request, _place(upload))


@router.post("/data/import-stored")
async def from_folder(request: Request, panel: PanelDep) -> Response:
    """A copy of a file of the data folder that cannot be used as it is."""
    if missing():
        return _choose(request, panel, status=409)
    try:
        upload = await panel.imports.from_folder((await typed(request)).get("file", ""))
    except NotKept as exc:
        raise HTTPException(404, "There is no such file in the data folder, or it cannot be read.") from exc
    return redirect(request, _place(upload))


@router.get("/data/import/{token}")
async def several(request: Request, panel: PanelDep, token: str) -> HTMLResponse:
    found = _upload(panel, token)
    view = upload_view(found, target=panel.imports.target is not None, embedded=not panel.settings.backend)
    return page(request, "import-files.html", view)


@router.post("/data/import/{token}/all")
async def answer_all(request: Request, panel: PanelDep, token: str) -> Response:
    """`act`: "look" to answer for every file, "store" to store those that are ready."""
    found, form = _upload(panel, token), await typed(request)
    if form.get("act") == "store":
        panel.imports.store_all(found)
    else:
        for file in found.files:
            if not file.stored:
                panel.imports.decide(found, file, _decisions(form, file), store=False)
    await wait(found.files)
    return redirect(request, _place(found))


@router.post("/data/import/{token}/forget")
async def forget(request: Request, panel: PanelDep, token: str) -> Response:
    panel.imports.forget(_upload(panel, token).id)
    return redirect(request, "/data/import")


@router.get("/data/import/{token}/{number}")
async def one(request: Request, panel: PanelDep, token: str, number: int, answered: bool = False) -> HTMLResponse:
    """`answered`: it follows the form just sent, so the focus goes to what is asked next."""
    found, file = _file(panel, token, number)
    source = panel.inventory.row(file.symbol, file.timeframe).range.source
    view = import_view(
        found, number, target=panel.imports.target is not None, embedded=not panel.settings.backend, source=source
    )
    return page(request, "import-file.html", view, answered=answered)


@router.post("/data/import/{token}/{number}")
async def decide(request: Request, panel: PanelDep, token: str, number: int) -> Response:
    """`act`: "look" to look again with these answers, "store" to store the bars."""
    found, file = _file(panel, token, number)
    form = await typed(request)
    panel.imports.decide(found, file, _decisions(form, file), store=form.get("act") == "store")
    await wait([file])
    if by_htmx(request):
        return await one(request, panel, token, number, answered=True)
    return redirect(request, f"/data/import/{token}/{number}")


@router.get("/data/import/{token}/{number}/file")
async def download(panel: PanelDep, token: str, number: int) -> Response:
    """KTRDR's CSV, where it could not be put into its folder."""
    _, file = _file(panel, token, number)
    if file.made is None:
        raise HTTPException(404, "This file has not been made yet.")
    return FileResponse(file.made, filename=file.made.name, media_type="text/csv")


def _choose(request: Request, panel: Panel, problem: str = "", status: int = 200) -> HTMLResponse:
    return page(
        request, "import.html", status=status, problem=problem, missing=missing(), most=MAX_UPLOAD >> 20,
        target=panel.imports.target, embedded=not panel.settings.backend, unfinished=panel.imports.unfinished,
        now=time.time(), market=_market(request),
    )  # fmt: skip


def _market(request: Request) -> tuple[str, str]:
    """The symbol and timeframe in the address, where both are such."""
    symbol = request.query_params.get("symbol", "").strip().upper()
    timeframe = request.query_params.get("timeframe", "")
    return (symbol, timeframe) if SYMBOL.fullmatch(symbol) and timeframe in LENGTHS else ("", "")


def _upload(panel: Panel, token: str) -> Upload:
    try:
        return panel.imports.upload(token)
    except NotKept as exc:
        raise HTTPException(404, GONE) from exc


def _file(panel: Panel, token: str, number: int) -> tuple[Upload, ImportedFile]:
    try:
        return panel.imports.file(token, number)
    except NotKept as exc:
        raise HTTPException(404, GONE) from exc


def _place(upload: Upload) -> str:
    """A single file has no list."""
    single = len(upload.files) == 1 and not upload.refused
    return f"/data/import/{upload.id}" + ("/0" if single else "")


def _decisions(form: Mapping[str, str], file: ImportedFile) -> Decisions:
    """What the form says; what it does not ask stays as it was."""
    before = file.decisions
    columns = dict(before.answers.columns)
    for name, value in form.items():
        if name.startswith("column-") and value.isdecimal() and len(value) < 5:
            columns[name.removeprefix("column-")] = int(value)
    answers = Answers(
        zone=form.get("zone-other", "").strip()[:60] or form.get("zone", before.answers.zone),
        dates=form.get("dates", before.answers.dates),
        decimals=form.get("decimals", before.answers.decimals),
        columns=columns,
    )
    return Decisions(
        answers,
        symbol=form.get("symbol", before.symbol).strip().upper(),
        timeframe=form.get("timeframe", before.timeframe).strip(),
        leave_out=form.get("leave_out") == "1",
        bad_bars=cast(Literal["", "leave", "keep"], _one_of(form.get("bad_bars", ""), "leave", "keep")),
        existing=cast(Literal["", "merge", "replace"], _one_of(form.get("existing", ""), "merge", "replace")),
    )


def _one_of(given: str, *known: str) -> str:
    return given if given in known else ""
