"""What one operation's page shows beyond its state: how long it may take, what its curves say, what happened."""

import json
import shlex
from collections.abc import Mapping
from typing import Any

from panel import __version__
from panel.adapters import KINDS, OperationAdapter
from panel.domain.comparison import Changes, changes
from panel.domain.diagnostics import Note, notes
from panel.domain.estimate import estimate, left, reach, record
from panel.domain.history import ActionRecord, OperationQuery
from panel.domain.observation import Observation
from panel.domain.report import report
from panel.domain.state import State, Verdict
from panel.domain.timeline import Moment, points, timeline
from panel.domain.values import number
from panel.errors import InvalidForm
from panel.storage.store import Storage


def estimate_of(store: Storage, observation: Observation, verdict: Verdict, now: float) -> dict[str, str] | None:
    """How much longer it takes, how that is known, and how good that was before; None when nothing honest can
    be said. A run's first estimate is written down, to be judged by later."""
    snapshot = observation.snapshot
    if verdict.state is not State.RUNNING:
        return None
    pace = store.paces.pace(snapshot.id)
    end = reach(snapshot.kind, snapshot.percentage, number(snapshot.context.get("step_total")))
    earlier = store.paces.earlier(snapshot)
    found = estimate(pace, now, reach=end, started=snapshot.started_at or snapshot.created_at, earlier=earlier)
    if found is None:
        return None
    store.paces.promise(snapshot.id, now, found.low, found.high)
    return {"left": left(found), "basis": found.basis, "record": record(store.paces.promises(snapshot))}


def changes_of(store: Storage, observation: Observation) -> Changes | None:
    """What is different from the last run of its strategy that completed before it; None without one."""
    adapter, snapshot = KINDS.get(observation.snapshot.kind), observation.snapshot
    if adapter is None or not adapter.measures or not snapshot.strategy:
        return None
    began = snapshot.created_at or observation.changed_at
    found, _ = store.memory.find(
        OperationQuery(snapshot.kind, (State.COMPLETED,), snapshot.strategy, until=began, limit=1)
    )
    return changes(adapter.measures, found[0].snapshot, snapshot) if found else None


def notes_of(observation: Observation, verdict: Verdict) -> list[Note]:
    snapshot = observation.snapshot
    baseline = number(snapshot.measured.get("baseline_accuracy"))
    return notes(snapshot.epochs, total=snapshot.steps_total, baseline=baseline, live=verdict.state is State.RUNNING)


def moments_of(store: Storage, observation: Observation, now: float) -> list[Moment]:
    """Everything observed of it, the newest last."""
    snapshot = observation.snapshot
    readings = store.memory.readings(snapshot.id)
    since = snapshot.created_at or (readings[0].at if readings else now)
    until = observation.changed_at if snapshot.finished else now
    return timeline(snapshot, readings, _requests(store, snapshot.id), store.paces.absences(since, until))


def timeline_of(store: Storage, observation: Observation, verdict: Verdict, now: float) -> dict[str, Any]:
    """The list, and after the end the readings that one can go back to."""
    readings = store.memory.readings(observation.snapshot.id) if not verdict.live else []
    past = points(readings) if len(readings) > 2 else []
    return {
        "moments": moments_of(store, observation, now),
        "readings": len(past),
        "points": json.dumps(past, separators=(",", ":"), ensure_ascii=False),
    }


def commands_of(store: Storage, observation: Observation, address: str) -> list[str]:
    """Command lines that start the same thing again; [] when what was asked for is not known."""
    adapter, start = KINDS.get(observation.snapshot.kind), store.start_of(observation.snapshot.id)
    if adapter is None:
        return []
    known = observation.snapshot.parameters | {"strategy_name": observation.snapshot.strategy}
    return commands_for(adapter, start.form if start else adapter.typed(known), address)


def commands_for(adapter: type[OperationAdapter], form: Mapping[str, str], address: str) -> list[str]:
    """[] when the form cannot be sent as it is."""
    try:
        return commands(adapter.from_form(form), address)
    except InvalidForm:
        return []


def commands(made: OperationAdapter, address: str) -> list[str]:
    """Safe to paste into a shell, whatever was typed. `address`: of the backend, "" for the embedded one."""
    own = [*made.argv(), *(["--backend", address] if address else [])]
    if "--" in own:  # options come before it
        own = [*own[:2], "--backend", address, *own[2:-2]] if address else own
    return [shlex.join(words) for words in (own, made.ktrdr_argv()) if words]


def report_of(
    store: Storage,
    observation: Observation,
    verdict: Verdict,
    now: float,
    *,
    title: str,
    commands: list[str],
    backend: str,
) -> str:
    """Of a run that did not go well, as text to copy; "" for the others."""
    if verdict.state not in (State.FAILED, State.PROBLEMS, State.LOST, State.VANISHED, State.STRAY, State.FORGOTTEN):
        return ""
    versions = (f"ktrdr-panel {__version__}", f"backend {backend or 'embedded'}")
    moments = moments_of(store, observation, now)
    return report(observation.snapshot, verdict, moments, title=title, commands=commands, versions=versions)


def _requests(store: Storage, operation_id: str) -> list[ActionRecord]:
    requests, start = store.memory.requests(operation_id), store.start_of(operation_id)
    if start is not None and not any(request.what == "start" for request in requests):
        requests.append(
            ActionRecord(start.asked_at, "start", start.by_whom, "taken" if start.state == "started" else start.message)
        )
    return requests
