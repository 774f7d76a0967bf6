"""Files of market data: which there are and what is wrong with them, importing, exporting, gaps.

KTRDR has none of these paths; a panel asks for them only of this backend.
"""

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response

from panel.embedded import market
from panel.embedded.api.answers import error, good
from panel.embedded.backend import Backend
from panel.embedded.bars import SYMBOL, Bars, Unusable
from panel.embedded.ledger import Row
from panel.embedded.timeframes import TIMEFRAMES
from panel.files import calendars, importing
from panel.files.folder import Entry
from panel.files.storing import exported
from panel.files.text import MAX_BYTES
from panel.files.values import Answers, Refused


def routes(home: Backend, bars: Bars) -> APIRouter:
    api = APIRouter()

    @api.get("/data/files")
    def files() -> Row:
        return good([entry_row(bars, entry) for entry in bars.files.entries()], error=None)

    @api.get("/data/gaps/{symbol}/{timeframe}")
    def gaps(symbol: str, timeframe: str) -> Any:
        held = _held(bars, symbol, timeframe)
        if held is None:
            raise HTTPException(404, f"Data not found for {symbol[:40]} ({timeframe[:10]})")
        known = market.INSTRUMENTS.get(symbol)
        kind = known.type if known and known.type != "stock" else ""
        found = calendars.gaps(held.times, timeframe, symbol, kind=kind)
        rule = calendars.calendar_of(symbol, kind=kind)
        return good({"calendar": rule, "gaps": [[gap.start, gap.end] for gap in found], "bars": len(held)}, error=None)

    @api.get("/data/export/{symbol}/{timeframe}")
    def export(
        symbol: str,
        timeframe: str,
        start: int | None = None,
        end: int | None = None,
        kind: Annotated[Literal["csv", "parquet"], Query(alias="format")] = "csv",
    ) -> Response:
        """`start` and `end`: seconds since 1970, of openings, both included."""
        held = _held(bars, symbol, timeframe, start, end)
        if held is None or not len(held):
            raise HTTPException(404, f"No bars of {symbol[:40]} {timeframe[:10]} are stored in this period.")
        media = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}[kind]
        name = f'attachment; filename="{symbol}_{timeframe}.{kind}"'
        return Response(exported(held, kind), media_type=media, headers={"content-disposition": name})

    @api.post("/data/import/preview")
    async def preview(request: Request, name: str, answers: str = "{}", symbol: str = "", timeframe: str = "") -> Any:
        """The body is the file, or a zip archive of several. Nothing is stored."""
        data, decided = await _body(request), _answers(answers)

        def look() -> Any:
            rows = []
            for member, content in importing.unpacked(data, name):
                try:
                    found = importing.preview(content, member, decided, bars.folder, symbol, timeframe)
                    rows.append(importing.as_dict(found))
                except Refused as exc:
                    rows.append({"file": member, "refused": {"line": exc.line, "reason": exc.sentence}})
            return good(rows, error=None)

        return await _answered(look)

    @api.post("/data/import")
    async def store(
        request: Request,
        name: str,
        symbol: str,
        timeframe: str,
        answers: str = "{}",
        member: str = "",
        leave_out: bool = False,
        keep_bad: bool = False,
        existing: importing.Existing = "refuse",
    ) -> Any:
        """The same body as for the preview; `member` names the file of an archive."""
        data, decided = await _body(request), _answers(answers)

        def keep() -> Any:
            content = dict(importing.unpacked(data, name)).get(member or name)
            if content is None:
                raise Refused(f"There is no {member[:60]} in the archive.")
            reading = importing.read(content, member or name, decided)
            done = importing.store(
                reading, bars.folder, symbol.upper(), timeframe,
                leave_out=leave_out, keep_bad=keep_bad, existing=existing,
            )  # fmt: skip
            answer = {"file": done.file.name, "bars": done.bars, "added": done.added, "left_out": done.left_out}
            return good(answer | {"kept": done.kept.name if done.kept else None}, error=None)

        return await _answered(keep)

    return api


def entry_row(bars: Bars, entry: Entry) -> Row:
    """One file as it is answered; times in seconds since 1970."""
    row: Row = msgspec.to_builtins(entry)
    faults = {count.kind: {"count": count.count, "lines": list(count.lines)} for count in entry.faults}
    left = {c.kind: {"count": c.count, "lines": list(c.lines), "reason": c.reason} for c in entry.left_out}
    return row | {"faults": None, "bad_bars": faults, "left_out": left, "source": bars.source(entry)}


def _held(bars: Bars, symbol: str, timeframe: str, start: int | None = None, end: int | None = None) -> Any:
    if not SYMBOL.fullmatch(symbol) or timeframe not in TIMEFRAMES:
        raise HTTPException(404, f"Data not found for {symbol[:40]} ({timeframe[:10]})")
    try:
        return bars.files.bars(symbol, timeframe, start, end)
    except Unusable as exc:
        raise HTTPException(422, str(exc)) from exc


async def _body(request: Request) -> bytes:
    content = bytearray()
    async for turn in request.stream():
        content += turn
        if len(content) > MAX_BYTES:
            raise HTTPException(413, f"Files of up to {MAX_BYTES >> 20} MB can be imported.")
    return bytes(content)


def _answers(text: str) -> Answers:
    try:
        return msgspec.json.decode(text, type=Answers)
    except msgspec.MsgspecError as exc:
        raise HTTPException(422, f"The answers cannot be read: {exc}") from exc


async def _answered(work: Any) -> Any:
    """In a thread; 409 when something is stored already, 422 with the sentence when the file is refused."""
    try:
        return await run_in_threadpool(work)
    except importing.Exists as exc:
        both = msgspec.to_builtins(exc.overlap)
        return JSONResponse(error("DATA-Exists", str(exc), {"overlap": both}), 409)
    except Refused as exc:
        return JSONResponse(error("DATA-Refused", str(exc), {"line": exc.line, "reason": exc.sentence}), 422)
