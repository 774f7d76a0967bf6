"""Which market data is stored: asked for one range at a time, remembered, and asked again when it may have changed.

A range costs the backend a file, its list of symbols half a second. So the panel remembers the answers
and their times, sends one request at a time with a pause in between, and only while the page is open or
after a load has ended.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import replace

from panel.adapters import DataLoadOperationAdapter
from panel.backend.catalogue import Catalogue
from panel.backend.ktrdr import Ktrdr
from panel.backend.openings import gaps, stored_openings
from panel.domain.events import EventBus, LoadedBarsChecked, OperationChanged, StoredDataChanged, VerdictRecorded
from panel.domain.gaps import LENGTHS, SYMBOL, DataFile, Gap, Market, Range, Row, left_by, until_of
from panel.domain.history import OperationQuery
from panel.domain.load_outcomes import may_have_brought, not_looked_through
from panel.domain.observation import Observation
from panel.domain.snapshot import Snapshot
from panel.domain.state import GOOD, State
from panel.domain.system_health import CONCLUSIVE
from panel.errors import APIError, CLIClientError
from panel.monitoring.endings import ending_after
from panel.storage.store import Storage

FILES_OLD = 2.0  # seconds after which the embedded backend's folder is looked through again
MOUNTED_OLD = 60.0  # … a KTRDR's, and its symbols are asked for
OLD = 600.0  # seconds after which a row is read again, while the page is open
PAUSE = 0.5  # seconds between two questions
AFTER_SILENCE = 10.0  # seconds until a backend that did not answer is asked again
MAX_ROWS = 400

Files = Callable[[], Awaitable[list[DataFile]]]

log = logging.getLogger(__name__)


class DataInventory:
    """Start with `run` in a task."""

    def __init__(
        self, ktrdr: Ktrdr, catalogue: Catalogue, store: Storage, events: EventBus, mounted: Files | None = None,
        *, embedded: bool = False,
    ) -> None:  # fmt: skip
        """`mounted` looks through a KTRDR's data folder, where one can be reached; the embedded backend does so
        itself."""
        self._ktrdr = ktrdr
        self._embedded = embedded
        self._files = ktrdr.data_files if embedded else mounted
        self._old = FILES_OLD if embedded else MOUNTED_OLD if mounted else OLD
        self._catalogue = catalogue
        self._events = events
        self._store = store
        self._rows = {(kept.symbol, kept.timeframe): Row(kept, holes, at) for kept, holes, at in store.rows()}
        self._wanted: dict[tuple[str, str], list[str]] = {}
        self.symbols: list[str] = []  # that the backend knows, stored or not
        self.files: list[DataFile] = []  # of the data folder, where it can be reached
        self._markets: dict[str, Market] = {}
        self._listed_at = 0.0
        self._due: asyncio.Event = asyncio.Event()
        self._first: list[tuple[str, str]] = []
        self._ended: dict[str, float] = {}  # loads -> when their end was seen, and the data read again
        self._failed: set[str] = set()  # of these: the backend may take the end of some back
        self._unchecked: dict[tuple[str, str], list[tuple[Snapshot, float | None]]] = {}  # loads, and the end before
        self._latest_loads: list[Observation] | None = None  # until an end is written
        events.subscribe(OperationChanged, self._operation_changed)
        events.subscribe(VerdictRecorded, self._written)

    @property
    def listed(self) -> bool:
        """Whether it was asked what there is, in this panel's life."""
        return bool(self._listed_at)

    def rows(self, loading: Iterable[tuple[str, str]] = ()) -> list[Row]:
        """By symbol and length of timeframe: what is stored, what strategies name, and what is being loaded."""
        also = {pair for pair in loading if _is_pair(*pair)}
        pairs = dict.fromkeys([*self._rows, *self._wanted, *also])
        found = [
            replace(self._rows.get(pair, Row(Range(*pair))), wanted_by=tuple(self._wanted.get(pair, ())))
            for pair in pairs
        ]
        shown = [row for row in found if row.range.bars or row.problem or row.wanted_by or row.pair in also]
        order = list(LENGTHS)
        return sorted(shown, key=lambda row: (row.range.symbol, order.index(row.range.timeframe)))[:MAX_ROWS]

    def row(self, symbol: str, timeframe: str) -> Row:
        return self._rows.get((symbol, timeframe), Row(Range(symbol, timeframe)))

    def row_after(self, load: Snapshot) -> Row | None:
        """What is stored of the load's symbol and timeframe, once that was looked up after its end."""
        row = self._rows.get((load.symbol, load.timeframe))
        return row if row and (row.asked_at or 0) >= self._ended.get(load.id, 0) else None

    def seen_ended(self, load_id: str) -> bool:
        """Whether the load ended while this panel watched: its row is drawn when it was looked up again."""
        return load_id in self._ended

    def latest_loads(self) -> list[Observation]:
        """The data loads that ended last and say something about the data source, the latest end first."""
        if self._latest_loads is None:
            wanted = OperationQuery(
                DataLoadOperationAdapter.kind, states=CONCLUSIVE, archived=None, sort="ended", limit=10
            )
            try:
                self._latest_loads = self._store.memory.page(wanted)
            except sqlite3.Error:  # every page asks, also the one that says that the memory cannot be read
                return []
        return self._latest_loads

    def _written(self, event: VerdictRecorded) -> None:
        """The ends are read from the memory: again once one is there, is another one, or was taken back."""
        load = event.observation.snapshot
        ends = not event.verdict.live or load.id in [each.snapshot.id for each in self._latest_loads or ()]
        if load.traits.loads and ends:
            self._latest_loads = None

    def _operation_changed(self, event: OperationChanged) -> None:
        load = event.observation.snapshot
        if (event.verdict.live and not load.finished) or not load.traits.loads:
            return
        if load.id in self._ended and not (load.succeeded and load.id in self._failed):
            return
        if not load.full and load.succeeded:
            return  # an entry of the list, which has neither its timeframe nor its period: it is read soon
        self._ended[load.id] = time.time()
        self._failed = self._failed - {load.id} if load.succeeded else self._failed | {load.id}
        self._catalogue.data_changed()
        if load.symbol and _is_pair(load.symbol, load.timeframe):
            pair = (load.symbol, load.timeframe)
            watched = event.observation.moved_at is not None  # what was stored before it is known only then
            if load.succeeded and (watched or not _of_new_bars(load)):
                stored_until = self.row(*pair).range.end if watched else None
                self._unchecked.setdefault(pair, []).append((load, stored_until))
            self.look(*pair)

    def look(self, symbol: str = "", timeframe: str = "", *, again: bool = False) -> None:
        """The page is open; everything shall be read `again`; or this pair was just loaded."""
        if symbol:
            if not _is_pair(symbol, timeframe):
                return
            self._first.insert(0, (symbol, timeframe))
        elif again:
            self._catalogue.data_changed()
            self._first, self._listed_at = list(self._rows), 0.0
        self._due.set()

    def imported(self, symbol: str, timeframe: str) -> None:
        """A file of this symbol and timeframe was stored."""
        self._catalogue.data_changed()
        self._listed_at = 0.0
        self.look(symbol, timeframe)

    async def known(self) -> list[str]:
        """Symbols that can be suggested; asks the backend only if they are not known yet."""
        if not self._listed_at:
            with suppress(CLIClientError):
                await self._list()
        return sorted({*self.symbols, *(symbol for symbol, _ in self._rows)})

    async def run(self) -> None:
        unlooked = [each.snapshot for each in self.latest_loads() if not_looked_through(each)]
        for load in reversed(unlooked):
            self.look(load.symbol, load.timeframe)
        while True:
            await self._due.wait()
            self._due.clear()
            pair = None
            try:
                await self._list()
                while (pair := self._next()) is not None:
                    await self._ask_one(*pair)
                    await asyncio.sleep(PAUSE)
            except CLIClientError as exc:
                log.info("data inventory waits: %s", exc.message)
                self._first += [pair] if pair else []
                await asyncio.sleep(AFTER_SILENCE)
                self._due.set()

    async def _list(self) -> None:
        """The pairs there may be: what the backend stores, and what strategies name."""
        if time.monotonic() - self._listed_at < self._old and self._listed_at:
            return
        symbols = await self._ktrdr.symbols()
        stored = {(symbol, timeframe) for symbol, listed in symbols.items() for timeframe in listed.timeframes}
        if self._files is not None:
            self._files_found(await self._files())
        wanted: dict[tuple[str, str], list[str]] = {}
        with suppress(CLIClientError):
            for strategy in await self._catalogue.strategies():
                for symbol in strategy.symbols:
                    for timeframe in strategy.timeframes:
                        if _is_pair(symbol, timeframe):
                            wanted.setdefault((symbol, timeframe), []).append(strategy.name)
        self.symbols, self._wanted, self._listed_at = list(symbols), wanted, time.monotonic()
        self._markets = {symbol: listed.market for symbol, listed in symbols.items()}
        for pair in stored | wanted.keys():
            self._rows.setdefault(pair, Row(Range(*pair)))
        self._events.publish(StoredDataChanged())

    def _files_found(self, files: list[DataFile]) -> None:
        """A row whose file is another one now is asked for again."""
        before = {file.file: file for file in self.files}
        for file in files:
            if self.files and before.get(file.file) != file and _is_pair(file.symbol, file.timeframe):
                self._first.append((file.symbol, file.timeframe))
        gone = {(file.symbol, file.timeframe) for file in before.values()}
        gone -= {(file.symbol, file.timeframe) for file in files}
        self._first += [pair for pair in gone if pair in self._rows]
        if self.files != files:
            self._catalogue.data_changed()
        self.files = files

    def _next(self) -> tuple[str, str] | None:
        """What is asked for now: what was just loaded, then what is oldest."""
        if self._first:
            return self._first.pop(0)
        oldest = min(self._rows.values(), key=lambda row: row.asked_at or 0.0, default=None)
        if oldest is None or (oldest.asked_at is not None and abs(time.time() - oldest.asked_at) < OLD):
            return None
        return oldest.pair

    async def _ask_one(self, symbol: str, timeframe: str) -> None:
        """One that the backend cannot answer for costs no other."""
        try:
            await self._ask(symbol, timeframe)
        except APIError as exc:
            if exc.status_code in (502, 503, 504, None):
                raise  # it is not the pair's fault
            log.info("nothing is known of %s %s: %s", symbol, timeframe, exc.message)
            await self._keep(Row(Range(symbol, timeframe), None, time.time(), exc.message))

    async def _ask(self, symbol: str, timeframe: str) -> None:
        # What ends from now on may have stored bars that this look does not see: it is left to the next one.
        loads, asked_at = self._unchecked.pop((symbol, timeframe), []), time.time()
        try:
            row = await self._look_up(symbol, timeframe, asked_at)
        except BaseException:
            self._unchecked[symbol, timeframe] = loads + self._unchecked.get((symbol, timeframe), [])
            raise
        for load, stored_until in loads or self._unlooked(row):
            # One that brought nothing has found nothing missing, as of a symbol that is not traded any more.
            ended = (load.completed_at or load.read_at) if may_have_brought(load) else None
            rows = {pair: each.range for pair, each in self._rows.items()}
            ending = await ending_after(row.range, until_of(load.parameters, ended), rows, self._markets, self._store)
            left = left_by(load.parameters, stored_until, row.gaps or (), row.range.reached, ended, ending)
            about = (row.range.end, ending) if ending else ()
            self._events.publish(LoadedBarsChecked(load.id, left, row.range.start, *about))

    async def _look_up(self, symbol: str, timeframe: str, asked_at: float) -> Row:
        before = self.row(symbol, timeframe)
        found = await self._catalogue.range(symbol, timeframe)
        same = found == before.range and before.gaps is not None
        row = Row(found, before.gaps if same else None, asked_at)
        await self._keep(row)
        if not same and found.bars:
            row = replace(row, gaps=tuple(await self._gaps(found)))
            await self._keep(row)
        return row

    def _unlooked(self, row: Row) -> list[tuple[Snapshot, float | None]]:
        """The latest load of this pair, when its panel stopped before it had looked through the bars. One of new bars
        is left out where there are gaps: what was stored before it is not known any more."""
        symbol, timeframe = row.pair
        wanted = OperationQuery(
            DataLoadOperationAdapter.kind, (*GOOD, State.PROBLEMS), symbol=symbol, timeframe=timeframe, archived=None,
            sort="ended", limit=1,
        )  # fmt: skip
        found = [each for each in self._store.memory.page(wanted) if not_looked_through(each)]
        bounded = [each for each in found if not _of_new_bars(each.snapshot)]
        return [(each.snapshot, None) for each in (bounded if row.gaps else found)]

    async def _gaps(self, stored: Range) -> list[Gap]:
        symbol, timeframe = stored.symbol, stored.timeframe
        if self._embedded:
            return await self._ktrdr.gaps(symbol, timeframe)
        openings = await stored_openings(self._ktrdr, stored)
        return await asyncio.to_thread(gaps, openings, timeframe, symbol, self._markets.get(symbol))

    async def _keep(self, row: Row) -> None:
        self._rows[row.pair] = row
        with suppress(sqlite3.Error):  # it can be asked for again
            await self._store.write(lambda store: store.keep_row(row.range, row.gaps, row.asked_at))
        self._events.publish(StoredDataChanged())


def _of_new_bars(load: Snapshot) -> bool:
    """Whether it began where the stored bars ended, which only who watched it knows."""
    return load.parameters.get("mode", "tail") == "tail" and not load.parameters.get("start_date")


def _is_pair(symbol: str, timeframe: str) -> bool:
    """They become part of an address at the backend: whoever names them, they have to be plain."""
    return SYMBOL.fullmatch(symbol) is not None and timeframe in LENGTHS
