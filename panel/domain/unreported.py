"""What shows the progress and the end of a run that the backend reports nothing of. Pure."""

from dataclasses import replace

from panel.domain.observation import Observation, by_checkpoint


def unreported_progress(observation: Observation, epochs: int, written_at: float) -> Observation:
    """After a look at the checkpoint of a run whose progress the backend does not pass on."""
    known = replace(observation, checkpoint_epoch=epochs, checkpoint_at=written_at, sought_at=None)
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
