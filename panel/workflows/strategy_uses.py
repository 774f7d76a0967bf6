"""What depends on a strategy's file, for the question before it is deleted. It only reads."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from panel.backend.catalogue import Catalogue
from panel.domain.batches import Batch
from panel.domain.history import OperationQuery
from panel.domain.requests import Entry, Plan
from panel.domain.schedules import Schedule
from panel.errors import CLIClientError
from panel.storage.store import Storage


@dataclass(frozen=True, slots=True)
class StrategyUses:
    """`batches`: with the number of their runs that are not through. `waiting`: entries of the queue that belong to no
    batch. `models`: how many the backend lists, None while it does not answer; `runs`: how many are remembered."""

    schedules: list[Schedule]
    waiting: list[Entry]
    plans: list[Plan]
    batches: list[tuple[Batch, int]]
    models: int | None
    runs: int

    @property
    def needed(self) -> bool:
        """Whether something is still to start that needs the file."""
        return bool(self.schedules or self.waiting or self.plans or self.batches)


async def uses_of(storage: Storage, catalogue: Catalogue, names: Collection[str]) -> StrategyUses:
    """`names`: the file's, and the one inside it, which what others started carries; the file's is the first."""
    name = next(iter(names))
    open_runs = [run for run in storage.batches.open_runs() if _names(run.form, name)]
    counted = Counter(run.batch for run in open_runs)
    batches = [(batch, number) for key, number in counted.items() if (batch := storage.batches.batch(key)) is not None]
    of_batches = {run.key for run in open_runs}
    waiting = [each for each in storage.queue.open() if each.waiting and not each.plan and each.key not in of_batches]
    try:
        models = sum(model.strategy in names for model in await catalogue.models())
    except CLIClientError:
        models = None
    return StrategyUses(
        [each for each in storage.schedules.all() if _names(each.form, name)],
        [each for each in waiting if _names(each.form, name)],
        [each for each in storage.queue.open_plans() if _names(each.form, name)],
        batches,
        models,
        sum(storage.memory.find(OperationQuery(strategy=each, archived=None, limit=1))[1] for each in names),
    )


def _names(form: dict[str, str], strategy: str) -> bool:
    return form.get("strategy_name", "").strip() == strategy
