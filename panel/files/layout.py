"""The layout of a file's lines: delimiter, quotes, header, and which lines differ from the usual."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from panel.files.roles import Columns, by_name, by_place, plain
from panel.files.values import Array, Count, Refused

SEPARATOR = b"\x1f"  # replaces the delimiter once quotes are gone
SAMPLE = 200  # lines that are read to find the layout
BLOCK = 1 << 23  # bytes of one turn
_DELIMITERS = ("\t", ";", "|", ",", " ")
_HEADER_WITHIN = 30  # lines
_SINGLE = re.compile(r"(?:^|[\t;|,])'[^'\t;|,]*'(?=[\t;|,\r]|$)")  # a field in single quotes; 1'234.5 is a number


@dataclass(frozen=True, slots=True)
class Layout:
    """`body`: the lines that have the usual number of fields, joined by "\\n", `lines` their numbers, `odd` the
    others. `delimiter` is the file's own, `separator` the body's. `assumed`: that no line has too few fields."""

    delimiter: str
    separator: str
    header: int
    names: tuple[str, ...]
    columns: Columns
    body: bytes
    lines: Array
    odd: tuple[Count, ...]
    assumed: bool


def laid_out(text: bytes, *, quick: bool = False) -> Layout:
    """Raises Refused when there are no columns of bars in it. `quick`: lines are taken to be alike when their
    delimiters add up, which is so if no line has too few fields either; the caller finds that out."""
    sample = [line.decode("utf-8", "replace") for line in islice(_lines(text), SAMPLE)]
    if '"' not in "".join(sample) and sum(bool(_SINGLE.search(line)) for line in sample) > len(sample) / 2:
        text, sample = text.replace(b"'", b'"'), [line.replace("'", '"') for line in sample]
    delimiter = _delimiter(sample)
    rows = [(number, _fields(line, delimiter)) for number, line in enumerate(sample, 1) if line.strip()]
    header, names, columns, first = _header(rows)
    widths = [len(fields) for number, fields in rows if number >= first]
    usual = max(widths, key=widths.count, default=0)
    if quick and usual >= max(columns.needed, 5) and (body := _alike(text, first, delimiter, usual)):
        columns = columns.within(usual)
        lines = np.arange(first, first + body.count(b"\n"))
        return Layout(delimiter, delimiter, header, names, columns, body, lines, (), True)
    starts, ends = _ends(text)
    starts, ends = starts[first - 1 :], ends[first - 1 :]
    separator = delimiter
    if len(starts) and text.find(b'"', int(starts[0])) >= 0:
        text, starts, ends, unclosed = _unquoted(text, starts, ends, delimiter)
        separator = SEPARATOR.decode()
    else:
        unclosed = np.zeros(len(starts), bool)
    width = _widths(text, starts, ends, separator)
    numbers = np.arange(first, first + len(starts))
    blank = ends == starts
    for place in np.flatnonzero(width == 1):
        blank[place] = blank[place] or not text[starts[place] : ends[place]].strip()
    if blank.all():
        raise Refused("There are no lines of data below the header.", header)
    usual = int(np.bincount(width[~blank]).argmax())
    if usual < columns.needed:
        raise Refused(f"There are {usual} fields in most lines, and the header names {len(names)}.", first)
    regular = (width == usual) & ~unclosed & ~blank
    foot = _footer(text, starts, ends, regular | blank)
    odd = ~regular & ~blank & ~foot
    found = _odd(numbers, width, odd & ~unclosed, usual, unclosed)
    body = _joined(text, starts, ends, regular)
    return Layout(delimiter, separator, header, names, columns.within(usual), body, numbers[regular], found, False)


def _alike(text: bytes, first: int, delimiter: str, width: int) -> bytes:
    """The lines from `first` on, if their delimiters give that number of fields a line; else nothing."""
    at = 0
    for _ in range(first - 1):
        at = text.find(b"\n", at) + 1
    body = text[at:] if at else text
    body = body if body.endswith(b"\n") else body + b"\n"
    whole = b'"' not in body and body.count(delimiter.encode()) == (width - 1) * body.count(b"\n")
    return body if whole else b""


def _lines(text: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(text):
        end = text.find(b"\n", at)
        end = len(text) if end < 0 else end
        yield text[at : min(end, at + 10_000)]
        at = end + 1


def _fields(line: str, delimiter: str) -> list[str]:
    if '"' not in line:
        return line.split(delimiter)
    fields: list[str] = []
    inside, current = False, list[str]()
    for sign in line:
        if sign == '"':
            inside = not inside
        elif sign == delimiter and not inside:
            fields.append("".join(current))
            current = []
        else:
            current.append(sign)
    return [*fields, "".join(current)]


def _delimiter(sample: list[str]) -> str:
    """The one that cuts most lines into as many fields, at least five; else whichever cuts best."""
    counted = {}
    for delimiter in _DELIMITERS:
        widths = Counter(len(_fields(line, delimiter)) for line in sample if line.strip())
        width, lines = max(widths.items(), key=lambda item: (item[0] > 4, item[1], item[0]), default=(1, 0))
        counted[delimiter] = (width, lines / max(sum(widths.values()), 1))
        if width > 4 and counted[delimiter][1] >= 0.6:
            return delimiter
    return max(counted, key=lambda delimiter: (counted[delimiter][0] > 1, counted[delimiter][1]))


def _header(rows: list[tuple[int, list[str]]]) -> tuple[int, tuple[str, ...], Columns, int]:
    """The header's line or 0, its names, the columns, and the first line of data."""
    for place, (number, fields) in enumerate(rows[:_HEADER_WITHIN]):
        below = [row for _, row in rows[place + 1 :]]
        columns = by_name(fields)
        if columns is None and below and len(below[0]) == len(fields) + 1:
            fields = ["", *fields]  # the header leaves the first column out
            columns = by_name(fields)
        if columns is None:
            continue
        first = number + 1
        if len(below) > 1 and below[0] and plain(below[0][0]) == "ticker":  # yfinance: a ticker under each name
            if len({field for field in below[0][1:] if field}) > 1:
                tickers = ", ".join(sorted({field for field in below[0][1:] if field})[:5])
                raise Refused(f"The file holds several symbols: {tickers}. Save one file for each.", number + 1)
            if plain(below[1][0]) in ("date", "datetime"):
                first = number + 3
        return number, tuple(field.strip() for field in fields), columns, first
    named = bool(rows) and not any(sign.isdigit() for field in rows[0][1] for sign in field)  # in an unknown language
    unnamed = by_place([row for _, row in rows[named:] if any(row)][:50])
    if unnamed is not None:
        number, fields = rows[0]
        return (number, tuple(fields), unnamed, number + 1) if named else (0, (), unnamed, number)
    number, fields = rows[0] if rows else (1, [])
    if {"bid", "ask"} <= {plain(field) for field in fields}:
        raise Refused("These are single prices (ticks), not bars. Export bars: open, high, low and close.", number)
    known = ", ".join(field.strip()[:20] for field in fields[:12])
    raise Refused(f"No columns for time, open, high, low and close are to be seen; the line has: {known}.", number)


