"""Progress and end of trainings that the backend does not report: resumed ones, those it lost track of, and those whose
cancel did not reach the worker.

KTRDR leaves a resumed training at "resuming", 0 %, for ever. Its periodic checkpoint moves while it runs, and within
seconds of its end the checkpoint is gone and a new model is listed.
"""

import logging
import time
from dataclasses import replace

from panel.backend.ktrdr import Ktrdr
from panel.domain.history import OperationQuery
from panel.domain.lost import heir_of
from panel.domain.models import Model, made_by
from panel.domain.observation import Cancel, Observation
from panel.domain.snapshot import Status
from panel.domain.state import State, Verdict
from panel.domain.unreported import seen_with, unreported_end, unreported_progress
from panel.errors import CLIClientError
from panel.monitoring.poller import Monitor
from panel.observability.rounds import until_next
from panel.storage.operations import OperationStore

INTERVAL = 5.0  # seconds between looks at one checkpoint
TIMEOUT = 5.0
RESULT_WITHIN = 300.0  # seconds for which the result of such a run is asked for
MODEL_SEARCH_TIME = 20.0  # seconds for which a model is looked for once the worker is free
ENDED = 50  # trainings that ended last, of which a model may be
SLACK = 5.0  # seconds that the model's time may lie before the last checkpoint's: they are written one after the other

log = logging.getLogger(__name__)


