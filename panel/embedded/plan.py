"""A strategy's plan: the result of reading its file."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

RAW = "__raw__"  # KTRDR's name for the fuzzy set of an input that is not fuzzy


class Reference(NamedTuple):
    """An indicator and one of its outputs; "" means the first."""

    indicator: str
    output: str = ""


@dataclass(frozen=True, slots=True)
class Data:
    symbols: tuple[str, ...] = ()
    timeframes: tuple[str, ...] = ()
    base_timeframe: str = ""
    history_required: int = 200  # bars before the first sample


@dataclass(frozen=True, slots=True)
class Indicator:
    kind: str  # a name of indicators.NAMES
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Membership:
    shape: str
    parameters: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class FuzzySet:
    indicator: Reference
    labels: dict[str, Membership]


@dataclass(frozen=True, slots=True)
class Input:
    """A fuzzy set or an indicator's own values, on some timeframes; None means all."""

    fuzzy_set: str = ""
    raw: str = ""
    timeframes: tuple[str, ...] | None = None
    normalization: str = "none"  # of raw values: minmax, zscore, none

    def used(self, timeframes: list[str]) -> list[str]:
        """In the input's own order, as KTRDR has it."""
        return timeframes if self.timeframes is None else [each for each in self.timeframes if each in timeframes]


@dataclass(frozen=True, slots=True)
class Layers:
    hidden: tuple[int, ...] = (32, 16)
    activation: str = "relu"  # relu, tanh, sigmoid


@dataclass(frozen=True, slots=True)
class EarlyStopping:
    enabled: bool = False
    patience: int = 10  # epochs
    min_delta: float = 0.0


@dataclass(frozen=True, slots=True)
class Learning:
    """The defaults are KTRDR's."""

    epochs: int = 100
    batch_size: int = 32
    learning_rate: float = 0.001
    optimizer: str = "adam"  # adam, sgd
    early_stopping: EarlyStopping = EarlyStopping()
    random_seed: int = 42
    loss: str = "huber"  # huber, mse: of a regression; a classification has the cross entropy
    huber_delta: float = 0.01


@dataclass(frozen=True, slots=True)
class ZigZag:
    """Which comes first within `horizon` bars: a rise of `threshold`, a fall, or neither."""

    source: ClassVar = "zigzag"

    threshold: float = 0.02  # a share of the price
    horizon: int = 10


@dataclass(frozen=True, slots=True)
class TripleBarrier:
    """Which comes first within `horizon` bars: a rise of `take` times the volatility, or a fall of `stop` times it."""

    source: ClassVar = "triple_barrier"

    take: float = 2.0
    stop: float = 1.5
    horizon: int = 50
    span: int = 50  # bars of the exponential average that is the volatility
    method: str = "atr"  # atr: of (high - low) / close; close: deviation of the closes' logarithmic returns


@dataclass(frozen=True, slots=True)
class ForwardReturn:
    """The change of the close over `horizon` bars, a number: for regression."""

    source: ClassVar = "forward_return"

    horizon: int = 20


Labels = ZigZag | TripleBarrier | ForwardReturn


@dataclass(frozen=True, slots=True)
class DataSplit:
    """Shares of the time; what is left is the test part."""

    train: float = 0.7
    validation: float = 0.15


@dataclass(frozen=True, slots=True)
class Decisions:
    confidence_threshold: float = 0.5  # a signal that a classification is less sure of is a HOLD
    trade_threshold: float = 0.0045  # a return that a regression has to exceed, up or down


@dataclass(frozen=True, slots=True)
class Plan:
    name: str = ""
    description: str = ""
    data: Data = Data()
    indicators: dict[str, Indicator] = field(default_factory=dict)
    fuzzy_sets: dict[str, FuzzySet] = field(default_factory=dict)
    inputs: tuple[Input, ...] = ()
    layers: Layers = Layers()
    learning: Learning = Learning()
    labels: Labels = ZigZag()
    split: DataSplit = DataSplit()
    decisions: Decisions = Decisions()

    @property
    def regression(self) -> bool:
        """Whether the network's output is a return instead of BUY, HOLD or SELL."""
        return isinstance(self.labels, ForwardReturn)

    def base(self, timeframes: list[str]) -> str:
        """The timeframe on whose bars the network decides."""
        wanted = self.data.base_timeframe
        return wanted if wanted in timeframes else timeframes[0]

    def features(self, timeframes: list[str]) -> list[dict[str, Any]]:
        """The network's inputs in their order, as KTRDR lists them."""
        found: list[dict[str, Any]] = []
        for item in self.inputs:
            source = reference(item.raw) if item.raw else self.fuzzy_sets[item.fuzzy_set].indicator
            shared = {"indicator_id": source.indicator, "indicator_output": source.output or None}
            labels = ["raw"] if item.raw else list(self.fuzzy_sets[item.fuzzy_set].labels)
            for timeframe in item.used(timeframes):
                for label in labels:
                    feature = {"feature_id": f"{timeframe}_{item.raw or item.fuzzy_set}_{label}"}
                    feature |= {"timeframe": timeframe, "fuzzy_set": item.fuzzy_set or RAW, "membership": label}
                    found.append(feature | shared)
        return found


def reference(text: str) -> Reference:
    """`macd_1.signal` or `macd_1`."""
    return Reference(*text.split(".", 1))
