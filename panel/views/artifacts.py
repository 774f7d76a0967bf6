"""Rows of the pages that list strategies, models and checkpoints. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from panel.domain.checkpoints import Checkpoint
from panel.domain.models import Model
from panel.domain.observation import Observation
from panel.domain.strategies import Strategy
from panel.domain.values import number, text
from panel.views.operation import OperationView


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


@dataclass(frozen=True, slots=True)
class ModelRow:
    model: Model
    maker: Observation | None


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    """`doubt`: why its operation may not be resumed from it."""

    checkpoint: Checkpoint
    of: OperationView | None
    doubt: str


def model_path(observation: Observation) -> str:
    return text((observation.snapshot.result or {}).get("model_path"))


def best_models(trainings: Sequence[Observation]) -> dict[str, BestModel]:
    """Strategy -> its model with the best test accuracy."""
    best: dict[str, BestModel] = {}
    for observation in trainings:
        accuracy, strategy = number(observation.snapshot.measured.get("test_accuracy")), observation.snapshot.strategy
        if accuracy is not None and (strategy not in best or accuracy > best[strategy].accuracy):
            best[strategy] = BestModel(accuracy, model_path(observation))
    return best
