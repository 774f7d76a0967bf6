"""A strategy's page: its fuzzy sets as drawings, its text with colours, differences of two texts. Pure."""

import difflib
import math
from dataclasses import dataclass

from markupsafe import Markup

from panel.domain.strategy_content import FuzzySet, Membership

WIDTH, HEIGHT, FOOT = 300, 80, 4  # of a drawing; FOOT: room below and above the curves
POINTS = 60  # of a curve, besides its corners
CONTEXT = 3  # unchanged lines around a difference
MAX_LINES = 6000  # of a text that is compared
CORNERS = {"triangular": 3, "trapezoidal": 4, "gaussian": 2, "sigmoid": 2}  # shape -> its parameters


@dataclass(frozen=True, slots=True)
class Curve:
    label: str
    path: str  # of an SVG
    values: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """`low` and `high`: the values at its left and right end, as text; "" when nothing can be drawn."""

    name: str
    indicator: str
    curves: list[Curve]
    low: str
    high: str


@dataclass(frozen=True, slots=True)
class DiffLine:
    """`kind`: same, gone, new, or gap. Line numbers count from 1; 0 where the text has no such line."""

    kind: str
    old: int
    new: int
    text: str


def drawing(fuzzy: FuzzySet) -> Drawing:
    usable = [each for each in fuzzy.memberships if CORNERS.get(each.shape) == len(each.parameters)]
    ends = [end for each in usable for end in _ends(each)]
    low, high = min(ends, default=0.0), max(ends, default=0.0)
    drawn = bool(usable) and 0 < high - low < 1e30
    curves = [
        Curve(
            each.label,
            _path(each, low, high) if drawn and each in usable else "",
            f"{each.shape} {', '.join(f'{value:g}' for value in each.parameters)}".strip(),
        )
        for each in fuzzy.memberships
    ]
    return Drawing(fuzzy.name, fuzzy.indicator, curves, f"{low:g}" if drawn else "", f"{high:g}" if drawn else "")


def _ends(each: Membership) -> tuple[float, float]:
    """From where to where a curve is worth drawing."""
    first, second = each.parameters[0], each.parameters[1]
    if each.shape == "gaussian":
        return first - 3 * abs(second), first + 3 * abs(second)
    if each.shape == "sigmoid":
        reach = 6 / abs(second) if second else 1.0
        return first - reach, first + reach
    return first, each.parameters[-1]


def _path(each: Membership, low: float, high: float) -> str:
    places = {low + (high - low) * at / POINTS for at in range(POINTS + 1)}
    if each.shape in ("triangular", "trapezoidal"):  # straight lines: the corners are enough
        places = {low, high, *each.parameters}
    points = [(x, degree) for x in sorted(places) for degree in _degrees(each, x)]
    across, up = WIDTH / (high - low), HEIGHT - 2 * FOOT
    return "M" + "L".join(f"{(x - low) * across:.1f} {FOOT + (1 - degree) * up:.1f}" for x, degree in points)


def _degrees(each: Membership, x: float) -> list[float]:
    """How far `x` belongs to it, 0 to 1: two values, one above the other, where it jumps."""
    values = each.parameters
    if each.shape == "gaussian":
        return [math.exp(-(((x - values[0]) / values[1]) ** 2) / 2) if values[1] else 0.0]
    if each.shape == "sigmoid":
        return [1 / (1 + math.exp(max(min(-values[1] * (x - values[0]), 700), -700)))]
    a, b, c, d = values if len(values) == 4 else (values[0], values[1], values[1], values[2])
    if b <= x <= c:
        jumps_up, jumps_down = [0.0] if x == a == b else [], [0.0] if x == c == d else []
        return [*jumps_up, 1.0, *jumps_down]
    if not a < x < d:
        return [0.0]
    return [(x - a) / (b - a) if x < b else (d - x) / (d - c)]


def highlighted(text: str) -> Markup:
    """YAML as HTML with one class for each kind of word. The text is escaped."""
    from pygments import highlight  # only here: most pages show no file
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import YamlLexer

    lexer = YamlLexer(stripnl=False, ensurenl=False)
    return Markup(highlight(text, lexer, HtmlFormatter(nowrap=True, classprefix="y-")))  # noqa: S704  escaped by Pygments


def difference(old: str, new: str) -> list[DiffLine] | None:
    """The lines that differ, with some around them; [] when none does, None when the texts are too long."""
    a, b = old.splitlines(), new.splitlines()
    if max(len(a), len(b)) > MAX_LINES:
        return None
    found: list[DiffLine] = []
    for number, group in enumerate(difflib.SequenceMatcher(None, a, b).get_grouped_opcodes(CONTEXT)):
        if number or group[0][1]:
            found.append(DiffLine("gap", 0, 0, f"line {group[0][1] + 1}"))
        for kind, from_a, to_a, from_b, to_b in group:
            if kind == "equal":
                found += [DiffLine("same", at + 1, from_b + at - from_a + 1, a[at]) for at in range(from_a, to_a)]
                continue
            found += [DiffLine("gone", at + 1, 0, a[at]) for at in range(from_a, to_a)]
            found += [DiffLine("new", 0, at + 1, b[at]) for at in range(from_b, to_b)]
    return found
