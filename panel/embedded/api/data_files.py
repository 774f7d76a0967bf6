"""Files of market data: which there are and what is wrong with them; gaps.

KTRDR has none of these paths; a panel asks for them only of this backend.
"""

from typing import Annotated, Any

import msgspec
import numpy as np
from fastapi import APIRouter, HTTPException, Query

from panel.embedded import market
from panel.embedded.api.answers import good
from panel.embedded.backend import Backend
from panel.embedded.bars import SYMBOL, Bars, Unusable
from panel.embedded.ledger import Row
from panel.embedded.timeframes import TIMEFRAMES
from panel.files import calendars, faults, gap_rules
from panel.files.folder import Entry
from panel.files.thinning import thinned

MAX_BAD = 1000  # bars that are named in one answer


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
        rule = gap_rules.calendar_of(symbol, kind=kind)
        return good({"calendar": rule, "gaps": [[gap.start, gap.end] for gap in found], "bars": len(held)}, error=None)

    @api.get("/data/candles/{symbol}/{timeframe}")
    def candles(
        symbol: str, timeframe: str, start: int, end: int, most: Annotated[int, Query(ge=1, le=10_000)] = 3000
    ) -> Any:
        """`start` and `end`: seconds since 1970, of openings, both included. `bad`: bars with faults."""
        held = _held(bars, symbol, timeframe, start, end)
        if held is None:
            raise HTTPException(404, f"Data not found for {symbol[:40]} ({timeframe[:10]})")
        rows, each = thinned(held, most)
        which = np.flatnonzero(held.fault)[-MAX_BAD:]
        bad = [[int(held.times[at]), faults.KINDS[int(held.fault[at])][1]] for at in which]
        whole = rows[np.isfinite(rows[:, :5]).all(axis=1)]
        drawn = whole.astype(object)
        drawn[~np.isfinite(whole)] = None  # a volume that is unknown
        answer = {"candles": drawn.tolist(), "each": each, "bars": len(held), "bad": bad}
        return good(answer, error=None)

    return api


def entry_row(bars: Bars, entry: Entry) -> Row:
    """The answer for one file; times in seconds since 1970."""
    row: Row = msgspec.to_builtins(entry)
    faults = {c.kind: {"count": c.count, "lines": list(c.lines), "reason": c.reason} for c in entry.faults}
    left = {c.kind: {"count": c.count, "lines": list(c.lines), "reason": c.reason} for c in entry.left_out}
    return row | {"faults": None, "bad_bars": faults, "left_out": left, "source": bars.source(entry)}


def _held(bars: Bars, symbol: str, timeframe: str, start: int | None = None, end: int | None = None) -> Any:
    if not SYMBOL.fullmatch(symbol) or timeframe not in TIMEFRAMES:
        raise HTTPException(404, f"Data not found for {symbol[:40]} ({timeframe[:10]})")
    try:
        return bars.files.bars(symbol, timeframe, start, end)
    except Unusable as exc:
        raise HTTPException(422, str(exc)) from exc
