"""Whether a load can mend what is missing, and how the last one failed. It only reads."""

from collections.abc import Mapping
from dataclasses import dataclass

from panel.adapters import DataLoadOperationAdapter
from panel.backend.catalogue import Catalogue
from panel.domain.causes import cause_of
from panel.domain.gaps import DAY
from panel.domain.history import OperationQuery
from panel.domain.kinds import traits_of
from panel.domain.loadable import no_load
from panel.domain.queueing import plain_refusal
from panel.domain.snapshot import Snapshot
from panel.domain.state import ENDS, State
from panel.domain.system_health import CONCLUSIVE, SILENT_SOURCE, ended
from panel.errors import CLIClientError
from panel.monitoring.poller import Monitor
from panel.storage.store import Storage


@dataclass(frozen=True, slots=True)
class FailedLoad:
    """One that failed or ended with problems. `operation_id`: "" of one that never began."""

    message: str
    at: float
    operation_id: str = ""
    word: str = "Not started"

    @property
    def imports(self) -> bool:
        """Whether a file of one's own may help better than another load."""
        return helped_by_import(self.message)


def helped_by_import(error: str) -> bool:
    """Of a load that failed: unless its data source was away, another load fails in the same way."""
    return cause_of(error, traits_of(DataLoadOperationAdapter.kind)) not in SILENT_SOURCE


async def why_no_load(catalogue: Catalogue, form: Mapping[str, str]) -> str:
    """Why the embedded backend would not do this load; "" when it would, or when it cannot be asked."""
    symbol, timeframe = form.get("symbol", "").strip().upper(), form.get("timeframe", "")
    try:
        found = await catalogue.range_now(symbol, timeframe)
        refused = no_load(found, await catalogue.sample_market_now(), older=form.get("mode") == "backfill")
    except CLIClientError:
        return ""
    if refused is None:
        return ""
    if refused.file:
        return f"{refused.why} Import it on the page Data instead."
    if found.takes_loads:
        return f"{refused.why} Import {refused.imports} instead."
    why = f"{symbol} {timeframe}: {refused.why} Sample data is never mixed into it:"
    return f"{why} import {refused.imports} instead."


def failed_load(storage: Storage, monitor: Monitor, symbol: str, timeframe: str, now: float) -> FailedLoad | None:
    """How the last load of it failed, within a day; None when it did not."""
    wanted = OperationQuery(
        DataLoadOperationAdapter.kind, tuple(ENDS), symbol=symbol, timeframe=timeframe, archived=None, sort="ended",
        limit=1,
    )  # fmt: skip
    unwritten = (each for each in monitor.recorder.unwritten_ends() if _is_load(each.snapshot, symbol, timeframe))
    last = next(unwritten, None) or next(iter(storage.memory.page(wanted)), None)
    ended_at = ended(last) if last is not None else 0.0
    since = max(ended_at, now - DAY)
    for entry in storage.queue.refused(DataLoadOperationAdapter.kind, since):
        if (entry.form.get("symbol", "").upper(), entry.form.get("timeframe")) == (symbol, timeframe):
            return FailedLoad(plain_refusal(entry.message)[0], entry.asked_at)
    if last is None or ended_at < now - DAY or monitor.verdict(last).state is not State.FAILED:
        return None
    verdict = monitor.verdict(last)
    return FailedLoad(last.snapshot.error or verdict.headline, ended_at, last.snapshot.id, verdict.word)


def troubled_loads(storage: Storage, monitor: Monitor, now: float) -> dict[tuple[str, str], FailedLoad]:
    """By symbol and timeframe: the last load that came to an end, where it did not go well. A later one that does
    settles it; a cancelled one says nothing."""
    kind = DataLoadOperationAdapter.kind
    last = {_pair(each.snapshot): each for each in storage.memory.last_of_each_market(kind, CONCLUSIVE)}
    unwritten = [each for each in reversed(monitor.recorder.unwritten_ends()) if each.snapshot.traits.loads]
    last |= {_pair(each.snapshot): each for each in unwritten if monitor.verdict(each).state in CONCLUSIVE}
    found = {}
    for pair, load in last.items():
        verdict = monitor.verdict(load)
        if verdict.state in (State.FAILED, State.PROBLEMS):
            found[pair] = FailedLoad(verdict.headline, ended(load), load.snapshot.id, verdict.word)
    for entry in reversed(storage.queue.refused(kind, now - DAY)):
        pair = entry.form.get("symbol", "").strip().upper(), entry.form.get("timeframe", "")
        if pair not in last or ended(last[pair]) < entry.asked_at:
            found[pair] = FailedLoad(plain_refusal(entry.message)[0], entry.asked_at)
    return found


def _pair(load: Snapshot) -> tuple[str, str]:
    return load.symbol, load.timeframe


def _is_load(snapshot: Snapshot, symbol: str, timeframe: str) -> bool:
    return snapshot.traits.loads and (snapshot.symbol, snapshot.timeframe) == (symbol, timeframe)
