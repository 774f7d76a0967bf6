"""The verdicts on running operations whose worker is dead, is another one now, or may be either. Pure."""

from dataclasses import replace

from panel.domain.formatting import moment_at, moment_of
from panel.domain.observation import Observation
from panel.domain.silence import last_heard
from panel.domain.snapshot import Snapshot
from panel.domain.state import State, Verdict
from panel.domain.workers import Worker, WorkerList

ABSENT_AFTER = 60.0  # seconds: workers return up to 35 s after the backend was restarted
STANDING_AFTER = 60.0  # seconds that a checkpoint stands, at least, before it is worth a word
STANDING_EPOCHS = 30  # … and the time that this many epochs take: KTRDR writes one every ten
UNKNOWN_PACE = 600.0  # seconds, where the time of an epoch is not known: slow ones have theirs every five minutes
LOOKED_AT = 8.0  # seconds after a worker is gone until its run's checkpoint was looked at again
RESUMED_LATER = 30.0  # seconds between creation and start that a start without a resume does not take
AGAIN = "Cancel it, then resume it from its checkpoint where that is offered, or start it again."


def worker_restarted(observation: Observation, worker_list: WorkerList) -> Verdict | None:
    """Another process is where its worker was. A worker's id is its process's; it keeps it when the backend is
    restarted. The new process reads the operation from the backend's database, as running, and lists itself as busy
    with it for as long as anybody asks for it: so the backend never gives it up."""
    heir = heir_of(observation, worker_list)
    if heir is None:
        return None
    snapshot = observation.snapshot
    lists, worker_id = heir.operation_id == snapshot.id, observation.worker_id
    given = "resumed by" if observation.resumed_by else "given to"
    where = " at its address" if _same_place(heir, worker_list.last.get(worker_id)) else ""
    return Verdict(
        State.LOST,
        "Worker restarted",
        "Its worker was restarted, and the work died with it."
        + (" The new process lists it, and does not work on it." if lists else ""),
        AGAIN if snapshot.traits.learns else "Cancel it, then start it again.",
        (
            f"It was {given} worker {worker_id}, which is not listed any more.",
            f"Worker {heir.id} is there instead{where}" + (", and is listed as busy with it." if lists else "."),
        ),
    )


def heir_of(observation: Observation, worker_list: WorkerList) -> Worker | None:
    """The process that is in the place of the one that had this operation; None where that cannot be told. By whom a
    run was resumed the backend does not say: it was seen to be busy with it."""
    worker_id, snapshot = observation.worker_id, observation.snapshot
    if not worker_id or worker_list.worker(worker_id) is not None:
        return None
    if not observation.resumed_by and (observation.resumed or _perhaps_resumed(snapshot)):
        return None
    if busy := worker_list.working_on(snapshot.id):
        return busy
    gone = worker_list.last.get(worker_id)
    return next((worker for worker in worker_list.workers if _same_place(worker, gone)), None)


def _perhaps_resumed(snapshot: Snapshot) -> bool:
    """While no panel watched."""
    created, started = snapshot.created_at, snapshot.started_at
    return created is not None and started is not None and started - created > RESUMED_LATER


def _same_place(worker: Worker, gone: Worker | None) -> bool:
    return gone is not None and bool(gone.endpoint) and worker.endpoint == gone.endpoint


def standing_checkpoint(observation: Observation, now: float, worker_list: WorkerList) -> Verdict | None:
    """A worker that keeps its id through a restart lists what it had before like one that works on it. Of a run that
    the backend passes nothing on of, only the checkpoint shows that it moves."""
    busy, since = worker_list.working_on(observation.snapshot.id), standing_since(observation, now, worker_list)
    if busy is None or since is None:
        return None
    return Verdict(
        State.STALLED,
        "Work in doubt",
        f"A worker is listed as busy with it, but neither its values nor its checkpoint have moved since "
        f"{moment_of(since, now)}.",
        "If its worker was restarted, the work died with it. Look at the worker's log; where it does not train any "
        "more, cancel this, then resume it.",
        (
            f"Worker {busy.id} was listed as busy with it {moment_at(worker_list.heard_at or now, now)}.",
            *_checkpoint_of(observation, now),
        ),
    )


def standing_since(observation: Observation, now: float, worker_list: WorkerList) -> float | None:
    """Since when nothing of a training moves that a worker is listed as busy with; None while that is not long."""
    written = observation.checkpoint_at
    listed = worker_list.working_on(observation.snapshot.id) is not None
    if not listed or written is None or observation.checkpoint_gone or not observation.snapshot.traits.learns:
        return None
    moved = max(written, observation.changed_at, observation.moved_at or 0.0)
    return moved if now - moved > _standing_limit(observation) else None


def _standing_limit(observation: Observation) -> float:
    snapshot, done, until = observation.snapshot, observation.checkpoint_epoch, observation.checkpoint_at
    began = snapshot.started_at or snapshot.created_at
    if not done or began is None or until is None:
        return UNKNOWN_PACE
    if not observation.resumed:
        return max(STANDING_AFTER, STANDING_EPOCHS * (until - began) / done) if until > began else UNKNOWN_PACE
    if until <= began:  # by its earlier lives, and the time between them
        return max(UNKNOWN_PACE, STANDING_EPOCHS * (until - (snapshot.created_at or until)) / done)
    since = done - (done if observation.resumed_after is None else observation.resumed_after)
    return max(STANDING_AFTER, STANDING_EPOCHS * (until - began) / since) if since > 0 else UNKNOWN_PACE


