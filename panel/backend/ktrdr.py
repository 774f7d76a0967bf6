"""Every request to KTRDR, as a method that returns domain values. Nothing else sees the backend's JSON.

All methods raise CLIClientError when the backend cannot be asked or refuses, unless they say otherwise. Timeouts are in
seconds; None takes the client's.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, TypeVar
from urllib.parse import quote

from panel.adapters import DataLoadOperationAdapter, OperationAdapter
from panel.backend import entities, strategies, trades
from panel.backend.decoding import MAX_LISTED, count, each, items, line, operation_id, plain
from panel.backend.http import HEALTH
from panel.backend.market_data import BARS_TIMEOUT, LIST_TIMEOUT, Client, MarketData
from panel.domain.agents import ResearchStatus
from panel.domain.checkpoints import Checkpoint
from panel.domain.models import Model
from panel.domain.snapshot import Snapshot
from panel.domain.strategies import Check, Issue, Strategy
from panel.domain.trades import SeenBars, TradeList
from panel.domain.values import mapping
from panel.domain.workers import Worker
from panel.errors import APIError, CLIClientError
from panel.files.strategy_yaml import is_plain_name

SETTLE = 60.0  # seconds without any change after which even a doubtful "failed" is believed
BATCH = 20  # entries of a list that are decoded before the loop is given back
NEWEST = 500  # models and checkpoints that are kept, of each list

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reading:
    """One attempt to read an operation: a snapshot with the bounded answer it came from, or the error, with the answer
    where there was one that says no status."""

    snapshot: Snapshot | None = None
    answer: dict[str, Any] | None = None
    error: CLIClientError | None = None


class CancelOutcome(Enum):
    """The backend's answer to a cancel."""

    TAKEN = "taken"
    UNDELIVERED = "not delivered to the worker"  # which may go on
    FINISHED = "already finished"
    UNKNOWN = "not known to the backend"


