"""Finds the operation of a start whose answer was lost, where the backend took no id of ours.

Loads and backtests can be distinguished only by their kind, symbol, timeframe, strategy, mode, dates, costs
and time. A start of the same things by another program at the same moment looks the same: more than one that
fits is therefore as good as none, and a person is asked.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from math import isclose

from panel.adapters import KINDS
from panel.backend.ktrdr import Ktrdr, Reading
from panel.domain.requests import Start
from panel.domain.snapshot import Snapshot
from panel.domain.values import number, text
from panel.errors import CLIClientError

TIMEOUT = 10.0  # seconds
_MODES = ("tail", "backfill", "full")  # of a load; the first where none is chosen
MAX_READ = 25  # operations that are read for one search
_SURELY = (-5.0, 60.0)  # seconds between a start and its operation: the clocks differ, and a POST takes its time
_MAYBE = (-600.0, 1200.0)  # the same, for a person to choose from


def fits(start: Start, snapshot: Snapshot, *, generously: bool = False) -> bool:
    """Whether the start may have begun this: nothing known of both contradicts it."""
    first, last = _MAYBE if generously else _SURELY
    if snapshot.kind != start.kind or snapshot.created_at is None:
        return False
    asked = {
        "symbol": start.form.get("symbol", "").strip().upper(),
        "timeframe": start.form.get("timeframe", "").strip(),
        "strategy": start.form.get("strategy_name", "").strip(),
    }
    reported = {"symbol": snapshot.symbol, "timeframe": snapshot.timeframe, "strategy": snapshot.strategy}
    same = all(not value or not reported[name] or value == reported[name] for name, value in asked.items())
    if snapshot.full:
        repeated = KINDS[start.kind].repeated if start.kind in KINDS else ()
        shown = ((start.form.get(name, ""), text(snapshot.parameters.get(name))) for name in repeated)
        same = same and all(_begins(asked) == _begins(reported) for asked, reported in shown)
        same = same and not _contradicts(start.form, snapshot)
    return same and start.asked_at + first <= snapshot.created_at <= start.asked_at + last


def _contradicts(form: Mapping[str, str], snapshot: Snapshot) -> bool:
    """Whether it was begun with another mode, period or other costs: KTRDR repeats them as they were sent. A training,
    of which it fills in dates itself, has an id of ours."""
    if snapshot.traits.learns:
        return False
    told = snapshot.parameters
    mode = text(told.get("mode")) if snapshot.traits.loads else ""
    whole = mode in _MODES  # then a date that is not told was not sent
    if whole and mode != (form.get("mode") or _MODES[0]):
        return True
    for name in ("start_date", "end_date"):
        asked, reported = form.get(name, "").strip()[:10], text(told.get(name))[:10]
        if asked != reported and (reported or whole):
            return True
    for name in ("initial_capital", "commission", "slippage"):
        with suppress(ValueError):
            value = number(told.get(name))
            if value is not None and form.get(name) and not isclose(float(form[name]), value):
                return True
    return False


def _begins(written: str) -> str:
    """The beginning of a text: the backend cuts long ones."""
    return " ".join(written.split())[:200]


async def candidates(ktrdr: Ktrdr, start: Start, known: Callable[[str], bool]) -> list[Reading]:
    """What the backend knows that may be it, without what is `known` already. Raises CLIClientError when it
    cannot all be read: half of it could look like a clear answer."""
    found = []
    unread = [operation_id for operation_id in await _named(ktrdr, start) if not known(operation_id)]
    if len(unread) > MAX_READ:
        raise CLIClientError("There are more operations of this time than can be distinguished.")
    for operation_id in unread:
        reading = await ktrdr.operation(operation_id, TIMEOUT)
        if reading.snapshot is not None and fits(start, reading.snapshot, generously=True):
            found.append(reading)
        elif reading.error is not None and not reading.error.unknown:
            raise reading.error
    return found


async def _named(ktrdr: Ktrdr, start: Start) -> list[str]:
    """Ids from the list and, because it leaves out what was never read, from the workers."""
    listed = await ktrdr.operations(start.kind, limit=50, timeout=TIMEOUT)
    first, last = start.asked_at + _MAYBE[0], start.asked_at + _MAYBE[1]
    ids = [each.id for each in listed if each.created_at is not None and first <= each.created_at <= last]
    ids += [worker.operation_id for worker in await ktrdr.workers(TIMEOUT) if worker.operation_id]
    return list(dict.fromkeys(ids))
