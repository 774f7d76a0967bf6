"""Strategies, models and ranges of stored data, asked for once and kept for a while.

KTRDR lists none of its own v3 strategies, so their names also come from its strategies folder where that is mounted.
Listing costs the backend a quarter of a second and a range a file: both are kept for FRESH seconds, and asked for once
however many pages want them.
"""

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

from panel.backend.ktrdr import Ktrdr
from panel.backend.strategies import in_folder
from panel.domain.formatting import day
from panel.domain.gaps import DAY, DataFile, Range
from panel.domain.loadable import SampleMarket
from panel.domain.models import Model
from panel.domain.strategies import Check, Strategy
from panel.errors import CLIClientError
from panel.files.strategy_folder import KTRDR_NAME
from panel.observability.rounds import cancel_all

FRESH = 20.0  # seconds
COUNTED = 3000  # bars of a period that are worth counting one by one
REFUSED_NAME = (
    "KTRDR refuses to train it: its name needs letters, digits, hyphens and underscores, and no dot. "
    "Duplicate it under such a name."
)

T = TypeVar("T")


class Catalogue:
    """`folder`: KTRDR's strategies folder, None when this machine cannot read it. `embedded`: it is no KTRDR."""

    def __init__(self, ktrdr: Ktrdr, folder: Path | None, *, embedded: bool = False) -> None:
        self._ktrdr = ktrdr
        self._folder = folder
        self._embedded = embedded
        self._kept: dict[str, tuple[float, Any]] = {}
        self._asking: dict[str, asyncio.Task[Any]] = {}
        self._version = 0  # of the stored data, as far as the panel knows

    async def close(self) -> None:
        """Cancel the requests that are under way."""
        await cancel_all(self._asking.values())

    async def strategies(self) -> list[Strategy]:
        """By name. Raises CLIClientError when the backend does not answer and there is no folder."""
        return await self._keep("strategies", self._list)

    def kept_strategy(self, name: str) -> Strategy | None:
        """A strategy as it was last listed, without a request."""
        return next((each for each in self._kept.get("strategies", (0.0, ()))[1] if each.name == name), None)

    async def models(self) -> list[Model]:
        """Those that the backend lists. Raises CLIClientError when it does not answer."""
        return await self._keep("models", self._ktrdr.models)

    async def check(self, name: str) -> Check:
        """Whether the backend would train it. Raises CLIClientError when it cannot be asked."""
        found = await self._keep(f"check {name}", lambda: self._ktrdr.check(name))
        if found.valid and (problem := self._refused_name(name)):  # KTRDR's own check does not look at the name
            return replace(found, trainable=False, problems=(problem, *found.problems))
        return found

    async def lacks(self, name: str) -> bool:
        """Whether there is certainly no such strategy: KTRDR does not list all of its own, so it is asked for each.
        False where nobody can say."""
        try:
            if any(each.name == name for each in await self.strategies()):
                return False
            return (await self.check(name)).unknown
        except CLIClientError:
            return False

    async def range(self, symbol: str, timeframe: str) -> Range:
        """What is stored. Raises CLIClientError when the backend cannot be asked."""
        return await self._keep(f"range {symbol} {timeframe}", lambda: self._ktrdr.stored_range(symbol, timeframe))

    async def range_now(self, symbol: str, timeframe: str) -> Range:
        """As `range`, asked now: before something is refused because of it."""
        return await self._ktrdr.stored_range(symbol, timeframe)

    async def sample_symbols(self) -> frozenset[str]:
        """What the embedded backend's sample market has. Raises CLIClientError when it cannot be asked."""
        listed = await self._keep("range symbols", self._ktrdr.symbols)
        return frozenset(symbol for symbol, each in listed.items() if each.source != "own")

    async def sample_market(self) -> SampleMarket:
        """What the embedded backend can load. Raises CLIClientError when it cannot be asked."""
        return SampleMarket(await self.sample_symbols(), await self.data_files())

    async def sample_market_now(self) -> SampleMarket:
        """As `sample_market`, with its files looked through now: before something is refused because of one."""
        return SampleMarket(await self.sample_symbols(), await self._ktrdr.data_files())

    async def data_files(self) -> list[DataFile]:
        """Of the embedded backend's data folder. Raises CLIClientError when it cannot be asked."""
        return await self._keep("range files", self._ktrdr.data_files)

    async def bars_in(self, stored: Range, start: float | None, end: float | None) -> int | None:
        """How many stored bars lie in a period, its first and last day in Unix seconds. Of a long one it is only known
        when there are none, as in a hole. None where it is not known."""
        if not stored.bars or stored.start is None or stored.end is None or (start is None and end is None):
            return None
        first = max(start or stored.start, stored.start)
        last = stored.end + 1.0 if end is None else min(end + DAY, stored.end + 1.0)
        if last < first:
            return None
        bounds: dict[str, Any] = {"start_date": day(first), "end_date": day(last + DAY)}
        long = stored.bars * (last - first) / max(stored.end - stored.start, 1.0) > COUNTED
        if long:  # the newest are enough: the first one of the day after it, and the one before
            bounds |= {"limit": 2, "end_date": day(last + (DAY if last > stored.end else 0.0))}
        key = f"range {stored.symbol} {stored.timeframe} {bounds}"
        ask = functools.partial(self._ktrdr.openings, stored.symbol, stored.timeframe, **bounds)
        try:
            count = sum(first <= at < last for at in await self._keep(key, ask))
        except CLIClientError:
            return None
        return None if long and count else count

    def data_changed(self) -> None:
        """A data load ended: ranges that are kept, or under way, are out of date."""
        self._version += 1
        self._asking = {key: task for key, task in self._asking.items() if not key.startswith("range ")}
        for key in [key for key in self._kept if key.startswith("range ")]:
            del self._kept[key]

    def strategies_changed(self) -> None:
        """A strategy's file was written or deleted."""
        self._version += 1
        for kept in (self._kept, self._asking):
            for key in [key for key in kept if key == "strategies" or key.startswith("check ")]:
                del kept[key]

    async def _keep(self, key: str, ask: Callable[[], Awaitable[T]]) -> T:
        at, kept = self._kept.get(key, (0.0, None))
        if time.monotonic() - at < FRESH and at:
            return cast(T, kept)
        asked_in = self._version
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.ensure_future(ask())
            task.add_done_callback(lambda done: self._asked(key, done))
        value: T = await asyncio.shield(task)
        if asked_in == self._version:
            self._kept[key] = (time.monotonic(), value)
        while len(self._kept) > 500:
            del self._kept[next(iter(self._kept))]
        return value

    def _asked(self, key: str, done: asyncio.Task[Any]) -> None:
        if not done.cancelled():
            done.exception()  # retrieved here, because perhaps no page waits for it any more
        if self._asking.get(key) is done:
            del self._asking[key]

    def _refused_name(self, name: str) -> str:
        """Why KTRDR refuses to train a strategy that is named so; "" when it does not."""
        return "" if self._embedded or KTRDR_NAME.fullmatch(name) else REFUSED_NAME

    async def _list(self) -> list[Strategy]:
        found = await asyncio.to_thread(in_folder, self._folder) if self._folder else {}
        try:
            listed = await self._ktrdr.strategies()
        except CLIClientError:
            if not found:
                raise
            listed = []
        found |= {strategy.name: strategy for strategy in listed}
        named = (replace(each, problem=each.problem or self._refused_name(each.name)) for each in found.values())
        return sorted(named, key=lambda strategy: strategy.name)