def resumed_lost(observation: Observation, now: float, worker_list: WorkerList) -> Verdict | None:
    """Of a run that the backend calls resuming, which it does for ever, whatever becomes of it. One that ends as it
    should deletes its checkpoint: while that is there, the work is not done."""
    operation_id, worker_id = observation.snapshot.id, observation.worker_id
    own, busy = worker_list.worker(worker_id), worker_list.working_on(operation_id)
    if busy is not None and heir_of(observation, worker_list) is None:
        return None
    holds = own if own is not None and not own.reachable else worker_list.may_work_on(operation_id)
    if busy is None and holds is not None:
        gone = "The worker that does this no longer answers: it hangs, or it was killed, or its machine is gone."
        advice = "One that hangs may wake and go on. If it is dead, cancel this, then resume it where that is offered."
        seen = (last_heard(holds, now), *_checkpoint_of(observation, now))
        return Verdict(State.LOST, "Worker lost", gone, advice, seen)
    if observation.checkpoint_gone:
        return None
    last = worker_list.last_entry(worker_id)
    dead, missing = last is not None and not last.reachable, worker_list.missing_for(worker_id, now)
    if (dead or missing > LOOKED_AT) and (restarted := worker_restarted(observation, worker_list)):
        return replace(restarted, evidence=(*restarted.evidence, *_checkpoint_of(observation, now)))
    if worker_id and own is None and (dead or missing > ABSENT_AFTER):
        seen = (_unlisted(worker_id, now, worker_list), *_checkpoint_of(observation, now))
        return Verdict(State.LOST, "Worker lost", "The worker that did this is no longer there.", AGAIN, seen)
    there = observation.checkpoint_at is not None and observation.checkpoint_gone is False
    if observation.sought_at is None or not there or (worker_id and own is None):
        return None
    return Verdict(
        State.LOST,
        "Nobody works on it",
        "No worker is busy with it, it left no model, and its checkpoint is still there: the work has broken off.",
        AGAIN,
        (f"The workers were listed {moment_at(worker_list.heard_at or now, now)}.", *_checkpoint_of(observation, now)),
    )


def _checkpoint_of(observation: Observation, now: float) -> tuple[str, ...]:
    written, done = observation.checkpoint_at, observation.checkpoint_epoch
    of = f", after epoch {done:,}" if done else ""
    return (f"Its checkpoint is of {moment_of(written, now)}{of}.",) if written is not None else ()


def worker_lost(observation: Observation, now: float, worker_list: WorkerList) -> Verdict | None:
    """Its worker is dead, or no worker has it. The backend itself notices six minutes later."""
    worker_id = observation.worker_id
    frozen = (f"Its values last changed {moment_at(observation.changed_at, now)}.",) if observation.changes else ()
    advice = "The backend gives it up about six minutes after a worker's death. "
    advice += "A checkpoint may allow a resume then." if observation.snapshot.traits.learns else "Start it again then."
    worker = worker_list.worker(worker_id)
    if worker is not None and not worker.reachable:
        gone = "The worker that does this no longer answers. It was probably killed or its machine is gone."
        return Verdict(State.LOST, "Worker lost", gone, advice, (last_heard(worker, now), *frozen))
    last = worker_list.last_entry(worker_id)
    dropped = worker is None and last is not None and not last.reachable  # it was dead when it was last listed
    if worker_id and (dropped or worker_list.missing_for(worker_id, now) > ABSENT_AFTER):
        gone = "The worker that did this is no longer there."
        return Verdict(State.LOST, "Worker lost", gone, advice, (_unlisted(worker_id, now, worker_list), *frozen))
    known = worker is not None or observation.resumed  # by whom it was resumed the backend does not say
    elsewhere = known and worker_list.may_work_on(observation.snapshot.id) is None
    if elsewhere and (worker_list.heard_at or now) - observation.changed_at > ABSENT_AFTER:
        return Verdict(
            State.LOST,
            "Nobody works on it",
            "No worker is busy with it: the work has ended or broken off, and nobody was told.",
            "The backend usually notices within minutes, and calls even a success failed. The panel then tells which.",
            (*((f"Worker {worker_id} is {worker.status}.",) if worker else ()), *frozen),
        )
    return None


def worker_in_doubt(worker_id: str, now: float, worker_list: WorkerList) -> Verdict | None:
    """Of an operation that the panel has just met, and has not seen move."""
    worker = worker_list.worker(worker_id)
    if not worker_id or not worker_list.fresh(now) or (worker is not None and worker.reachable):
        return None
    return Verdict(
        State.STALLED,
        "Worker in doubt",
        f"The backend calls it running, but its worker {'does not answer' if worker else 'is not in its list'}.",
        "Wait a minute: a worker that hangs may wake, and after a restart of the backend its workers come back.",
        (last_heard(worker, now) if worker else _unlisted(worker_id, now, worker_list),),
    )


def _unlisted(worker_id: str, now: float, worker_list: WorkerList) -> str:
    return f"Worker {worker_id} was not in the backend's list {moment_at(worker_list.heard_at or now, now)}."
