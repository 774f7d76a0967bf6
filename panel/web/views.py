"""What pages and frames show, each as what its template needs: read from the relay, the memory and the survey."""

import time
from typing import Any

from panel.adapters import KINDS, OperationAdapter
from panel.coverage import LENGTHS
from panel.fanout import Fanout
from panel.loads import Loads
from panel.memory import Wanted
from panel.operations import Snapshot
from panel.relay import RECENT, Relay
from panel.resuming import Resuming
from panel.store import OPEN, Store
from panel.survey import Row, Survey
from panel.verdict import Evidence, Verdict
from panel.web.chain import TELLING, chain, trouble
from panel.web.chart import row_view, span_of
from panel.web.details import commands_of, estimate_of, notes_of, report_of
from panel.web.home import WANTING, sorted_out

LOOKED_THROUGH = 50  # ends among which home finds those that want attention
GONE = 3600.0  # seconds for which a worker that is gone is still named


class Views:
    """The rooms it reads from are set once they exist."""

    relay: Relay
    survey: Survey
    loads: Loads
    resuming: Resuming

    def __init__(self, fanout: Fanout, store: Store, *, embedded: bool) -> None:
        self.fanout = fanout
        self.embedded = embedded
        self._store = store
        self._ended_loads: list[Evidence] | None = None  # the latest, while no other has ended
        self._loaded: dict[str, float] = {}  # loads -> when their end was seen, and the data looked at again

    @property
    def address(self) -> str:
        """Of the backend, as a command line wants it; "" for the embedded one."""
        return "" if self.embedded else self.relay.line.address

    def line(self) -> dict[str, Any]:
        now, line = time.time(), self.relay.line
        if self._ended_loads is None:
            wanted = Wanted(kind="data_load", states=TELLING, sort="ended", limit=10)
            self._ended_loads, _ = self._store.memory.find(wanted)
        links = chain(line, self.relay.around, self._ended_loads, now, embedded=self.embedded)
        return {"line": line, "links": links, "trouble": trouble(links), "now": now, "embedded": self.embedded}

    def workers(self) -> dict[str, Any]:
        """Who is there and doing what, and who was there lately."""
        now, around = time.time(), self.relay.around
        rows = []
        for worker in sorted(around.workers, key=lambda worker: (worker.kind, worker.id)):
            seen = self.relay.known(worker.operation_id) if worker.operation_id else None
            rows.append({"worker": worker, "doing": self.view(seen, self.relay.verdict(seen), now) if seen else None})
        there = {worker.id for worker in around.workers}
        gone = [(worker_id, at) for worker_id, at in around.listed_at.items() if worker_id not in there]
        recent = sorted((item for item in gone if now - item[1] < GONE), key=lambda item: -item[1])
        return {"workers": rows, "gone": recent, "around": around, "line": self.relay.line, "now": now}

    def home(self) -> dict[str, Any]:
        """What wants attention, what runs, and what ended lately, each as what its template needs."""
        now = time.time()
        running = [self.card(seen, self.relay.verdict(seen), now, counted=True) for seen in self.relay.running()]
        listed = {item["snapshot"].id for item in running}
        latest = [seen for seen in self._store.memory.ended(LOOKED_THROUGH) if seen.snapshot.id not in listed]
        wanting, ended = sorted_out([(seen, self.relay.verdict(seen)) for seen in latest], now)
        shown = {
            "stuck": [item for item in running if item["verdict"].state in WANTING],
            "running": [item for item in running if item["verdict"].state not in WANTING],
            "wanting": [self.view(seen, verdict, now) for seen, verdict in wanting[:RECENT]],
            "ended": [self.view(seen, verdict, now) for seen, verdict in ended[:RECENT]],
            "unsure": self._store.open_starts()[:20],
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
        snapshots = [seen.snapshot for seen in self.relay.running() if seen.snapshot.kind == "data_load"]
        return {(snapshot.symbol, snapshot.timeframe): snapshot for snapshot in snapshots}

    def queue(self) -> dict[str, Any]:
        """Loads that wait or run, the panel's own and others', the running ones first; `doubt`: the next one waits
        for one that may yet begin."""
        own = self._store.open_loads()
        ids = {load.operation_id for load in own}
        found: list[dict[str, Any]] = [
            {"load": None, "snapshot": seen.snapshot, "start": None}
            for seen in self.relay.running()
            if seen.snapshot.kind == "data_load" and seen.snapshot.id not in ids
        ]
        for load in own:
            seen = self.relay.known(load.operation_id) if load.operation_id else None
            key = f"{load.key}.{load.attempts}"
            found.append({"load": load, "snapshot": seen.snapshot if seen else None, "start": key})
        waits = bool(own) and all(
            load.state == "waiting" for load in own
        )  # one not confirmed holds it until a person decides
        return {"queue": found, "doubt": waits and bool(self._store.colliding_starts(time.time()))}

    def plan(self, key: str) -> dict[str, Any]:
        """A plan's steps, and how far it is as a whole: every load and the training count the same."""
        plan = self._store.plan(key)
        assert plan is not None  # noqa: S101  its page was found
        steps, share = [], 0.0
        for load in self._store.loads_of(key):
            seen = self.relay.known(load.operation_id) if load.operation_id else None
            at = 100.0 if load.state == "done" else min(seen.snapshot.percentage, 99.0) if seen else 0.0
            share += at
            steps.append({"load": load, "snapshot": seen.snapshot if seen else None, "at": at})
        return {
            "plan": plan,
            "steps": steps,
            "share": int(share / (len(steps) + 1)),
            "now": time.time(),
            "open": plan.state in OPEN,
        }

    def whole(self, seen: Evidence, verdict: Verdict, now: float) -> dict[str, Any]:
        """What an operation's own page shows, and its stream draws again when it changes."""
        view, address = self.view(seen, verdict, now), self.address
        commands = commands_of(self._store, seen, address)
        return view | {
            "estimate": estimate_of(self._store, seen, verdict, now),
            "notes": notes_of(seen, verdict),
            "resume": self.resuming.offer(seen, verdict),
            "commands": commands,
            "report": report_of(
                self._store, seen, verdict, now, title=view["title"], commands=commands, backend=address
            ),
        }

    def card(self, seen: Evidence, verdict: Verdict, now: float, *, counted: bool = False) -> dict[str, Any]:
        """What a card shows; how long it takes is reckoned only for somebody who looks."""
        counted = counted or bool(self.fanout.readers("home"))
        estimate = estimate_of(self._store, seen, verdict, now) if counted else None
        return self.view(seen, verdict, now) | {"left": estimate["left"] if estimate else ""}

    def view(self, seen: Evidence, verdict: Verdict, now: float) -> dict[str, Any]:
        adapter = adapter_of(seen)
        snapshot = seen.snapshot
        started = snapshot.started_at or snapshot.created_at
        ended = (snapshot.completed_at or seen.changed_at) if not verdict.live else None
        return {
            "seen": seen,
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

    def row(self, seen: Evidence, now: float) -> dict[str, Any]:
        """One row of the list of operations."""
        return self.view(seen, self.relay.verdict(seen), now)

    def _row_after(self, snapshot: Snapshot) -> Row | None:
        """What is stored now of what a load was for."""
        if not snapshot.symbol or snapshot.timeframe not in LENGTHS:
            return None
        row = self.survey.row(snapshot.symbol, snapshot.timeframe)
        return row if (row.asked_at or 0) > self._loaded.get(snapshot.id, 0) else None


def adapter_of(seen: Evidence) -> type[OperationAdapter] | None:
    return KINDS.get(seen.snapshot.kind)
