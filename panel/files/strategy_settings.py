"""The single values of a strategy file, by their paths, and the file with other values in their places: comments,
order and quotes of the rest stay as they are."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import yaml

from panel.files.strategy_yaml import Loader, Refused, parse

_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_VALUES = (*_NUMBERS, "tag:yaml.org,2002:bool", "tag:yaml.org,2002:str")
_WORDS = ("name", "version", "description")  # at the top level: descriptive only


@dataclass(frozen=True, slots=True)
class Setting:
    """`path`: keys joined by dots, and places in lists counted from 1. `start` and `end` are places in the text."""

    path: str
    value: str
    number: bool
    start: int
    end: int


def settings_of(text: str) -> list[Setting]:
    """In the order of the file. Raises Refused for a text that `parse` refuses."""
    return [each for each in _known(text).values() if each.path not in _WORDS]


SEED = "training.random_seed"


def with_seed_line(text: str) -> str:
    """The text with a value at SEED, which can then be set. Raises Refused where there is no place for it."""
    if SEED in _known(text):
        return text
    root = yaml.compose(text, Loader=Loader)
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    part = next((value for key, value in pairs if getattr(key, "value", "") == "training"), None)
    if not isinstance(part, yaml.MappingNode) or not part.value:
        raise Refused("it has no part “training” for a seed")
    first = part.value[0][0].start_mark
    between = ", " if part.flow_style else "\n" + " " * first.column
    return f"{text[: first.index]}random_seed: 42{between}{text[first.index :]}"


def with_settings(text: str, values: Mapping[str, str], name: str = "") -> str:
    """The text with these values, and with this name. Raises Refused for a path that is not there, and for a value that
    is no number where there was one, or no plain word."""
    known = _known(text)
    wanted = dict(values) | ({"name": name} if name and "name" in known else {})
    if missing := next((path for path in wanted if path not in known), None):
        raise Refused(f"it has no single value at {missing}")
    for path in sorted(wanted, key=lambda path: -known[path].start):
        setting, value = known[path], wanted[path]
        if problem := problem_of(setting, value):
            raise Refused(problem)
        text = text[: setting.start] + value + text[setting.end :]
    return text


def problem_of(setting: Setting, value: str) -> str:
    """Why this is no valid value of the setting: a clause, or "". A number stays a number; words are of letters,
    digits, dots, hyphens and underscores, so that they mean the same anywhere in YAML."""
    if not re.fullmatch(r"[A-Za-z0-9_.+-]{1,60}", value):
        return f"“{value[:60]}” is no number and no plain word"
    node = yaml.compose(value, Loader=Loader)
    if setting.number and not (isinstance(node, yaml.ScalarNode) and node.tag in _NUMBERS):
        return f"“{value}” is no number"
    return ""


def _known(text: str) -> dict[str, Setting]:
    parse(text)
    found = list(_scalars(yaml.compose(text, Loader=Loader), ""))
    places = Counter(each.start for each in found)
    # What an anchor names or an alias repeats cannot be set alone.
    return {each.path: each for each in found if places[each.start] == 1 and text[each.start] not in "&!"}


def _scalars(node: yaml.Node | None, path: str) -> Iterator[Setting]:
    match node:
        case yaml.MappingNode():
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode):
                    yield from _scalars(value, f"{path}.{key.value}" if path else key.value)
        case yaml.SequenceNode():
            for place, value in enumerate(node.value, 1):
                yield from _scalars(value, f"{path}.{place}")
        case yaml.ScalarNode() if node.tag in _VALUES and node.style not in ("|", ">"):
            yield Setting(path, node.value, node.tag in _NUMBERS, node.start_mark.index, node.end_mark.index)
