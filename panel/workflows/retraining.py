"""What mends a run that failed for want of bars: their load and, of a training, the training again. It only reads."""

from collections.abc import Callable
from dataclasses import dataclass

from panel.adapters import KINDS, DataLoadOperationAdapter, TrainingOperationAdapter
from panel.domain.loadable import SampleMarket, no_load
from panel.domain.missing_bars import absent
from panel.domain.observation import Observation
from panel.domain.requests import PlanState
from panel.domain.state import State, Verdict
from panel.domain.values import moment
from panel.errors import InvalidForm
from panel.monitoring.inventory import DataInventory
from panel.storage.store import Storage
from panel.workflows.submit import asked_before


@dataclass(frozen=True, slots=True)
class Remedy:
    """`training`: the form to train with afterwards, None where only the load can be begun from here; `key`: of the
    plan, the same for every click until that plan has ended without its training."""

    load: dict[str, str]
    training: dict[str, str] | None
    key: str

    @property
    def pair(self) -> str:
        return f"{self.load['symbol']} {self.load['timeframe']}"


def remedy(
    storage: Storage, inventory: DataInventory, seen: Observation, verdict: Verdict, keyed: Callable[[str], str],
    *, embedded: bool,
) -> Remedy | None:  # fmt: skip
    """None where no load would help."""
    snapshot, adapter = seen.snapshot, KINDS.get(seen.snapshot.kind)
    pair = absent(snapshot) if verdict.state is State.FAILED else None
    if pair is None or adapter is None:
        return None
    market = SampleMarket(inventory.symbols, inventory.files) if embedded and inventory.listed else None
    stored = inventory.row(*pair).range
    if no_load(stored, market) is not None:
        return None
    form = asked_before(adapter, storage.start_of(snapshot.id), seen)
    start = form.get("start_date", "")
    load = {"symbol": pair[0], "timeframe": pair[1], "mode": "tail"}
    if moment(start) is not None and not stored.bars:  # nothing is stored that a KTRDR would throw away
        load["start_date"] = start
    training = {field.name: form.get(field.name, "") for field in adapter.fields}
    trains = adapter is TrainingOperationAdapter
    try:
        DataLoadOperationAdapter.from_form(load)
        if trains:
            adapter.from_form(training)
    except InvalidForm:
        return None
    if not trains:
        return Remedy(load, None, "")
    tries = 0
    while (plan := storage.queue.plan(keyed(f"{snapshot.id}-load-{tries}"))) and plan.state in _OVER:
        tries += 1
    return Remedy(load, training, keyed(f"{snapshot.id}-load-{tries}"))


_OVER = (PlanState.STOPPED, PlanState.CANCELLED)
