"""Which bars of a run are not there, and why, where no load can bring them. Pure."""

import re

from panel.domain.causes import NO_DATA, NO_PERIOD, Cause, cause_of
from panel.domain.formatting import day
from panel.domain.gaps import LENGTHS
from panel.domain.snapshot import Snapshot
from panel.domain.values import items, moment, text

_ABSENT = re.compile(r"\bfor ([A-Z0-9][A-Z0-9._-]{0,19}) (\d+[A-Za-z]+)\b(?! in the period)")
_NAMED = re.compile(r"\bfor \S+ (\d+[A-Za-z]+)\b")  # "No data found in cache for EURUSD 9q"


def never_there(snapshot: Snapshot) -> Cause | None:
    """KTRDR takes dates and timeframes as they come, and then finds no data; None where a load may help."""
    named = _NAMED.search(snapshot.error)
    timeframes = [*items(snapshot.parameters.get("timeframes"), 20), snapshot.timeframe, named and named[1]]
    if unknown := next((name for name in map(text, timeframes) if name and name not in LENGTHS), ""):
        return _cause(f"There is no timeframe {unknown[:20]}.", f"Choose from {', '.join(LENGTHS)}, then start again.")
    start, end = moment(snapshot.parameters.get("start_date")), moment(snapshot.parameters.get("end_date"))
    if start is not None and end is not None and start > end:
        return NO_PERIOD
    if start is not None and start > (snapshot.created_at or snapshot.read_at):
        return _cause(
            f"Its period begins in the future, {day(start)}: there is no market data for it yet.",
            "Choose an earlier start, then start again.",
        )
    return None


def absent(snapshot: Snapshot) -> tuple[str, str] | None:
    """The symbol and timeframe of which nothing was stored; None where the failure has another cause, or where no load
    may help."""
    if cause_of(snapshot.error, snapshot.traits) is not NO_DATA or never_there(snapshot) is not None:
        return None
    named = _ABSENT.search(snapshot.error)
    return (named[1], named[2]) if named and named[2] in LENGTHS else None


def _cause(meaning: str, advice: str) -> Cause:
    return Cause(NO_PERIOD.pattern, meaning, advice)
