"""Starting an operation exactly once.

Every form carries a key of its own. The first submit with a key writes the intent to disk and sends the
one POST; every other submit with that key (a double click, a refresh, a second tab, a panel that was
restarted) gets the outcome of the first. When the POST's answer is lost, it is unknown whether it
started something: the operation is then looked for in what the backend knows, and never sent again.
"""

import asyncio
import logging
import secrets
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from panel.adapters import Kind
from panel.backend.ktrdr import Ktrdr
from panel.domain.events import EventBus, OperationFound, StartConfirmed, StartsChanged
from panel.domain.observation import Observation
from panel.domain.requests import Start, StartState
from panel.domain.workers import Worker
from panel.errors import CLIClientError
from panel.observability.rounds import cancel_all, pause, until_set
from panel.storage.store import Storage
from panel.workflows.reconciliation import candidates, fits

CHECKS = (0.2, 1.0, 2.0)  # seconds between looks for an operation whose start was not answered
WORKERS_WITHIN = 5.0  # seconds
ANSWERED_BY = 45.0  # seconds after which a start that was being sent, maybe by another process, is not any more
ROUND = 1.0  # seconds between rounds while a start is unconfirmed
IDLE_ROUND = 2.5  # … while none is: a command line may have started something
# (seconds since the start, seconds between looks for it): soon at first, then gently, and in the end only by hand.
_SEARCH_INTERVALS = ((60.0, 3.0), (600.0, 15.0), (3600.0, 60.0), (86400.0, 600.0))
_DAY = 86400.0

log = logging.getLogger(__name__)


def new_key() -> str:
    return secrets.token_urlsafe(16)


def new_id(kind: str) -> str:
    """An id in the backend's own form, `op_training_20261122_125853_167eddc4`."""
    return f"op_{kind}_{datetime.now(UTC):%Y%m%d_%H%M%S}_{secrets.token_hex(4)}"


