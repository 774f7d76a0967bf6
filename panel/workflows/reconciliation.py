"""Which operation a start has begun, when its answer was lost and the backend took no id of ours.

Loads and backtests carry nothing by which they could be told apart but their kind, symbol, timeframe, strategy
and time. A start of the same things by somebody else at the same moment looks the same: more than one that
fits is therefore as good as none, and a person is asked.
"""

from collections.abc import Callable
from typing import Any

from panel.backend.polling import Client, Reading, read
from panel.domain.requests import Start
from panel.domain.snapshot import ID, Snapshot, moment, text
from panel.errors import CLIClientError

TIMEOUT = 10.0  # seconds
MOST = 25  # operations that are read for one look
_SURELY = (-5.0, 60.0)  # seconds between a start and its operation: the clocks differ, and a POST takes its time
_MAYBE = (-600.0, 1200.0)  # the same, for a person to choose from


def fits(start: Start, snapshot: Snapshot, *, generously: bool = False) -> bool:
    """Whether the start may have begun this: nothing that is known of both speaks against it."""
    first, last = _MAYBE if generously else _SURELY
    if snapshot.kind != start.kind or snapshot.created_at is None:
        return False
    asked = {
        "symbol": start.form.get("symbol", "").strip().upper(),
        "timeframe": start.form.get("timeframe", "").strip(),
        "strategy": start.form.get("strategy_name", "").strip(),
    }
    told = {"symbol": snapshot.symbol, "timeframe": snapshot.timeframe, "strategy": snapshot.strategy}
    same = all(not value or not told[name] or value == told[name] for name, value in asked.items())
    return same and start.asked_at + first <= snapshot.created_at <= start.asked_at + last


async def candidates(client: Client, start: Start, known: Callable[[str], bool]) -> list[Reading]:
    """What the backend knows that may be it, without what is `known` already. Raises CLIClientError when it
    cannot all be read: half of it could look like a clear answer."""
    found = []
    unread = [operation_id for operation_id in await _named(client, start) if not known(operation_id)]
    if len(unread) > MOST:
        raise CLIClientError("There are more operations of this time than can be told apart.")
    for operation_id in unread:
        reading = await read(client, operation_id, TIMEOUT)
        if reading.snapshot is not None and fits(start, reading.snapshot, generously=True):
            found.append(reading)
        elif reading.error is not None and not reading.error.unknown:
            raise reading.error
    return found


async def _named(client: Client, start: Start) -> list[str]:
    """Ids from the list and, because it leaves out what nobody has asked for yet, from the workers."""
    answer = await client.get("/operations", params={"operation_type": start.kind, "limit": 50}, timeout=TIMEOUT)
    ids = [text(item.get("operation_id")) for item in _dicts(answer, "data") if _near(start, item.get("created_at"))]
    workers = await client.get("/workers", timeout=TIMEOUT)
    ids += [text(worker.get("current_operation_id")) for worker in _dicts(workers)]
    return [each for each in dict.fromkeys(ids) if ID.fullmatch(each)]


def _near(start: Start, created: Any) -> bool:
    at = moment(created)
    return at is not None and start.asked_at + _MAYBE[0] <= at <= start.asked_at + _MAYBE[1]


def _dicts(answer: Any, name: str = "") -> list[dict[str, Any]]:
    listed = answer.get(name) if name and isinstance(answer, dict) else answer
    return [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
