"""How much each value of a batch's settings had to do with its results. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from panel.domain.batches import BatchRun

WIDTH = 240  # of a strip, in units of its drawing
_EDGE = 6.0  # on both sides of it, so that dots at its ends are whole


@dataclass(frozen=True, slots=True)
class Strip:
    """The runs with one value of a setting. `middle`: the median lead over the baseline, in points; the rest are places
    in a drawing that is WIDTH wide: of each run, of the median."""

    value: str
    middle: float
    dots: tuple[float, ...]
    at: float


@dataclass(frozen=True, slots=True)
class Strips:
    """Of each setting that was varied, its values in the order in which they were given. `zero`: the baseline's place
    in the drawing."""

    settings: tuple[tuple[str, tuple[Strip, ...]], ...]
    zero: float


def strips(names: Sequence[str], ended: Sequence[tuple[BatchRun, float]]) -> Strips | None:
    """`ended`: runs with their lead over the baseline, in points. None where no setting has two values with at least
    two runs each, or all leads are the same: then the leaderboard says it all."""
    if len({round(over, 1) for _, over in ended}) < 2:
        return None
    found: list[tuple[str, dict[str, list[float]]]] = []
    for name in names:
        values: dict[str, list[float]] = {}
        for run, over in sorted(ended, key=lambda each: each[0].number):
            values.setdefault(str(run.settings.get(name, "–")), []).append(over)
        if sum(len(leads) > 1 for leads in values.values()) > 1:
            found.append((name, values))
    if not found:
        return None
    low, high = min(0.0, *(over for _, over in ended)), max(0.0, *(over for _, over in ended))

    def place(over: float) -> float:
        return round(_EDGE + (over - low) / (high - low) * (WIDTH - 2 * _EDGE), 1)

    return Strips(
        tuple(
            (
                name,
                tuple(
                    Strip(value, middle := median(leads), tuple(map(place, leads)), place(middle))
                    for value, leads in values.items()
                ),
            )
            for name, values in found
        ),
        place(0.0),
    )