class StartWorkflow:
    """The only way to start an operation. Publishes the outcomes of starts, whichever process of this memory
    file sent them."""

    def __init__(
        self,
        ktrdr: Ktrdr,
        store: Storage,
        events: EventBus,
        keep: Callable[[Start], Awaitable[None]] | None = None,
        damage: Callable[[], str] = lambda: "",
    ) -> None:
        """`keep` is awaited before each start is sent. `damage`: what is known of damage to the memory, "" for none."""
        self.damage = damage
        self._ktrdr = ktrdr
        self._keep = keep
        self._store = store
        self._events = events
        self._under_way: dict[str, asyncio.Task[Start]] = {}
        self._unwritten: dict[str, Start] = {}  # outcomes that the memory has not taken yet
        self._looked: dict[str, float] = {}  # key -> when it was last looked for, monotonic
        self._claimed = asyncio.Event()  # a start that is not settled yet

    async def submit(
        self,
        key: str,
        adapter: Kind,
        form: Mapping[str, str],
        actor: str = "the panel",
        owner: str = "",
        attempt: int = 0,
    ) -> Start:
        """Start it, unless this key, or this attempt of its owner, has started something already; returns the
        outcome. Raises sqlite3.Error, and sends nothing, when the intent cannot be written."""
        if key in self._under_way:
            return await asyncio.shield(self._under_way[key])
        # A task of its own: a browser that goes away must not cut a start in half.
        task = asyncio.create_task(self._claim_and_send(key, adapter, dict(form), actor, owner, attempt))
        self._under_way[key] = task
        task.add_done_callback(lambda _: self._under_way.pop(key, None))
        return await asyncio.shield(task)

    def expect_memory(self) -> None:
        """Raises sqlite3.Error while the memory is damaged: it may take an intent, and forget it."""
        if why := self.damage():
            raise sqlite3.DatabaseError(why)

    def knows(self, key: str) -> bool:
        """Whether this key was submitted, also when its intent is not on disk yet."""
        return key in self._under_way or self._store.start(key) is not None

    async def prepare(self) -> None:
        with suppress(CLIClientError):  # then the start takes a little longer
            await self._ktrdr.prepare()

    async def workers(self) -> tuple[Worker, ...]:
        """Asked for now. Raises CLIClientError."""
        return await self._ktrdr.workers(WORKERS_WITHIN)

    async def check_again(self, key: str) -> Start | None:
        """Look once more for a start that is not confirmed; None for an unknown key."""
        start = self._store.start(key)
        if start is None or not start.unsettled or key in self._under_way or key in self._unwritten:
            return start
        return await self._look(start)

    async def dismiss(self, key: str) -> Start | None:
        """A person marks it as not begun, or unimportant. The search ends."""
        start = self._store.start(key)
        if start is None or not start.unsettled or key in self._under_way or key in self._unwritten:
            return start
        return await self._settle(start, StartState.DISMISSED, start.message)

    async def choose(self, key: str, operation_id: str) -> Start | None:
        """A person chooses one of the candidates."""
        start = self._store.start(key)
        if start is None or operation_id not in [observation.snapshot.id for observation in self.might_be(start)]:
            return start
        return await self._settle(start, StartState.STARTED, operation_id=operation_id)

    def might_be(self, start: Start) -> list[Observation]:
        """Operations that this start may have begun, as far as the panel has heard of any."""
        if not start.unsettled or start.operation_id:
            return []
        known = [
            observation
            for observation in self._store.memory.recent(100)
            if self._store.start_of(observation.snapshot.id) is None
        ]
        return [observation for observation in known if fits(start, observation.snapshot, generously=True)]

    async def run(self) -> None:
        """Until cancelled: search for unconfirmed starts, also of an earlier panel or a command line."""
        before: list[Start] = []
        missing: list[str] = []  # those of them that home shows
        while True:
            self._claimed.clear()
            for start in list(self._unwritten.values()):
                await self._settle(start, start.state, start.message, start.operation_id)
            for start in self._store.starts_without_operation(time.time() - _DAY):
                self._events.publish(StartConfirmed(start))
            opened = self._store.unsettled_starts()
            shown, missing = missing, [start.key for start in opened if start.unanswered(time.time())]
            if opened != before or missing != shown:
                self._events.publish(StartsChanged())
            for start in opened:
                if self._due(start):
                    await self.check_again(start.key)
            before = self._store.unsettled_starts() if opened else opened
            self._looked = {start.key: self._looked[start.key] for start in before if start.key in self._looked}
            await until_set(self._claimed, pause(ROUND if before else IDLE_ROUND))

    async def close(self) -> None:
        """The panel stops: requests under way get a moment to be answered, and are else resolved next time."""
        if self._under_way:
            await asyncio.wait(self._under_way.values(), timeout=2.0)
        await cancel_all(self._under_way.values())

    def _due(self, start: Start) -> bool:
        if start.key not in self._looked:  # once after every start-up, however old it is
            return True
        age = time.time() - start.asked_at
        interval = next((interval for until, interval in _SEARCH_INTERVALS if age < until), None)
        return interval is not None and time.monotonic() - self._looked[start.key] > interval

    async def _claim_and_send(
        self, key: str, adapter: Kind, form: dict[str, str], actor: str, owner: str, attempt: int
    ) -> Start:
        self.expect_memory()
        operation_id = new_id(adapter.kind) if adapter.takes_id else None
        start, fresh = await self._store.write(
            lambda store: store.claim(key, adapter.kind, form, operation_id, actor, owner, attempt)
        )
        self._claimed.set()
        return await self._send(start, adapter) if fresh else start

    async def _send(self, start: Start, adapter: Kind) -> Start:
        if start.operation_id:
            adapter.task_id = start.operation_id  # it has one: `takes_id`
        if self._keep:
            await self._keep(start)
        try:
            operation_id = await self._ktrdr.start(adapter)
        except CLIClientError as exc:
            return await self._failed(start, exc)
        log.debug("start answered", extra={"operation": operation_id, "kind": start.kind})
        return await self._settle(start, StartState.STARTED, operation_id=operation_id)

    async def _failed(self, start: Start, exc: CLIClientError) -> Start:
        level = logging.INFO if exc.refused else logging.WARNING  # a refusal is shown to who asked
        log.log(level, "start of %s failed status=%s sent=%s: %s", start.kind, exc.status_code, exc.sent, exc.message)
        if not exc.sent:
            return await self._settle(start, StartState.UNSENT, exc.message)
        if exc.refused:
            return await self._settle(start, StartState.REFUSED, exc.message)
        start = await self._settle(start, StartState.SENDING, exc.message)
        for wait in CHECKS:
            await asyncio.sleep(wait)
            start = await self._look(start, give_up=wait == CHECKS[-1])
            if start.state is StartState.STARTED:
                break
        return start

    async def _look(self, start: Start, *, give_up: bool | None = None) -> Start:
        """Search the backend's operations for the one that this start made. One that may still be on its way
        is not given up."""
        self._looked[start.key] = time.monotonic()
        try:
            found = await self._search(start)
        except CLIClientError as exc:
            log.info("start of %s asked at %.0f cannot be looked for: %s", start.kind, start.asked_at, exc.message)
            found = None
        if found is not None:
            log.info("found what was started %s operation=%s", start.kind, found)
            return await self._settle(start, StartState.STARTED, operation_id=found)
        if give_up if give_up is not None else time.time() - start.asked_at > ANSWERED_BY:
            return await self._settle(start, StartState.UNCONFIRMED, start.message)
        return self._store.start(start.key) or start

    async def _search(self, start: Start) -> str | None:
        """None unless there is exactly one that no other start may have made. Raises CLIClientError when that
        is unknown now."""
        if start.operation_id:
            reading = await self._ktrdr.operation(start.operation_id, 10.0)
            if reading.error is not None and not reading.error.unknown:
                raise reading.error
            named = reading.snapshot.id if reading.snapshot else None
            return start.operation_id if named == start.operation_id else None
        might_be = {observation.snapshot.id: observation.snapshot for observation in self.might_be(start)}
        for reading in await candidates(self._ktrdr, start, self._known_otherwise):
            if reading.snapshot is not None:
                might_be[reading.snapshot.id] = reading.snapshot
                self._events.publish(OperationFound(reading.snapshot, reading.answer))
        sure = [snapshot for snapshot in might_be.values() if fits(start, snapshot)]
        unanswered = self._store.unanswered_starts()
        others = [other for other in unanswered if other.key != start.key and not other.operation_id]
        if len(sure) != 1 or any(fits(other, sure[0]) for other in others):
            return None
        return sure[0].id

    def _known_otherwise(self, operation_id: str) -> bool:
        """Another start made it, or the panel remembers all that there is to match."""
        observation = self._store.memory.recall(operation_id)
        return self._store.start_of(operation_id) is not None or (observation is not None and observation.snapshot.full)

    async def _settle(
        self, start: Start, state: StartState, message: str = "", operation_id: str | None = None
    ) -> Start:
        try:
            settled = await self._store.write(lambda store: store.settle(start.key, state, message, operation_id))
        except sqlite3.Error as exc:
            # It was sent: the caller gets the outcome now, and it is stored as soon as that is possible.
            log.warning("the outcome of a start cannot be written yet: %s", exc)
            settled = replace(start, state=state, message=message, operation_id=operation_id or start.operation_id)
            self._unwritten[start.key] = settled
        else:
            self._unwritten.pop(start.key, None)
        if settled.state is StartState.STARTED:
            self._events.publish(StartConfirmed(settled))
        self._events.publish(StartsChanged())
        return settled
