"""The parts of a strategy's file, read leniently: what cannot be read is left out, whatever it is."""

from collections.abc import Iterable
from typing import Any

from panel.backend.decoding import items, line
from panel.domain.strategy_content import Content, FuzzySet, Indicator, Input, Membership, Setting
from panel.domain.values import mapping, number

MAX_PARTS = 100  # of each part


def content_of(read: Any) -> Content:
    """Of a parsed file; empty for what is no mapping."""
    file = mapping(read)
    return Content(
        tuple(_indicator(name, value) for name, value in _pairs(file.get("indicators"))),
        tuple(_fuzzy_set(name, mapping(value)) for name, value in _pairs(file.get("fuzzy_sets"))),
        tuple(_input(mapping(item)) for item in items(file.get("nn_inputs"), MAX_PARTS)),
        _settings(_flat(file.get("model"))),
        _settings(_flat(file.get("training"))),
        _settings(_flat(file.get("decisions"))),
    )


def _pairs(value: Any) -> list[tuple[str, Any]]:
    return [(_word(name), each) for name, each in list(mapping(value).items())[:MAX_PARTS]]


def _word(value: Any) -> str:
    """Any scalar as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return line("none" if value is None else str(value), 200)


def _indicator(name: str, value: Any) -> Indicator:
    given = mapping(value)
    settings = {key: each for key, each in given.items() if key != "type"}
    return Indicator(name, _word(given.get("type", "")), _settings(_flat(settings)))


def _fuzzy_set(name: str, given: dict[Any, Any]) -> FuzzySet:
    memberships = []
    for label, value in _pairs({key: each for key, each in given.items() if key != "indicator"}):
        shape = "triangular" if isinstance(value, list) else _word(mapping(value).get("type", ""))
        numbers = items(value if isinstance(value, list) else mapping(value).get("parameters"), 10)
        known = tuple(found for each in numbers if (found := number(each)) is not None)
        parameters = known if len(known) == len(numbers) else ()
        memberships.append(Membership(label, shape.lower().removesuffix("mf"), parameters))
    return FuzzySet(name, _word(given.get("indicator", "")), tuple(memberships))


def _input(given: dict[Any, Any]) -> Input:
    raw = "raw_indicator" in given
    timeframes = given.get("timeframes")
    spelled = ", ".join(map(_word, items(timeframes, 20))) if isinstance(timeframes, list) else _word(timeframes)
    return Input(_word(given.get("raw_indicator" if raw else "fuzzy_set", "")), raw, spelled)


def _flat(value: Any, prefix: str = "") -> Iterable[Setting]:
    """Nested mappings as one list: `early stopping: patience`."""
    for key, each in list(mapping(value).items())[:MAX_PARTS]:
        name = f"{prefix}{_word(key)}".replace("_", " ")
        if isinstance(each, dict):
            yield from _flat(each, f"{name}: ")
        elif isinstance(each, list):
            yield name, ", ".join(_word(item) for item in each[:20]) + (" …" if len(each) > 20 else "")
        else:
            yield name, _word(each)


def _settings(found: Iterable[Setting]) -> tuple[Setting, ...]:
    return tuple((name[:1].upper() + name[1:], value) for name, value in list(found)[:MAX_PARTS])
