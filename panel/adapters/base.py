"""What every kind of operation says about itself: how to start it, what to ask for, how to read its end.

A kind is one class in one file of this folder. The start page, the command-line sub-command, the
operation's page and the contract tests are all made from what stands here.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, ClassVar, Literal, Self

from panel.domain.chart import Chart
from panel.domain.gaps import SYMBOL
from panel.domain.results import Figure, Measure
from panel.domain.snapshot import ID, Snapshot
from panel.domain.values import mapping, number, text
from panel.errors import APIError, InvalidForm

TIMEFRAMES = ("1m", "5m", "15m", "30m", "1h", "2h", "4h", "1d", "1w", "1M")  # GET /timeframes


@dataclass(frozen=True, slots=True)
class Field:
    """One thing to ask for. `name` is the form field and the adapter's argument; `option` is the
    command line's option, empty for a positional argument."""

    name: str
    label: str
    type: Literal["text", "date", "symbols", "timeframes", "switch", "choice", "number", "percent"] = "text"
    help: str = ""
    option: str = ""
    required: bool = False
    choices: tuple[tuple[str, str], ...] = ()  # (value, what it means)
    default: str = ""


class OperationAdapter(ABC):
    """Kind of operation -> REST, and back."""

    kind: ClassVar[str]  # the backend's operation_type
    title: ClassVar[str]
    action: ClassVar[str]  # what the button says
    command: ClassVar[str]  # the command line's sub-command
    summary: ClassVar[str]  # one sentence for people
    fields: ClassVar[tuple[Field, ...]] = ()
    measures: ClassVar[tuple[Measure, ...]] = ()
    takes_id: ClassVar[bool] = False  # the start accepts an id of the caller's choice: `task_id`
    task_id: str | None = None

    @abstractmethod
    def get_start_endpoint(self) -> str:
        """Path below the base URL."""

    @abstractmethod
    def get_start_payload(self) -> dict[str, Any]:
        """The JSON body; what the user did not choose is left out, so that the backend takes its own default."""

    def parse_start_response(self, response: Mapping[str, Any]) -> str:
        """The new operation's id, from wherever this backend puts it: `operation_id`, `task_id` or
        `data.operation_id`. Raises APIError when there is none that could be asked for again."""
        data = response.get("data")
        nested = data.get("operation_id") if isinstance(data, Mapping) else None
        for found in (response.get("operation_id"), response.get("task_id"), nested):
            if isinstance(found, str) and ID.fullmatch(found):
                return found
        raise APIError("The backend accepted the start but named no operation.", 200, dict(response))

    @classmethod
    def from_form(cls, values: Mapping[str, str], *, today: date | None = None) -> Self:
        """From what was typed, every value a string; raises InvalidForm with a sentence for each bad field."""
        errors: dict[str, str] = {}
        arguments: dict[str, Any] = {}
        for asked in cls.fields:
            typed = str(values.get(asked.name, "") or "").strip()
            try:
                arguments[asked.name] = _read(asked, typed)
            except ValueError as exc:
                errors[asked.name] = str(exc)
        errors |= {k: v for k, v in cls.check(arguments, today or datetime.now(UTC).date()).items() if k not in errors}
        if errors:
            raise InvalidForm(errors)
        return cls(**arguments)

    @classmethod
    def typed(cls, parameters: Mapping[str, Any]) -> dict[str, str]:
        """The parameters of an operation as somebody would have typed them."""
        typed = {}
        for asked in cls.fields:
            value = parameters.get(asked.name)
            if isinstance(value, list):
                typed[asked.name] = ", ".join(str(item) for item in value)
            elif isinstance(value, bool):
                typed[asked.name] = "1" if value else ""
            elif asked.type == "percent" and (share := number(value)) is not None:
                typed[asked.name] = per_cent(share)
            elif value is not None:
                typed[asked.name] = str(value)[:10] if asked.type == "date" else str(value)
        return typed

    def argv(self) -> list[str]:
        """The same start as a command line of this project."""
        positional, options = [], []
        for asked in self.fields:
            value = getattr(self, asked.name, None)
            if not chosen(value=value) or (asked.option and value == asked.default):
                continue
            if isinstance(value, list):
                shown = ",".join(value)
            else:
                shown = per_cent(value) if asked.type == "percent" else written(value)
            if not asked.option:
                positional.append(shown)
            elif asked.type == "switch":
                options.append(asked.option)
            else:  # what begins with a dash is a value only when it is tied to its option
                options += [f"{asked.option}={shown}"] if shown.startswith("-") else [asked.option, shown]
        last = ["--", *positional] if any(each.startswith("-") for each in positional) else positional
        return ["ktrdr-panel", self.command, *(options + last if last is not positional else positional + options)]

    def ktrdr_argv(self) -> list[str]:
        """The same as a command line of KTRDR's own, [] where that cannot say it."""
        return []

    @classmethod
    def check(cls, arguments: Mapping[str, Any], today: date) -> dict[str, str]:
        """Field -> sentence, for what is wrong with values that are fine one by one."""
        start, end = arguments.get("start_date"), arguments.get("end_date")
        errors = {}
        if start and start > today.isoformat():
            errors["start_date"] = "This lies in the future: there is no market data for it yet."
        if start and end and start >= end:
            errors["end_date"] = f"The end has to come after the start, {start}."
        return errors

    @classmethod
    def name(cls, snapshot: Snapshot) -> str:
        """What this operation is called on pages."""
        return snapshot.symbol or cls.title

    @classmethod
    def figures(cls, snapshot: Snapshot) -> list[Figure]:
        """The result in a trader's words; [] when there is none yet."""
        return []

    @classmethod
    def chart(cls, snapshot: Snapshot) -> Chart | None:
        """The curves of this kind, as far as they are known; None while there are none."""
        return None


