"""Start one operation and follow it to its end.

`follow` is the only poll loop of the project: the command line drives it with a fixed pause, the relay
with one that adapts to who watches. Everything here takes any client with `get`, `post` and `delete`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from panel.adapters import OperationAdapter
from panel.domain.snapshot import ID, Snapshot
from panel.errors import APIError, CLIClientError, Unreadable

PATIENCE = 120.0  # seconds an unreachable backend is waited for: it restarts in about four
SETTLE = 60.0  # seconds without any change after which even a doubtful "failed" is believed
FORGOTTEN_AFTER = 3  # answers "not found" in a row

OnProgress = Callable[[int, str], None]


class Client(Protocol):
    async def get(self, path: str, params: Any = None, timeout: float | None = None) -> Any: ...
    async def post(self, path: str, json: Any = None, params: Any = None, timeout: float | None = None) -> Any: ...
    async def delete(self, path: str, json: Any = None, params: Any = None, timeout: float | None = None) -> Any: ...


@dataclass(frozen=True, slots=True)
class Reading:
    """One attempt to read an operation: either a snapshot with the answer it came from, or the error."""

    snapshot: Snapshot | None = None
    answer: dict[str, Any] | None = None
    error: CLIClientError | None = None


def operation_path(operation_id: str) -> str:
    """The operation's path; raises ValueError for an id that could lead anywhere else."""
    if not ID.fullmatch(operation_id):
        raise ValueError("not an operation's id")
    return f"/operations/{operation_id}"


async def start(client: Client, adapter: OperationAdapter) -> str:
    """Send the one POST; returns the operation's id. Raises CLIClientError when the start fails."""
    response = await client.post(adapter.get_start_endpoint(), json=adapter.get_start_payload())
    if not isinstance(response, dict):
        raise APIError("The backend accepted the start but named no operation.", 200, {"body": response})
    return adapter.parse_start_response(response)


async def read(client: Client, operation_id: str, timeout: float | None = None) -> Reading:
    """One reading; a failed one is returned, not raised."""
    try:
        answer = await client.get(operation_path(operation_id), timeout=timeout)
        data = answer.get("data") if isinstance(answer, dict) else None
        return Reading(Snapshot.from_json(data, time.time()), data)
    except CLIClientError as exc:
        return Reading(error=exc)
    except ValueError:
        return Reading(error=APIError("The backend sent something unreadable.", 200, retryable=True))


async def follow(
    client: Client, operation_id: str, pause: Callable[[], Awaitable[None]], timeout: float | None = None
) -> AsyncIterator[Reading]:
    """Readings until the operation is finished, the last one included.

    `pause` is awaited between them. A failed reading is not an end, nor is an unknown status; a "failed"
    that may be wrong (`Snapshot.provisional`) only after SETTLE seconds without change.
    """
    before, changed = None, time.monotonic()
    while True:
        reading = await read(client, operation_id, timeout)
        yield reading
        if (now := reading.snapshot) is not None:
            if now.finished:
                return
            observation = (now.status, now.percentage, now.step)
            if observation != before:
                before, changed = observation, time.monotonic()
            elif now.provisional and time.monotonic() - changed > SETTLE:
                return
        await pause()


async def execute_operation(
    client: Client, adapter: OperationAdapter, on_progress: OnProgress | None = None, poll_interval: float = 0.3
) -> dict[str, Any]:
    """Start, follow, report; returns the operation as the backend last told it, with a `status` of
    completed, failed or cancelled.

    Raises CLIClientError when the start fails, when the backend no longer knows the operation, or when it
    cannot be reached for PATIENCE seconds: the operation may then still be running.
    Cancelling the awaiting task sends one DELETE and returns `{"status": "cancelled", "operation_id": …}`.
    """
    starting = asyncio.ensure_future(start(client, adapter))
    try:
        operation_id = await asyncio.shield(starting)
    except asyncio.CancelledError:
        if starting.cancelled():
            raise
        return await _cancel(client, starting)
    try:
        return await until_finished(client, operation_id, on_progress, poll_interval)
    except asyncio.CancelledError:
        return await _cancel(client, starting)


async def until_finished(
    client: Client, operation_id: str, on_progress: OnProgress | None, poll_interval: float
) -> dict[str, Any]:
    """Follow what was started; what comes back, and what is raised, are `execute_operation`'s."""
    not_found, silent_since = 0, None
    last, answer = None, None
    async for reading in follow(client, operation_id, lambda: asyncio.sleep(poll_interval)):
        if reading.error is None:
            last, answer, not_found, silent_since = reading.snapshot, reading.answer, 0, None
            if on_progress and last is not None:
                on_progress(*progress_of(last))
            continue
        silent_since = silent_since or time.monotonic()
        not_found = not_found + 1 if reading.error.unknown else 0
        if not_found >= FORGOTTEN_AFTER:
            raise APIError(f"The backend no longer knows the operation {operation_id}.", 404)
        passing = reading.error.retryable or isinstance(reading.error, Unreadable)
        if not passing and reading.error.status_code not in (None, 404):
            raise reading.error
        if time.monotonic() - silent_since > PATIENCE:
            raise type(reading.error)(
                f"Lost contact: {reading.error.message} The operation {operation_id} may still be running.",
                reading.error.status_code,
            )
    result = (answer or {}) | {"operation_id": operation_id}
    if last is not None and last.succeeded and last.said != "completed":
        result |= {"status": "completed", "backend_status": last.said}
    return result


def progress_of(snapshot: Snapshot) -> tuple[int, str]:
    """(percentage, message) as a progress callback gets them. 100 only when it is over."""
    if snapshot.succeeded:
        return 100, "Completed"
    words = snapshot.step or (snapshot.error if snapshot.finished else "") or (snapshot.said or "unknown").capitalize()
    return min(int(snapshot.percentage), 99), words


async def _cancel(client: Client, starting: "asyncio.Future[str]") -> dict[str, Any]:
    """One DELETE for what was started. A POST that is under way is waited for: what it starts would
    otherwise run on, known to nobody."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
    result: dict[str, Any] = {"status": "cancelled", "operation_id": None}
    try:
        operation_id = await starting
    except CLIClientError as exc:
        result["note"] = f"The start was not confirmed: {exc.message}" if exc.sent else "Nothing was started."
        return result
    return result | await cancelled(client, operation_id)


async def cancelled(client: Client, operation_id: str) -> dict[str, Any]:
    """Cancel it; returns the result of an operation that was cancelled, with a `note` when that is not all."""
    result: dict[str, Any] = {"status": "cancelled", "operation_id": operation_id}
    try:
        answer = await client.delete(operation_path(operation_id), timeout=5.0)
    except CLIClientError as exc:
        # A DELETE whose answer was lost is repeated, and is then told that it is all over already.
        last = (await read(client, operation_id, 5.0)).snapshot if exc.status_code == 400 else None
        if last is None or not last.finished:
            return result | {"note": f"The cancel was not confirmed: {exc.message}"}
        return result if last.said == "cancelled" else result | {"note": f"It had already ended: {last.said}."}
    told = answer.get("data") if isinstance(answer, dict) else None
    if isinstance(told, dict) and told.get("remote_cancelled") is False and told.get("task_cancelled") is False:
        result["note"] = "The backend did not deliver the cancel to the worker, which may go on."
    return result
