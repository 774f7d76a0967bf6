"""Values at and beyond every limit, and what must not be found in a decoded answer."""

import math
from dataclasses import fields, is_dataclass
from typing import Any

CONTROLS = "".join(
    map(
        chr,
        [
            *range(0x09),
            *range(0x0B, 0x20),
            *range(0x7F, 0xA0),
            *(0xAD, 0x61C, 0x180E, 0xFEFF),
            *range(0x200B, 0x2010),
            *range(0x2028, 0x202F),
            *range(0x2060, 0x2070),
        ],
    )
)
HOSTILE = f"x\x1b[201~\x15touch file\n\x15y{CONTROLS}\ud800"
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1e12, -1e12, 1e30, 1e300, -1e308, 5e-324, 2**63, -(2**63) - 1, 2**200, 10**400,
    float("nan"), float("inf"), "", HOSTILE, "A" * 5000, "1e12", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59",
    "2026-11-22T12:58:54", [], {}, [[]], [None, 1e30, "x"], {"a": {"b": [2**200]}}, {HOSTILE: HOSTILE},
)  # fmt: skip


def improper(value: Any, at: str = "") -> list[str]:
    """Where the value holds a string with a forbidden character or too long, or a number out of range."""
    if isinstance(value, str):
        bad = set(value) & set(CONTROLS) or any(0xD800 <= ord(char) < 0xE000 for char in value)
        return [f"{at}: {value[:60]!r}"] if bad or len(value) > 2003 else []
    if isinstance(value, int):
        return [] if -(2**63) <= value < 2**63 else [f"{at}: {value}"]
    if isinstance(value, float):
        return [] if math.isfinite(value) else [f"{at}: {value}"]
    if isinstance(value, dict):
        parts = [*((f"{at} name", name) for name in value), *((f"{at}.{name}", inner) for name, inner in value.items())]
    elif isinstance(value, list | tuple):
        parts = [(f"{at}[{place}]", inner) for place, inner in enumerate(value)]
    elif is_dataclass(value):
        parts = [(f"{at}.{field.name}", getattr(value, field.name)) for field in fields(value)]
    else:
        parts = []
    return [found for name, inner in parts for found in improper(inner, name)]
