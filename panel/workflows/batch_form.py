"""Reads the form of a batch: the runs that it asks for. It sends and writes nothing."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from difflib import get_close_matches

from panel.adapters import TrainingOperationAdapter
from panel.domain.batches import (
    MAX_RUNS,
    MAX_SETTINGS,
    MAX_VALUES,
    combinations,
    sampled,
    short_names,
    size,
    variant_names,
    windows,
)
from panel.errors import InvalidForm
from panel.files.strategy_settings import SEED, Setting, problem_of, settings_of, with_seed_line, with_settings
from panel.files.strategy_yaml import Refused

WAYS = (
    ("grid", "Every combination"),
    ("sample", "A random sample of them"),
    ("walk", "Walk forward: train, test on the days after, move on"),
)
FIELDS = (
    "strategy_name",
    "way",
    "symbols",
    "timeframes",
    "start_date",
    "end_date",
    "periods",
    "seeds",
    *(f"{name}_{place}" for place in range(1, MAX_SETTINGS + 1) for name in ("setting", "values")),
    "sample",
    "train_days",
    "test_days",
)
_SPLIT = re.compile(r"[\s,;]+")
_PERIOD = re.compile(r"(\d{4}-\d\d-\d\d)\s*(?:to|–|-|,|\s)\s*(\d{4}-\d\d-\d\d)")


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One training, and for a walk-forward the backtest after it (without its model, which does not exist yet).
    `settings`: what it differs in, by readable names. `strategy`: the file it runs with, and `changes` what makes that
    file out of the batch's own."""

    form: dict[str, str]
    settings: dict[str, str]
    strategy: str
    changes: dict[str, str] = field(default_factory=dict)
    test: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlannedBatch:
    """`possible`: combinations of the whole grid."""

    runs: tuple[PlannedRun, ...]
    possible: int

    @property
    def variants(self) -> dict[str, dict[str, str]]:
        """The strategy files to be made: name -> changes."""
        return {run.strategy: run.changes for run in self.runs if run.changes}


def plan_batch(form: Mapping[str, str], text: str | None) -> PlannedBatch:
    """`text`: the strategy's file, None when it cannot be read. Raises InvalidForm: a sentence for each bad field."""
    given = {name: form.get(name, "").strip() for name in FIELDS}
    errors = _of_trainings(given)
    known = _settings(text, bool(given["seeds"]))
    settings = _chosen_settings(given, text, known, errors)
    choices = {
        "Symbol": _words(given["symbols"]),
        "Timeframe": _words(given["timeframes"]),
        "Dates": [" to ".join(pair) for pair in _periods(given, errors)],
    }
    if seeds := _words(given["seeds"]):
        if SEED not in known:
            errors["seeds"] = "Seeds need the strategy's file, with a part “training”."
        elif not all(re.fullmatch(r"\d{1,9}", each) for each in seeds):
            errors["seeds"] = "Seeds are whole numbers, separated by commas."
        else:
            settings[SEED] = seeds
    for name, values in (choices | settings).items():
        if len(values) > MAX_VALUES:
            errors[""] = f"{name}: more than {MAX_VALUES} values."
    if not given["strategy_name"]:
        errors["strategy_name"] = "Choose a strategy."
    numbers = _numbers(given, errors)
    if errors:
        raise InvalidForm(errors)
    if given["way"] == "walk":
        return _walk(given, numbers["train_days"], numbers["test_days"])
    return _grid(given, choices, settings, numbers.get("sample", 0))


