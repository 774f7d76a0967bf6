"""Reads one operation on demand: each id once at a time, and one that the backend does not know at intervals, however
many pages and streams ask."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

from panel.backend.ktrdr import Reading
from panel.monitoring.live import keep_latest
from panel.observability.rounds import cancel_all

UNKNOWN_FOR = 30.0  # seconds for which "not found" is believed; what is started meanwhile is found by discovery
MAX_IDS = 10_000  # ids that are kept in memory


class Lookup:
    def __init__(self, ask: Callable[[str], Coroutine[Any, Any, Reading]]) -> None:
        self._ask = ask
        self._asking: dict[str, asyncio.Task[Reading]] = {}
        self._unknown: dict[str, tuple[float, Reading]] = {}  # id -> (monotonic time, answer), the oldest first

    async def read(self, operation_id: str) -> Reading:
        at, answer = self._unknown.get(operation_id, (0.0, None))
        if answer is not None and time.monotonic() - at < UNKNOWN_FOR:
            return answer
        if operation_id not in self._asking:
            # A task of its own: a caller that is cancelled must not cancel it for others.
            task = asyncio.create_task(self._asked(operation_id))
            self._asking[operation_id] = task
            task.add_done_callback(lambda _: self._asking.pop(operation_id, None))
        return await asyncio.shield(self._asking[operation_id])

    async def _asked(self, operation_id: str) -> Reading:
        """Stored within the task: a caller right after it finds the answer."""
        reading = await self._ask(operation_id)
        if reading.error is not None and reading.error.unknown:
            keep_latest(self._unknown, operation_id, (time.monotonic(), reading), MAX_IDS)
        return reading

    async def close(self) -> None:
        await cancel_all(self._asking.values())
