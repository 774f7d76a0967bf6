"""System health: each connection from the panel to the market, and what is wrong with it. Pure.

The first link, from the browser to the panel, is checked by the page itself (`static/contact.js`).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from panel.domain.causes import GATEWAY, HOST_SERVICE, NO_DATABASE, NO_SYMBOL, Cause, cause_of, database_down
from panel.domain.connection import Connection
from panel.domain.formatting import many
from panel.domain.gaps import NOTHING_STORED
from panel.domain.kinds import learning
from panel.domain.load_outcomes import brought_nothing
from panel.domain.memory import damaged, remedy
from panel.domain.observation import Observation
from panel.domain.state import GOOD, State
from panel.domain.workers import WorkerList

RETURNING = 60.0  # seconds in which workers come back after their backend was restarted
NEWS = 3600.0  # seconds for which a failed load says something about the data source now
NO_TRAINER = (
    "A training is refused until one has registered. Start a training worker, or wait: a start can wait for one."
)
SOURCE = "Data source"
SILENT_SOURCE = {  # what did not answer a load -> its name, and what to do
    HOST_SERVICE: (
        "Interactive Brokers' host service",
        "Start the host service, the program between KTRDR and the Gateway, then load again.",
    ),
    GATEWAY: ("The Interactive Brokers Gateway", "Start the Gateway and log in to it, then load again."),
}
CONCLUSIVE = (*GOOD, State.PROBLEMS, State.FAILED)  # ends of loads that say something about it

_BRIEF = {
    "Backend unreachable": "Backend away",
    "Backend has errors": "Backend errs",
    "Data source unreachable": "Source away",
    "Memory damaged": "Memory bad",
    "Memory not writable": "Memory stuck",
    "No training worker": "No worker",
    "Workers not known": "Workers?",
}
OK, AMBER, RED, UNKNOWN = "completed", "problems", "failed", "queued"  # the marks of the states that look like it


@dataclass(frozen=True, slots=True)
class Link:
    """`at`: when it was last seen to be so; of one that is not well, since when, or (`last`) until when it was.
    Only trouble for which there is something to do has `advice`, and a strip on every page."""

    name: str
    state: str
    word: str
    text: str
    at: float | None = None
    advice: str = ""
    heard: str = ""  # the place on the page whose age the heartbeat keeps
    last: bool = False  # `at` is when it was last well
    address: str = ""  # of the page that says more

    @property
    def brief(self) -> str:
        """Its word where there is little room."""
        return _BRIEF.get(self.word, self.word)

    @property
    def needs_attention(self) -> bool:
        return bool(self.advice)

    @property
    def without_age(self) -> tuple[object, ...]:
        """Its content without ages, which only grow."""
        return (self.name, self.state, self.word, self.text, self.at if self.state in (AMBER, RED) else None)


def memory_link(since: float, why: str) -> Link:
    """The memory cannot be written since then."""
    if damaged(why):
        advice = f"What happens is still shown, but not remembered. No start is sent. {remedy(why)}"
        return Link("Panel to memory", RED, "Memory damaged", f"The panel's memory is damaged: {why}.", since, advice)
    advice = (
        "What happens is still shown, and written as soon as that is possible. No start is sent meanwhile. "
        f"{remedy(why)}"
    )
    return Link(
        "Panel to memory", RED, "Memory not writable", f"The panel cannot write its memory: {why}.", since, advice
    )


def system_health(
    connection: Connection, worker_list: WorkerList, loads: Sequence[Observation], now: float, *, embedded: bool
) -> list[Link]:
    """`loads` are the data loads that ended, the latest end first."""
    return [
        _backend(connection, worker_list),
        _workers(connection, worker_list, now),
        _source(loads, now, embedded=embedded),
    ]


def trouble(links: Sequence[Link]) -> Link | None:
    """The worst of what is wrong, else what is not known of the backend and its workers; None when all is well."""
    wrong = [link for link in links if link.state in (RED, AMBER)]
    unknown = (link for link in links if link.state == UNKNOWN and link.name != SOURCE)
    return min(wrong, key=lambda link: (link.state != RED, not link.needs_attention), default=next(unknown, None))


def _backend(connection: Connection, worker_list: WorkerList) -> Link:
    name = "Panel to backend"
    if connection.failing_since is not None:
        where = "" if connection.address in connection.message else f"Address: {connection.address}. "
        advice = (
            f"{where}See that KTRDR runs there. What the pages show are the last values known; the "
            "panel keeps asking, and goes on by itself when the backend answers."
        )
        return Link(name, RED, "Backend unreachable", connection.message, connection.failing_since, advice)
    if connection.slow_since is not None and connection.error:
        advice, text = "See the backend's log.", f"It answers, but with an error about what runs: {connection.error}"
        if database_down(connection.error):
            advice, text = NO_DATABASE, f"It answers, but its database does not: {connection.error}"
        advice = f"{advice} The pages show the last values known."
        return Link(name, AMBER, "Backend has errors", text, connection.slow_since, advice)
    if connection.slow_since is not None:
        advice = "Other values may be old meanwhile; each says its age."
        text = "It answers, but slowly: its machine may be overloaded."
        if any(worker.status != "available" for worker in worker_list.workers):  # of one that is free it asks nothing
            advice = f"{advice} A worker that hangs may wake by itself."
            text = "It answers, but slowly: it waits for a worker that hangs, or its machine is overloaded."
        return Link(name, AMBER, "Backend slow", text, connection.slow_since, advice)
    if connection.answered_at is None:
        return Link(name, UNKNOWN, "Asking", f"{connection.address} is being asked for the first time.")
    told = f"{connection.address} answers.".replace("the embedded", "The embedded", 1)
    return Link(name, OK, "Answers", told, connection.answered_at, heard="heard-backend")


def _workers(connection: Connection, worker_list: WorkerList, now: float) -> Link:
    name = "Backend to workers"
    if worker_list.heard_at is None:
        return Link(name, UNKNOWN, "Not listed yet", "The backend has not listed its workers yet.")
    if connection.failing_since is not None or not worker_list.fresh(now):
        return Link(
            name, UNKNOWN, "Workers not known", "The backend does not list its workers now.", worker_list.heard_at
        )
    if connection.up_since is not None and worker_list.heard_at < connection.up_since:  # it may have been restarted
        text = "The backend answers again, and has not listed its workers since."
        return Link(name, UNKNOWN, "Workers not known", text, worker_list.heard_at)
    for kind in learning():
        if not worker_list.able(kind):
            return _no_trainer(name, kind, worker_list, now)
    silent = [worker for worker in worker_list.workers if not worker.reachable]
    if silent:
        names = ", ".join(worker.id for worker in silent[:3]) + (" and others" if len(silent) > 3 else "")
        text = f"{names} {'does' if len(silent) == 1 else 'do'} not answer."
        state = RED if len(silent) == len(worker_list.workers) else AMBER
        last = max((worker.healthy_at for worker in silent if worker.healthy_at is not None), default=None)
        dropped = "it" if len(silent) == 1 else "a worker"
        advice = (
            f"{'It' if len(silent) == 1 else 'They'} may hang and wake again. After five minutes without an answer the "
            f"backend drops {dropped}, and marks its work failed a minute later."
        )
        return Link(name, state, many(len(silent), "silent worker").capitalize(), text, last, advice, last=True)
    kinds = Counter(worker.kind or "unnamed" for worker in worker_list.workers)
    busy = sum(worker.status == "busy" or bool(worker.operation_id) for worker in worker_list.workers)
    text = ", ".join(many(count, f"{kind} worker") for kind, count in sorted(kinds.items()))
    return Link(name, OK, "Answer", f"{text}; {busy or 'none'} busy.", worker_list.heard_at, heard="heard-workers")


def _no_trainer(name: str, kind: str, worker_list: WorkerList, now: float) -> Link:
    """Trainings are refused. After a restart of the backend its workers are back within half a minute; one that did not
    answer when it was last listed was dropped for that."""
    word, text = "No training worker", "No training worker is registered with the backend"
    last = worker_list.last_able(kind)
    if last is None:
        return Link(name, RED, word, f"{text}.", None, NO_TRAINER, last=True)
    worker, listed_at = last
    text = f"{text}; the last one was {worker.id}."
    if not worker.reachable:
        return Link(name, RED, word, text, worker.healthy_at or listed_at, NO_TRAINER, last=True)
    if now - listed_at < RETURNING:
        advice = "After a restart of the backend its workers come back within half a minute."
        return Link(name, AMBER, word, text, listed_at, advice, last=True)
    return Link(name, RED, word, text, listed_at, NO_TRAINER, last=True)


def _source(loads: Sequence[Observation], now: float, *, embedded: bool) -> Link:
    """KTRDR's status of the Interactive Brokers connection is wrong; the outcomes of loads are not."""
    name = SOURCE
    if embedded:
        return Link(name, OK, "Sample generator", "A sample generator makes the data. It is always there.")
    loads = [load for load in loads if not load.snapshot.unclaimed]  # those ended with their backend
    if not loads:
        return Link(name, UNKNOWN, "Not known", "Nothing is known of it until a load ends.")
    at = ended(loads[0])
    cause = _cause_of_failure(loads[0])
    if cause in SILENT_SOURCE:
        what, advice = SILENT_SOURCE[cause]
        if now - at > NEWS:
            return Link(name, UNKNOWN, "Was unreachable", f"{what} was down at the last load.", at)
        failing = list(takewhile(lambda load: _cause_of_failure(load) in SILENT_SOURCE, loads))
        text = f"{what} does not answer, so no load can bring bars."
        return Link(name, RED, "Data source unreachable", text, ended(failing[-1]), advice)
    last = loads[0].snapshot
    if not last.full:
        return Link(name, UNKNOWN, "Not known", "Nothing is known of it until the last load has been read.", at)
    state = AMBER if now - at < NEWS else UNKNOWN
    if last.succeeded and brought_nothing(last):
        return Link(name, state, "No bars came", "The last load brought not one bar, although bars were missing.", at)
    if last.succeeded and loads[0].gaps_left == NOTHING_STORED:
        return Link(name, UNKNOWN, "Nothing stored", "The last load is completed, and none of its bars is stored.", at)
    if last.succeeded and (missing := loads[0].gaps_left):
        were = "was" if missing == 1 else "were"
        return Link(name, UNKNOWN, "Gaps left", f"After the last load {many(missing, 'gap')} {were} still there.", at)
    if last.succeeded:
        return Link(name, OK, "Answered", "The last load went through.", at)
    if cause is NO_SYMBOL:
        return Link(name, OK, "Answered", f"It answered the last load: {last.error}", at)
    return Link(name, state, "A load failed", f"The last load failed: {last.error or 'no reason was given.'}", at)


def ended(observation: Observation) -> float:
    return observation.snapshot.completed_at or observation.changed_at


def _cause_of_failure(observation: Observation) -> Cause | None:
    load = observation.snapshot
    return cause_of(load.error, load.traits) if load.finished and not load.succeeded else None