def percent(value: Any) -> str:
    """A fraction, 0–1, as per cent."""
    share = number(value)
    return "–" if share is None else f"{share * 100:.1f} %"


def count(value: Any) -> str:
    whole = number(value)
    return "–" if whole is None else f"{whole:,.0f}"


def decimal(value: Any, digits: int = 3) -> str:
    as_float = number(value)
    return "–" if as_float is None else f"{as_float:,.{digits}f}"


def written(value: Any) -> str:
    """A number or a word as it is typed."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def per_cent(share: Any) -> str:
    """A fraction as it is typed into a field of per cents; the inverse of `_share`."""
    return written(round(float(share) * 100, 10))


def chosen(**values: Any) -> dict[str, Any]:
    """The values that were chosen: without None, False and empty lists and strings."""
    # Told apart by type: a commission of 0 was chosen.
    left_out: tuple[Any, ...] = ("", [], ())
    return {name: v for name, v in values.items() if v is not None and v is not False and v not in left_out}


def named(result: Any, key: str) -> dict[str, Any]:
    """A dict inside a result, {} when it is not there."""
    return mapping(mapping(result).get(key))


def _read(asked: Field, typed: str) -> Any:
    if not typed:
        if asked.required:
            raise ValueError(f"{asked.label} is needed.")
        return False if asked.type == "switch" else None
    match asked.type:
        case "date":
            return _date(typed)
        case "symbols":
            return [_symbol(item) for item in re.split(r"[\s,;]+", typed) if item]
        case "timeframes":
            return [_timeframe(item) for item in re.split(r"[\s,;]+", typed) if item]
        case "switch":
            return typed.lower() not in ("0", "off", "false", "no")
        case "number":
            return _amount(typed)
        case "percent":
            return _share(typed)
        case "choice":
            if typed not in [value for value, _ in asked.choices]:
                raise ValueError(f"Choose one of {', '.join(value for value, _ in asked.choices)}.")
    if asked.name == "symbol":
        return _symbol(typed)
    if len(typed) > 200:
        raise ValueError("This is longer than 200 characters.")
    return typed


def _date(typed: str) -> str:
    try:
        parsed = date.fromisoformat(typed)
    except ValueError:
        raise ValueError(f"“{typed[:40]}” is not a date; write it like 2024-01-31.") from None
    if not 1970 <= parsed.year <= 2200:
        raise ValueError("The year has to be between 1970 and 2200.")
    return parsed.isoformat()


def _symbol(typed: str) -> str:
    if not SYMBOL.fullmatch(typed):
        raise ValueError(f"“{typed[:40]}” is not a symbol; write it like EURUSD or AAPL.")
    return typed.upper()


def _timeframe(typed: str) -> str:
    if typed not in TIMEFRAMES:
        raise ValueError(f"“{typed[:40]}” is not a timeframe; choose from {', '.join(TIMEFRAMES)}.")
    return typed


def _amount(typed: str) -> float:
    try:
        amount = number(float(typed.replace(",", "")))
    except ValueError:
        amount = None
    if amount is None or amount < 0:
        raise ValueError(f"“{typed[:40]}” is not an amount.")
    return amount


def _share(typed: str) -> float:
    """0.1 or 0.1 % -> 0.001, the fraction that the backend takes."""
    share = _amount(typed.removesuffix("%").strip())
    if share >= 100:
        raise ValueError(f"“{typed[:40]}” is not a share: it has to be below 100 %.")
    return round(share / 100, 12)


__all__ = [
    "TIMEFRAMES",
    "Field",
    "Figure",
    "Measure",
    "OperationAdapter",
    "chosen",
    "count",
    "decimal",
    "named",
    "percent",
    "text",
    "written",
]
