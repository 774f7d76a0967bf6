"""The verdicts on operations of which the backend answers nothing. Pure."""

from panel.domain.causes import NO_DATABASE, database_down
from panel.domain.formatting import moment_at
from panel.domain.observation import Observation
from panel.domain.state import State, Verdict
from panel.domain.workers import Worker, WorkerList


def silent(observation: Observation, now: float, worker_list: WorkerList, *, away: bool) -> Verdict:
    """`away`: the backend answers nothing at all, which every page says once; what stands in its place may well have
    answered, and that says nothing about this operation."""
    at = moment_at(observation.snapshot.read_at, now)
    since = f"It was last read {at}." if observation.snapshot.backend_status else f"Started {at}, and not read since."
    if away:
        return _last_known(since)
    if observation.timed_out and worker_list.answering(now):
        worker = worker_list.may_work_on(observation.snapshot.id) or worker_list.worker(observation.worker_id)
        why, advice = _why_late(observation, worker, worker_list)
        return Verdict(
            State.SILENT,
            "No answer about this one",
            f"The backend answers other questions, but not about this operation: {why}.",
            f"{advice} The values below are the last ones known.",
            (since, *([last_heard(worker, now)] if worker else [])),
        )
    if observation.error:
        database = database_down(observation.error)
        why = ": its database does not answer." if database else f". It says: {observation.error}"
        advice = NO_DATABASE if database else "Look at the backend's log."
        words = (f"The backend's words: {observation.error}",) if database else ()
        return Verdict(
            State.SILENT,
            "Backend has errors",
            f"The backend answers, but not about this operation{why}",
            f"{advice} The values below are the last ones known; the work itself may go on.",
            (since, *words),
        )
    return _last_known(since)


def _last_known(since: str) -> Verdict:
    headline = "This is the last known state; the work itself may go on."
    return Verdict(State.SILENT, "Backend silent", headline, evidence=(since,))


def _why_late(observation: Observation, own: Worker | None, worker_list: WorkerList) -> tuple[str, str]:
    """While the backend waits for one worker that hangs, it answers nothing about the work of the others either. Which
    one that is show the questions that were not answered; and what is to be done."""
    others = [worker for worker in worker_list.workers if worker.operation_id and worker != own]
    goes_on = "Its own worker has answered since, so the work probably goes on."
    if own is not None and not own.failures:
        if any(worker.failures for worker in others):
            return "another worker probably hangs", goes_on
        if (own.healthy_at or 0.0) > (observation.failing_since or 0.0):
            return "it is slow", goes_on
    if own is None and not others:
        return "it is slow", "The work may go on."
    if own is not None and (own.failures or not others):
        return "its worker probably hangs", "It may wake and go on by itself; kill -9 of the worker ends it."
    return "its worker, or another one, probably hangs", "A worker that hangs may wake by itself."


def last_heard(worker: Worker, now: float) -> str:
    heard = (
        f"last answered {moment_at(worker.healthy_at, now)}" if worker.healthy_at is not None else "has never answered"
    )
    return f"Worker {worker.id} {heard}."
