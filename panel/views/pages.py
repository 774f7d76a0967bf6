"""What pages and frames show, each as what its template needs: read from the relay, the memory and the survey."""

import time
from typing import Any

from panel.adapters import KINDS, OperationAdapter
from panel.domain.attention import WANTING, partition_by_attention
from panel.domain.gaps import LENGTHS
from panel.domain.history import OperationQuery
from panel.domain.requests import OPEN
from panel.domain.snapshot import Snapshot
from panel.domain.system_health import TELLING, chain, trouble
from panel.domain.verdict import Observation, Verdict
from panel.live.hub import Hub
from panel.monitoring.inventory import DataInventory, Row
from panel.monitoring.poller import RECENT, Monitor
from panel.storage.store import Storage
from panel.views.charts import row_view, span_of
from panel.views.operation import commands_of, estimate_of, notes_of, report_of
from panel.workflows.queue import LoadQueue
from panel.workflows.resuming import ResumeWorkflow

LOOKED_THROUGH = 50  # ends among which home finds those that want attention
GONE = 3600.0  # seconds for which a worker that is gone is still named


class Views:
    """The rooms it reads from are set once they exist."""

    relay: Monitor
    survey: DataInventory
    loads: LoadQueue
    resuming: ResumeWorkflow

    def __init__(self, fanout: Hub, store: Storage, *, embedded: bool) -> None:
        self.fanout = fanout
        self.embedded = embedded
        self._store = store
        self._ended_loads: list[Observation] | None = None  # the latest, while no other has ended
        self._loaded: dict[str, float] = {}  # loads -> when their end was seen, and the data looked at again

    @property
    def address(self) -> str:
        """Of the backend, as a command line wants it; "" for the embedded one."""
        return "" if self.embedded else self.relay.line.address

    def line(self) -> dict[str, Any]:
        now, line = time.time(), self.relay.line
        if self._ended_loads is None:
            wanted = OperationQuery(kind="data_load", states=TELLING, sort="ended", limit=10)
            self._ended_loads, _ = self._store.memory.find(wanted)
        links = chain(line, self.relay.worker_list, self._ended_loads, now, embedded=self.embedded)
        return {"line": line, "links": links, "trouble": trouble(links), "now": now, "embedded": self.embedded}

    def workers(self) -> dict[str, Any]:
        """Who is there and doing what, and who was there lately."""
        now, worker_list = time.time(), self.relay.worker_list
        rows = []
        for worker in sorted(worker_list.workers, key=lambda worker: (worker.kind, worker.id)):
            observation = self.relay.known(worker.operation_id) if worker.operation_id else None
            rows.append(
                {
                    "worker": worker,
                    "doing": self.view(observation, self.relay.verdict(observation), now) if observation else None,
                }
            )
        there = {worker.id for worker in worker_list.workers}
        gone = [(worker_id, at) for worker_id, at in worker_list.listed_at.items() if worker_id not in there]
        recent = sorted((item for item in gone if now - item[1] < GONE), key=lambda item: -item[1])
        return {"workers": rows, "gone": recent, "around": worker_list, "line": self.relay.line, "now": now}

    def home(self) -> dict[str, Any]:
        """What wants attention, what runs, and what ended lately, each as what its template needs."""
        now = time.time()
        running = [
            self.card(observation, self.relay.verdict(observation), now, counted=True)
            for observation in self.relay.running()
        ]
        listed = {item["snapshot"].id for item in running}
        latest = [
            observation
            for observation in self._store.memory.ended(LOOKED_THROUGH)
            if observation.snapshot.id not in listed
        ]
        wanting, ended = partition_by_attention(
            [(observation, self.relay.verdict(observation)) for observation in latest], now
        )
        shown = {
            "stuck": [item for item in running if item["verdict"].state in WANTING],
            "running": [item for item in running if item["verdict"].state not in WANTING],
            "wanting": [self.view(observation, verdict, now) for observation, verdict in wanting[:RECENT]],
            "ended": [self.view(observation, verdict, now) for observation, verdict in ended[:RECENT]],
            "unsure": self._store.unsettled_starts()[:20],
            "silent": self.relay.line.failing_since is not None,
            "asking": self.relay.line.answered_at is None,
            "now": now,
        }
        waiting = [load for load in self._store.open_loads() if load.state == "waiting"]
        return shown | {"waiting": waiting, "plans": self._store.told_plans(now - 86_400)}

    def stored(self) -> dict[str, Any]:
        """The map of what is stored, and the queue of loads."""
        now, running = time.time(), self.loading()
        rows = self.survey.rows(running)
        return {
            "rows": [row_view(row, running.get(row.pair), span) for span in [span_of(rows, now)] for row in rows],
            "span": span_of(rows, now),
            **self.queue(),
            "known": self.survey.symbols,
            "now": now,
            "embedded": self.embedded,
        }

    def loading(self) -> dict[tuple[str, str], Snapshot]:
        """(symbol, timeframe) -> the load of it that runs."""
        snapshots = [
            observation.snapshot for observation in self.relay.running() if observation.snapshot.kind == "data_load"
        ]
        return {(snapshot.symbol, snapshot.timeframe): snapshot for snapshot in snapshots}

    def queue(self) -> dict[str, Any]:
        """Loads that wait or run, the panel's own and others', the running ones first; `doubt`: the next one waits
        for one that may yet begin."""
        own = self._store.open_loads()
        ids = {load.operation_id for load in own}
        found: list[dict[str, Any]] = [
            {"load": None, "snapshot": observation.snapshot, "start": None}
            for observation in self.relay.running()
            if observation.snapshot.kind == "data_load" and observation.snapshot.id not in ids
        ]
        for load in own:
            observation = self.relay.known(load.operation_id) if load.operation_id else None
            key = f"{load.key}.{load.attempts}"
            found.append({"load": load, "snapshot": observation.snapshot if observation else None, "start": key})
        waits = bool(own) and all(
            load.state == "waiting" for load in own
        )  # one not confirmed holds it until a person decides
        return {"queue": found, "doubt": waits and bool(self._store.possibly_running_loads(time.time()))}

    def plan(self, key: str) -> dict[str, Any]:
        """A plan's steps, and how far it is as a whole: every load and the training count the same."""
        plan = self._store.plan(key)
        assert plan is not None  # noqa: S101  its page was found
        steps, share = [], 0.0
        for load in self._store.loads_of(key):
            observation = self.relay.known(load.operation_id) if load.operation_id else None
            at = 100.0 if load.state == "done" else min(observation.snapshot.percentage, 99.0) if observation else 0.0
            share += at
            steps.append({"load": load, "snapshot": observation.snapshot if observation else None, "at": at})
        return {
            "plan": plan,
            "steps": steps,
            "share": int(share / (len(steps) + 1)),
            "now": time.time(),
            "open": plan.state in OPEN,
        }

    def whole(self, observation: Observation, verdict: Verdict, now: float) -> dict[str, Any]:
        """What an operation's own page shows, and its stream draws again when it changes."""
        view, address = self.view(observation, verdict, now), self.address
        commands = commands_of(self._store, observation, address)
        return view | {
            "estimate": estimate_of(self._store, observation, verdict, now),
            "notes": notes_of(observation, verdict),
            "resume": self.resuming.offer(observation, verdict),
            "commands": commands,
            "report": report_of(
                self._store, observation, verdict, now, title=view["title"], commands=commands, backend=address
            ),
        }

    def card(self, observation: Observation, verdict: Verdict, now: float, *, counted: bool = False) -> dict[str, Any]:
        """What a card shows; how long it takes is reckoned only for somebody who looks."""
        counted = counted or bool(self.fanout.readers("home"))
        estimate = estimate_of(self._store, observation, verdict, now) if counted else None
        return self.view(observation, verdict, now) | {"left": estimate["left"] if estimate else ""}

    def view(self, observation: Observation, verdict: Verdict, now: float) -> dict[str, Any]:
        adapter = adapter_of(observation)
        snapshot = observation.snapshot
        started = snapshot.started_at or snapshot.created_at
        ended = (snapshot.completed_at or observation.changed_at) if not verdict.live else None
        return {
            "seen": observation,
            "snapshot": snapshot,
            "verdict": verdict,
            "title": adapter.name(snapshot) if adapter else snapshot.kind,
            "kind": adapter.title if adapter else snapshot.kind,
            "figures": adapter.figures(snapshot) if adapter else [],
            "started": started,
            "ended": ended,
            "took": ended - started if ended and started and ended > started else None,
            "row": self._row_after(snapshot) if ended and snapshot.kind == "data_load" else None,
            "now": now,
            "embedded": self.embedded,
        }

    def row(self, observation: Observation, now: float) -> dict[str, Any]:
        """One row of the list of operations."""
        return self.view(observation, self.relay.verdict(observation), now)

    def _row_after(self, snapshot: Snapshot) -> Row | None:
        """What is stored now of what a load was for."""
        if not snapshot.symbol or snapshot.timeframe not in LENGTHS:
            return None
        row = self.survey.row(snapshot.symbol, snapshot.timeframe)
        return row if (row.asked_at or 0) > self._loaded.get(snapshot.id, 0) else None


def adapter_of(observation: Observation) -> type[OperationAdapter] | None:
    return KINDS.get(observation.snapshot.kind)
