"""How a result is shown and compared: figures, and the measures that runs are compared by."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from panel.domain.values import number

NO_LOSSES = "no losses"  # in the place of a number that divides by them
SAME = 1e-6  # between a recall in double and an accuracy in single precision


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a result, as it is shown: label, value, and what to make of it. `ahead`: how many points it lies
    above what needs no skill, below with a minus; None where that is not known."""

    label: str
    value: str
    note: str = ""
    lead: bool = False  # shown large
    ahead: float | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """One number of a result that runs are compared by. `path` leads to it inside the result; with the unit % it is a
    fraction, and with the unit points too. `over` leads to a number that is taken off it. `better`: the higher, the
    lower or the one nearer to nothing; "" when none is. `same_data`: two runs can be compared by it only when
    both were tested on the same bars: another market is easier or harder. `over_losses`: it divides by what was lost,
    and has no value where nothing was."""

    label: str
    path: str
    unit: Literal["", "%", "s", "points"] = ""
    digits: int = 0
    better: Literal["high", "low", "small", ""] = ""
    over: str = ""
    same_data: bool = False
    over_losses: bool = False

    @property
    def key(self) -> str:
        """What it is called in addresses, and where results are stored: one for all kinds."""
        return self.path.rpartition(".")[2] + (f"_over_{self.over.rpartition('.')[2]}" if self.over else "")


@dataclass(frozen=True, slots=True)
class ResultTable:
    """A part of a result as a table below its figures: one plain sentence, then the cells as they are shown. The first
    column names the rows; the others hold numbers. `bars`: for each row a share from 0 to 1, drawn as a bar.
    `tones`: for each number how far it is from 0, from -3 to 3, drawn as its ground; such a table has a column for each
    month, which a phone sets below each other."""

    title: str
    sentence: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    bars: tuple[float, ...] = ()
    tones: tuple[tuple[int, ...], ...] = ()
    folded: bool = False  # closed at first


def lost_nothing(metrics: Mapping[str, Any]) -> bool:
    """Whether a backtest traded, and no trade lost money."""
    lost, rate = number(metrics.get("losing_trades")), number(metrics.get("win_rate"))
    return bool(number(metrics.get("total_trades"))) and (rate == 1 if lost is None else lost == 0)


def averaged(test: Mapping[str, Any]) -> bool:
    """Whether precision and recall are KTRDR's averages over all answers, Hold included: such a recall always equals
    the accuracy. `test`: a training's test metrics."""
    recall, accuracy = number(test.get("recall")), number(test.get("test_accuracy"))
    if accuracy is None or "baseline_accuracy" in test:
        return False
    return recall is None or abs(recall - accuracy) < SAME
