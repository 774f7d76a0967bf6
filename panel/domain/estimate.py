"""How much longer a run takes, as a range, or nothing where that is unreliable. Pure.

A percentage over time gives a pace, and the recent pace is rarely the pace so far; both bound the answer, and
earlier runs of the same thing widen it where they disagree. What it cannot know it does not say: before the
run has moved enough, when it went backwards, and when it has outlasted its estimate.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from panel.domain.formatting import many
from panel.domain.kinds import Traits

CHANGES = 3  # of the percentage, at least
PERCENT = 5.0  # that it has come, at least
SECONDS = 10.0  # that this took, at least
FELL = 1.0  # per cent; a fall by more restarts the pace
WIDE = 6.0  # a range whose end is so many times its beginning says nothing
MARGIN = 0.1  # that no estimate is better than
ALIKE = 2.5  # an earlier run that took longer, or shorter, by more than this factor is not compared
JUDGED = 3  # earlier estimates, before their accuracy is stated

Point = tuple[float, float]  # (Unix seconds, percentage)
Pace = Sequence[Point]  # in order of time
Break = tuple[Point, Point]  # from the last point before it to the first one after it


@dataclass(frozen=True, slots=True)
class Earlier:
    """A completed run of the same thing: how long it took, and how much of its planned way it went (1: all)."""

    seconds: float
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Promise:
    """A first estimate of an earlier run, in seconds left, and how many it then took."""

    low: float
    high: float
    took: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds left, from `low` to `high`, and from what that is known."""

    low: float
    high: float
    basis: str


def estimate(
    pace: Pace,
    now: float,
    *,
    reach: float = 100.0,
    started: float | None = None,
    earlier: Sequence[Earlier] = (),
    breaks: Sequence[Break] = (),
) -> Estimate | None:
    """`reach`: the percentage at which the run is over by its own count. `breaks`, in order of time: in which nobody
    knows whether it worked."""
    steps = _steps(without(breaks, pace))
    if started is not None:
        started += sum(until - since for (since, _), (until, _) in breaks)
    if len(steps) <= CHANGES or steps[-1][1] >= reach:
        return None
    (since, first), (until, last) = steps[0], steps[-1]
    if last - first < PERCENT or until - since < SECONDS:
        return None
    overall = (last - first) / (until - since)
    rates = [overall, *(_rate(steps, until - (until - since) * part) for part in (0.5, 0.25))]
    slowing = max(min(rates) / overall, 0.5)
    if max(rates) > WIDE * min(rates) * slowing:
        return None
    low = (reach - last) / max(rates) * (1 - MARGIN)
    high = (reach - last) / (min(rates) * slowing) * (1 + MARGIN)
    basis = "from this run’s pace"
    total = until - (started or since) + (low + high) / 2
    alike = [run for run in earlier if total / ALIKE < run.seconds < total * ALIKE]
    if alike:
        usual = median(run.seconds for run in alike) - (until - (started or since))
        if usual > 0:
            low, high = min(low, usual), max(high, usual)
        basis += f" and {many(len(alike), 'earlier run')}"
        early = [run.share for run in alike if run.share < 0.97]
        if early and min(early) * reach > last:
            low = min(low, (min(early) * reach - last) / max(rates) * (1 - MARGIN))
            basis += f", {len(early)} of which ended early"
    waited = max(now - until, 0.0)
    if high <= waited:
        return None  # it has outlasted this
    return Estimate(max(low - waited, 0.0), high - waited, basis)


def without(breaks: Sequence[Break], pace: Pace) -> Pace:
    """What came before a break moves up to its end, in time and in per cent: neither counts."""
    for (since, had), (until, has) in breaks:
        gained = max(has - had, 0.0)  # a fall shows as one
        moved = [(at + until - since, percentage + gained) for at, percentage in pace if at <= since]
        pace = moved + [(at, percentage) for at, percentage in pace if at >= until]
    return pace


def reach(traits: Traits, percentage: float, segments: float | None) -> float:
    """A data load counts the segment being fetched as fetched, and stays at 90 % during the last one; what
    it does afterwards has no pace."""
    if not traits.loads:
        return 100.0
    if percentage > 90.0 or not segments or segments < 1:
        return 0.0
    return 90.0 + 60.0 / segments


def left(found: Estimate) -> str:
    """2–4 min left; about 3 h left; under 10 s left."""
    unit, seconds, step = _unit(found.high)
    low = math.floor(found.low / seconds / step) * step
    high = max(math.ceil(found.high / seconds / step) * step, step)
    if low <= 0:
        if found.low >= 60:  # more than 0, and less than the unit
            return f"{math.floor(found.low / 60):g} min to {high:g} {unit} left"
        return f"under {high:g} {unit} left"
    return f"about {high:g} {unit} left" if low == high else f"{low:g}–{high:g} {unit} left"


def record(promises: Sequence[Promise]) -> str:
    """How good first estimates of earlier runs were, in a sentence; "" while that is not known."""
    if len(promises) < JUDGED:
        return ""
    worst = max(_off(promise) for promise in promises)
    if worst == 0:
        return f"The first estimates of {len(promises)} earlier runs held."
    return f"The first estimates of {len(promises)} earlier runs were right within {math.ceil(worst * 20) * 5} %."


def _off(promise: Promise) -> float:
    """How far the truth lay outside the range, as a share of it."""
    nearest = min(max(promise.took, promise.low), promise.high)
    return abs(promise.took - nearest) / max(promise.took, 1.0)


def _steps(pace: Pace) -> list[tuple[float, float]]:
    """The moments at which the percentage changed, since it last fell."""
    steps: list[tuple[float, float]] = []
    for at, percentage in pace:
        if steps and percentage < steps[-1][1] - FELL:
            steps = []
        if not steps or percentage > steps[-1][1]:
            steps.append((at, percentage))
    return steps


def _rate(steps: list[tuple[float, float]], since: float) -> float:
    """Per cent a second from the last step at or before `since`."""
    at, percentage = max((step for step in steps if step[0] <= since), default=steps[0])
    return (steps[-1][1] - percentage) / (steps[-1][0] - at)


def _unit(high: float) -> tuple[str, float, float]:
    """The unit in which a range is given, its seconds, and how finely."""
    if high < 90:
        return "s", 1.0, 5.0 if high < 30 else 10.0
    if high < 90 * 60:
        return "min", 60.0, 1.0 if high < 1800 else 5.0
    if high < 48 * 3600:
        return "h", 3600.0, 0.5
    return "days", 86400.0, 0.5