def _of_trainings(given: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with the fields that each training takes over."""
    form = {name: ", ".join(_words(given[name])) for name in ("symbols", "timeframes")}
    form |= {"strategy_name": given["strategy_name"]}
    if not given["periods"]:
        form |= {name: given[name] for name in ("start_date", "end_date")}
    return _refused(form)


def _refused(form: Mapping[str, str]) -> dict[str, str]:
    try:
        TrainingOperationAdapter.from_form(form)
    except InvalidForm as exc:
        return dict(exc.errors)
    return {}


def _numbers(given: Mapping[str, str], errors: dict[str, str]) -> dict[str, int]:
    """Those that the way of the batch needs; what else it does not go with is wrong, too."""
    if given["way"] == "sample":
        return {"sample": _whole(given["sample"], "sample", "How many of them", MAX_RUNS, errors)}
    if given["way"] != "walk":
        return {}
    used = {name for name in ("seeds", "periods", *(f"setting_{n}" for n in range(1, MAX_SETTINGS + 1))) if given[name]}
    used |= {name for name in ("symbols", "timeframes") if len(_words(given[name])) > 1}
    errors |= dict.fromkeys(used, "A walk-forward is of one strategy on one market: leave this out.")
    for name in ("start_date", "end_date"):
        if not given[name]:
            errors[name] = "A walk-forward needs its first and last day."
    return {
        "train_days": _whole(given["train_days"], "train_days", "Days of training", 20_000, errors),
        "test_days": _whole(given["test_days"], "test_days", "Days of testing", 20_000, errors),
    }


def _grid(
    given: Mapping[str, str], choices: dict[str, list[str]], settings: dict[str, list[str]], wanted: int
) -> PlannedBatch:
    """`wanted`: the size of a sample."""
    every = choices | settings
    possible = size(every)
    if given["way"] == "sample":
        chosen = sampled(every, wanted, seed=1)
    elif possible > MAX_RUNS:
        message = f"These are {possible:,} runs; {MAX_RUNS} are allowed. Give fewer values, or take a random sample."
        raise InvalidForm({"": message})
    else:
        chosen = combinations(every)
    if len(chosen) < 2:
        raise InvalidForm({"": "This is a single run. Give several values of something, separated by commas."})
    names = short_names(list(settings))
    runs = []
    changed = [{path: combination[path] for path in settings} for combination in chosen]
    variants = variant_names(given["strategy_name"], changed)
    for combination, changes, strategy in zip(chosen, changed, variants, strict=True):
        if not strategy:
            raise InvalidForm({"": "The names of the strategy's variants would be longer than 100 characters."})
        first, _, last = combination.get("Dates", "").partition(" to ")
        form = {
            "strategy_name": strategy,
            "symbols": combination.get("Symbol", ""),
            "timeframes": combination.get("Timeframe", ""),
            "start_date": first or given["start_date"],
            "end_date": last or given["end_date"],
        }
        TrainingOperationAdapter.from_form(form)  # raises InvalidForm, by the same names
        differing = {name: combination[name] for name, values in choices.items() if len(values) > 1}
        differing |= {names[path]: value for path, value in changes.items()}
        runs.append(PlannedRun(form, differing, strategy, changes))
    return PlannedBatch(tuple(runs), possible)


def _walk(given: Mapping[str, str], train: int, test: int) -> PlannedBatch:
    form = {name: given[name] for name in ("strategy_name", "symbols", "timeframes", "start_date", "end_date")}
    TrainingOperationAdapter.from_form(form)
    last = min(date.fromisoformat(given["end_date"]), datetime.now(UTC).date())
    steps = windows(date.fromisoformat(given["start_date"]), last, train, test)
    if not 2 <= len(steps) <= MAX_RUNS:
        why = "fewer than two steps fit" if len(steps) < 2 else f"more than {MAX_RUNS} steps fit"
        raise InvalidForm({"train_days": f"Between these days {why}. Change the days of training or testing."})
    runs = []
    for step in steps:
        training = form | {"start_date": step.train_from, "end_date": step.train_to}
        backtest = {
            "strategy_name": given["strategy_name"],
            "symbol": given["symbols"],
            "start_date": step.test_from,
            "end_date": step.test_to,
        }
        differing = {
            "trained on": f"{step.train_from} to {step.train_to}",
            "tested on": f"{step.test_from} to {step.test_to}",
        }
        runs.append(PlannedRun(training, differing, given["strategy_name"], test=backtest))
    return PlannedBatch(tuple(runs), len(runs))


def variant_text(text: str, run_strategy: str, changes: Mapping[str, str]) -> str:
    """The file of a variant. Raises Refused."""
    return with_settings(with_seed_line(text) if SEED in changes else text, changes, run_strategy)


def _settings(text: str | None, seeded: bool) -> dict[str, Setting]:
    if text is None:
        return {}
    try:
        return {each.path: each for each in settings_of(with_seed_line(text) if seeded else text)}
    except Refused:
        return {}


def _unknown(path: str, known: Mapping[str, Setting]) -> str:
    alike = get_close_matches(path[:200], known, n=1)
    return f"The strategy has no setting {path[:60]}." + (f" Did you mean {alike[0]}?" if alike else "")


def _chosen_settings(
    given: Mapping[str, str], text: str | None, known: Mapping[str, Setting], errors: dict[str, str]
) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for place in range(1, MAX_SETTINGS + 1):
        path, values = given[f"setting_{place}"], _words(given[f"values_{place}"])
        if not path and not values:
            continue
        if text is None:
            errors[f"setting_{place}"] = "The strategy's file is not at hand, so its settings cannot be varied."
        elif path not in known:
            errors[f"setting_{place}"] = _unknown(path, known) if path else "Which setting are these of?"
        elif path in found:
            errors[f"setting_{place}"] = "This setting was chosen above."
        elif not values:
            errors[f"values_{place}"] = "Give its values, separated by commas."
        elif problem := next(filter(None, (problem_of(known[path], value) for value in values)), ""):
            errors[f"values_{place}"] = f"{problem}."
        else:
            found[path] = values
    return found


def _periods(given: Mapping[str, str], errors: dict[str, str]) -> list[tuple[str, str]]:
    found, wrong = [], []
    for line in filter(None, map(str.strip, given["periods"].splitlines())):
        fits = _PERIOD.fullmatch(line)
        if fits is None:
            wrong.append(f"“{line[:40]}” is no period; write 2024-01-01 to 2024-12-31, one a line.")
        elif refused := _refused({"strategy_name": "any", "start_date": fits[1], "end_date": fits[2]}):
            wrong.append(f"“{line[:40]}”: {next(iter(refused.values()))}")
        else:
            found.append((fits[1], fits[2]))
    if wrong:
        more = f" And {len(wrong) - 3} more." if len(wrong) > 3 else ""
        errors["periods"] = " ".join(wrong[:3]) + more
    return list(dict.fromkeys(found))


def _words(typed: str) -> list[str]:
    return list(dict.fromkeys(filter(None, _SPLIT.split(typed))))


def _whole(typed: str, name: str, label: str, most: int, errors: dict[str, str]) -> int:
    """0, and an error, when it is none."""
    if not re.fullmatch(r"[0-9]{1,6}", typed) or not 1 <= int(typed) <= most:
        errors[name] = f"{label}: a whole number from 1 to {most:,}."
        return 0
    return int(typed)
