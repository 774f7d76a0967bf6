"""Models that can be backtested, and which part of the past each has seen. Pure.

The backend's list of models names neither their strategies nor, in KTRDR's case, where they are; a finished
training's result does. So most of what is known of a model comes from the training that the panel remembers.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from panel.domain.gaps import DAY
from panel.domain.observation import Observation
from panel.domain.snapshot import Snapshot
from panel.domain.values import items, mapping, moment, number, text, utc

NAMED = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}/[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")  # keys that have a page
RECENT_DAYS = 182  # days of a backtest when the model has seen everything up to now
SHORTEST = 7  # days of unseen data that are enough for a backtest
NEAR = 90.0  # seconds between a model's time and the end of the training that made it, at most


@dataclass(frozen=True, slots=True)
class Model:
    """`path` is what a backtest asks for, "" when it is unknown; `saved_at`: the path in its training's result, where
    that is another one. Times are Unix seconds; accuracies are 0–1."""

    path: str
    strategy: str
    symbol: str = ""
    timeframe: str = ""  # on whose bars it decides, "" when unknown
    timeframes: tuple[str, ...] = ()  # all that it looks at
    learned_from: float | None = None
    unseen_from: float | None = None  # it has seen the days between the two, and none after
    accuracy: float | None = None
    baseline: float | None = None
    trained_at: float | None = None
    dated: bool = True  # False: no dates were chosen, and `learned_from` is a default of the backend
    saved_at: str = ""

    @property
    def key(self) -> str:
        return model_key(self.path)

    @property
    def address(self) -> str:
        """Of its page; "" for one that has none."""
        return f"/models/{self.key}" if NAMED.fullmatch(self.key) else ""

    @classmethod
    def from_training(cls, snapshot: Snapshot, strategy: str = "") -> "Model | None":
        """The model that a training saved; None when it saved none. `strategy` is the file that was asked for: the
        backend knows it by the name in that file, and starts it by the file's."""
        result = snapshot.result or {}
        path = text(result.get("model_path"))
        if not path:
            return None
        model = cls.from_result(path, strategy or snapshot.strategy, result, snapshot.completed_at)
        return replace(model, dated=dated(snapshot))

    @classmethod
    def from_result(cls, path: str, strategy: str, about: Mapping[str, Any], trained_at: float | None) -> "Model":
        """`about` holds a training's `data_summary` and `test_metrics`, as far as they are known."""
        used, measured = mapping(about.get("data_summary")), mapping(about.get("test_metrics"))
        symbols, timeframes = (_texts(used.get(name)) for name in ("symbols", "timeframes"))
        end = moment(used.get("end_date"))
        return cls(
            path,
            strategy,
            symbols[0] if symbols else "",
            text(used.get("base_timeframe")) or (timeframes[0] if len(timeframes) == 1 else ""),
            timeframes,
            moment(used.get("start_date")),
            # Where that is unknown, its test part is counted as seen.
            moment(used.get("test_start_date")) or (None if end is None else end + DAY),
            number(measured.get("test_accuracy")),
            number(measured.get("baseline_accuracy")),
            trained_at,
        )

    def overlap(self, start: float, end: float, symbol: str) -> int:
        """How many days of the period from `start` to `end` it has seen of this symbol."""
        if self.learned_from is None or self.unseen_from is None or symbol.upper() != self.symbol:
            return 0
        return max(round((min(end, self.unseen_from) - max(start, self.learned_from)) / DAY), 0)

    def fill(self, today: date) -> dict[str, str]:
        """What a form for a backtest of it begins with: above all the days that it has not seen."""
        start = today - timedelta(days=RECENT_DAYS)
        unseen = utc(self.unseen_from)
        if unseen is not None and unseen.date() <= today - timedelta(days=SHORTEST):
            start = unseen.date()
        return {
            "model_path": self.path,
            "strategy_name": self.strategy,
            "symbol": self.symbol,
            "timeframe": self.timeframe,
            "start_date": start.isoformat(),
            "end_date": today.isoformat(),
        }


