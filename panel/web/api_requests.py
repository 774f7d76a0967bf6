"""What the JSON API takes: the body of a start, made from what its kind asks for, and the key of a request."""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from fastapi import Header
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, create_model
from pydantic_core import PydanticCustomError

from panel.adapters import Kind
from panel.adapters.fields import Field as Asked
from panel.adapters.fields import as_typed
from panel.domain.history import MAX_SEARCH, MAX_WORDS, searchable
from panel.domain.labels import LONGEST_TAG, MAX_TAGS
from panel.errors import InvalidForm
from panel.web import api_schemas as schemas
from panel.workflows.backtest_preflight import FILLED
from panel.workflows.replacing import REPLACE
from panel.workflows.submit import INSIST

AS_PROBLEM = "application/problem+json"
PROBLEM: dict[str, Any] = {"model": schemas.Problem, "content": {AS_PROBLEM: {}}}
ACTED: dict[int | str, dict[str, Any]] = {
    404: PROBLEM | {"description": "Neither the panel nor the backend knows it."},
    409: PROBLEM | {"description": "It cannot be done now; `detail` says why."},
    502: PROBLEM | {"description": "The backend could not be asked."},
}

IdempotencyKey = Annotated[
    str,
    Header(
        min_length=8,
        max_length=255,
        pattern=r"^[!-~]+$",
        description="A key of your own, new for each request. The same key never starts twice: a repeat of a start, a"
        " batch, a schedule or a change of many operations gets the answer of the first, or its outcome since."
        " Other requests change nothing more when they are repeated, and say what they answer then.",
        examples=["0b7f9f0e-5d0a-4c0f-9a43-5f8f6c1d2a10"],
    ),
]


def _iso(given: Any) -> datetime:
    """From ISO 8601, with or without dashes and colons; UTC when no zone is given. Pydantic alone would read digits as
    seconds since 1970, and a filter by a day as one that everything passes."""
    found = _ISO.fullmatch(given) if isinstance(given, str) else None
    try:
        if found is None:
            raise ValueError
        moment = datetime.fromisoformat(f"{found[1]}T{(found[2] or '00').upper()}")
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        moment.timestamp()
    except (ValueError, OverflowError):
        raise PydanticCustomError("iso", "This is no date; write it like 2024-01-31 or 2024-01-31T18:30:00Z") from None
    return moment


def _day(given: Any) -> date:
    moment = _iso(given)
    if moment.timetz() != datetime.min.replace(tzinfo=UTC).timetz():
        raise PydanticCustomError("iso", "This is no day; write it like 2024-01-31")
    return moment.date()


def _words(given: str) -> str:
    if left := searchable(given)[1]:
        message = "At most {most} words are searched for; {left} more were given"
        raise PydanticCustomError("words", message, {"most": MAX_WORDS, "left": len(left.split())})
    return given


_ISO = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8})(?:[Tt ]([0-9].*))?")

# Every point in time that a program gives has one of these types.
Moment = Annotated[datetime, BeforeValidator(_iso)]
Day = Annotated[date, BeforeValidator(_day)]

Search = Annotated[
    str,
    Field(max_length=MAX_SEARCH, description=f"Only with these words, {MAX_WORDS} at most; `tag:x` is a whole tag."),
    AfterValidator(_words),
]

Tags = Annotated[list[Annotated[str, Field(max_length=LONGEST_TAG)]], Field(max_length=MAX_TAGS)]

_TYPES: dict[str, Any] = {
    "symbols": list[str],
    "timeframes": list[str],
    "switch": bool,
    "number": float,
    "percent": float,
}
_EXAMPLES = {
    "strategy_name": "trend_momentum",
    "symbols": ["EURUSD"],
    "symbol": "EURUSD",
    "timeframes": ["1h"],
    "timeframe": "1h",
    "start_date": "2024-01-01",
    "end_date": "2024-12-31",
    "model_path": "models/trend_momentum/1h_v1",
    "initial_capital": 100_000,
}


class StartBody(BaseModel):
    """What a start of any kind takes beside the fields of its kind."""

    model_config = ConfigDict(extra="forbid")

    confirm: list[Literal["insist", "replace"]] = Field(
        default=[],
        description=f"What a refusal with status 409 asked for: `{INSIST}` starts what would fail, `{REPLACE}` lets"
        " stored data be replaced.",
    )
    queue: bool = Field(
        default=False,
        description="Wait in the queue if it cannot start now, as for a worker. Data loads always do.",
    )


def body_of(kind: type[Kind]) -> type[StartBody]:
    """The model of a start's body: names and units are those of the adapter's arguments."""
    fields: dict[str, Any] = {field.name: (_type_of(field), _about(field)) for field in kind.fields}
    return create_model(f"Start{kind.__name__.removesuffix('OperationAdapter')}", __base__=StartBody, **fields)


def as_form(kind: type[Kind], body: StartBody) -> dict[str, str]:
    """The body's fields as a person would type them; what is left out is not in it."""
    given = {field: getattr(body, field.name) for field in kind.fields}
    return {field.name: as_typed(field, value) for field, value in given.items() if value is not None}


def start_key(key: str) -> str:
    """The start's own key, of a length and an alphabet that suit the panel's addresses."""
    return f"api-{hashlib.sha256(key.encode()).hexdigest()[:40]}"


def same_request(
    kind: type[Kind], stored: Mapping[str, str], values: Mapping[str, str], given: Mapping[str, str]
) -> bool:
    """Whether a request with a repeated key is the same: each field, or the default of one that is left out. `given`:
    without what follows from a chosen model; the panel may know the model only now, or no longer."""
    left_out = [name for name in FILLED if values.get("model_path") and not given.get(name)]
    unknown = {name: values[name] for name in left_out if not (values[name] and stored.get(name))}
    try:
        return kind.from_form({**stored, **unknown}) == kind.from_form(values)
    except InvalidForm:
        return False


def _type_of(field: Asked) -> Any:
    known = Literal[tuple(value for value, _ in field.choices)] if field.choices else _TYPES.get(field.type, str)
    return known if field.required else known | None


def _about(field: Asked) -> Any:
    unit = "A fraction: 0.001 is 0.1 %." if field.type == "percent" else ""
    # Labels name the unit of the form's field, which differs.
    sentences = [field.label.removesuffix(" in %"), "" if field.type == "percent" else field.help, unit]
    examples = [_EXAMPLES[field.name]] if field.name in _EXAMPLES else None
    default: Any = ... if field.required else None
    return Field(default, description=". ".join(filter(None, sentences)), examples=examples)
