"""The verdicts on running operations whose worker is dead, is another one now, or may be either. Pure."""

from panel.domain.formatting import moment_at, moment_of
from panel.domain.observation import Observation
from panel.domain.silence import last_heard
from panel.domain.state import State, Verdict
from panel.domain.workers import Worker, WorkerList

ABSENT_AFTER = 60.0  # seconds: workers return up to 35 s after the backend was restarted
STANDING_AFTER = 60.0  # seconds that a checkpoint stands, at least, before it is worth a word
STANDING_EPOCHS = 30  # … and the time of so many epochs: KTRDR writes one every ten
UNKNOWN_PACE = 600.0  # seconds, where the time of an epoch is not known: slow ones have theirs every five minutes
RESUMED_LATER = 30.0  # seconds between creation and start that a start without a resume does not take


def worker_restarted(observation: Observation, worker_list: WorkerList) -> Verdict | None:
    """Another process is where its worker was. A worker's id is its process's; it keeps it when the backend is
    restarted. The new process reads the operation from the backend's database, as running, and lists itself as busy
    with it for as long as anybody asks for it: so the backend never gives it up."""
    heir = _heir(observation, worker_list)
    if heir is None:
        return None
    snapshot = observation.snapshot
    lists, worker_id = heir.operation_id == snapshot.id, snapshot.worker_id
    where = " at its address" if _same_place(heir, worker_list.last.get(worker_id)) else ""
    return Verdict(
        State.LOST,
        "Worker restarted",
        "Its worker was restarted, and the work died with it."
        + (" The new process lists it, and does not work on it." if lists else ""),
        "Cancel it, then resume it from its checkpoint where that is offered, or start it again."
        if snapshot.traits.learns
        else "Cancel it, then start it again.",
        (
            f"It was given to worker {worker_id}, which is not listed any more.",
            f"Worker {heir.id} is there instead{where}" + (", and is listed as busy with it." if lists else "."),
        ),
    )


def _heir(observation: Observation, worker_list: WorkerList) -> Worker | None:
    """The process that is in the place of the one that had this operation; None where that cannot be told. A resumed
    operation may be another worker's: by whom it was resumed the backend does not say."""
    snapshot, worker_id = observation.snapshot, observation.snapshot.worker_id
    if not worker_id or observation.resumed or worker_list.worker(worker_id) is not None:
        return None
    created, started = snapshot.created_at, snapshot.started_at
    if created is not None and started is not None and started - created > RESUMED_LATER:
        return None  # perhaps resumed while no panel watched
    if busy := worker_list.working_on(snapshot.id):
        return busy
    gone = worker_list.last.get(worker_id)
    return next((worker for worker in worker_list.workers if _same_place(worker, gone)), None)


def _same_place(worker: Worker, gone: Worker | None) -> bool:
    return gone is not None and bool(gone.endpoint) and worker.endpoint == gone.endpoint


def standing_checkpoint(observation: Observation, now: float, worker_list: WorkerList) -> Verdict | None:
    """A worker that keeps its id through a restart lists what it had before like one that works on it. Of a run that
    the backend passes nothing on of, only the checkpoint shows that it moves."""
    snapshot, written = observation.snapshot, observation.checkpoint_at
    busy = worker_list.working_on(snapshot.id)
    if busy is None or written is None or observation.resumed or not snapshot.traits.learns:
        return None
    moved = max(written, observation.changed_at, observation.moved_at or 0.0)
    if now - moved <= _standing_limit(observation):
        return None
    return Verdict(
        State.STALLED,
        "Work in doubt",
        f"A worker is listed as busy with it, but neither its values nor its checkpoint have moved since "
        f"{moment_of(moved, now)}.",
        "If its worker was restarted, the work died with it. Look at the worker's log; where it does not train any "
        "more, cancel this, then resume it.",
        (
            f"Worker {busy.id} was listed as busy with it {moment_at(worker_list.heard_at or now, now)}.",
            f"Its checkpoint is of {moment_of(written, now)}.",
        ),
    )


def _standing_limit(observation: Observation) -> float:
    snapshot = observation.snapshot
    began, until = snapshot.started_at or snapshot.created_at, observation.checkpoint_at
    if not observation.checkpoint_epoch or began is None or until is None or until <= began:
        return UNKNOWN_PACE
    return max(STANDING_AFTER, STANDING_EPOCHS * (until - began) / observation.checkpoint_epoch)


def worker_lost(observation: Observation, now: float, worker_list: WorkerList) -> Verdict | None:
    """Its worker is dead, or no worker has it. The backend itself notices six minutes later."""
    worker_id = observation.snapshot.worker_id
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