class Ktrdr(MarketData):
    """The typed gateway; keeps no state."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def health(self, timeout: float | None = None) -> str:
        """The backend's version, "" when it does not say it."""
        return line(mapping(await self._client.get(HEALTH, timeout=timeout)).get("version"), 100)

    # Operations

    async def operations(
        self,
        kind: str | None = None,
        *,
        limit: int = 100,
        offset: int = 0,
        active: bool = False,
        timeout: float | None = None,
    ) -> list[Snapshot]:
        """Entries of the backend's list, the newest first: values freeze at the last reading of each operation, and
        what was never read is missing."""
        asked: dict[str, Any] = {"limit": limit} | ({"offset": offset} if offset else {})
        asked |= ({"operation_type": kind} if kind else {}) | ({"active_only": "true"} if active else {})
        listed = mapping(await self._client.get("/operations", params=asked, timeout=timeout)).get("data")
        if not isinstance(listed, list):
            raise APIError("The backend sent no list of operations.", 200)
        now = time.time()
        return await _each(lambda item: entities.summary_of(item, now), listed, limit)

    async def active_loads(self) -> list[Snapshot]:
        """Data loads that the backend calls running, also those of other programs."""
        return await self.operations(DataLoadOperationAdapter.kind, limit=50, active=True, timeout=10.0)

    async def operation(self, named: str, timeout: float | None = None) -> Reading:
        """One reading; a failed one is returned, not raised."""
        unreadable = APIError("The backend sent something unreadable.", 200, retryable=True)
        if not operation_id(named):
            return Reading(error=unreadable)
        try:
            answer = await self._client.get(_path(named), timeout=timeout)
        except CLIClientError as exc:
            return Reading(error=exc)
        data = mapping(answer).get("data")
        # An answer that does not name the operation is about the one that was asked for.
        reported = {"operation_id": named} | mapping(data)
        if reported["operation_id"] == named and isinstance(reported.get("status"), str):
            return Reading(*entities.reading_of(named, reported, time.time()))
        return Reading(answer=mapping(plain(data)) if isinstance(data, dict) else None, error=unreadable)

    async def follow(
        self, named: str, pause: Callable[[], Awaitable[None]], timeout: float | None = None
    ) -> AsyncIterator[Reading]:
        """Readings until the operation is finished, the last one included.

        `pause` is awaited between them. A failed reading is not an end, nor is an unknown status; a "failed" that may
        be wrong (`Snapshot.provisional`) only after SETTLE seconds without change.
        """
        before, changed = None, time.monotonic()
        while True:
            reading = await self.operation(named, timeout)
            yield reading
            if (now := reading.snapshot) is not None:
                if now.finished:
                    return
                seen = (now.status, now.percentage, now.step)
                if seen != before:
                    before, changed = seen, time.monotonic()
                elif now.provisional and time.monotonic() - changed > SETTLE:
                    return
            await pause()

    async def start(self, adapter: OperationAdapter) -> str:
        """Send the one POST; returns the operation's id."""
        try:
            answer = await self._client.post(adapter.get_start_endpoint(), json=adapter.get_start_payload())
        except APIError as exc:
            if exc.status_code == 404 and exc.message == "Not Found":  # of the address, not of anything that it names
                message = "This backend has nothing of this kind to start."
                raise APIError(message, 404, exc.details, refused=True) from exc
            raise
        return adapter.parse_start_response(mapping(answer))

    async def has(self, path: str) -> bool:
        """Whether the backend answers there with anything but "not found". Raises CLIClientError when it is silent."""
        try:
            await self._client.get(path, timeout=LIST_TIMEOUT)
        except APIError as exc:
            if exc.unknown:
                return False
            if not exc.status_code or exc.status_code in (429, 502, 503, 504):
                raise
        return True

    async def research(self) -> ResearchStatus:
        """The agent's status; nothing where it answers an error: without a budget it answers 500."""
        try:
            return entities.research_of(await self._client.get("/agent/status", timeout=LIST_TIMEOUT))
        except CLIClientError:
            return ResearchStatus()

    async def prepare(self) -> None:
        """Keep a process ready for the next start. Only the embedded backend knows this."""
        await self._client.post("/workers/prepare")

    async def cancel(self, named: str, reason: str, timeout: float | None = None, at: str = "") -> CancelOutcome:
        """`at`: an adapter's `cancel_at`. Raises CLIClientError with the reason why it goes on."""
        path = _path(named)
        try:
            if at:
                answer = await self._client.delete(at.format(id=named), timeout=timeout)
            else:
                answer = await self._client.delete(path, json={"reason": reason}, timeout=timeout)
        except CLIClientError as exc:
            if exc.unknown:
                return CancelOutcome.UNKNOWN
            if exc.status_code == (409 if at else 400):  # for other reasons too
                now = (await self.operation(named, timeout)).snapshot
                if now is not None and now.finished:
                    return CancelOutcome.FINISHED
            raise
        data = mapping(mapping(answer).get("data"))
        # False for a worker that was busy with it and was not reached; a load runs as a task of the backend.
        undelivered = data.get("remote_cancelled") is False and not data.get("task_cancelled")
        return CancelOutcome.UNDELIVERED if undelivered else CancelOutcome.TAKEN

    async def resume(self, named: str) -> None:
        """Go on from its checkpoint."""
        await self._client.post(f"{_path(named)}/resume", timeout=30.0)

    # A backtest's trades: of the embedded backend. KTRDR keeps them to itself.

    async def trades(self, named: str) -> TradeList:
        answer = await self._client.get(f"{_path(named)}/trades", timeout=BARS_TIMEOUT)
        return trades.trades_of(mapping(answer).get("data"))

    async def seen_bars(self, named: str, at: float | None, count: int) -> SeenBars:
        """The bars of a backtest around a time (Unix seconds), or the newest, with what its model saw at each."""
        asked = {"count": count} | ({} if at is None else {"at": at})
        answer = await self._client.get(f"{_path(named)}/bars", params=asked, timeout=BARS_TIMEOUT)
        return trades.seen_bars_of(mapping(answer).get("data"))

    # Workers and artifacts

    async def workers(self, timeout: float | None = None) -> tuple[Worker, ...]:
        return entities.workers_of(await self._client.get("/workers", timeout=timeout))

    async def models(self) -> list[Model]:
        """The newest first."""
        answer = await self._client.get("/models", timeout=LIST_TIMEOUT)
        found = await _each(entities.model_of, mapping(answer).get("models"), 10_000)
        return sorted(found, key=lambda model: -(model.trained_at or 0.0))[:NEWEST]

    async def checkpoints(self) -> list[Checkpoint]:
        """The newest first. The backend sends whole training histories with them (192 kB for a few)."""
        answer = await self._client.get("/checkpoints", timeout=LIST_TIMEOUT)
        found = await _each(entities.checkpoint_of, mapping(answer).get("data"), 10_000)
        return sorted(found, key=lambda checkpoint: -(checkpoint.created_at or 0.0))[:NEWEST]

    async def checkpoint(self, named: str, timeout: float | None = None) -> Checkpoint | None:
        """The operation's checkpoint; None when there is none, or none with an epoch and a time."""
        if not operation_id(named):
            return None
        try:
            answer = await self._client.get(f"/checkpoints/{named}", timeout=timeout)
        except CLIClientError as exc:
            if exc.unknown:
                return None
            raise
        found = entities.checkpoint_of(mapping(mapping(answer).get("data")) | {"operation_id": named})
        return None if found is None or found.epoch is None or found.created_at is None else found

    # Strategies

    async def strategies(self) -> list[Strategy]:
        answer = await self._client.get("/strategies/", timeout=LIST_TIMEOUT)
        return await _each(strategies.listed, mapping(answer).get("strategies"))

    async def check(self, name: str) -> Check:
        """Whether the backend would train it; what it refuses is a Check that is not valid."""
        if not is_plain_name(name):
            return Check(False, ("A strategy is called by its file's name, without a folder.",), unknown=True)
        try:
            answer = await self._client.post(f"/strategies/validate/{quote(name, safe='')}", timeout=LIST_TIMEOUT)
        except APIError as exc:
            if exc.status_code in (200, 400, 404, 422):
                # An unknown strategy's message names every file searched; its beginning says it.
                return Check(False, (exc.message.partition(" (searched:")[0],), unknown=exc.status_code == 404)
            raise
        found = strategies.check_of(answer)
        return replace(found, features=await self._features(name)) if found.valid else found

    async def strategy_text(self, name: str) -> str | None:
        """The file of a strategy, from the embedded backend; None when there is none. A KTRDR shows no files."""
        try:
            answer = await self._client.get(f"/strategies/{quote(name, safe='')}/file", timeout=LIST_TIMEOUT)
        except APIError as exc:
            if exc.status_code == 404:
                return None
            raise
        found = mapping(answer).get("text")
        return found if isinstance(found, str) else None

    async def issues_in_text(self, text: str) -> list[Issue]:
        """The embedded backend's remarks on a text that is not saved."""
        answer = await self._client.post("/strategies/check", json={"text": text}, timeout=LIST_TIMEOUT)
        return strategies.issues_of(answer)

    async def issues_in_file(self, stem: str) -> list[Issue]:
        """A KTRDR's remarks on a file of its folder. Raises APIError with 404 when it has no such file."""
        try:
            answer = await self._client.post(f"/strategies/validate/{quote(stem, safe='')}", timeout=LIST_TIMEOUT)
        except APIError as exc:
            if exc.status_code in (200, 400, 422):
                return [Issue(exc.message)]
            raise
        return strategies.issues_of(answer)

    async def _features(self, name: str) -> int | None:
        try:
            answer = await self._client.get(f"/strategies/{quote(name, safe='')}/features", timeout=LIST_TIMEOUT)
        except CLIClientError:
            return None
        return count(mapping(answer).get("count"))


async def _each(decode: Callable[[Any], T | None], value: Any, most: int = MAX_LISTED) -> list[T]:
    """`each`, which gives the event loop back in between."""
    found: list[T] = []
    listed = items(value, most)
    for start in range(0, len(listed), BATCH):
        found += each(decode, listed[start : start + BATCH])
        await asyncio.sleep(0)
    return found


def _path(named: str) -> str:
    """The operation's path; raises ValueError for an id that would lead elsewhere."""
    if not operation_id(named):
        raise ValueError("not an operation's id")
    return f"/operations/{named}"
