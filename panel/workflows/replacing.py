"""What a load with dates destroys: KTRDR replaces the stored file with only that period."""

from collections.abc import Awaitable, Callable, Mapping

from panel.domain.formatting import day
from panel.domain.gaps import DAY, Range
from panel.domain.values import moment
from panel.errors import CLIClientError

REPLACE = "replace"  # the confirmation: load anyway


async def would_replace(stored_range: Callable[[str, str], Awaitable[Range]], values: Mapping[str, str]) -> str:
    """In words; "" when nothing is lost, or when the backend cannot be asked."""
    start, end = moment(values.get("start_date")), moment(values.get("end_date"))
    if start is None and end is None:
        return ""
    try:
        stored = await stored_range(values["symbol"].strip().upper(), values["timeframe"])
    except CLIClientError:
        return ""
    if not stored.bars or stored.start is None or stored.end is None:
        return ""
    first, last = max(start or stored.start, stored.start), min((end or stored.end) + DAY, stored.end)
    if (first, last) == (stored.start, stored.end):
        return ""  # it lies within the period
    kept = round(stored.bars * max(last - first, 0.0) / max(stored.end - stored.start, 1.0))
    return (
        f"The backend would replace what it has stored with this period only: of {stored.bars:,} bars "
        f"({day(stored.start)} to {day(stored.end)}) about {kept:,} would remain. "
        "Without dates nothing is replaced."
    )
