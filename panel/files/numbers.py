"""Numbers as programs and countries write them."""

import re

import numpy as np
import polars as pl

from panel.files.values import Array

MISSING = ("", "-", "–", "n/a", "na", "nan", "null", "none", "#n/a", ".")
_POINT = r"^[+-]?(?:\d+|\d{1,3}(?:,\d{3})+)?(?:\.\d*)?(?:[eE][+-]?\d+)?$"
_COMMA = r"^[+-]?(?:\d+|\d{1,3}(?:\.\d{3})+)?(?:,\d*)?(?:[eE][+-]?\d+)?$"
_INFINITE = r"(?i)^[+-]?inf(?:inity)?$"
_SCALES = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}


def decimal(samples: list[str]) -> tuple[str, bool]:
    """The decimal sign of prices that look like these, and whether that is certain: 1,234 may be either."""
    point = comma = thousands = 0
    for text in samples:
        text = re.sub(r"[\s\u00a0\u202f'$€£]", "", text)
        if "." in text and "," in text:
            if text.rindex(".") > text.rindex(","):
                point += 1
            else:
                comma += 1
        elif text.count(",") == 1:
            whole, _, rest = text.partition(",")
            if len(rest) != 3 or len(whole.lstrip("+-")) > 3 or whole.lstrip("+-") in ("0", ""):
                comma += 1
            else:
                thousands += 1
        elif text.count(",") > 1:
            point += 1
        elif text.count(".") > 1:
            comma += 1
        elif "." in text:
            point += 1
    if comma or point:
        # One sign that is both would be found out line by line; the more frequent reading is the file's.
        return (",", True) if comma > point else (".", True)
    return (".", not thousands)


def parsed(column: pl.Series, mark: str = ".", scaled: bool = False) -> tuple[Array, Array, Array]:
    """Values (NaN where there is none), which are missing, and which are no numbers. `scaled`: 120.5M counts."""
    if mark == ".":
        values = column.cast(pl.Float64, strict=False)
        doubtful = values.is_null() & column.is_not_null()
    else:
        values = pl.Series([None], dtype=pl.Float64).new_from_index(0, len(column))
        doubtful = column.is_not_null()
    numbers = values.fill_null(float("nan")).to_numpy().copy()
    wrong = np.zeros(len(column), bool)
    if doubtful.any():
        places = doubtful.to_numpy()
        numbers[places], wrong[places] = _cleaned(column.filter(doubtful), mark, scaled)
    missing = np.isnan(numbers) & ~wrong
    return numbers, missing, wrong


def _cleaned(texts: pl.Series, mark: str, scaled: bool) -> tuple[Array, Array]:
    texts = texts.str.replace_all(r"[\s\u00a0\u202f'$€£]", "")
    missing = texts.str.to_lowercase().is_in(list(MISSING))
    factors = np.ones(len(texts))
    if scaled:
        last = texts.str.slice(-1).str.to_uppercase()
        factors = last.replace_strict(_SCALES, default=1.0, return_dtype=pl.Float64).fill_null(1.0).to_numpy()
        texts = texts.str.replace(r"(?i)[kmbt]$", "")
    infinite = texts.str.contains(_INFINITE)
    shaped = texts.str.contains(_POINT if mark == "." else _COMMA) | infinite
    other = "," if mark == "." else "."
    texts = texts.str.replace_all(other, "", literal=True).str.replace(mark, ".", literal=True)
    values = texts.cast(pl.Float64, strict=False)
    wrong = ~missing & (~shaped | values.is_null())
    values = values.set(missing | wrong, None).fill_null(float("nan"))
    return values.to_numpy() * factors, wrong.to_numpy()
