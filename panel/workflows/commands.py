"""Cancels an operation, and keeps who asked for it and the outcome."""

import asyncio
import logging
import time
from dataclasses import replace
from weakref import WeakValueDictionary

from panel.adapters import KINDS
from panel.backend.ktrdr import CancelOutcome, Ktrdr
from panel.domain.observation import Cancel
from panel.errors import AlreadyEnded, APIError, CLIClientError
from panel.monitoring.poller import READ_TIMEOUT, Monitor
from panel.storage.store import Storage

log = logging.getLogger(__name__)


class Commands:
    def __init__(self, ktrdr: Ktrdr, store: Storage, monitor: Monitor) -> None:
        self._ktrdr = ktrdr
        self._store = store
        self._monitor = monitor
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # of operations

    async def cancel(self, operation_id: str, actor: str = "the panel") -> None:
        """Ask the backend to cancel; raises AlreadyEnded, or CLIClientError with the backend's reason. What is known of
        an earlier cancel stays when this one fails."""
        turn = self._turns.setdefault(operation_id, asyncio.Lock())
        async with turn:  # what the earlier one came to is known
            await self._cancel(operation_id, actor)

    async def _cancel(self, operation_id: str, actor: str) -> None:
        observation = self._monitor.known(operation_id)
        if observation is None:
            raise APIError("Neither the panel nor the backend knows this operation.", 404)
        now, before = time.time(), (observation.cancel, observation.cancel_at)
        self._monitor.keep(observation, replace(observation, cancel=Cancel.ASKED, cancel_at=now))
        try:
            kind = KINDS.get(observation.snapshot.kind)
            at = kind.cancel_at if kind else ""
            outcome = await self._ktrdr.cancel(operation_id, "Cancelled from the panel", READ_TIMEOUT, at)
            if outcome is CancelOutcome.UNKNOWN:
                raise APIError("The backend does not know this operation.", 404)
            if outcome is CancelOutcome.FINISHED:
                reading = await self._ktrdr.operation(operation_id, READ_TIMEOUT)  # for whoever is told how it ended
                if reading.snapshot is not None:
                    self._monitor.observe(reading)
                raise AlreadyEnded("The operation has already ended: it cannot be cancelled.", 400)
        except BaseException as exc:  # also when the panel stops: nobody waits for the answer any more
            if isinstance(exc, CLIClientError):
                await self._note_cancel(operation_id, actor, exc.message)
            observation = self._monitor.known(operation_id) or observation
            if observation.cancel is Cancel.ASKED:  # it was not resumed in between
                self._monitor.keep(observation, replace(observation, cancel=before[0], cancel_at=before[1]))
            raise
        finally:
            self._monitor.wake(operation_id)
        lost = outcome is CancelOutcome.UNDELIVERED
        await self._note_cancel(operation_id, actor, "not delivered to the worker" if lost else "taken")
        observation = self._monitor.known(operation_id) or observation
        self._monitor.keep(
            observation, replace(observation, cancel=Cancel.UNDELIVERED if lost else Cancel.ACKNOWLEDGED, cancel_at=now)
        )
        log.info("cancel not delivered" if lost else "cancel taken", extra={"operation": operation_id})

    async def _note_cancel(self, operation_id: str, actor: str, outcome: str) -> None:
        """For the timeline. Cancelling works without a writable memory."""
        await self._monitor.recorder.attempt(lambda store: store.memory.asked(operation_id, "cancel", actor, outcome))
