"""Batches: many trainings that differ in a few choices. Pure.

A batch is a grid (every combination of the choices), a random sample of that grid, or a walk-forward: the same training
on periods that follow each other, each one tested on the period after it.
"""

import itertools
import math
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from statistics import NormalDist

from panel.domain.labels import Shelf

MAX_RUNS = 200
MAX_SETTINGS = 3  # of the strategy, in one batch
MAX_VALUES = 50  # of one choice
MAX_NAME = 100  # characters of a strategy's name

_NORMAL = NormalDist()


class RunState(StrEnum):
    WAITING = "waiting"  # not in the queue yet: for the run before it, or for room
    QUEUED = "queued"  # the queue has it; it may also run already
    DONE = "done"
    FAILED = "failed"  # it failed, or could not be started
    CANCELLED = "cancelled"


OPEN_RUNS = (RunState.WAITING, RunState.QUEUED)


class Role(StrEnum):
    TRAINING = "training"  # one of the batch's own runs
    TEST = "test"  # the backtest of a walk-forward's step
    UNSEEN = "unseen"  # a backtest of one of the best, on days that it has not seen


@dataclass(frozen=True, slots=True)
class Batch:
    """`form`: what was typed. `made_at`: Unix seconds. `shelf`: archived and deleted batches keep their runs, which are
    put away one by one."""

    key: str
    title: str
    form: dict[str, str]
    made_at: float
    actor: str
    stopped: bool = False
    shelf: Shelf = Shelf.SHOWN


@dataclass(frozen=True, slots=True)
class BatchRun:
    """One run of a batch, and its key in the queue. `number` counts from 1; a test has its training's number.
    `settings`: what it differs in, by readable names. `waits_for`: the key of the run that has to be through first."""

    key: str
    batch: str
    number: int
    role: Role
    kind: str
    form: dict[str, str]
    settings: dict[str, str]
    waits_for: str = ""
    state: RunState = RunState.WAITING
    message: str = ""
    operation_id: str | None = None

    @property
    def open(self) -> bool:
        return self.state in OPEN_RUNS


@dataclass(frozen=True, slots=True)
class Window:
    """One step of a walk-forward. Days are ISO dates; a test begins on the day after its training's last day."""

    train_from: str
    train_to: str
    test_from: str
    test_to: str


def combinations(choices: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """Every combination, the last choice changing fastest; a choice without values is left out."""
    given = {name: values for name, values in choices.items() if values}
    return [dict(zip(given, values, strict=True)) for values in itertools.product(*given.values())]


def size(choices: Mapping[str, Sequence[str]]) -> int:
    """How many combinations there are, without making them."""
    return math.prod(len(values) for values in choices.values() if values)


def sampled(choices: Mapping[str, Sequence[str]], wanted: int, seed: int) -> list[dict[str, str]]:
    """`wanted` different combinations, chosen at random, in the grid's order; the same seed chooses the same ones."""
    given = {name: values for name, values in choices.items() if values}
    total = size(given)
    chosen = sorted(random.Random(seed).sample(range(total), min(wanted, total)))  # noqa: S311  not for secrets
    return [_combination(given, number) for number in chosen]


def _combination(given: Mapping[str, Sequence[str]], number: int) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, values in reversed(list(given.items())):
        number, place = divmod(number, len(values))
        found[name] = values[place]
    return {name: found[name] for name in given}


def windows(first: date, last: date, train_days: int, test_days: int) -> list[Window]:
    """Rolling periods from `first` on, each test after its training, all tests side by side, none beyond `last`."""
    found: list[Window] = []
    begin = first
    while True:
        split, end = begin + timedelta(days=train_days), begin + timedelta(days=train_days + test_days)
        if end > last + timedelta(days=1) or len(found) > MAX_RUNS:
            return found
        day = timedelta(days=1)
        found.append(Window(*(f"{each:%Y-%m-%d}" for each in (begin, split - day, split, end - day))))
        begin += timedelta(days=test_days)


def variant_name(strategy: str, changes: Mapping[str, str]) -> str:
    """A readable name of a strategy's variant, which KTRDR trains: `rsi_swing-period_21-rate_0p001`, with no dot. The
    last words of a setting's path name it, as many as it takes to distinguish the settings."""
    if not changes:
        return strategy
    names = short_names(list(changes))
    parts = [f"{names[path]}_{_POINT.sub('p', value)}" for path, value in changes.items()]
    return _fitting(_plain("-".join([strategy, *parts])))


def variant_names(strategy: str, variants: Sequence[Mapping[str, str]]) -> list[str]:
    """The name of each variant, in their order; two that would have one name (0.5 and 0p5) are numbered."""
    taken: dict[str, Mapping[str, str]] = {}
    found = []
    for changes in variants:
        plain = name = variant_name(strategy, changes)
        number = 1
        while name and taken.setdefault(name, changes) != changes:
            number += 1
            name = _fitting(f"{plain}_{number}")
        found.append(name)
    return found


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name)


