"""Strategy files (v3 YAML): where they are, what they say, and what is wrong with them.

The models below name the keys as the files do; what they do not name is ignored.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from panel.embedded.indicators import INDICATORS, MEMBERSHIPS
from panel.embedded.timeframes import TIMEFRAMES

STARTERS = Path(__file__).parent / "starters"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,199}")
MAX_FILE = 256 * 1024  # bytes


class Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Data(Part):
    symbols: tuple[str, ...] = Field(min_length=1, max_length=50)
    timeframes: tuple[Literal[tuple(TIMEFRAMES)], ...] = Field(min_length=1, max_length=10)  # type: ignore[valid-type]
    base_timeframe: str = ""
    history_required: int = Field(0, ge=0, le=100_000)  # bars before the first sample

    @model_validator(mode="before")
    @classmethod
    def spellings(cls, given: Any) -> Any:
        """{symbols: […]}, {list: […]}, {symbol: X}, […] and X all occur."""
        if not isinstance(given, dict):
            return given
        base = given.get("timeframes")
        values = {"base_timeframe": base.get("base_timeframe") or "" if isinstance(base, dict) else ""}
        for many, one in (("symbols", "symbol"), ("timeframes", "timeframe")):
            value = given.get(many) or given.get(one)
            if isinstance(value, dict):
                value = value.get(many) or value.get("list") or value.get(one)
            values[many] = value if isinstance(value, list) else [value] if value else []
        return given | values


class Indicator(Part):
    type: str
    parameters: dict[str, Annotated[float, Field(ge=1, le=10_000)]]

    @model_validator(mode="before")
    @classmethod
    def gather(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            raise ValueError("it has to be a mapping with a type")
        kind = str(given.get("type") or given.get("name") or "").lower()
        if kind not in INDICATORS:
            raise ValueError(f"the type “{kind}” is not known here; there are {', '.join(INDICATORS)}")
        parameters = {key: value for key, value in given.items() if key not in ("type", "name", "source")}
        if unknown := [key for key in parameters if key not in INDICATORS[kind].parameters]:
            takes = ", ".join(INDICATORS[kind].parameters) or "none"
            raise ValueError(f"{kind} has no parameter {unknown[0]}; it takes {takes}")
        if given.get("source", "close") != "close":
            raise ValueError("indicators are computed from closes here, not from another source")
        return {"type": kind, "parameters": parameters}


class Membership(Part):
    type: Literal[tuple(MEMBERSHIPS)]  # type: ignore[valid-type]
    parameters: tuple[float, ...]

    @model_validator(mode="after")
    def fits(self) -> "Membership":
        if len(self.parameters) != MEMBERSHIPS[self.type]:
            raise ValueError(f"{self.type} takes {MEMBERSHIPS[self.type]} parameters")
        if self.type in ("triangular", "trapezoidal") and list(self.parameters) != sorted(self.parameters):
            raise ValueError("the parameters have to ascend")
        if self.type == "gaussian" and self.parameters[1] <= 0:
            raise ValueError("the second parameter, the width, has to be above 0")
        return self


class FuzzySet(Part):
    indicator: str
    labels: dict[str, Membership] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def gather(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            raise ValueError("it has to be a mapping")
        return {"indicator": given.get("indicator"), "labels": {k: v for k, v in given.items() if k != "indicator"}}


class Input(Part):
    fuzzy_set: str
    timeframes: Literal["all"] | tuple[str, ...] = "all"

    def uses(self, timeframe: str) -> bool:
        return self.timeframes == "all" or timeframe in self.timeframes


class Architecture(Part):
    hidden_layers: tuple[Annotated[int, Field(ge=1, le=1024)], ...] = Field((32, 16), min_length=1, max_length=10)
    activation: Literal["relu", "tanh", "sigmoid", "logistic"] = "relu"
    dropout: float = 0.0


class EarlyStopping(Part):
    enabled: bool = False
    patience: int = Field(10, ge=1)  # epochs
    min_delta: float = Field(0.0, ge=0)


class Learning(Part):
    learning_rate: float = Field(0.001, gt=0, le=10)
    batch_size: int = Field(32, ge=1)
    epochs: int = Field(100, ge=1, le=5000)
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    early_stopping: EarlyStopping = EarlyStopping()
    random_seed: int = Field(42, ge=0, lt=2**32)


class Model(Part):
    type: Literal["mlp"] = "mlp"
    architecture: Architecture = Architecture()
    training: Learning = Learning()


class Decisions(Part):
    output_format: Literal["classification"] = "classification"
    confidence_threshold: float = Field(0.5, ge=0, le=1)  # a signal that the network is less sure of is a HOLD


class Labels(Part):
    source: Literal["zigzag"] = "zigzag"
    zigzag_threshold: float = Field(0.03, gt=0, lt=1)  # the move that makes a label, as a fraction of the price
    label_lookahead: int = Field(20, ge=1, le=5000)  # bars within which it has to happen


class DataSplit(Part):
    train: float = Field(0.7, ge=0.05, le=0.9)
    validation: float = Field(0.15, ge=0.05, le=0.9)
    test: float = Field(0.15, ge=0.05, le=0.9)

    @model_validator(mode="after")
    def whole(self) -> "DataSplit":
        if abs(self.train + self.validation + self.test - 1) > 0.01:
            raise ValueError("train, validation and test have to add up to 1")
        return self


class Supervision(Part):
    labels: Labels = Labels()
    data_split: DataSplit = DataSplit()


class Plan(Part):
    """A strategy file's content."""

    name: str = ""
    description: str = ""
    training_data: Data
    indicators: dict[str, Indicator] = Field(min_length=1)
    fuzzy_sets: dict[str, FuzzySet] = Field(min_length=1)
    nn_inputs: tuple[Input, ...] = Field(min_length=1)
    model: Model = Model()
    decisions: Decisions = Decisions()
    training: Supervision = Supervision()

    @model_validator(mode="before")
    @classmethod
    def recognise(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            raise ValueError("this file is not a strategy: it has no keys")
        if isinstance(given.get("indicators"), list):
            raise ValueError("this is a v2 strategy: its indicators are a list. Only v3 files are trained")
        return given

    @model_validator(mode="after")
    def refers(self) -> "Plan":
        for item in self.nn_inputs:
            if item.fuzzy_set not in self.fuzzy_sets:
                raise ValueError(f"nn_inputs names the fuzzy set {item.fuzzy_set}, which does not exist")
        for name, fuzzy in self.fuzzy_sets.items():
            indicator, _, output = fuzzy.indicator.partition(".")
            if indicator not in self.indicators:
                raise ValueError(f"the fuzzy set {name} names the indicator {indicator}, which does not exist")
            has = INDICATORS[self.indicators[indicator].type].outputs
            if output and output not in has:
                raise ValueError(f"the fuzzy set {name}: {indicator} has no output {output}; it has {', '.join(has)}")
        return self

    def base(self, timeframes: list[str]) -> str:
        """The timeframe on whose bars the network decides."""
        wanted = self.training_data.base_timeframe
        return wanted if wanted in timeframes else timeframes[0]

    def features(self, timeframes: list[str]) -> list[dict[str, Any]]:
        """The network's inputs in their order, as KTRDR lists them."""
        found = []
        for item in self.nn_inputs:
            indicator, _, output = self.fuzzy_sets[item.fuzzy_set].indicator.partition(".")
            for timeframe in filter(item.uses, timeframes):
                for label in self.fuzzy_sets[item.fuzzy_set].labels:
                    feature: dict[str, Any] = {
                        "feature_id": f"{timeframe}_{item.fuzzy_set}_{label}",
                        "timeframe": timeframe,
                    }
                    feature |= {"fuzzy_set": item.fuzzy_set, "membership": label}
                    found.append(feature | {"indicator_id": indicator, "indicator_output": output or None})
        return found


@dataclass(frozen=True, slots=True)
class Strategy:
    """One file. Without a plan it cannot be trained, and its issues say why."""

    stem: str
    text: str = ""
    plan: Plan | None = None
    issues: tuple[dict[str, Any], ...] = ()


def find(stem: str, folders: list[Path]) -> Strategy | None:
    """The strategy whose file has this stem; an earlier folder comes first."""
    files = [folder / f"{stem}{ending}" for folder in folders for ending in (".yaml", ".yml")]
    return next((read(file) for file in files if file.is_file()), None) if NAME.fullmatch(stem) else None


def all_in(folders: list[Path]) -> list[Strategy]:
    files: dict[str, Path] = {}
    for file in [file for folder in folders for ending in ("yaml", "yml") for file in folder.glob(f"*.{ending}")]:
        if NAME.fullmatch(file.stem):
            files.setdefault(file.stem, file)
    return [read(files[stem]) for stem in sorted(files)]


def read(file: Path) -> Strategy:
    """Never raises for what a file says: what is wrong is in its issues."""
    try:
        if file.stat().st_size > MAX_FILE:
            raise ValueError("it is larger than 256 kB")
        text = file.read_text("utf-8")
        plan = Plan.model_validate(yaml.safe_load(text))
    except ValidationError as exc:
        found = [
            (".".join(map(str, error["loc"])), error["msg"].removeprefix("Value error, ")) for error in exc.errors()
        ]
        messages = [
            f"{place}: {message}." if place else f"{message[:1].upper()}{message[1:]}." for place, message in found
        ]
        return Strategy(file.stem, text, None, tuple(_issue("error", message) for message in messages[:20]))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as exc:
        reason = " ".join(str(exc).split())[:300]
        return Strategy(file.stem, "", None, (_issue("error", f"{file.name} cannot be read: {reason}"),))
    issues: tuple[dict[str, Any], ...] = ()
    if plan.model.architecture.dropout:
        issues = (_issue("warning", "dropout is not used: the embedded backend's network has none."),)
    return Strategy(file.stem, text, plan, issues)


def _issue(severity: str, message: str) -> dict[str, Any]:
    return {"severity": severity, "category": "strategy", "message": message, "details": {}}
