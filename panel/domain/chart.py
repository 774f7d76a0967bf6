"""Charts of a kind: curves over epochs, or over time. Values only; `static/curves.js` draws them."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a plot: what it is called in the plot's key and in a table, and its values, None where there is
    none."""

    key: str
    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """Curves that share one scale, two at most. With the unit % values are fractions."""

    title: str
    curves: tuple[Curve, ...]
    unit: Literal["", "%", "money"] = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """Plots over the same `x`, which are Unix seconds when `times`. `each` is what one place on it is called; `best` is
    the place to mark, if there is one, and `mark` what is there."""

    title: str
    each: str
    x: tuple[float, ...]
    plots: tuple[Plot, ...]
    times: bool = False
    best: float | None = None
    mark: str = ""
