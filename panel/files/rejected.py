"""Lines that hold no bar: which, and why. Pure."""

from collections.abc import Callable

import numpy as np
import polars as pl

from panel.files.roles import PRICES
from panel.files.values import SHOWN, Array, Count

Values = dict[str, tuple[Array, Array, Array]]  # role -> values, which are missing, which are no numbers


def without_rejected(
    lines: Array, texts: pl.Series, values: Values, volume: tuple[Array, Array, Array] | None,
    bad_time: Array, hidden: Array, column: Callable[[str], pl.Series],
) -> tuple[list[Count], Array]:  # fmt: skip
    """Lines that hold no bar, by kind, and which lines do. `hidden`: times that their zone's clock never showed."""
    missing = np.stack([values[role][1] for role in PRICES])
    wrong = np.stack([values[role][2] for role in PRICES] + ([volume[2]] if volume else []))
    empty = missing.all(axis=0)
    kinds: dict[str, tuple[Array, Callable[[int], str]]] = {
        "empty": (empty, lambda at: "no prices"),
        "time": (bad_time & ~empty, lambda at: f"“{(texts[at] or '')[:40]}” is not a time like the others"),
        "number": (wrong.any(axis=0), lambda at: _not_a_number(column, wrong[:, at], at)),
        "incomplete": (missing.any(axis=0), lambda at: _incomplete(missing[:, at])),
        "no such time": (hidden, lambda at: f"“{(texts[at] or '')[:40]}” never came: clocks went forward over it"),
    }
    keep, left = np.ones(len(lines), bool), []
    for kind, (which, reason) in kinds.items():
        which = which & keep
        if which.any():
            places = np.flatnonzero(which)
            named = tuple(map(int, lines[places[:SHOWN]]))
            left.append(Count(kind, reason(int(places[0])), len(places), named))
            keep &= ~which
    return left, keep


def _not_a_number(column: Callable[[str], pl.Series], wrong: Array, at: int) -> str:
    role = (*PRICES, "volume")[int(np.flatnonzero(wrong)[0])]
    return f"{role} is not a number: “{(column(role)[at] or '')[:40]}”"


def _incomplete(missing: Array) -> str:
    gone = [role for role, is_gone in zip(PRICES, missing, strict=True) if is_gone]
    there = [role for role in PRICES if role not in gone]
    return f"{_listed(gone)} {'is' if len(gone) == 1 else 'are'} empty, only {_listed(there)} has a value"


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
