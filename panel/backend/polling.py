"""Start one operation and follow it to its end: what `AsyncCLIClient.execute_operation` does."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from panel.adapters import OperationAdapter
from panel.backend.answers import own_failure
from panel.backend.ktrdr import CancelOutcome, Ktrdr, Reading
from panel.backend.market_data import Client
from panel.domain.snapshot import Snapshot, Status
from panel.errors import APIError, CLIClientError, Unreadable

UNREACHABLE_LIMIT = 120.0  # seconds an unreachable backend is waited for: it restarts in about four
FORGOTTEN_AFTER = 3  # answers "not found" in a row
MAX_UNEXPECTED_STATUSES = 10  # in a row; scripts import the name
EXPECTED = ("starting", "pending_reconciliation")  # statuses that KTRDR's client waits for, besides Status

OnProgress = Callable[[int, str], None]


async def execute_operation(
    client: Client, adapter: OperationAdapter, on_progress: OnProgress | None = None, poll_interval: float = 0.3
) -> dict[str, Any]:
    """Start, follow, report; returns the operation as last read, with a `status` of
    completed, failed or cancelled.

    Raises CLIClientError when the start fails, when the backend no longer knows the operation, or when it
    cannot be reached for UNREACHABLE_LIMIT seconds: the operation may then still be running.
    Cancelling the awaiting task sends one DELETE and returns `{"status": "cancelled", "operation_id": …}`.
    After MAX_UNEXPECTED_STATUSES in a row the result is failed, with an `error`: its true end is not known.
    """
    ktrdr = Ktrdr(client)
    starting = asyncio.ensure_future(ktrdr.start(adapter))
    try:
        operation_id = await asyncio.shield(starting)
    except asyncio.CancelledError:
        if starting.cancelled():
            raise
        return await _cancel(ktrdr, starting, getattr(adapter, "cancel_at", ""))
    try:
        return await until_finished(ktrdr, operation_id, on_progress, poll_interval, MAX_UNEXPECTED_STATUSES)
    except asyncio.CancelledError:
        return await _cancel(ktrdr, starting, getattr(adapter, "cancel_at", ""))


async def until_finished(
    ktrdr: Ktrdr,
    operation_id: str,
    on_progress: OnProgress | None,
    poll_interval: float,
    most_unexpected: int | None = None,
    on_reading: Callable[[Reading], None] | None = None,
) -> dict[str, Any]:
    """Follow what was started; what comes back, and what is raised, are `execute_operation`'s. It gives up after
    `most_unexpected` unknown statuses in a row; None never does. `on_reading` gets every reading, failed ones too."""
    not_found, unexpected, silent_since = 0, 0, None
    last, answer = None, None
    async for reading in ktrdr.follow(operation_id, lambda: asyncio.sleep(poll_interval)):
        if on_reading:
            on_reading(reading)
        unexpected = unexpected + 1 if _unexpected(reading) else 0
        if most_unexpected and unexpected >= most_unexpected:
            status = (reading.answer or {}).get("status")
            error = f"Polling failed: {unexpected} answers in a row with an unexpected status (last: {status!r})"
            return (reading.answer or {}) | {"status": "failed", "operation_id": operation_id, "error": error}
        if reading.error is None:
            last, answer, not_found, silent_since = reading.snapshot, reading.answer, 0, None
            if on_progress and last is not None:
                on_progress(*progress_of(last))
            continue
        silent_since = silent_since or time.monotonic()
        not_found = not_found + 1 if reading.error.unknown else 0
        if not_found >= FORGOTTEN_AFTER:
            raise APIError(f"The backend no longer knows the operation {operation_id}.", 404)
        passing = reading.error.retryable or isinstance(reading.error, Unreadable) or own_failure(reading.error)
        if not passing and reading.error.status_code not in (None, 404):
            raise reading.error
        if time.monotonic() - silent_since > UNREACHABLE_LIMIT:
            raise type(reading.error)(
                f"Lost contact: {reading.error.message} The operation {operation_id} may still be running.",
                reading.error.status_code,
            )
    result = (answer or {}) | {"operation_id": operation_id}
    if last is not None and last.succeeded and last.backend_status != "completed":
        result |= {"status": "completed", "backend_status": last.backend_status}
    return result


def _unexpected(reading: Reading) -> bool:
    """It says no status, or one that is not known."""
    if reading.snapshot is None:
        return reading.answer is not None
    return reading.snapshot.status is Status.UNKNOWN and reading.snapshot.backend_status not in EXPECTED


def progress_of(snapshot: Snapshot) -> tuple[int, str]:
    """(percentage, message) as a progress callback gets them. 100 only when it is over."""
    if snapshot.succeeded:
        return 100, "Completed"
    message = (
        snapshot.step
        or (snapshot.error if snapshot.finished else "")
        or (snapshot.backend_status or "unknown").capitalize()
    )
    return min(int(snapshot.percentage), 99), message


async def _cancel(ktrdr: Ktrdr, starting: "asyncio.Future[str]", at: str) -> dict[str, Any]:
    """One DELETE for what was started. A POST that is under way is waited for: what it starts would
    otherwise run on unnoticed."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
    result: dict[str, Any] = {"status": "cancelled", "operation_id": None}
    try:
        operation_id = await starting
    except CLIClientError as exc:
        result["note"] = f"The start was not confirmed: {exc.message}" if exc.sent else "Nothing was started."
        return result
    return result | await cancelled(ktrdr, operation_id, at)


async def cancelled(ktrdr: Ktrdr, operation_id: str, at: str = "") -> dict[str, Any]:
    """Cancel it (`at`: its adapter's `cancel_at`); returns the result of an operation that was cancelled, with a `note`
    when that is not all."""
    result: dict[str, Any] = {"status": "cancelled", "operation_id": operation_id}
    try:
        outcome = await ktrdr.cancel(operation_id, "Cancelled from the command line", 5.0, at)
    except CLIClientError as exc:
        return result | {"note": f"The cancel was not confirmed: {exc.message}"}
    if outcome is CancelOutcome.FINISHED:  # also when the answer to a first DELETE was lost, and it was repeated
        last = (await ktrdr.operation(operation_id, 5.0)).snapshot
        if last is None or not last.finished:
            return result | {"note": "The cancel was not confirmed: the backend says that it has ended."}
        return (
            result
            if last.backend_status == "cancelled"
            else result | {"note": f"It had already ended: {last.backend_status}."}
        )
    if outcome is CancelOutcome.UNKNOWN:
        return result | {"note": "The cancel was not confirmed: the backend does not know the operation."}
    if outcome is CancelOutcome.UNDELIVERED:
        result["note"] = "The backend did not deliver the cancel to the worker, which may go on."
    return result
