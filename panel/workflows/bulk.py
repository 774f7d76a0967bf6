"""One action on many runs, once for each key. Each run has an outcome of its own: what is refused for one holds up no
other.

Which runs are meant is on disk before anything is done, and the outcomes are once all of it is. So a repeat of the key
gets the answer of the first, and one after a crash goes on with the same runs.
"""

import asyncio
import hashlib
import logging
import sqlite3
import time
from collections.abc import Callable, Sequence

from panel.adapters import KINDS
from panel.domain import audit
from panel.domain.bulk import Action, BulkRequest, Job, Outcome, Result, label_change
from panel.domain.observation import Observation
from panel.domain.verdict import cancel_under_way
from panel.errors import AlreadyEnded, CLIClientError
from panel.monitoring.poller import Monitor
from panel.observability.rounds import cancel_all
from panel.storage.bulk import digest_of
from panel.storage.labels import GRACE, UNDO
from panel.storage.store import Storage
from panel.workflows import submit as submitted
from panel.workflows.audit import start_outcome
from panel.workflows.commands import Commands
from panel.workflows.labels import Labels
from panel.workflows.queue import Queue

MAX_CHOSEN = 500  # runs of one request
MAX_AGAIN = 200  # … that are started again
PART = 100  # that are read between two yields to the event loop
AT_ONCE = 4  # requests to the backend

UNKNOWN = "The panel does not know it."

# Called for each run that was sent to the backend: action, subject, outcome and details.
Record = Callable[[str, audit.Outcome, str, str], None]

log = logging.getLogger(__name__)


class KeyReused(Exception):
    """The key was used before for something else."""


