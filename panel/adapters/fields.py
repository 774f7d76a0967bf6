"""The fields of a kind's form and command line, and how a typed value is read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from panel.domain.gaps import SYMBOL
from panel.domain.values import number

TIMEFRAMES = ("1m", "5m", "15m", "30m", "1h", "2h", "4h", "1d", "1w", "1M")  # GET /timeframes
MAX_TYPED = 200  # characters

FieldType = Literal["text", "date", "symbols", "timeframes", "switch", "choice", "number", "percent", "long"]


@dataclass(frozen=True, slots=True)
class Field:
    """One thing to ask for. `name` is the form field and the adapter's argument; `option` is the
    command line's option, empty for a positional argument."""

    name: str
    label: str
    type: FieldType = "text"
    help: str = ""
    option: str = ""
    required: bool = False
    choices: tuple[tuple[str, str], ...] = ()  # (value, what it means)
    default: str = ""  # the default choice


def asked(
    label: str,
    type: FieldType = "text",  # noqa: A002
    *,
    help: str = "",  # noqa: A002
    option: str = "",
    required: bool = False,
    choices: tuple[tuple[str, str], ...] = (),
) -> Mapping[str, Field]:
    """The metadata of a dataclass field that people fill in; the name, and the default of a choice, are the field's."""
    return {"form": Field("", label, type, help, option, required, choices)}


LEAVE_OUT = asked(
    "Leave out bars that cannot be true", "switch", option="--leave-out-bad-bars",
    help="Of the embedded backend's data: a high below the low, a price of zero, and the like",
)  # fmt: skip


def read_form(fields: tuple[Field, ...], values: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """(what was typed, what is wrong with it), both by the field's name; an empty field is in neither."""
    read: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for field in fields:
        typed = str(values.get(field.name, "") or "").strip()
        try:
            value = _read(field, typed)
        except ValueError as exc:
            errors[field.name] = str(exc)
        else:
            read |= {} if value is None else {field.name: value}
    return read, errors


def as_typed(field: Field, value: Any) -> str:
    """A value as a person would type it into the field."""
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    if isinstance(value, bool):
        return "1" if value else ""
    if field.type == "percent" and (share := number(value)) is not None:
        return per_cent(share)
    return str(value)[:10] if field.type == "date" else str(value)


def written(value: Any) -> str:
    """A number or a word as it is typed."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def per_cent(share: Any) -> str:
    """A fraction as it is typed into a field of per cents; the inverse of `_share`."""
    return written(round(float(share) * 100, 10))


def _read(field: Field, typed: str) -> Any:
    if not typed:
        if field.required:
            raise ValueError(f"{field.label} is needed.")
        return None
    match field.type:
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
            if typed not in [value for value, _ in field.choices]:
                raise ValueError(f"Choose one of {', '.join(value for value, _ in field.choices)}.")
        case "long":  # the kind limits the length
            return typed.replace("\r\n", "\n")
    if field.name == "symbol":
        return _symbol(typed)
    if len(typed) > MAX_TYPED:
        raise ValueError(f"This is longer than {MAX_TYPED} characters.")
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
