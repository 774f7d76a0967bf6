"""Strategy files (v3 YAML): where they are, what they say, and what is wrong with them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from panel.embedded.indicators import INDICATORS, MEMBERSHIPS
from panel.embedded.timeframes import TIMEFRAMES

STARTERS = Path(__file__).parent / "starters"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,199}")
MAX_FILE = 256 * 1024  # bytes

Issue = dict[str, Any]


@dataclass(frozen=True, slots=True)
class FuzzySet:
    name: str
    indicator: str
    output: str | None
    labels: tuple[tuple[str, str, tuple[float, ...]], ...]  # (label, membership function, its parameters)
    timeframes: tuple[str, ...] | None  # None: all


@dataclass(frozen=True, slots=True)
class Strategy:
    """One file as it is used. `issues` with severity "error" mean that it cannot be trained."""

    stem: str
    file: Path
    text: str = ""
    name: str = ""
    description: str = ""
    symbols: tuple[str, ...] = ()
    timeframes: tuple[str, ...] = ()
    base_timeframe: str = ""
    history_required: int = 0  # bars
    indicators: dict[str, tuple[str, dict[str, float]]] = field(default_factory=dict)  # id -> (type, parameters)
    inputs: tuple[FuzzySet, ...] = ()
    hidden_layers: tuple[int, ...] = (32, 16)
    activation: str = "relu"
    learning_rate: float = 0.001
    batch_size: int = 32
    epochs: int = 100
    optimizer: str = "adam"
    patience: int | None = None  # epochs without improvement before it stops; None: never
    min_delta: float = 0.0
    threshold: float = 0.03  # move that makes a label, as a fraction of the price
    lookahead: int = 20  # bars within which it has to happen
    split: tuple[float, float, float] = (0.7, 0.15, 0.15)
    seed: int = 42
    issues: tuple[Issue, ...] = ()

    @property
    def errors(self) -> list[str]:
        return [issue["message"] for issue in self.issues if issue["severity"] == "error"]

    def features(self, timeframes: tuple[str, ...]) -> list[dict[str, Any]]:
        """The network's inputs in their order, as KTRDR lists them."""
        return [
            {
                "feature_id": f"{timeframe}_{fuzzy.name}_{label}",
                "timeframe": timeframe,
                "fuzzy_set": fuzzy.name,
                "membership": label,
                "indicator_id": fuzzy.indicator,
                "indicator_output": fuzzy.output,
            }
            for fuzzy in self.inputs
            for timeframe in timeframes
            if fuzzy.timeframes is None or timeframe in fuzzy.timeframes
            for label, _, _ in fuzzy.labels
        ]


def find(stem: str, folders: list[Path]) -> Strategy | None:
    """The strategy whose file has this stem; a user's own comes before a starter of the same name."""
    if not NAME.fullmatch(stem):
        return None
    for folder in folders:
        for ending in ("yaml", "yml"):
            if (file := folder / f"{stem}.{ending}").is_file():
                return read(file)
    return None


def all_in(folders: list[Path]) -> list[Strategy]:
    files: dict[str, Path] = {}
    for folder in folders:
        for file in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
            if NAME.fullmatch(file.stem):
                files.setdefault(file.stem, file)
    return [read(files[stem]) for stem in sorted(files)]


def read(file: Path) -> Strategy:
    """Never raises for what a file says: what is wrong is in its issues."""
    try:
        if file.stat().st_size > MAX_FILE:
            raise ValueError("it is larger than 256 kB")
        text = file.read_text("utf-8")
        content = yaml.safe_load(text)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as exc:
        return _broken(file, f"{file.name} cannot be read: {' '.join(str(exc).split())[:300]}")
    if not isinstance(content, dict):
        return _broken(file, f"{file.name} is not a strategy: it has no keys.")
    if isinstance(content.get("indicators"), list):
        return _broken(file, f"{file.name} is a v2 strategy: its indicators are a list. Only v3 files are trained.")
    reader = _Reader(content)
    values = reader.values()
    return Strategy(stem=file.stem, file=file, text=text, issues=tuple(reader.issues), **values)


def _broken(file: Path, message: str) -> Strategy:
    return Strategy(stem=file.stem, file=file, name=file.stem, issues=(_issue("error", "file", message),))


def _issue(severity: str, category: str, message: str) -> Issue:
    return {"severity": severity, "category": category, "message": message, "details": {}}


