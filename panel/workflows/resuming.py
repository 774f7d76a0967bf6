"""Going on from a checkpoint: only where it does no harm, and only once.

A resume that the backend cannot carry out does harm: without a checkpoint it turns the operation to failed, without
a free worker it overwrites its times. And a checkpoint proves little: a training that fails at once saves the state of
the run before it. So it is offered when every check passes, and checked again right before the one POST.
"""

import asyncio
import logging
import re
import sqlite3
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace

from panel.backend.ktrdr import Ktrdr
from panel.domain.checkpoints import Checkpoint
from panel.domain.events import CheckpointChecked, EventBus, OperationChanged
from panel.domain.memory import damage, remedy
from panel.domain.observation import Cancel, Observation
from panel.domain.requests import ResumeState
from panel.domain.snapshot import Status
from panel.domain.state import State, Verdict
from panel.domain.workers import WorkerList
from panel.errors import CLIClientError
from panel.monitoring.audience import Audience
from panel.monitoring.live import keep_latest
from panel.monitoring.poller import READ_TIMEOUT, Monitor
from panel.observability.rounds import cancel_all
from panel.storage.store import Storage

NO_TRAINER = "No training worker is registered with the backend, or none that answers."
LOOK_TIMEOUT = 3.0  # seconds for a checkpoint; the page waits for it
BUSY = 30.0  # seconds that a worker may stay busy after a cancel: its backend hears of it every ten
AGAIN = 1.5  # seconds between two looks at the workers
WRITTEN = 1.5  # seconds after an end until its checkpoint is written
KEPT = 100  # operations whose checkpoint or attempt is kept in memory

# KTRDR resumes by its database, and names the status that it has in its memory: with this one it would have resumed it.
_END_NOT_STORED = re.compile(r"cannot resume operation \S+ from status (cancelled|failed)", re.IGNORECASE)

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Attempt:
    """One press of the button."""

    state: ResumeState = ResumeState.WAITING
    message: str = ""
    since: float = field(default_factory=time.time)
    task: "asyncio.Task[None] | None" = None


def refusal(observation: Observation, verdict: Verdict, checkpoint: Checkpoint | None, worker_list: WorkerList) -> str:
    """Why it is not resumed, in a sentence; "" when it may be."""
    began = observation.snapshot.created_at
    if reason := not_resumable(observation, verdict):
        return reason
    if checkpoint is None or checkpoint.epoch is None or checkpoint.created_at is None:
        return "The backend has no checkpoint of it."
    if checkpoint.epoch < 1:
        return "Its checkpoint holds no finished epoch."
    if began is None or checkpoint.created_at < began:
        return "The checkpoint under its name is older than it is: that of an earlier run."
    if worker_list.heard_at is None:
        return "The workers are not known yet."
    if not worker_list.trainers():
        return NO_TRAINER
    if worker_list.working_on(observation.snapshot.id):
        return "A worker still works on it, although it was ended."
    if worker_list.may_work_on(observation.snapshot.id):
        return "The worker that worked on it does not answer: it may wake and go on with it."
    if worker_list.heard_at <= (observation.snapshot.completed_at or observation.changed_at):
        return "The workers were not listed since its end: one may still work on it."
    return ""


def not_resumable(observation: Observation, verdict: Verdict) -> str:
    """Why it is not worth asking for its checkpoint; "" when it is."""
    if not observation.snapshot.traits.learns:
        return "Only trainings can be resumed."
    if verdict.state not in (State.CANCELLED, State.FAILED):
        return f"Only what was cancelled or failed is resumed; this is {verdict.word.lower()}."
    if not observation.snapshot.epochs:
        return "It finished no epoch: a checkpoint under its name would be that of an earlier run."
    return ""


def own(checkpoint: Checkpoint | None, observation: Observation) -> Checkpoint | None:
    """The checkpoint, if this run wrote it."""
    began = observation.snapshot.created_at
    written = checkpoint.created_at if checkpoint else None
    return checkpoint if began and written and written >= began else None


