"""Backend JSON -> clean, bounded values. The only place for lenient decoding and limits. Pure.

Whatever the backend puts into a field, what leaves here is a finite number within limits, a string of bounded length
without control or bidirectional characters, or nothing. Out of range means unknown (None), never a clamped guess.
"""

import re
from collections.abc import Callable
from typing import Any, TypeVar

from panel.domain.snapshot import ID
from panel.domain.values import mapping, number, without_controls

HEAD, TAIL = 1000, 1000  # characters of a long text that are kept: the cause of an error is often in its last line
CUT = " … "
MAX_TEXT = HEAD + len(CUT) + TAIL
MAX_NAME = 100  # characters of a name in a free-form dict
MAX_LISTED = 1000  # entries of a list answer
MAX_DEPTH = 20  # levels of a free-form dict
MAX_NODES = 100_000  # values in one free-form dict
MAX_INTEGER = 2**63 - 1  # what SQLite and JSON writers take
MAX_NUMBER = 1e30  # losses of a diverging training, prices
MAX_COUNT = 1e12  # rows, bytes, steps
MAX_SECONDS = 100 * 366 * 86_400.0
MAX_EPOCH = 1e6

_BREAKS = re.compile(r"[\t\n]+")

T = TypeVar("T")


def text(value: Any) -> str:
    """Text of several lines, of at most MAX_TEXT characters; "" for anything that is not a string or a number."""
    if isinstance(value, str):
        return value if len(value) <= MAX_TEXT and value.isprintable() else shortened(_clean(value))
    return str(value) if bounded(value) is not None else ""


def line(value: Any, most: int = MAX_TEXT) -> str:
    """Text of one line."""
    return _BREAKS.sub(" ", text(value))[:most]


def shortened(value: str) -> str:
    """The head and the tail of a long text."""
    return value if len(value) <= MAX_TEXT else value[:HEAD] + CUT + value[-TAIL:]


def bounded(value: Any, limit: float = MAX_NUMBER) -> float | None:
    """A finite float from -limit to limit."""
    found = number(value)
    return found if found is not None and -limit <= found <= limit else None


def whole(value: Any, limit: float = MAX_COUNT) -> int | None:
    """An integer from -limit to limit; a fraction is cut off."""
    found = bounded(value, limit)
    return None if found is None else int(found)


def count(value: Any, limit: float = MAX_COUNT) -> int | None:
    """An integer from 0 to limit."""
    found = whole(value, limit)
    return found if found is not None and found >= 0 else None


def seconds(value: Any) -> float | None:
    """A duration from 0 to MAX_SECONDS."""
    found = bounded(value, MAX_SECONDS)
    return found if found is not None and found >= 0 else None


def operation_id(value: Any) -> str:
    """An id that can stand in a path; "" for anything else."""
    return value if isinstance(value, str) and ID.fullmatch(value) else ""


def items(value: Any, most: int = MAX_LISTED) -> list[Any]:
    """A list, cut to `most` entries; [] for anything else."""
    return value[:most] if isinstance(value, list) else []


def each(decode: Callable[[Any], T | None], value: Any, most: int = MAX_LISTED) -> list[T]:
    """The entries of a list that can be decoded. One that raises ValueError, or comes back as None, is left out and
    costs no other."""
    found = []
    for item in items(value, most):
        try:
            decoded = decode(item)
        except ValueError:
            continue
        if decoded is not None:
            found.append(decoded)
    return found


def plain(value: Any, most: int = MAX_NODES) -> Any:
    """Free-form JSON with every string, number, list and level bounded. What is too deep is None; what comes
    after `most` values is left out."""
    left = most

    def copy(value: Any, depth: int) -> Any:
        nonlocal left
        left -= 1
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return text(value)
        if isinstance(value, int):
            return value if -MAX_INTEGER <= value <= MAX_INTEGER else None
        if isinstance(value, float):
            return number(value)
        if depth > MAX_DEPTH:
            return None
        if isinstance(value, list):
            return [copy(item, depth + 1) for item in value if left > 0]
        return {line(name, MAX_NAME): copy(inner, depth + 1) for name, inner in mapping(value).items() if left > 0}

    return copy(value, 1)


def _clean(value: str) -> str:
    if len(value) > 4 * MAX_TEXT:  # what is cut off is not searched
        value = value[: 2 * MAX_TEXT] + CUT + value[-2 * MAX_TEXT :]
    return without_controls(value)
