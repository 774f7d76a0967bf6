"""Gaps in many bars at once, and exchanges' sessions: what takes numpy and exchange_calendars. Pure, on arrays."""

import warnings
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from panel.files.gap_rules import SHORTEST, Hole, calendar_of, unexplained
from panel.files.names import DAY, HOUR, LENGTHS
from panel.files.values import Array


def gaps(openings: Array, timeframe: str, symbol: str = "", exchange: str = "", kind: str = "") -> list[Hole]:
    """The gaps between bars that open at these times (seconds, ascending), in order. Two million bars take
    some hundredths of a second."""
    openings, length = np.asarray(openings, np.int64), LENGTHS[timeframe]
    if len(openings) < 2:
        return []
    places = np.flatnonzero(np.diff(openings) > max(1.5 * length, length + SHORTEST))
    holes = list(map(Hole, (openings[places] + length).tolist(), openings[places + 1].tolist()))
    span = float(openings[-1] - openings[0])
    return unexplained(holes, span, timeframe, calendar_of(symbol, exchange, kind), missed_sessions)


def missed_sessions(code: str, holes: Sequence[Hole], length: int) -> list[int]:
    """How many whole sessions of the exchange lie in each hole; there is one at least. Raises ImportError where the
    library is not installed, ValueError about years that it knows nothing about."""
    starts, ends = np.asarray(holes, np.int64).T
    first, last = (int(str(np.datetime64(int(at), "s"))[:4]) for at in (starts[0], ends[-1]))
    days, opens, closes = _sessions(code, first, last)
    if length == DAY:  # stamped with their day, at midnight somewhere
        since, until = starts - DAY + 6 * HOUR, ends + 6 * HOUR
        inside = np.searchsorted(days, until // DAY * DAY) - np.searchsorted(days, since // DAY * DAY, side="right")
    else:
        inside = np.searchsorted(closes, ends, side="right") - np.searchsorted(opens, starts, side="left")
    return [max(int(count), 0) for count in inside]


@lru_cache(maxsize=16)
def _sessions(code: str, first: int, last: int) -> tuple[Array, Array, Array]:
    """Day, opening and close of each session from one year to another, seconds, UTC."""
    import exchange_calendars

    with warnings.catch_warnings():  # it uses what pandas 3.1 is about to change
        warnings.simplefilter("ignore")
        calendar = exchange_calendars.get_calendar(code, start=f"{first}-01-01", end=f"{last}-12-31")
        table = calendar.schedule
    return (
        np.asarray(table.index.as_unit("s").asi8),
        np.asarray(table["open"].dt.as_unit("s").astype("int64")),
        np.asarray(table["close"].dt.as_unit("s").astype("int64")),
    )
