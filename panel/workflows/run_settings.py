"""The settings in the strategy of each run, as it was when the run was started: they distinguish runs of one
strategy whose file was changed in between."""

import asyncio
import logging
from collections.abc import Mapping

from panel.domain.events import EventBus, OperationsListed, StartConfirmed
from panel.files.strategy_settings import settings_of
from panel.files.strategy_yaml import Refused
from panel.storage.store import Storage
from panel.workflows.strategy_library import StrategyLibrary

KEPT = 5000  # runs
AT_ONCE = 100  # runs that are read in one go

log = logging.getLogger(__name__)

_NOTHING: Mapping[str, str] = {}


class RunSettings:
    """Start with `run` in a task. Files are read and taken apart in a thread, once for each different text."""

    def __init__(self, storage: Storage, library: StrategyLibrary, events: EventBus) -> None:
        self._storage = storage
        self._library = library
        self._events = events
        self._known: dict[str, Mapping[str, str]] = {}  # by operation
        self._texts: dict[str, Mapping[str, str]] = {}  # by text
        self._wanted: dict[str, None] = {}
        self._asked = asyncio.Event()
        events.subscribe(StartConfirmed, lambda event: self.of(event.start.operation_id or ""))

    def of(self, operation_id: str) -> Mapping[str, str]:
        """Path -> value, as far as it is known now. What is asked for the first time is known a moment later, and lists
        are then drawn again."""
        found = self._known.get(operation_id)
        if found is None:
            self._wanted[operation_id] = None
            self._asked.set()
        return found or _NOTHING

    async def run(self) -> None:
        """Until cancelled. Begins with the latest runs, which pages show."""
        for observation in self._storage.memory.recent(AT_ONCE):
            self.of(observation.snapshot.id)
        found_any = False
        while True:
            await self._asked.wait()
            wanted = list(self._wanted)[:AT_ONCE]
            found = [await self._read(operation_id) for operation_id in wanted]
            for operation_id, settings in zip(wanted, found, strict=True):
                del self._wanted[operation_id]
                self._known[operation_id] = settings
            for kept in (self._known, self._texts):
                while len(kept) > KEPT:
                    del kept[next(iter(kept))]
            found_any = found_any or any(found)
            if self._wanted:
                continue  # lists are drawn again once, with all of them
            self._asked.clear()
            if found_any:
                self._events.publish(OperationsListed())
            found_any = False

    async def _read(self, operation_id: str) -> Mapping[str, str]:
        start = self._storage.start_of(operation_id)
        if start is None or not start.form.get("strategy_name"):
            return _NOTHING
        try:
            kept = await self._library.started_with(start.key)
            if kept is None:
                return _NOTHING
            if kept.text not in self._texts:
                found = await asyncio.to_thread(settings_of, kept.text)
                self._texts[kept.text] = {setting.path: setting.value for setting in found}
        except Refused as exc:
            log.info("the strategy that %s was started with cannot be read: %s", operation_id, exc)
            return _NOTHING
        return self._texts[kept.text]
