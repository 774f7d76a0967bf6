"""A backtest's trades: as a page with its candles, and as CSV."""

import csv
import io
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import JSONResponse, Response

from panel.domain.comparable import source_of
from panel.domain.trades import TradeList
from panel.errors import CLIClientError
from panel.views.trades import COLUMNS, csv_row, marks, trades_view
from panel.web.panel import Panel, PanelDep
from panel.web.respond import page
from panel.web.routes.operation import find

router = APIRouter(prefix="/operations/{operation_id}")

BARS = 600  # of one drawing


@router.get("/trades")
async def trades(request: Request, panel: PanelDep, operation_id: str) -> Response:
    view = panel.reader.operation(await find(panel, operation_id))
    return page(request, "trades.html", view, trades_view(await _kept(panel, operation_id)), stream="line")


@router.get("/trades.csv")
async def as_csv(panel: PanelDep, operation_id: str) -> Response:
    source = source_of((await find(panel, operation_id)).snapshot)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows(csv_row(trade, source) for trade in (await _kept(panel, operation_id)).trades)
    named = f'attachment; filename="{operation_id}_trades.csv"'
    return Response(text.getvalue(), media_type="text/csv", headers={"Content-Disposition": named})


@router.get("/trades/bars")
async def bars(
    panel: PanelDep,
    operation_id: str,
    at: Annotated[float | None, Query(ge=0, le=1e11, allow_inf_nan=False)] = None,
) -> Response:
    """Bars around a time (Unix seconds), or the newest, with what the model saw at each and the trades among them."""
    await find(panel, operation_id)
    try:
        found = await panel.ktrdr.seen_bars(operation_id, at, BARS)
        known = await panel.ktrdr.trades(operation_id)
    except CLIClientError as exc:
        return JSONResponse({"message": exc.message}, 404 if exc.unknown else 502)
    return JSONResponse(asdict(found) | {"marks": marks(known.trades, found.bars)})


async def _kept(panel: Panel, operation_id: str) -> TradeList:
    try:
        return await panel.ktrdr.trades(operation_id)
    except CLIClientError as exc:
        if exc.unknown:
            raise HTTPException(404, "The backend keeps no list of this operation's trades.") from exc
        raise HTTPException(502, f"The trades could not be read: {exc.message}") from exc
