"""The empty home page: data, strategy and training as three steps on one page."""

from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from panel.adapters import TrainingOperationAdapter
from panel.domain.gaps import LENGTHS
from panel.domain.history import OperationQuery
from panel.domain.loadable import NoLoad, no_load
from panel.domain.snapshot import Snapshot
from panel.domain.state import State
from panel.domain.strategies import Strategy
from panel.errors import CLIClientError
from panel.web.panel import PanelDep
from panel.web.respond import fragment, typed
from panel.workflows.starting import new_key

router = APIRouter()

SHOWN = 6  # strategies, and pairs of symbol and timeframe

Pair = tuple[str, str]  # symbol, timeframe


@dataclass(frozen=True, slots=True)
class PairRow:
    """How much of a pair is stored, the load of it that runs, and why there can be none."""

    symbol: str
    timeframe: str
    bars: int
    loading: Snapshot | None
    refused: NoLoad | None


@dataclass(frozen=True, slots=True)
class StrategyRow:
    """A strategy that can be used; `missing`: the pairs that are not stored yet."""

    strategy: Strategy
    missing: list[str]

    @property
    def ready(self) -> bool:
        return not self.missing


@router.post("/first")
async def first(request: Request, panel: PanelDep) -> HTMLResponse:
    """The steps, or an empty place once a training has completed. A POST, because the backend's own questions are:
    nothing here changes anything."""
    if panel.storage.memory.count(OperationQuery(TrainingOperationAdapter.kind, (State.COMPLETED,), archived=None)):
        return fragment("fragments/first.html", show=False)
    await panel.submit.prepare()
    pairs: list[PairRow] = []
    listed: list[Strategy] = []
    loading, problem = panel.reader.loading(), ""
    for snapshot in loading.values():
        panel.monitor.wake(snapshot.id)  # its progress is shown here
    try:
        usable = [each for each in await panel.catalogue.strategies() if not each.problem]
        listed = sorted(usable, key=lambda each: len(_pairs(each)))[:SHOWN]
        wanted = list(dict.fromkeys(pair for each in listed for pair in _pairs(each)))[:SHOWN]
        for pair in wanted:
            found = await panel.catalogue.range(*pair)
            market = await panel.catalogue.sample_market() if panel.reader.embedded else None
            pairs.append(PairRow(*pair, bars=found.bars, loading=loading.get(pair), refused=no_load(found, market)))
    except CLIClientError as exc:
        problem = exc.message
    stored = {(row.symbol, row.timeframe) for row in pairs if row.bars}
    rows = [StrategyRow(each, [" ".join(pair) for pair in _pairs(each) if pair not in stored]) for each in listed]
    chosen = (await typed(request)).get("strategy", "")
    return fragment(
        "fragments/first.html",
        show=True,
        pairs=pairs,
        strategies=rows,
        chosen=chosen if any(row.ready and row.strategy.name == chosen for row in rows) else "",
        problem=problem,
        busy=bool(panel.reader.queue().queue),
        embedded=panel.reader.embedded,
        key=new_key,
    )


def _pairs(strategy: Strategy) -> list[Pair]:
    return [(symbol, frame) for symbol in strategy.symbols for frame in strategy.timeframes if frame in LENGTHS]
