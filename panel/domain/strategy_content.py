"""The parts of a strategy's file that a page shows. Pure."""

from dataclasses import dataclass

Setting = tuple[str, str]  # its readable name, and its value


@dataclass(frozen=True, slots=True)
class Membership:
    """A label of a fuzzy set. `shape`: triangular, trapezoidal, gaussian, sigmoid, or another word of the file."""

    label: str
    shape: str
    parameters: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class FuzzySet:
    name: str
    indicator: str
    memberships: tuple[Membership, ...]


@dataclass(frozen=True, slots=True)
class Indicator:
    name: str
    kind: str
    settings: tuple[Setting, ...]


@dataclass(frozen=True, slots=True)
class Input:
    """`source`: a fuzzy set, or an indicator's own values (`raw`)."""

    source: str
    raw: bool
    timeframes: str


@dataclass(frozen=True, slots=True)
class Content:
    indicators: tuple[Indicator, ...] = ()
    fuzzy_sets: tuple[FuzzySet, ...] = ()
    inputs: tuple[Input, ...] = ()
    model: tuple[Setting, ...] = ()
    training: tuple[Setting, ...] = ()
    decisions: tuple[Setting, ...] = ()


@dataclass(frozen=True, slots=True)
class Remark:
    """What is wrong with a text, or worth knowing. `line` counts from 1; 0 is the file as a whole."""

    message: str
    line: int = 0
    error: bool = True


@dataclass(frozen=True, slots=True)
class Review:
    """The remarks on a text, and whether it may be saved. `by`: who checked it beyond its YAML, or ""."""

    remarks: tuple[Remark, ...] = ()
    by: str = ""

    @property
    def valid(self) -> bool:
        return not any(remark.error for remark in self.remarks)
