"""What shows the progress and the end of a run that the backend reports nothing of. Pure."""

from dataclasses import replace

from panel.domain.observation import Observation, by_checkpoint
from panel.domain.workers import WorkerList


def unreported_progress(observation: Observation, epochs: int, written_at: float) -> Observation:
    """After a look at the checkpoint of a run whose progress the backend does not pass on."""
    known = replace(observation, checkpoint_epoch=epochs, checkpoint_at=written_at, checkpoint_gone=False)
    if written_at != observation.checkpoint_at:
        known = replace(known, sought_at=None)
    if observation.resumed and written_at < (observation.snapshot.started_at or 0.0):
        known = replace(known, resumed_after=epochs)
    done, percentage = epochs, by_checkpoint(known) or known.snapshot.percentage
    if not observation.resumed:  # it goes on from where it was, which may be ahead of its checkpoint
        done = max(epochs, known.snapshot.steps_completed or 0)
        percentage = max(percentage, known.snapshot.percentage)
    snapshot = replace(known.snapshot, percentage=percentage, steps_completed=done)
    moved = written_at if written_at != observation.checkpoint_at else observation.moved_at
    return replace(known, snapshot=snapshot, moved_at=moved)


def unreported_end(observation: Observation, model_at: float) -> Observation:
    """After such a run's model appeared."""
    ended = replace(observation.snapshot, completed_at=model_at, percentage=100.0)
    return replace(observation, model_at=model_at, snapshot=ended)


def seen_with(observation: Observation, worker_list: WorkerList) -> Observation:
    """After the workers were listed: which of them has a resumed run. Another process in the place of that one may list
    the run as well, and does not work on it; only while the first one is there another has it instead."""
    worker, by = worker_list.working_on(observation.snapshot.id), observation.resumed_by
    if worker is None or worker.id == by or not observation.resumed:
        return observation
    return observation if by and worker_list.worker(by) is None else replace(observation, resumed_by=worker.id)
