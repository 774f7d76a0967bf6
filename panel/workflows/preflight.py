"""What is known before a training starts: would it run, and if not, what mends it. It only reads."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from panel.adapters import KINDS, TrainingOperationAdapter
from panel.backend.catalogue import Catalogue
from panel.domain.formatting import day
from panel.domain.gaps import DAY, LENGTHS, Range, Row
from panel.domain.kinds import traits_of
from panel.domain.loadable import SampleMarket, no_load
from panel.domain.snapshot import Snapshot
from panel.domain.strategies import Check, Strategy
from panel.domain.values import moment
from panel.domain.workers import WorkerList
from panel.errors import CLIClientError, InvalidForm
from panel.monitoring.inventory import DataInventory
from panel.monitoring.poller import Monitor
from panel.storage.store import Storage
from panel.workflows.capacity import free_places
from panel.workflows.load_remedies import failed_load
from panel.workflows.no_room import Work, busy_with, descriptions_of, none_takes
from panel.workflows.preflight_lines import AMBER, OK, RED, Line, empty_line, fault_line

MAX_CHECKED = 12  # pairs of symbol and timeframe whose data is looked up for one form
SLACK = 5 * DAY  # a weekend and a holiday at either end are no lack of data

Period = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class Preflight:
    """What was checked for a form. `chosen`: "" while there is nothing to check yet, which `ask` says; `silent`: why
    the backend could not be asked; `unreachable`: no start can be sent now."""

    kind: str
    ask: str
    chosen: str
    silent: str = ""
    lines: tuple[Line, ...] = ()
    unreachable: bool = False

    @property
    def missing(self) -> list[dict[str, str]]:
        """Loads without which it would fail."""
        return [line.load for line in self.lines if line.load and line.level == RED]

    @property
    def planned(self) -> bool:
        """Whether a plan is what to begin: loads alone would make it run, and none of them is under way."""
        mended = all(line.load or line.waits for line in self.lines if line.level == RED)
        loading = any(line.loading for line in self.lines)
        return traits_of(self.kind).learns and bool(self.missing) and mended and not loading and not self.unreachable

    @property
    def waits(self) -> bool:
        """Whether a start would wait in the queue."""
        return self.unreachable or any(line.waits for line in self.lines)


@dataclass(frozen=True, slots=True)
class Sources:
    """What the checks read."""

    storage: Storage
    catalogue: Catalogue
    monitor: Monitor
    inventory: DataInventory
    embedded: bool

    def range_line(self, found: Range, dates: Period, what: str, needed: int = 0, inside: int | None = None) -> Line:
        running = (observation.snapshot for observation in self.monitor.running())
        row = self.inventory.row(found.symbol, found.timeframe)
        return range_line(found, row, running, dates, what, needed, inside)

    async def with_remedies(self, lines: Iterable[Line], what: str) -> list[Line]:
        """Lines without loads that cannot work, and with how the last load failed."""
        market, now = None, time.time()
        with suppress(CLIClientError):
            market = await self.catalogue.sample_market() if self.embedded else None
        return [self._with_remedy(line, what, market, now) for line in lines]

    def _with_remedy(self, line: Line, what: str, market: SampleMarket | None, now: float) -> Line:
        if line.load is None or line.range is None:
            return line
        found = line.range
        refused = no_load(found, market, older=line.load["mode"] == "backfill")
        if refused is None:
            return replace(line, failed=failed_load(self.storage, self.monitor, found.symbol, found.timeframe, now))
        text = f"no usable data, so the {what} would fail." if refused.file else line.text
        return replace(line, load=None, text=f"{text} {refused.why}", imports=refused.imports, file=refused.file)

    async def fault_lines(self, ranges: Iterable[Range], given: Mapping[str, str], what: str) -> list[Line]:
        """Bars that cannot be true, and lines that hold none, of which only the embedded backend knows."""
        pairs = {(found.symbol, found.timeframe) for found in ranges if found.bars}
        if not self.embedded or not pairs:
            return []
        try:
            files = await self.catalogue.data_files()
        except CLIClientError:
            return []
        left_out = given.get("leave_out_bad_bars", "").lower() not in ("", "0", "off", "false", "no")
        used = [file for file in files if not file.reason and (file.symbol, file.timeframe) in pairs]
        faults = [fault_line(file, left_out, what) for file in used if file.bad]
        return faults + [empty_line(file) for file in used if file.left_out]


async def check_training(sources: Sources, given: dict[str, str]) -> Preflight:
    """For a form as it is filled in now."""
    name, catalogue = given.get("strategy_name", "").strip(), sources.catalogue
    kind, ask = TrainingOperationAdapter.kind, "Choose a strategy to see what it needs."
    if not name:
        return Preflight(kind, ask, name)
    try:
        listed = {strategy.name: strategy for strategy in await catalogue.strategies()}
        strategy = listed.get(name, Strategy(name))
        symbols = _listed(given.get("symbols", "").upper()) or strategy.symbols
        timeframes = [t for t in _listed(given.get("timeframes", "")) or strategy.timeframes if t in LENGTHS]
        pairs = [(symbol, timeframe) for symbol in symbols for timeframe in timeframes][:MAX_CHECKED]
        check, ranges = await asyncio.gather(
            catalogue.check(name), asyncio.gather(*(catalogue.range(*pair) for pair in pairs))
        )
    except CLIClientError as exc:
        return Preflight(kind, ask, name, exc.message)
    dates, needed = dates_of(given), strategy.history_required or 0
    lines = [_strategy_line(strategy, check), *form_lines(kind, given)]
    counts = await asyncio.gather(*(catalogue.bars_in(found, *dates) for found in ranges))
    stored = [sources.range_line(found, dates, "training", needed, n) for found, n in zip(ranges, counts, strict=True)]
    lines += await sources.with_remedies(stored, "training")
    lines += await sources.fault_lines(ranges, given, "training")
    lines += room_lines(sources, kind)
    return Preflight(kind, ask, name, lines=tuple(lines))


def _strategy_line(strategy: Strategy, check: Check) -> Line:
    if not check.valid:
        return Line(RED, strategy.name, "cannot be trained.", details=check.problems[:6])
    if not check.trainable:
        return Line(RED, strategy.name, "is valid, and cannot be trained here.", details=check.problems[:6])
    finding = f"is valid, {check.features} input features" if check.features else "is valid"
    if strategy.history_required:
        finding += f"; it needs {strategy.history_required:,} bars of history"
    return Line(OK, strategy.name, f"{finding}.", details=check.warnings[:6])


def form_lines(kind: str, given: dict[str, str]) -> list[Line]:
    """What is wrong with the dates and lists, before they are sent."""
    try:
        KINDS[kind].from_form(given)
    except InvalidForm as exc:
        labels = {field.name: field.label for field in KINDS[kind].fields}
        said = [(labels.get(name, "Form"), text) for name, text in exc.errors.items()]
        return [Line(RED, label, text.removeprefix(f"{label} ")) for label, text in said]
    return []


def range_line(
    found: Range, row: Row, running: Iterable[Snapshot], dates: Period, what: str, needed: int, inside: int | None
) -> Line:
    """Whether `what` (training, backtest) finds its bars. `needed`: how many precede the first sample; `inside`: how
    many lie in the period, where that was counted."""
    start, end = dates
    subject = f"{found.symbol} {found.timeframe}"
    for snapshot in running:
        if snapshot.traits.loads and (snapshot.symbol, snapshot.timeframe) == (found.symbol, found.timeframe):
            return Line(AMBER, subject, "is being loaded.", found, snapshot)
    tail = {"symbol": found.symbol, "timeframe": found.timeframe, "mode": "tail"}
    if not found.bars or found.start is None or found.end is None:
        # Nothing is stored that dates could replace: the load goes back as far as the training does.
        first = {"start_date": day(start)} if start is not None else {}
        return Line(RED, subject, f"no data stored, so the {what} would fail.", found, load=tail | first)
    stored = f"{found.bars:,} bars, {day(found.start)} to {day(found.end)}."
    # Only the mode: dates would make a KTRDR throw the rest away, and the queue adds one where it has to (`replacing`).
    history = tail | {"mode": "backfill"}
    if (start or 0) > found.end or (end is not None and end + DAY < found.start):
        load = tail if (start or 0) > found.end else history
        return Line(RED, subject, f"{stored} None lies in this period, so the {what} would fail.", found, load=load)
    if inside == 0:
        none = f"{stored} None of them lies in this period, so the {what} would fail."
        if start is not None and end is not None and found.start <= start and end <= found.end:
            if end - start < SLACK:
                return Line(RED, subject, f"{none} Choose a longer period.", found)  # the market may just have rested
            return Line(RED, subject, none, found, load=Row(found).fill)
        return Line(RED, subject, none, found, load=history if (start or 0.0) < found.start else tail)
    if inside is not None and inside <= needed:
        few = f"{stored} Only {inside:,} of them lie in this period; the strategy needs more than {needed:,}."
        if start is None or start < found.start:
            return Line(RED, subject, few, found, load=history)
        if end is None or end > found.end:
            return Line(RED, subject, few, found, load=tail)
        return Line(RED, subject, f"{few} Choose a longer period.", found)  # all of it is stored
    if found.bars <= needed:
        return Line(RED, subject, f"{stored} The strategy needs more than {needed:,}.", found, load=history)
    if start is not None and found.start > start + SLACK:
        return Line(AMBER, subject, f"{stored} The period begins earlier.", found, load=history)
    if end is not None and found.end < end - SLACK:
        return Line(AMBER, subject, f"{stored} The period ends later.", found, load=tail)
    if row.range == found and row.gaps:
        word = "gap" if len(row.gaps) == 1 else "gaps"
        return Line(AMBER, subject, f"{stored} It has {len(row.gaps)} {word}.", found)
    return Line(OK, subject, stored, found)


def room_lines(sources: Sources, kind: str) -> list[Line]:
    """Whether a worker is free for it, and what is before it in the queue."""
    free, now = free_places(sources.storage, sources.monitor)[kind], time.time()
    listed = sources.monitor.worker_list
    described = descriptions_of(sources.monitor, sources.storage.labels, busy_with(listed, kind), now)
    return worker_lines(listed, kind, free, now, described) + queue_lines(sources.storage, kind)


def worker_lines(
    listed: WorkerList, kind: str, free: int, now: float, described: Mapping[str, Work] | None = None
) -> list[Line]:
    """Whether a worker would take it, by the list of some seconds ago; nothing while that is not known. `free`: how
    many are, without those to which a start was just sent; `described`: operations in words, by their ids."""
    if not listed.fresh(now):
        return []
    able = listed.answering_for(kind)
    if free:
        return [Line(OK, "A worker", "is free.")]
    if any(worker.status == "available" for worker in able):
        return [
            Line(AMBER, "No worker", "is free: another start was just sent. This one waits in the queue.", waits=True)
        ]
    works = {each: (described or {}).get(each.operation_id, Work(each.operation_id)) for each in able}
    busy = sorted((worker for worker in able if worker.operation_id), key=lambda each: not works[each].stuck)
    if busy:
        worker, work = busy[0], works[busy[0]]
        at_work = f"free: {worker.id} {'lists' if work.stuck else 'works on'}"
        at_work = f"listed as free yet: {worker.id} was busy with" if work.ended else at_work
        text = f"is {at_work} {work.words}. The start waits in the queue."
        return [Line(AMBER, "No worker", text, waits=True, operation_id=worker.operation_id)]
    if any(worker.status == "busy" for worker in able):
        return [Line(AMBER, "No worker", "is free. The start waits in the queue.", waits=True)]
    text = f"{none_takes(listed, kind, now)} The start waits in the queue for one."
    return [Line(RED, f"No {kind} worker", text, waits=True)]


def queue_lines(storage: Storage, kind: str) -> list[Line]:
    """What waits in the queue for the same: a start now would take its turn."""
    before = sum(entry.waiting and not entry.held for entry in storage.queue.open(kind))
    if not before:
        return []
    one = KINDS[kind].title.lower()
    text = f"has {before} {one if before == 1 else f'{one}s'} before this one. The start waits for its turn."
    return [Line(AMBER, "The queue", text, waits=True)]


def dates_of(given: dict[str, str]) -> Period:
    return moment(given.get("start_date", "").strip()), moment(given.get("end_date", "").strip())


def _listed(given: str) -> tuple[str, ...]:
    return tuple(item for item in given.replace(",", " ").replace(";", " ").split() if len(item) <= 20)[:20]