def _fitting(name: str) -> str:
    return name if len(name) <= MAX_NAME else ""


_OF_TESTS = re.compile(r"(^|\.)(labels|data_split|training_data)\.")  # settings that change what a test consists of
_CHANGED = re.compile(r"[A-Za-z][\w.]*_[\w.]")  # how what follows the original's name begins; once with dots
_POINT = re.compile(r"(?<=\d)\.(?=\d)")  # of a number


def originals(names: Sequence[str]) -> dict[str, str]:
    """Of those that are named as a variant of another one in `names`: that other one, which is no variant itself."""
    there = {_plain(name): name for name in names} | {name: name for name in names}
    found = {}
    for name in names:
        dashes = [at for at, letter in enumerate(name) if letter == "-" and _CHANGED.match(name, at + 1)]
        if base := next((there[name[:at]] for at in dashes if name[:at] in there), ""):
            found[name] = base
    return found


def by_test_data(batch: Batch, runs: Sequence[BatchRun]) -> dict[str, list[BatchRun]]:
    """The runs by what they are tested on, which is named as far as it differs: bars of the same markets and days, with
    the same right answers. Only those with the same can be compared by loss or accuracy."""
    paths = [path for place in range(1, MAX_SETTINGS + 1) if (path := batch.form.get(f"setting_{place}", ""))]
    names = short_names(paths)
    answers = [names[path] for path in paths if _OF_TESTS.search(path)]
    found: dict[tuple[str, ...], list[BatchRun]] = {}
    for run in runs:
        days = [run.form.get(name, "") for name in ("start_date", "end_date")]
        settings = (f"{name} {run.settings.get(name, '')}" for name in answers)
        of = (run.form.get("symbols", ""), run.form.get("timeframes", ""), " to ".join(filter(None, days)), *settings)
        found.setdefault(of, []).append(run)
    differ = [len(set(values)) > 1 for values in zip(*found, strict=True)]
    return {
        " ".join(value for value, wanted in zip(of, differ, strict=True) if wanted and value): there
        for of, there in found.items()
    }


def short_names(paths: Sequence[str]) -> dict[str, str]:
    """The last part of each path; more of it where two would be the same."""
    split = {path: path.split(".") for path in paths}
    named: dict[str, str] = {}
    for path, parts in split.items():
        length = 1
        while length < len(parts) and any(
            other != path and rest[-length:] == parts[-length:] for other, rest in split.items()
        ):
            length += 1
        named[path] = ".".join(parts[-length:])
    return named


def lead_by_chance(tries: int, share: float, samples: int, error: float | None = None) -> float | None:
    """By how much the best of `tries` runs is expected to lie above `share` (of right answers, 0 to 1) when all are
    equally good and each was tested on `samples` bars. `error`: the standard error of such a share; without it each bar
    counts as independent of its neighbours. None where that says nothing.

    The expected greatest of n independent normal values, by Blom's approximation (Statistical Estimates and
    Transformed Beta-Variables, 1958). Runs that were tested on the same bars are not independent, which makes the true
    lead smaller; neighbouring bars are not either, which makes it greater."""
    if tries < 2 or samples < 1 or not 0 < share < 1:
        return None
    greatest = _NORMAL.inv_cdf((tries - 0.375) / (tries + 0.25))
    return greatest * (math.sqrt(share * (1 - share) / samples) if error is None else error)


def joined_return(returns: Sequence[float]) -> float:
    """The return of consecutive periods, each starting with the capital that the one before it left; 0.02 is 2 %."""
    return math.prod(1 + each for each in returns) - 1