class UnreportedRuns:
    """Start with `run` in a task."""

    def __init__(self, ktrdr: Ktrdr, monitor: Monitor, memory: OperationStore) -> None:
        self._ktrdr = ktrdr
        self._monitor = monitor
        self._memory = memory
        self._awaited: dict[str, float] = {}  # ended, without a result so far -> until when that is asked for
        self._free_since: dict[str, float] = {}  # operations that no worker is busy with
        self._strays: set[str] = set()  # called cancelled, and seen to be worked on all the same

    async def run(self) -> None:
        """Until cancelled."""
        began = time.time()
        while True:
            for observation in self._monitor.running():
                # What is only remembered may be of another backend: a memory can be copied.
                read = observation.snapshot.read_at >= began
                if read and concerns(observation, self._monitor.verdict(observation)):
                    if (seen := seen_with(observation, self._monitor.worker_list)) is not observation:
                        self._monitor.keep(observation, seen)
                    await self._look(observation.snapshot.id)
            self._strays |= self._worked_on_all_the_same()
            for operation_id in list(self._strays):
                await self._look(operation_id)
            await self._results()
            await until_next(INTERVAL)

    def _worked_on_all_the_same(self) -> set[str]:
        """Of what workers are busy with, that which was cancelled without effect."""
        found = set()
        for operation_id in self._monitor.worker_list.operations - self._strays:
            known = self._monitor.known(operation_id, epochs=False)
            if known is not None and known.snapshot.status is Status.CANCELLED:
                found |= {operation_id} if concerns(known, self._monitor.verdict(known)) else set()
        return found

    async def _results(self) -> None:
        """A training that the backend lost track of is marked failed about a minute after its end, its result in
        place."""
        for operation_id in list(self._awaited):
            reading = await self._ktrdr.operation(operation_id, TIMEOUT)
            if reading.snapshot is not None and reading.snapshot.finished:
                self._monitor.observe(reading)
                del self._awaited[operation_id]
            elif time.monotonic() > self._awaited[operation_id]:
                del self._awaited[operation_id]

    async def _look(self, operation_id: str) -> None:
        try:
            checkpoint = await self._ktrdr.checkpoint(operation_id, TIMEOUT)
            known = self._monitor.known(operation_id)  # it may have been read meanwhile
            if known is None or not self._concerns(known):
                self._strays.discard(operation_id)
                return
            if checkpoint is not None and checkpoint.epoch is not None and checkpoint.created_at is not None:
                moved = (checkpoint.epoch + 1, checkpoint.created_at) != (known.checkpoint_epoch, known.checkpoint_at)
                if moved or known.checkpoint_gone:
                    self._monitor.keep(known, unreported_progress(known, checkpoint.epoch + 1, checkpoint.created_at))
            elif known.checkpoint_at is not None or operation_id in self._strays:
                if checkpoint is None and not known.checkpoint_gone:
                    before, known = known, replace(known, checkpoint_gone=True)
                    self._monitor.keep(before, known)
                # The last list of the workers may be ten seconds old.
                self._monitor.take_worker_list(await self._ktrdr.workers(TIMEOUT))
                if self._listed_free(known) and await self._ended(known):
                    return
        except CLIClientError as exc:
            log.debug("checkpoint not read: %s", exc.message, extra={"operation": operation_id})
        self._given_up(operation_id)

    def _concerns(self, known: Observation) -> bool:
        """A stray does so also once its worker is free."""
        stray = known.snapshot.id in self._strays and known.snapshot.status is Status.CANCELLED
        return (stray and known.model_at is None) or concerns(known, self._monitor.verdict(known))

    def _given_up(self, operation_id: str) -> None:
        """Its worker has been free for long enough, and it left no model."""
        now, known = time.time(), self._monitor.known(operation_id)
        if known is None or not self._listed_free(known, hung=False):
            self._free_since.pop(operation_id, None)
            return
        if now - self._free_since.setdefault(operation_id, now) > MODEL_SEARCH_TIME:
            self._free_since.pop(operation_id)
            if operation_id in self._strays:  # it was stopped after all
                self._strays.discard(operation_id)
            elif known.sought_at is None:
                self._monitor.keep(known, replace(known, sought_at=now))

    def _listed_free(self, known: Observation, *, hung: bool = True) -> bool:
        """Whether no worker is listed as busy with it: none but a process that was started in the place of its own.
        `hung`: nor counts one that does not answer, which may wake and go on."""
        workers, operation_id = self._monitor.worker_list, known.snapshot.id
        worker = workers.working_on(operation_id) if hung else workers.may_work_on(operation_id)
        return workers.fresh(time.time()) and (worker is None or heir_of(known, workers) is not None)

    async def _ended(self, known: Observation) -> bool:
        """Its checkpoint is gone: its model, if there is one, shows that it completed."""
        since = max(known.checkpoint_at or 0.0, known.snapshot.completed_at or 0.0) - SLACK
        for model in await self._ktrdr.models():
            if model.trained_at is None or model.trained_at < since or not made_by(model, known.snapshot):
                continue
            if not self._of_another(model, known):
                self._monitor.keep(known, unreported_end(known, model.trained_at))
                if known.snapshot.status is Status.RUNNING:  # the backend calls it "resuming" for ever
                    self._awaited[known.snapshot.id] = time.monotonic() + RESULT_WITHIN
                return True
        return False

    def _of_another(self, model: Model, known: Observation) -> bool:
        """Whether another training ended as it appeared. KTRDR does not say which strategy a model is of."""
        ended = self._memory.page(OperationQuery(known.snapshot.kind, archived=None, sort="ended", limit=ENDED))
        return any(
            each.snapshot.id != known.snapshot.id
            and each.snapshot.succeeded
            and abs((each.snapshot.completed_at or 0.0) - (model.trained_at or 0.0)) <= SLACK
            and made_by(model, each.snapshot)
            for each in ended
        )


def concerns(observation: Observation, verdict: Verdict) -> bool:
    """Resumed, lost track of by the backend, during this panel's life or before, or cancelled without effect."""
    snapshot = observation.snapshot
    if not snapshot.traits.learns or observation.model_at is not None:
        return False
    if snapshot.status is Status.CANCELLED:
        return verdict.state is State.STRAY or observation.cancel is Cancel.UNDELIVERED
    looked_at = observation.checkpoint_at is not None  # whatever is said of it since
    lost_track = observation.untracked_since is not None or verdict.state is State.UNREPORTED or looked_at
    return snapshot.status is Status.RESUMING or (snapshot.status is Status.RUNNING and lost_track)
