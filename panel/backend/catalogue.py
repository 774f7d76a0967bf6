"""What can be trained, and on which data: strategies and the ranges of stored market data, asked gently.

KTRDR lists none of its own v3 strategies, so their names also come from its strategies folder where that
is mounted. Listing costs the backend a quarter of a second and ranges a file each: both are kept for a
while, and asked for once however many pages want them.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import quote

from panel.backend.polling import Client
from panel.domain.gaps import Range
from panel.domain.models import TrainedModel
from panel.domain.snapshot import items, moment, number, text
from panel.errors import APIError, CLIClientError
from panel.files.strategy_yaml import Refused, parse, read_text

FRESH = 20.0  # seconds
MAX_FILES = 1000  # of a strategies folder

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Strategy:
    """What is known of a strategy. `name` is what starts it: the stem of its file."""

    name: str
    title: str = ""
    description: str = ""
    symbols: tuple[str, ...] = ()
    timeframes: tuple[str, ...] = ()
    indicators: tuple[str, ...] = ()
    history_required: int | None = None  # bars
    problem: str = ""
    needs_ktrdr: bool = False  # valid, and more than the embedded backend can do


@dataclass(frozen=True, slots=True)
class Check:
    """The backend's own opinion of a strategy. `trainable` is False too for a valid one that this backend cannot train;
    `problems` then say why. `features` is None when it gave none."""

    valid: bool
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    features: int | None = None
    trainable: bool = True


class Catalogue:
    """Asks the backend through `client`; `folder` is KTRDR's strategies folder, if it is at hand."""

    def __init__(self, client: Client, folder: Path | None) -> None:
        self._client = client
        self._folder = folder
        self._kept: dict[str, tuple[float, Any]] = {}
        self._asking: dict[str, asyncio.Task[Any]] = {}
        self._version = 0  # of the stored data, as far as the panel can tell

    async def close(self) -> None:
        """Nobody wants the answers any more that are still being asked for."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    async def strategies(self) -> list[Strategy]:
        """By name. Raises CLIClientError when the backend does not answer and no folder is at hand."""
        return await self._keep("strategies", self._list)

    async def models(self) -> list[TrainedModel]:
        """Those that the backend lists with their places. Raises CLIClientError when it does not answer."""
        return await self._keep("models", self._models)

    async def check(self, name: str) -> Check:
        """Whether the backend would train it. Raises CLIClientError when it cannot be asked."""
        return await self._keep(f"check {name}", lambda: self._check(name))

    async def range(self, symbol: str, timeframe: str) -> Range:
        """What is stored. Raises CLIClientError when the backend cannot be asked."""
        return await self._keep(f"range {symbol} {timeframe}", lambda: self._range(symbol, timeframe))

    def data_changed(self) -> None:
        """A data load ended: what was known of ranges is old, and what is being asked for will be."""
        self._version += 1
        self._asking = {key: task for key, task in self._asking.items() if not key.startswith("range ")}
        for key in [key for key in self._kept if key.startswith("range ")]:
            del self._kept[key]

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
            done.exception()  # whoever still waits is told; maybe nobody does any more
        if self._asking.get(key) is done:
            del self._asking[key]

    async def _list(self) -> list[Strategy]:
        found = await asyncio.to_thread(in_folder, self._folder) if self._folder else {}
        try:
            answer = await self._client.get("/strategies/", timeout=15.0)
        except CLIClientError:
            if not found:
                raise
            answer = {}
        listed = answer.get("strategies") if isinstance(answer, dict) else None
        for item in listed if isinstance(listed, list) else []:
            strategy = _listed(item)
            if strategy is not None:
                found[strategy.name] = strategy
        return sorted(found.values(), key=lambda strategy: strategy.name)

    async def _models(self) -> list[TrainedModel]:
        answer = await self._client.get("/models", timeout=15.0)
        listed = items(answer.get("models")) if isinstance(answer, dict) else []
        found = [TrainedModel.from_listing(item) for item in listed[:500]]
        return [model for model in found if model is not None]

    async def _check(self, name: str) -> Check:
        if not _plain(name):
            return Check(False, ("A strategy is called by its file's name, without a folder.",))
        try:
            answer = await self._client.post(f"/strategies/validate/{quote(name, safe='')}", timeout=15.0)
        except APIError as exc:
            if exc.status_code in (200, 400, 404, 422):
                return Check(False, (_shortened(exc.message),))
            raise
        said = answer if isinstance(answer, dict) else {}
        issues = [issue for issue in items(said.get("issues")) if isinstance(issue, dict)]
        errors = tuple(text(issue.get("message")) for issue in issues if issue.get("severity") == "error")
        others = tuple(text(issue.get("message")) for issue in issues if issue.get("severity") == "warning")
        valid = said.get("valid") is True
        if not valid:
            return Check(False, errors or (text(said.get("message")) or "The backend finds it invalid.",), others)
        features = await self._features(name)
        if said.get("trainable") is False:
            why = [text(i.get("message")) for i in issues if i.get("category") in ("needs_ktrdr", "cannot_train")]
            return Check(True, tuple(why), tuple(each for each in others if each not in why), features, trainable=False)
        return Check(True, (), others, features)

    async def _features(self, name: str) -> int | None:
        try:
            answer = await self._client.get(f"/strategies/{quote(name, safe='')}/features", timeout=15.0)
        except CLIClientError:
            return None
        count = number(answer.get("count")) if isinstance(answer, dict) else None
        return None if count is None else int(count)

    async def _range(self, symbol: str, timeframe: str) -> Range:
        try:
            body = {"symbol": symbol, "timeframe": timeframe}
            answer = await self._client.post("/data/range", json=body, timeout=15.0)
        except APIError as exc:
            if exc.status_code in (400, 404, 422):
                return Range(symbol, timeframe)
            raise
        data = answer.get("data") if isinstance(answer, dict) else None
        data = data if isinstance(data, dict) else {}
        start, end = moment(data.get("start_date")), moment(data.get("end_date"))
        bars = int(number(data.get("point_count")) or 0)
        if start is None or end is None or start > end or bars < 1:
            return Range(symbol, timeframe)  # bars that lie nowhere are none
        return Range(symbol, timeframe, start, end, bars, text(data.get("source")))


def strategy_of(content: Any, stem: str) -> Strategy:
    """A parsed strategy file, v3 in all the spellings that occur; what is wrong with it is in `problem`."""
    if not isinstance(content, dict):
        return Strategy(stem, problem="This file is not a strategy.")
    title, description = text(content.get("name")), " ".join(text(content.get("description")).split())
    if not isinstance(content.get("indicators"), dict):
        problem = (
            "This is a v2 strategy; KTRDR trains v3 files. Its command “ktrdr migrate” makes one of it."
            if content.get("indicators")
            else "It has no indicators."
        )
        return Strategy(stem, title, description, problem=problem)
    given = content.get("training_data")
    data: dict[str, Any] = given if isinstance(given, dict) else {}
    history = number(data.get("history_required"))
    return Strategy(
        stem,
        title,
        description,
        _listing(data.get("symbols"), "symbols", "symbol"),
        _listing(data.get("timeframes"), "timeframes", "timeframe"),
        tuple(text(name) for name in list(content["indicators"])[:50]),
        None if history is None else int(history),
    )


def in_folder(folder: Path) -> dict[str, Strategy]:
    """File stem -> what is known of it, broken files included."""
    found = {}
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    named = [file for file in files if file.suffix.lower() in (".yaml", ".yml") and _plain(file.stem)]
    for file in named[:MAX_FILES]:
        try:
            found[file.stem] = strategy_of(parse(read_text(file)), file.stem)
        except Refused as exc:
            found[file.stem] = Strategy(file.stem, problem=f"This file cannot be read: {exc}.")
    return found


def _listed(item: Any) -> Strategy | None:
    if not isinstance(item, dict):
        return None
    name = text(item.get("file")) or text(item.get("name"))
    if not name:
        return None
    indicators = item.get("indicators")
    names = [text(i.get("name")) if isinstance(i, dict) else text(i) for i in items(indicators)]
    history = number(item.get("history_required"))
    return Strategy(
        name,
        text(item.get("name")),
        " ".join(text(item.get("description")).split()),
        _listing(item.get("symbols") or item.get("symbol"), "symbols", "symbol"),
        _listing(item.get("timeframes") or item.get("timeframe"), "timeframes", "timeframe"),
        tuple(name for name in names if name),
        None if history is None else int(history),
        text(item.get("problem")),
        item.get("needs_ktrdr") is True,
    )


def _listing(value: Any, many: str, one: str) -> tuple[str, ...]:
    """`{symbols: […]}`, `{list: […]}`, `{symbol: X}`, `[…]` and `X` all say the same."""
    if isinstance(value, dict):
        value = value.get(many) or value.get("list") or value.get(one)
    if isinstance(value, str):
        value = [value]
    return tuple(text(item) for item in value[:100]) if isinstance(value, list) else ()


def _plain(name: str) -> bool:
    """A file's name that cannot lead elsewhere."""
    return 0 < len(name) <= 200 and name.isprintable() and "/" not in name and "\\" not in name and name[0] != "."


def _shortened(message: str) -> str:
    """An unknown strategy's message names every file searched; its beginning says it."""
    return message.partition(" (searched:")[0]