def model_key(path: str) -> str:
    """What names a model however its path begins: its last two parts."""
    return "/".join(path.rstrip("/").split("/")[-2:])


def with_makers(models: Iterable[Model], trainings: Iterable[Observation]) -> list[tuple[Model, Observation | None]]:
    """Each model with the training that made it: the one that names its path, else the one of its symbol and timeframe
    that ended nearest to its time. What the list does not say of a model is taken from that training."""
    listed, ended = list(models), list(trainings)
    paths: dict[str, Observation] = {}
    for observation in ended:
        if path := text((observation.snapshot.result or {}).get("model_path")):
            paths.setdefault(model_key(path), observation)
    makers = {at: paths[model.key] for at, model in enumerate(listed) if model.path and model.key in paths}
    taken = {observation.snapshot.id for observation in makers.values()}
    apart = sorted(
        (distance, at, observation.snapshot.id, observation)
        for at, model in enumerate(listed)
        if not model.path
        for observation in ended
        if (distance := _apart(model, observation)) <= NEAR
    )
    for _, at, operation_id, observation in apart:
        if at not in makers and operation_id not in taken:
            makers[at] = observation
            taken.add(operation_id)
    return [(_completed(model, makers.get(at)), makers.get(at)) for at, model in enumerate(listed)]


def replaced(trainings: Iterable[Snapshot]) -> dict[str, str]:
    """Training -> the latest one that saved its model in the same place: the files of the first had been moved or
    deleted, and KTRDR numbers models by what it finds."""
    saved: dict[str, list[Snapshot]] = {}
    for each in trainings:
        if path := text((each.result or {}).get("model_path")):
            saved.setdefault(path, []).append(each)
    found: dict[str, str] = {}
    for same in saved.values():
        last = max(same, key=lambda each: each.completed_at or 0.0)
        found |= {each.id: last.id for each in same if (each.completed_at or 0.0) < (last.completed_at or 0.0)}
    return found


def dated(snapshot: Snapshot) -> bool:
    """Whether the dates in a training's result were chosen, or are those of its bars: KTRDR fills in its own."""
    used = mapping((snapshot.result or {}).get("data_summary"))
    return bool(used.get("test_start_date")) or bool(snapshot.parameters.keys() & {"start_date", "end_date"})


def made_by(model: Model, snapshot: Snapshot) -> bool:
    """Whether this training may have made it: nothing known of both contradicts it."""
    pairs = (
        (model.strategy, snapshot.strategy),
        (model.symbol, snapshot.symbol),
        (model.timeframe, snapshot.timeframe),
    )
    return all(not made or not asked or made in asked.split(", ") for made, asked in pairs)


def _apart(model: Model, observation: Observation) -> float:
    """Seconds between the model's time and the training's end; infinite when it cannot be that training."""
    ended = observation.model_at or observation.snapshot.completed_at
    if observation.model_at not in (None, model.trained_at):  # its end is a model's own time: here that of another one
        return float("inf")
    if ended is None or model.trained_at is None or not made_by(model, observation.snapshot):
        return float("inf")
    return abs(model.trained_at - ended)


def _completed(model: Model, maker: Observation | None) -> Model:
    if maker is None:
        return model
    known = Model.from_training(maker.snapshot) or Model("", maker.snapshot.strategy)
    fields = ("path", "strategy", "symbol", "timeframe", "timeframes")
    optional = ("learned_from", "unseen_from", "accuracy", "baseline")
    filled: dict[str, Any] = {name: getattr(model, name) or getattr(known, name) for name in fields}
    values = {name: getattr(model, name) for name in optional}
    filled |= {name: getattr(known, name) if value is None else value for name, value in values.items()}
    filled["dated"] = known.dated
    return replace(model, **filled)


def gathered(remembered: Iterable[Model | None], listed: Iterable[Model | None]) -> list[Model]:
    """Both, each path once, the newest first."""
    found: dict[str, Model] = {}
    for model in (*remembered, *listed):
        if model is not None and model.path:
            found.setdefault(model.path, model)
    return sorted(found.values(), key=lambda model: model.trained_at or 0.0, reverse=True)


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(text(item) for item in items(value, 50))