class _Reader:
    """Reads one file's content, noting what is wrong on the way."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content
        self.issues: list[Issue] = []

    def error(self, category: str, message: str) -> None:
        self.issues.append(_issue("error", category, message))

    def warn(self, category: str, message: str) -> None:
        self.issues.append(_issue("warning", category, message))

    def values(self) -> dict[str, Any]:
        data, model = self.section("training_data"), self.section("model")
        learning = self.section("training")
        timeframes = self.listing(data, "timeframes", "timeframe")
        for unknown in [timeframe for timeframe in timeframes if timeframe not in TIMEFRAMES]:
            self.error("timeframes", f"“{unknown}” is not a timeframe; there are {', '.join(TIMEFRAMES)}.")
        symbols = self.listing(data, "symbols", "symbol")
        if not symbols or not timeframes:
            self.error("training_data", "training_data names no symbol or no timeframe.")
        base = data.get("timeframes") if isinstance(data.get("timeframes"), dict) else {}
        indicators = dict(self.indicators())
        if str(self.section("decisions").get("output_format", "classification")) != "classification":
            self.error("decisions", "Only classification (BUY, HOLD, SELL) can be trained here, not regression.")
        return {
            "name": str(self.content.get("name") or ""),
            "description": " ".join(str(self.content.get("description") or "").split())[:1000],
            "symbols": symbols,
            "timeframes": timeframes,
            "base_timeframe": str((base or {}).get("base_timeframe") or (timeframes[0] if timeframes else "")),
            "history_required": int(self.amount(data, "history_required", 0, 0, 100_000)),
            "indicators": indicators,
            "inputs": tuple(self.inputs(indicators)),
            **self.network(model),
            **self.labels(learning),
        }

    def section(self, name: str, within: dict[str, Any] | None = None) -> dict[str, Any]:
        found = (self.content if within is None else within).get(name)
        return found if isinstance(found, dict) else {}

    def amount(self, within: dict[str, Any], name: str, usual: float, low: float, high: float) -> float:
        given = within.get(name, usual)
        if isinstance(given, bool) or not isinstance(given, int | float) or not low <= given <= high:
            self.error(name, f"{name} is {given!r}; it has to be a number from {low:g} to {high:g}.")
            return usual
        return given

    def choice(self, within: dict[str, Any], name: str, usual: str, known: dict[str, str]) -> str:
        given = str(within.get(name) or usual).lower()
        if given not in known:
            self.error(name, f"{name} “{given}” is not known; there are {', '.join(known)}.")
            return known[usual]
        return known[given]

    @staticmethod
    def listing(data: dict[str, Any], many: str, one: str) -> tuple[str, ...]:
        """All the spellings that occur: {symbols: […]}, {list: […]}, {symbol: X}, […], X."""
        value = data.get(many) or data.get(one)
        if isinstance(value, dict):
            value = value.get(many) or value.get("list") or value.get(one)
        return tuple(str(item) for item in (value if isinstance(value, list) else [value]) if item)[:50]

    def indicators(self) -> Iterator[tuple[str, tuple[str, dict[str, float]]]]:
        if not self.section("indicators"):
            self.error("indicators", "It has no indicators.")
        for name, given in self.section("indicators").items():
            given = given if isinstance(given, dict) else {}
            kind = str(given.get("type") or given.get("name") or "").lower()
            if kind not in INDICATORS:
                self.error("indicators", f"Indicator {name}: type “{kind}” is not known here.")
                continue
            parameters = {}
            for key, value in given.items():
                if key in ("type", "name", "source"):
                    if key == "source" and value != "close":
                        self.warn("indicators", f"Indicator {name} is computed from closes, not from {value}.")
                elif key not in INDICATORS[kind].parameters:
                    takes = ", ".join(INDICATORS[kind].parameters) or "none"
                    self.error("indicators", f"Indicator {name}: {kind} has no parameter {key}; it takes {takes}.")
                else:
                    parameters[key] = self.amount(given, key, 14, 1, 10_000)
            yield str(name), (kind, parameters)

    def inputs(self, indicators: dict[str, Any]) -> Iterator[FuzzySet]:
        listed = self.content.get("nn_inputs")
        if not isinstance(listed, list) or not listed:
            self.error("nn_inputs", "nn_inputs names no fuzzy set: the network has no inputs.")
            return
        for item in listed:
            name = str(item.get("fuzzy_set") if isinstance(item, dict) else item)
            given = self.section(name, self.section("fuzzy_sets"))
            indicator, _, output = str(given.get("indicator") or "").partition(".")
            if not given:
                self.error("nn_inputs", f"nn_inputs names the fuzzy set {name}, which does not exist.")
            elif indicator not in indicators:
                self.error("fuzzy_sets", f"Fuzzy set {name}: there is no indicator “{indicator}”.")
            elif output and output not in INDICATORS[indicators[indicator][0]].outputs:
                has = ", ".join(INDICATORS[indicators[indicator][0]].outputs)
                self.error("fuzzy_sets", f"Fuzzy set {name}: {indicator} has no output “{output}”; it has {has}.")
            else:
                wanted = item.get("timeframes", "all") if isinstance(item, dict) else "all"
                only = None if wanted in ("all", None) else tuple(map(str, wanted if isinstance(wanted, list) else [wanted]))
                yield FuzzySet(name, indicator, output or None, tuple(self.memberships(name, given)), only)

    def memberships(self, name: str, given: dict[str, Any]) -> Iterator[tuple[str, str, tuple[float, ...]]]:
        for label, shape in given.items():
            if label == "indicator":
                continue
            kind, parameters = (shape.get("type"), shape.get("parameters")) if isinstance(shape, dict) else (None, None)
            if kind not in MEMBERSHIPS:
                known = ", ".join(MEMBERSHIPS)
                self.error("fuzzy_sets", f"Fuzzy set {name}, {label}: type “{kind}” is not known here; there are {known}.")
            elif (
                not isinstance(parameters, list)
                or len(parameters) != MEMBERSHIPS[kind]
                or not all(isinstance(value, int | float) and not isinstance(value, bool) for value in parameters)
            ):
                self.error("fuzzy_sets", f"Fuzzy set {name}, {label}: {kind} takes {MEMBERSHIPS[kind]} numbers.")
            elif kind in ("triangular", "trapezoidal") and parameters != sorted(parameters):
                self.error("fuzzy_sets", f"Fuzzy set {name}, {label}: the parameters have to ascend.")
            elif kind == "gaussian" and parameters[1] <= 0:
                self.error("fuzzy_sets", f"Fuzzy set {name}, {label}: the width has to be above 0.")
            else:
                yield str(label), kind, tuple(float(value) for value in parameters)

    def network(self, model: dict[str, Any]) -> dict[str, Any]:
        shape, training = self.section("architecture", model), self.section("training", model)
        stopping = self.section("early_stopping", training)
        if str(model.get("type") or "mlp").lower() != "mlp":
            self.error("model", f"Only a multi-layer perceptron (mlp) can be trained, not “{model.get('type')}”.")
        layers = shape.get("hidden_layers", [32, 16])
        if not (isinstance(layers, list) and layers and all(type(n) is int and 0 < n <= 1024 for n in layers)):
            self.error("model", "hidden_layers has to be a list of sizes from 1 to 1024.")
            layers = [32, 16]
        if shape.get("dropout"):
            self.warn("model", "dropout is not used: the embedded backend's network has none.")
        activations = {"relu": "relu", "tanh": "tanh", "sigmoid": "logistic", "logistic": "logistic"}
        return {
            "hidden_layers": tuple(layers),
            "activation": self.choice(shape, "activation", "relu", activations),
            "learning_rate": self.amount(training, "learning_rate", 0.001, 1e-7, 10.0),
            "batch_size": int(self.amount(training, "batch_size", 32, 1, 100_000)),
            "epochs": int(self.amount(training, "epochs", 100, 1, 5000)),
            "optimizer": self.choice(training, "optimizer", "adam", {"adam": "adam", "adamw": "adam", "sgd": "sgd"}),
            "patience": int(self.amount(stopping, "patience", 10, 1, 5000)) if stopping.get("enabled") else None,
            "min_delta": self.amount(stopping, "min_delta", 0.0, 0.0, 10.0),
            "seed": int(self.amount(training, "random_seed", 42, 0, 2**31)),
        }

    def labels(self, learning: dict[str, Any]) -> dict[str, Any]:
        labels, split = self.section("labels", learning), self.section("data_split", learning)
        if str(labels.get("source") or "zigzag") != "zigzag":
            self.error("labels", f"Only zigzag labels can be made here, not “{labels['source']}”.")
        shares = tuple(
            self.amount(split, name, usual, 0.05, 0.9)
            for name, usual in (("train", 0.7), ("validation", 0.15), ("test", 0.15))
        )
        if abs(sum(shares) - 1) > 0.01:
            self.error("data_split", "The shares of train, validation and test have to add up to 1.")
        return {
            "threshold": self.amount(labels, "zigzag_threshold", 0.03, 0.00001, 1.0),
            "lookahead": int(self.amount(labels, "label_lookahead", 20, 1, 5000)),
            "split": shares,
        }
