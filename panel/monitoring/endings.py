"""What is known of the time after the last stored bar, where a load was to bring bars of it."""

import asyncio
import sqlite3
from collections.abc import Mapping
from contextlib import suppress

from panel.adapters import DataLoadOperationAdapter
from panel.backend.openings import ending_of
from panel.domain.gaps import DAY, Ending, Market, Range, ends_early
from panel.domain.state import GOOD, State
from panel.domain.system_health import ended
from panel.storage.store import Storage


async def ending_after(
    stored: Range, until: float | None, ranges: Mapping[tuple[str, str], Range], markets: Mapping[str, Market],
    store: Storage,
) -> Ending | None:  # fmt: skip
    """None where no bar lacks. `ranges`: what else is stored; `markets`: by symbol. Where no load of another symbol of
    its exchange has brought later bars either, the exchange rested, whatever its calendar says."""
    market, reached = markets.get(stored.symbol, Market()), stored.reached
    ending = await asyncio.to_thread(ending_of, stored, until, market)
    if ending is None or reached is None or not market.exchange:
        return ending
    together = []
    with suppress(sqlite3.Error):
        for load in store.memory.last_of_each_market(DataLoadOperationAdapter.kind, (*GOOD, State.PROBLEMS)):
            symbol, timeframe = load.snapshot.symbol, load.snapshot.timeframe
            other = ranges.get((symbol, timeframe))
            same = symbol != stored.symbol and markets.get(symbol, Market()).exchange == market.exchange
            if same and other is not None and other.reached is not None and ends_early(reached, ended(load)):
                together.append(abs(other.reached - reached) <= DAY)
    return Ending.CLOSED if together and all(together) else ending
