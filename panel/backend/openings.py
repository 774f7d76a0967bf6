"""The opening times of all stored bars of one symbol and timeframe, read in pieces, so that no answer is large; and
the gaps between them."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec

from panel.backend.ktrdr import Ktrdr
from panel.domain.formatting import day
from panel.domain.gaps import DAY, LENGTHS, Ending, Gap, Market, Range, ends_early
from panel.files.gap_rules import ALWAYS, FOREX, LEARNED, Hole, Missed, calendar_of, holes_of, unexplained

CHUNK = 30_000  # bars of one question: two to three megabytes
SESSIONS = ("numpy", "pandas", "exchange_calendars")  # of the `embedded` extra
PAUSE = 0.5  # seconds between two questions


async def stored_openings(ktrdr: Ktrdr, stored: Range) -> list[float]:
    """Unix seconds, in order; [] when nothing is stored. Raises CLIClientError."""
    found: list[float] = []
    if stored.start is None or stored.end is None or not stored.bars:
        return found
    step = max((stored.end - stored.start) / max(stored.bars / CHUNK, 1) + 1, LENGTHS[stored.timeframe])
    at = stored.start
    while at <= stored.end:
        bounds = {"start_date": day(at), "end_date": day(min(at + step, stored.end) + DAY)}
        times = await ktrdr.openings(stored.symbol, stored.timeframe, **bounds)
        found += [when for when in times if not found or when > found[-1]]
        at += step
        if at <= stored.end:
            await asyncio.sleep(PAUSE)
    return found


def gaps(openings: Sequence[float], timeframe: str, symbol: str = "", market: Market | None = None) -> list[Gap]:
    """The gaps between bars that open at these times, in order. Where the market's calendar is known by the symbol, or
    by what the backend says of it, it decides: an exchange's sessions and holidays, the week of currencies, no rest at
    all for crypto. Else, and for exchanges where nothing here knows their sessions, the usual rest is learned from the
    bars. An exchange's calendar takes a second at first."""
    where = market or Market()
    span = openings[-1] - openings[0] if openings else 0.0
    calendar = calendar_of(symbol, where.exchange, where.kind)
    found = unexplained(holes_of(openings, timeframe), span, timeframe, calendar, _missed_sessions())
    return [Gap(float(gap.start), float(gap.end)) for gap in found]


def ending_of(stored: Range, until: float | None, market: Market | None = None) -> Ending | None:
    """What is known of the time between the last stored bar and the end of a load's period; None where no bar lacks
    there. A market's calendar tells whether sessions were missed: Chinese New Year and Golden Week are none."""
    reached, length, where = stored.reached, LENGTHS.get(stored.timeframe, 0), market or Market()
    if reached is None or until is None or not ends_early(reached, until):
        return None
    calendar = calendar_of(stored.symbol, where.exchange, where.kind)
    if calendar == LEARNED:
        return Ending.UNKNOWN
    if length > DAY or calendar in (ALWAYS, FOREX):
        return Ending.MISSED
    missed = _missed_sessions()
    with suppress(ImportError, ValueError):
        if missed is not None:
            return Ending.MISSED if missed(calendar, [Hole(reached, until)], length)[0] else None
    return Ending.UNKNOWN


def knows_sessions() -> bool:
    """Whether the libraries are installed that know the sessions and holidays of exchanges. It loads none of them."""
    return all(find_spec(name) is not None for name in SESSIONS)


def _missed_sessions() -> Missed | None:
    try:
        from panel.files.calendars import missed_sessions
    except ImportError:
        return None
    return missed_sessions
