"""The tests of a walk-forward as one curve: what a stake would have become, test after test. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

WIDTH, HEIGHT, _EDGE = 600, 140, 4.0  # of the drawing; _EDGE: room above and below the curves


@dataclass(frozen=True, slots=True)
class Step:
    """One test. `first` and `last`: its days; `gain`, `held`: its return, and that of buying and holding, as shares."""

    first: str
    last: str
    gain: float
    held: float | None


@dataclass(frozen=True, slots=True)
class JoinedCurve:
    """`model` and `held`: points of a polyline; `held` is "" unless it is known of every test. `low` and `high`: the
    returns at the bottom and the top, as shares; `zero`: the height of no return."""

    model: str
    held: str
    zero: float
    low: float
    high: float
    first: str
    last: str


def joined_curve(steps: Sequence[Step]) -> JoinedCurve | None:
    """None of fewer than two tests: a line needs them."""
    if len(steps) < 2:
        return None
    model = _compounded([step.gain for step in steps])
    known = [step.held for step in steps if step.held is not None]
    held = _compounded(known) if len(known) == len(steps) else []
    low, high = min(model + held), max(model + held)

    def height(value: float) -> float:
        return round(_EDGE + (high - value) / ((high - low) or 1.0) * (HEIGHT - 2 * _EDGE), 1)

    def line(values: Sequence[float]) -> str:
        return " ".join(f"{at * WIDTH / len(steps):.1f},{height(value)}" for at, value in enumerate(values))

    return JoinedCurve(line(model), line(held), height(0.0), low, high, steps[0].first, steps[-1].last)


def _compounded(returns: Sequence[float]) -> list[float]:
    """The return so far, before the first and after each."""
    return [each - 1 for each in accumulate(returns, lambda stake, each: stake * (1 + each), initial=1.0)]
