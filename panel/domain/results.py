"""How a result is shown and compared: figures, and the measures that runs are compared by."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a result, as it is shown: label, value, and what to make of it."""

    label: str
    value: str
    note: str = ""
    lead: bool = False  # one of the few that are shown large


@dataclass(frozen=True, slots=True)
class Measure:
    """One number of a result that runs are compared by. `path` leads to it inside the result; with the unit % it is a
    fraction. `better`: the higher, the lower or the one nearer to nothing; "" when none is."""

    label: str
    path: str
    unit: Literal["", "%", "s"] = ""
    digits: int = 0
    better: Literal["high", "low", "small", ""] = ""
