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

    @property
    def key(self) -> str:
        """What it is called in addresses, and where results are stored: one for all kinds."""
        return self.path.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class ResultTable:
    """A part of a result as a table below its figures: one plain sentence, then the cells as they are shown. The first
    column names the rows; the others hold numbers. `bars`: for each row a share from 0 to 1, drawn as a bar."""

    title: str
    sentence: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    bars: tuple[float, ...] = ()
    folded: bool = False  # opened by who wants it
