"""The line of a setting in a strategy's text."""

import re

import yaml

from panel.files.strategy_yaml import Loader

_NUMBERED = re.compile(r"(.*), number (\d+)")
_LINE = re.compile(r"\bline (\d{1,6})\b")


def line_of(text: str, place: str) -> int:
    """The line of `indicators.rsi.period` or of `nn_inputs, number 3`, counted from 1; of the nearest part around it
    that there is, and else 0. `text` is one that `parse` takes."""
    try:
        node = yaml.compose(text, Loader=Loader)
    except yaml.YAMLError:
        return 0
    numbered = _NUMBERED.fullmatch(place)
    line, rest = 0, numbered[1] if numbered else place
    while rest and isinstance(node, yaml.MappingNode):
        fits = [
            (key, value)
            for key, value in node.value
            if isinstance(key, yaml.ScalarNode) and (rest == key.value or rest.startswith(f"{key.value}."))
        ]
        if not fits:
            return line
        key, node = max(fits, key=lambda pair: len(pair[0].value))
        line, rest = key.start_mark.line + 1, rest[len(key.value) + 1 :]
    if numbered and isinstance(node, yaml.SequenceNode) and 0 < int(numbered[2]) <= len(node.value):
        return int(node.value[int(numbered[2]) - 1].start_mark.line) + 1
    return line


def line_in(message: str) -> int:
    """The line that a message of `parse` names; 0 when it names none."""
    found = _LINE.search(message)
    return int(found[1]) if found else 0
