"""Rows of the pages that list strategies, models and checkpoints. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from panel.domain.checkpoints import Checkpoint
from panel.domain.comparison import on_sample
from panel.domain.labels import ModelLabel
from panel.domain.models import Model, replaced
from panel.domain.observation import Observation
from panel.domain.snapshot import Snapshot
from panel.domain.strategies import Strategy
from panel.domain.values import mapping, number, text
from panel.views.operation import OperationView

_UNLABELLED = ModelLabel()


@dataclass(frozen=True, slots=True)
class BestModel:
    """`accuracy` of the test, 0–1."""

    accuracy: float
    path: str


@dataclass(frozen=True, slots=True)
class StrategyRow:
    strategy: Strategy
    runs: list[OperationView]
    best: BestModel | None
    variants: tuple[Strategy, ...] = ()  # that batches made of it


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model with the training that made it, what people say of it, and its backtests, the latest first."""

    model: Model
    maker: Observation | None
    label: ModelLabel = _UNLABELLED
    backtests: tuple[OperationView, ...] = ()

    @property
    def strategy(self) -> str:
        return self.maker.snapshot.strategy if self.maker else self.model.strategy

    @property
    def accuracy(self) -> float | None:
        return self._measured("test_accuracy", self.model.accuracy)

    @property
    def baseline(self) -> float | None:
        """What always giving one answer would reach."""
        return self._measured("baseline_accuracy", self.model.baseline)

    @property
    def worth(self) -> str:
        """The accuracy against the baseline, in words; "" where one of them is not known."""
        if self.accuracy is None or self.baseline is None:
            return ""
        points = (self.accuracy - self.baseline) * 100
        if abs(points) < 0.5:
            return "no better than the baseline"
        return f"{abs(points):.1f} points {'above' if points > 0 else 'below'} the baseline"

    @property
    def sample(self) -> bool:
        """Whether it learned from generated bars, wholly or partly."""
        return self.maker is not None and on_sample(self.maker.snapshot)

    @property
    def best(self) -> OperationView | None:
        """The backtest with the highest return."""
        returns = [(number(view.snapshot.measured.get("total_return_pct")), view) for view in self.backtests]
        known = [(value, view) for value, view in returns if value is not None]
        return max(known, key=lambda pair: pair[0])[1] if known else None

    def _measured(self, name: str, listed: float | None) -> float | None:
        made = number(self.maker.snapshot.measured.get(name)) if self.maker else None
        return listed if listed is not None else made


def found_models(rows: Sequence[ModelRow], search: str, sort: str) -> list[ModelRow]:
    """Those in which every word of `search` occurs: the latest first, or with the `sort` "accuracy" the best first.
    What has no date or accuracy comes last."""
    words = search.lower().split()

    def said(row: ModelRow) -> str:
        model = row.model
        return " ".join(filter(None, (model.key, row.strategy, model.symbol, model.timeframe, row.label.note))).lower()

    def rank(row: ModelRow) -> tuple[bool, float]:
        value = row.accuracy if sort == "accuracy" else row.model.trained_at
        return value is None, -(value or 0.0)

    return sorted((row for row in rows if all(word in said(row) for word in words)), key=rank)


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    """`doubt`: why its operation may not be resumed from it."""

    checkpoint: Checkpoint
    of: OperationView | None
    doubt: str


def own_backtests(
    views: Sequence[OperationView], maker: Observation | None, others: Mapping[str, str]
) -> tuple[OperationView, ...]:
    """Those of a model's path that tried this model, and not an earlier one in whose place it was saved. `others`: as
    `replaced` returns them."""
    if maker is None or maker.snapshot.id not in others.values():
        return tuple(views)
    ended = maker.snapshot.completed_at or 0.0
    return tuple(view for view in views if (view.snapshot.created_at or ended) >= ended)


def model_path(observation: Observation) -> str:
    return text((observation.snapshot.result or {}).get("model_path"))


def tried_model(snapshot: Snapshot, form: Mapping[str, str]) -> str:
    """The path of the model that a backtest tried: from its result, its parameters, or its request."""
    config = mapping((snapshot.result or {}).get("config"))
    path = text(snapshot.parameters.get("model_path")) or text(config.get("model_path"))
    return path or form.get("model_path", "")


def best_models(trainings: Sequence[Observation]) -> dict[str, BestModel]:
    """Strategy -> its model with the best test accuracy. Of two that were saved in one place the later one is there."""
    best: dict[str, BestModel] = {}
    gone = replaced(observation.snapshot for observation in trainings)
    for observation in trainings:
        if observation.snapshot.id in gone:
            continue
        accuracy, strategy = number(observation.snapshot.measured.get("test_accuracy")), observation.snapshot.strategy
        if accuracy is not None and (strategy not in best or accuracy > best[strategy].accuracy):
            best[strategy] = BestModel(accuracy, model_path(observation))
    return best