def _ends(text: bytes) -> tuple[Array, Array]:
    """Where each line begins and ends."""
    ends = np.flatnonzero(np.frombuffer(text, np.uint8) == 10)
    if not text.endswith(b"\n"):
        ends = np.append(ends, len(text))
    return np.concatenate([[0], ends[:-1] + 1]), ends


def _unquoted(text: bytes, starts: Array, ends: Array, delimiter: str) -> tuple[bytes, Array, Array, Array]:
    """The lines without quotes, delimiters outside of them replaced; and which lines leave one open. A quote
    never reaches over a line's end: one that is missing spoils one line."""
    out, unclosed, at = [], np.zeros(len(starts), bool), 0
    while at < len(starts):
        stop = max(int(np.searchsorted(starts, starts[at] + BLOCK)), at + 1)
        block = np.frombuffer(text, np.uint8)[starts[at] : ends[stop - 1]].copy()
        quote = block == 34
        opened = np.cumsum(quote, dtype=np.int32)
        begins, lengths = starts[at:stop] - starts[at], ends[at:stop] - starts[at:stop] + 1
        before = np.where(begins > 0, opened[np.maximum(begins - 1, 0)], 0)
        last = np.minimum(begins + lengths - 1, len(block)) - 1
        unclosed[at:stop] = (np.where(lengths > 1, opened[last], before) - before) % 2 == 1
        inside = (opened - np.repeat(before, lengths)[: len(block)]) % 2 == 1
        block[(block == ord(delimiter)) & ~inside] = SEPARATOR[0]
        out.append(block[~quote].tobytes())
        at = stop
    whole = b"\n".join(out) + b"\n"
    begins, ends = _ends(whole)
    return whole, begins, ends, unclosed


def _widths(text: bytes, starts: Array, ends: Array, separator: str) -> Array:
    """The number of fields of each line."""
    buffer, width = np.frombuffer(text, np.uint8), np.empty(len(starts), np.int64)
    at = 0
    while at < len(starts):
        stop = max(int(np.searchsorted(starts, starts[at] + BLOCK)), at + 1)
        block = np.append(buffer[starts[at] : ends[stop - 1]] == ord(separator), False).view(np.uint8)
        width[at:stop] = np.add.reduceat(block, starts[at:stop] - starts[at], dtype=np.uint32)
        at = stop
    return width + 1


def _footer(text: bytes, starts: Array, ends: Array, known: Array) -> Array:
    """The last line, where it only says where the file is from."""
    foot = np.zeros(len(starts), bool)
    if len(starts) and not known[-1]:
        last = text[starts[-1] : ends[-1]].strip().lower()
        foot[-1] = last.startswith((b"downloaded from", b"source:", b"data provided by", b"#"))
    return foot


def _odd(numbers: Array, width: Array, odd: Array, usual: int, unclosed: Array) -> tuple[Count, ...]:
    found = []
    if odd.any():
        lines, first = numbers[odd], int(np.flatnonzero(odd)[0])
        reason = f"{width[first]} fields where the others have {usual}"
        found.append(Count("fields", reason, len(lines), tuple(map(int, lines[:10]))))
    if unclosed.any():
        lines = numbers[unclosed]
        found.append(Count("quotes", "a quotation mark that is not closed", len(lines), tuple(map(int, lines[:10]))))
    return tuple(found)


def _joined(text: bytes, starts: Array, ends: Array, which: Array) -> bytes:
    if not len(starts):
        return b""
    if which.all():
        whole = text[starts[0] : ends[-1] + 1]
        return whole if whole.endswith(b"\n") else whole + b"\n"
    parts, edges = [], np.flatnonzero(np.diff(np.concatenate([[0], which.astype(np.int8), [0]])))
    for first, stop in zip(edges[::2], edges[1::2], strict=True):
        parts.append(text[starts[first] : ends[stop - 1]] + b"\n")
    return b"".join(parts)