class BulkWorkflow:
    def __init__(
        self,
        store: Storage,
        monitor: Monitor,
        commands: Commands,
        labels: Labels,
        submit: submitted.SubmitWorkflow,
        queue: Queue,
    ) -> None:
        self._store = store
        self._monitor = monitor
        self._commands = commands
        self._labels = labels
        self._submit = submit
        self._queue = queue
        # key -> what was asked for with it, and who does it
        self._under_way: dict[str, tuple[tuple[Action, str], asyncio.Task[list[Result]]]] = {}

    async def close(self) -> None:
        """Stops what is under way; a repeat of its key continues it."""
        await cancel_all(task for _, task in self._under_way.values())

    def job(self, key: str) -> Job | None:
        return self._store.bulk.job(key)

    async def runs(self, ids: Sequence[str]) -> list[Observation]:
        """Those of these operations that are not deleted."""
        found: list[Observation] = []
        for number, operation_id in enumerate(ids):
            if (
                not self._store.labels.deleted(operation_id)
                and (each := self._monitor.known(operation_id, epochs=False)) is not None
            ):
                found.append(each)
            if number % PART == PART - 1:
                await asyncio.sleep(0)
        return found

    def why_not(self, action: Action, observation: Observation) -> str:
        """Why this cannot be done with the run, in a sentence; "" when it can."""
        live = self._monitor.verdict(observation).live
        match action:
            case Action.CANCEL if not live:
                return "It has already ended."
            case Action.CANCEL if cancel_under_way(observation, time.time()):
                return _CANCELLING
            case Action.DELETE | Action.ARCHIVE if live:
                return f"It still runs: it cannot be {action}d."
            case Action.AGAIN if observation.snapshot.kind not in KINDS or not self._form(observation):
                return "What it was started with is not known."
        return ""

    async def apply(self, request: BulkRequest, key: str, actor: str, record: Record) -> list[Result]:
        """In the order of the request. Raises KeyReused, and sqlite3.Error where the memory cannot be written: then a
        repeat of the key does what is left."""
        asked = request.action, digest_of(request.text)
        if key not in self._under_way:  # a task of its own: a client that disconnects must not stop it halfway
            task = asyncio.create_task(self._once(request, key, actor, record))
            self._under_way[key] = asked, task
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        first, task = self._under_way[key]
        if first != asked:
            raise KeyReused
        return await asyncio.shield(task)

    async def undo(self, key: str, actor: str) -> int | None:
        """Undo what was done with this key; returns how many runs, None when it is too late. What was started again is
        cancelled. Raises CLIClientError when something could not be cancelled."""
        job = self.job(key)
        if job is None or job.action is not Action.AGAIN:
            return await self._labels.undo(key, actor)
        started = [each.queue_key for each in job.results or () if each.queue_key]
        entries = [entry for each in started if (entry := self._queue.entry(each)) is not None and entry.open]
        if not entries or job.done_at is None or time.time() - job.done_at > UNDO + GRACE:
            return None
        await self._queue.cancel_all([entry.key for entry in entries])
        return len(entries)

    async def _once(self, request: BulkRequest, key: str, actor: str, record: Record) -> list[Result]:
        job = await self._claimed(request, key)
        if job.digest != digest_of(request.text) or job.action is not request.action:
            raise KeyReused
        if job.results is not None:
            return list(job.results)
        known = {each.snapshot.id: each for each in await self.runs(job.ids)}
        why_not = {each: self._unknown(request.action, each) for each in job.ids}
        why_not |= {each: self.why_not(request.action, observation) for each, observation in known.items()}
        fit = [observation for each, observation in known.items() if not why_not[each]]
        if request.action is Action.CANCEL:
            turn = asyncio.Semaphore(AT_ONCE)
            done = await asyncio.gather(*(self._cancel(each, turn, actor, record) for each in fit))
        elif request.action is Action.AGAIN:  # one after another: in the queue they have the order of the list
            done = [await self._again(each, request, key, actor, record) for each in fit]
        else:
            done = await self._label(fit, request, key, actor)
        of = {each.id: each for each in done}
        results = [of.get(each) or Result(each, *_refusal(why_not[each])) for each in job.ids]
        try:
            await self._store.write(lambda store: store.bulk.finish(key, results, time.time()))
        except sqlite3.Error as exc:
            log.warning("the outcomes of a bulk action cannot be stored: %s", exc)
        return results

    async def _claimed(self, request: BulkRequest, key: str) -> Job:
        try:
            return await self._store.write(lambda store: store.bulk.claim(key, request, time.time()))
        except sqlite3.Error:
            if request.action is not Action.CANCEL:  # cancelling works without a writable memory
                raise
            return Job(key, digest_of(request.text), request.action, request.ids)

    def _unknown(self, action: Action, operation_id: str) -> str:
        return _DELETED if action is Action.DELETE and self._store.labels.deleted(operation_id) else UNKNOWN

    def _form(self, observation: Observation) -> dict[str, str]:
        snapshot = observation.snapshot
        return submitted.asked_before(KINDS[snapshot.kind], self._store.start_of(snapshot.id), observation)

    async def _label(self, fit: Sequence[Observation], request: BulkRequest, key: str, actor: str) -> list[Result]:
        change, what = label_change(request)
        ids = [each.snapshot.id for each in fit]
        changed = set(await self._labels.change(ids, change, actor, undo=key, what=what))
        message = f"{what[0].upper()}{what[1:]}."
        return [Result(each, *((Outcome.DONE, message) if each in changed else _SAME)) for each in ids]

    async def _cancel(self, observation: Observation, turn: asyncio.Semaphore, actor: str, record: Record) -> Result:
        operation_id = observation.snapshot.id
        async with turn:
            try:
                await self._commands.cancel(operation_id, actor)
            except CLIClientError as exc:
                record("cancel", audit.Outcome.REFUSED, operation_id, exc.message)
                ended = isinstance(exc, AlreadyEnded)
                return Result(operation_id, Outcome.UNCHANGED if ended else Outcome.REFUSED, exc.message)
        record("cancel", audit.Outcome.DONE, operation_id, "")
        return Result(operation_id, Outcome.DONE, "Cancel sent.")

    async def _again(
        self, observation: Observation, request: BulkRequest, key: str, actor: str, record: Record
    ) -> Result:
        """Start it again, once for each run and request."""
        run, kind = observation.snapshot.id, observation.snapshot.kind
        own_key = "again-" + hashlib.sha256(f"{key} {run}".encode()).hexdigest()[:40]
        values = await self._submit.values(KINDS[kind], self._form(observation))
        result = await self._submit.submit(kind, values, own_key, actor, confirmations=request.confirm, wait=True)
        subject, outcome, detail = start_outcome(kind, values, result)
        record("start", outcome, subject, detail)
        match result:
            case submitted.Started(operation_id):
                return Result(run, Outcome.STARTED, "Started.", operation_id, own_key)
            case submitted.Queued(entry):
                return Result(run, Outcome.QUEUED, "Waits in the queue.", queue_key=entry.key)
            case submitted.Unconfirmed(start):
                message = "No answer says whether it began."
                return Result(run, Outcome.UNCONFIRMED, message, queue_key=own_key, start_key=start.key)
        return Result(run, Outcome.REFUSED, f"Not started. {submitted.message_of(result)}")


_SAME = (Outcome.UNCHANGED, "Nothing to change.")
_DELETED = "It is deleted already."
_CANCELLING = "It is being cancelled already."


def _refusal(why: str) -> tuple[Outcome, str]:
    return Outcome.UNCHANGED if why in (_DELETED, _CANCELLING) else Outcome.REFUSED, why