class ResumeWorkflow:
    """What could be resumed, and what is being resumed."""

    def __init__(self, ktrdr: Ktrdr, store: Storage, monitor: Monitor, events: EventBus, audience: Audience) -> None:
        self._ktrdr = ktrdr
        self._store = store
        self._monitor = monitor
        self._events = events
        self._audience = audience
        self._looking: set[asyncio.Task[None]] = set()
        events.subscribe(OperationChanged, self._operation_changed)
        self._checkpoints: dict[str, tuple[float | None, Checkpoint | None]] = {}  # with the end it is of
        self._attempts: dict[str, Attempt] = {}
        self._resumed: dict[str, tuple[float | None]] = {}  # operation -> the end from which it was resumed
        self._not_stored: dict[str, tuple[float | None, float | None]] = {}  # … and for which the backend refused it

    def offer(self, observation: Observation, verdict: Verdict) -> Checkpoint | None:
        """The checkpoint that it can go on from, as far as was looked up."""
        end, checkpoint = self._checkpoints.get(observation.snapshot.id, (None, None))
        if end != observation.snapshot.completed_at or refusal(
            observation, verdict, checkpoint, self._monitor.worker_list
        ):
            return None
        return None if self._not_stored.get(observation.snapshot.id) == self._now(observation) else checkpoint

    def _now(self, observation: Observation) -> tuple[float | None, float | None]:
        """What has to change before the backend's database knows of its end: the end, or the backend itself."""
        return observation.snapshot.completed_at, self._monitor.connection.up_since

    def considered(self, observation: Observation) -> bool:
        """Whether its checkpoint was looked up since it ended."""
        return self._checkpoints.get(observation.snapshot.id, (0.0, None))[0] == observation.snapshot.completed_at

    def _operation_changed(self, event: OperationChanged) -> None:
        """While its page is open, look for the checkpoint of what has just ended."""
        observation, open_pages = event.observation, self._audience.readers(f"op:{event.observation.snapshot.id}")
        if open_pages and not self.considered(observation) and not not_resumable(observation, event.verdict):
            task = asyncio.create_task(self.consider(observation, WRITTEN))
            self._looking.add(task)
            task.add_done_callback(self._looking.discard)

    async def consider(self, observation: Observation, after: float = 0.0) -> None:
        """Look up its checkpoint where a resume is possible. `after`: seconds."""
        await asyncio.sleep(after)
        if not_resumable(observation, self._monitor.verdict(observation)):
            return
        with suppress(CLIClientError):  # the last result is kept while the backend does not answer
            found = await self._ktrdr.checkpoint(observation.snapshot.id, LOOK_TIMEOUT)
            keep_latest(self._checkpoints, observation.snapshot.id, (observation.snapshot.completed_at, found), KEPT)
        with suppress(CLIClientError):  # who still works on it is listed every ten seconds otherwise
            self._monitor.take_worker_list(await self._ktrdr.workers(LOOK_TIMEOUT))
        self._events.publish(CheckpointChecked(observation))

    async def look(self, operation_id: str) -> Checkpoint | None:
        """Ask for its one checkpoint; the list of all is large. None when there is none, or no answer in time."""
        try:
            return await self._ktrdr.checkpoint(operation_id, LOOK_TIMEOUT)
        except CLIClientError:
            return None

    def attempt(self, operation_id: str) -> Attempt | None:
        return self._attempts.get(operation_id)

    def begin(self, operation_id: str, actor: str) -> Attempt:
        """Resume it, in a task of its own: a second call while that runs finds the first."""
        attempt = self._attempts.get(operation_id)
        if attempt is None or attempt.task is None or attempt.task.done():
            attempt = Attempt()
            attempt.task = asyncio.create_task(self._resume(operation_id, actor, attempt))
            keep_latest(self._attempts, operation_id, attempt, KEPT)
        return attempt

    async def close(self) -> None:
        await cancel_all([*self._looking, *(attempt.task for attempt in self._attempts.values() if attempt.task)])

    async def _resume(self, operation_id: str, actor: str, attempt: Attempt) -> None:
        try:
            attempt.message = await self._free(operation_id) or await self._harmful(operation_id)
            if not attempt.message:
                attempt.state = ResumeState.SENDING
                await self.send(operation_id, actor)
                attempt.message = self._unheard(operation_id)
        except CLIClientError as exc:
            attempt.message = self._refused(operation_id, exc.message)
        except sqlite3.Error as exc:
            attempt.message = f"The panel cannot use its memory: {exc}. Nothing was sent. {remedy(str(exc))}"
        attempt.state = ResumeState.REFUSED if attempt.message else ResumeState.TAKEN

    def _refused(self, operation_id: str, words: str) -> str:
        """The backend's refusal in words that say what to do; it is not offered again while nothing has changed."""
        found, observation = _END_NOT_STORED.search(words), self._monitor.known(operation_id)
        if found is None or observation is None:
            return words
        keep_latest(self._not_stored, operation_id, self._now(observation), KEPT)
        self._events.publish(CheckpointChecked(observation))
        ended = "was cancelled" if found[1].lower() == "cancelled" else "failed"
        return (
            f"The backend's database does not know yet that it {ended}: it probably did not answer then. "
            "Restart the backend, and a resume is offered again; or start it again."
        )

    async def send(self, operation_id: str, actor: str) -> None:
        """Send the one POST, once for each end that the operation came to; raises CLIClientError, and sqlite3.Error
        when the memory cannot take it: nothing was sent then."""
        if why := damage(self._monitor.recorder.reason):
            raise sqlite3.DatabaseError(why)
        observation = self._monitor.known(operation_id)
        end = observation.snapshot.completed_at if observation is not None else None
        if self._resumed.get(operation_id, ()) == (end,):
            return
        self._resumed[operation_id] = (end,)
        try:  # on disk before it leaves
            request = await self._store.write(lambda store: store.memory.asked(operation_id, "resume", actor))
        except BaseException:
            del self._resumed[operation_id]
            raise
        try:
            await self._ktrdr.resume(operation_id)
        except CLIClientError as exc:
            await self._note_answer(request, exc.message)
            if exc.refused or not exc.sent:
                del self._resumed[operation_id]
            raise
        await self._note_answer(request, "taken")
        log.info("resumed", extra={"operation": operation_id})
        observation = self._monitor.known(operation_id)
        if observation is not None:
            self._monitor.keep(observation, replace(observation, cancel=Cancel.NONE, cancel_at=None))
        reading = await self._ktrdr.operation(operation_id, READ_TIMEOUT)
        if reading.snapshot is not None:
            observation = self._monitor.observe(reading)
            _, checkpoint = self._checkpoints.get(operation_id, (None, None))
            if checkpoint is not None and checkpoint.epoch is not None:
                self._monitor.keep(observation, replace(observation, resumed_after=checkpoint.epoch + 1))

    async def _note_answer(self, request: int, outcome: str) -> None:
        await self._monitor.recorder.attempt(lambda store: store.memory.answered(request, outcome))

    async def _free(self, operation_id: str) -> str:
        """Wait for a training worker that has nothing to do; "" once there is one. After a cancel the backend calls
        the worker busy for some seconds, and would refuse."""
        end = time.monotonic() + BUSY
        while True:
            self._monitor.take_worker_list(await self._ktrdr.workers(LOOK_TIMEOUT))
            worker_list = self._monitor.worker_list
            trainers = worker_list.trainers()
            if not trainers:
                return NO_TRAINER
            if any(worker.status == "available" for worker in trainers) and not worker_list.working_on(operation_id):
                return ""
            if time.monotonic() > end:
                if worker_list.working_on(operation_id):
                    return "A worker still works on it, although it was ended. Nothing was sent."
                return "No training worker became free within half a minute. Nothing was sent; try again later."
            await asyncio.sleep(AGAIN)

    async def _harmful(self, operation_id: str) -> str:
        """Why it cannot be resumed by the backend's present answers; "" when it can."""
        reading = await self._ktrdr.operation(operation_id, LOOK_TIMEOUT)
        if reading.snapshot is None:
            return "The backend could not be asked about it. Nothing was sent."
        observation = self._monitor.observe(reading)
        checkpoint = await self._ktrdr.checkpoint(operation_id, LOOK_TIMEOUT)
        keep_latest(self._checkpoints, operation_id, (observation.snapshot.completed_at, checkpoint), KEPT)
        return refusal(observation, self._monitor.verdict(observation), checkpoint, self._monitor.worker_list)

    def _unheard(self, operation_id: str) -> str:
        observation = self._monitor.known(operation_id)
        if observation is not None and observation.snapshot.status in (Status.CANCELLED, Status.FAILED):
            return "The backend was asked, and still calls it ended. It is not asked a second time."
        return ""
