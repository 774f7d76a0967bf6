"""Labels of runs: each change is stored once, can be undone for a minute, and is published to every page."""

import time
from collections.abc import Sequence

from panel.domain.events import EventBus, LabelsChanged
from panel.domain.labels import Label, LabelChange
from panel.storage.store import Storage


class Labels:
    """Raises sqlite3.Error where the memory cannot be written."""

    def __init__(self, store: Storage, events: EventBus) -> None:
        self._store = store
        self._events = events

    async def edit(self, operation_id: str, wanted: Label, actor: str) -> tuple[Label, bool]:
        """The label as it is now, and whether it was replaced: another person may have changed it since
        `wanted.version`."""
        now = time.time()
        label, done = await self._store.write(lambda store: store.labels.edit(operation_id, wanted, actor, now))
        if done:
            self._events.publish(LabelsChanged((operation_id,)))
        return label, done

    async def change(
        self, ids: Sequence[str], change: LabelChange, actor: str, undo: str = "", what: str = ""
    ) -> list[str]:
        """The ids of those that are different now. `undo`: a one-time key that takes it back; it changes nothing
        when it was sent before."""
        done = await self._store.write(lambda store: store.labels.change(ids, change, actor, time.time(), undo, what))
        if done:
            self._events.publish(LabelsChanged(tuple(done)))
        return done

    async def undo(self, key: str, actor: str) -> int | None:
        """How many labels are as they were before; None when it is too late."""
        back = await self._store.write(lambda store: store.labels.undo(key, actor, time.time()))
        if back:
            self._events.publish(LabelsChanged(tuple(back)))
        return None if back is None else len(back)
