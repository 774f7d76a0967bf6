"""Single values out of free-form data: results, parameters, forms. Total: unknown instead of an exception. Pure."""

import math
import re
from datetime import UTC, datetime
from typing import Any

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  as the backend writes it: UTC, without a zone
# Control characters but tab and newline, surrogates, and all that is invisible or turns the direction of writing: it
# could drive a terminal, forge a line, or make a command read differently from what it does.
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
EARLIEST, LATEST = -2_208_988_800.0, 7_258_118_400.0  # Unix seconds: the years 1900 to 2199


def number(value: Any) -> float | None:
    """A finite float, or None for anything else (booleans, strings, NaN, integers beyond a float)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        as_float = float(value)
    except OverflowError:
        return None
    return as_float if math.isfinite(as_float) else None


def without_controls(text: str) -> str:
    return _CONTROLS.sub("", text)


def text(value: Any) -> str:
    """A string or a number as text; "" for anything else."""
    if isinstance(value, str):
        return value
    return str(value) if number(value) is not None else ""


def moment(value: Any) -> float | None:
    """ISO 8601 -> Unix seconds. The backend writes `…Z`, `+00:00` and no zone at all; all are UTC. None outside
    1900–2199: arithmetic with it could leave the range of a date."""
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
        # In a third of the time of `replace(tzinfo=UTC)`: bars come by the ten thousand.
        at = parsed.timestamp() if parsed.tzinfo else (parsed - _EPOCH).total_seconds()
    except (ValueError, OverflowError):
        return None
    return at if EARLIEST <= at < LATEST else None


def utc(at: float | None) -> datetime | None:
    """Unix seconds as a date; None for what is not one."""
    try:
        return None if at is None else datetime.fromtimestamp(at, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def mapping(value: Any) -> dict[str, Any]:
    """A dict, {} for anything else."""
    return value if isinstance(value, dict) else {}


def items(value: Any, most: int) -> list[Any]:
    """At most `most` items of a list; [] for anything else."""
    return value[:most] if isinstance(value, list) else []
