"""The backend's workers, as they were last listed: who is there, doing what, last heard of when. Pure.

`GET /workers` shows what operations do not: that a worker is dead (27 s after its death; its operation says
"running" for six minutes), that it trains on although its operation is called cancelled, and that it is busy
with an operation that is in no list yet.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from panel.domain.kinds import learning, traits_of

ANSWERING = 15.0  # seconds for which any answer shows that the backend is there
FRESH = 30.0  # seconds for which a list of workers says something about now
# What was heard later than now was heard before the clock was set back; far ahead, how long before is not known.


@dataclass(frozen=True, slots=True)
class Worker:
    """One entry of `GET /workers`. Times are Unix seconds, by the backend's clock."""

    id: str
    kind: str
    status: str  # available, busy, temporarily_unavailable, or any other text
    operation_id: str = ""
    healthy_at: float | None = None
    gpu: str = ""  # "yes", "no", its name, or "" when unknown
    failures: int = 0  # the backend's questions in a row that it did not answer
    endpoint: str = ""

    def does(self, kind: str) -> bool:
        """Whether it takes operations of this kind."""
        traits = traits_of(kind)
        return bool(traits.worker) and (traits.worker in self.kind or self.kind in traits.hosts)

    @property
    def reachable(self) -> bool:
        return self.status in ("available", "busy")


@dataclass(frozen=True, slots=True)
class WorkerList:
    """The workers as they were last listed. Times are Unix seconds, by the panel's clock; None: never."""

    workers: tuple[Worker, ...] = ()
    heard_at: float | None = None  # when the workers were last listed
    since: float | None = None  # when they were first listed, in this panel's life
    listed_at: Mapping[str, float] = field(default_factory=dict)  # worker id -> when it was last in the list
    last: Mapping[str, Worker] = field(default_factory=dict)  # worker id -> its last entry in the list
    missed_at: Mapping[str, float] = field(default_factory=dict)  # worker id -> when a list came first without it
    answered_at: float | None = None  # when the backend last answered anything

    def heard(self, workers: Sequence[Worker], now: float) -> "WorkerList":
        """After the workers were listed again."""
        earlier = {worker_id: min(at, now) for worker_id, at in self.listed_at.items()}
        observation = {**earlier, **{worker.id: now for worker in workers}}
        recent = dict(sorted(observation.items(), key=lambda item: item[1])[-500:])
        last = {**self.last, **{worker.id: worker for worker in workers}}
        last = {worker_id: worker for worker_id, worker in last.items() if worker_id in recent}
        gone = recent.keys() - {worker.id for worker in workers}
        missed = {worker_id: min(self.missed_at.get(worker_id, now), now) for worker_id in gone}
        return WorkerList(tuple(workers), now, min(self.since or now, now), recent, last, missed, now)

    def answered(self, now: float) -> "WorkerList":
        """After the backend answered anything."""
        return replace(self, answered_at=now)

    def fresh(self, now: float) -> bool:
        return self.heard_at is not None and abs(now - self.heard_at) < FRESH

    @property
    def operations(self) -> set[str]:
        """Those that workers are busy with, by id."""
        return {worker.operation_id for worker in self.workers if worker.operation_id}

    def answering(self, now: float) -> bool:
        """Whether the backend has answered anything lately."""
        return self.answered_at is not None and abs(now - self.answered_at) < ANSWERING

    def worker(self, worker_id: str) -> Worker | None:
        return next((worker for worker in self.workers if worker.id == worker_id), None)

    def working_on(self, operation_id: str) -> Worker | None:
        """The worker that is busy with this operation."""
        busy = (worker for worker in self.workers if worker.status == "busy")
        return next((worker for worker in busy if worker.operation_id == operation_id), None)

    def may_work_on(self, operation_id: str) -> Worker | None:
        """The worker that is busy with this operation, or was when it last answered: one that hangs may wake."""
        return next((worker for worker in self.workers if worker.operation_id == operation_id), None)

    def able(self, kind: str) -> list[Worker]:
        """Those that take operations of this kind."""
        return [worker for worker in self.workers if worker.does(kind)]

    def answering_for(self, kind: str) -> list[Worker]:
        """Those of them that answer the backend."""
        return [worker for worker in self.able(kind) if worker.reachable]

    def trainers(self) -> list[Worker]:
        """Those that train models, and answer."""
        return [worker for kind in learning() for worker in self.answering_for(kind)]

    def last_able(self, kind: str) -> tuple[Worker, float] | None:
        """The one of them that was listed last, and when; None when none ever was."""
        seen = [(self.listed_at[each.id], each.id) for each in self.last.values() if each.does(kind)]
        return (self.last[max(seen)[1]], max(seen)[0]) if seen else None

    def last_entry(self, worker_id: str) -> Worker | None:
        """The worker as it is, or was last, listed."""
        return self.worker(worker_id) or self.last.get(worker_id)

    def missing_for(self, worker_id: str, now: float) -> float:
        """Seconds since a list came without a worker; 0 while it is listed. A backend that was away lists it late."""
        if self.worker(worker_id) is not None or self.since is None:
            return 0.0
        return now - self.missed_at.get(worker_id, self.since)
