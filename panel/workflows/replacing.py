"""What KTRDR makes of a load's dates. With dates it replaces the stored file with only that period; and new bars
without a first day are those of the last 30 days, however long ago the last stored one is."""

import time
from collections.abc import Awaitable, Callable, Mapping

from panel.domain.formatting import day
from panel.domain.gaps import DAY, Range
from panel.domain.values import moment
from panel.errors import APIError, CLIClientError, InvalidForm

StoredRange = Callable[[str, str], Awaitable[Range]]

REPLACE = "replace"  # the confirmation: load anyway
RECENT = 29 * DAY  # before now: a last stored bar from which KTRDR goes on by itself


async def ready_to_load(stored_range: StoredRange, values: Mapping[str, str]) -> dict[str, str]:
    """A load's form as it has to be sent now. Raises InvalidForm when it would destroy bars and that is not confirmed,
    and CLIClientError when the backend does not answer."""
    if REPLACE not in values and (why := await would_replace(stored_range, values)):
        raise InvalidForm({"": why})
    form = dict(values)
    if form.get("mode") == "tail" and not form.get("start_date"):
        try:
            stored = await stored_range(form["symbol"].strip().upper(), form["timeframe"])
        except APIError as exc:
            if exc.status_code in (502, 503, 504, None):
                raise
            return form  # it cannot say what is stored of this one: the load may mend that
        form |= reaching_back(stored, time.time())
    return form


def reaching_back(stored: Range, now: float) -> dict[str, str]:
    """What a load of new bars has to name so that it leaves no hole after the last stored bar; {} for nothing. It is
    the first stored day: KTRDR would drop what lies before the day that is named, and fetches again nothing that is
    stored."""
    if stored.start is None or stored.end is None or stored.end > now - RECENT:
        return {}
    return {"start_date": day(stored.start)}


async def would_replace(stored_range: StoredRange, values: Mapping[str, str]) -> str:
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
