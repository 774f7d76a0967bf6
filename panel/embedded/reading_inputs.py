"""A strategy's inputs: indicators, fuzzy sets over them, and the choice of inputs."""

import math
from difflib import get_close_matches
from typing import Any

from panel.embedded.findings import DIFFERS, NOT_USED, Findings, real, shown
from panel.embedded.indicators import COLUMNS, INDICATORS, MEMBERSHIPS, NAMES, Parameter
from panel.embedded.plan import Data, FuzzySet, Indicator, Input, Membership, Reference, reference

Section = dict[Any, Any]


def read_indicators(given: Section, sources: set[str], findings: Findings) -> dict[str, Indicator]:
    """`sources`: the external data that indicators may use."""
    found = {}
    for name, definition in given.items():
        place = f"indicators.{shown(name)}"
        if not _named(name, place, findings):
            continue
        if not isinstance(definition, dict) or not isinstance(definition.get("type"), str):
            findings.error(place, "it has to be a mapping with a type, such as {type: rsi, period: 14}")
            continue
        findings.text_keys(place, definition)
        kind = definition["type"].lower()
        if kind not in NAMES:
            near = {"williams_r": "williamsr", "stoch": "stochastic"}.get(kind)
            alike = get_close_matches(kind, NAMES, n=1, cutoff=0.66 if len(kind) < 5 else 0.75)
            hint = f"it is called {near}" if near else f"there are {', '.join(INDICATORS)}"
            hint = f"perhaps {alike[0]} is meant" if alike and not near else hint
            findings.error(place, f"the indicator type {shown(definition['type'])} is not known; {hint}")
            continue
        outside = definition.get("data_source")
        if outside is not None and str(outside) not in sources:
            findings.error(f"{place}.data_source", f"context_data has no source {shown(outside)}")
        found[name] = Indicator(kind, _parameters(kind, definition, place, findings))
    return found


_TRUTHS = {"1": True, "1.0": True, "true": True, "t": True, "yes": True, "y": True, "on": True} | {
    "0": False, "0.0": False, "false": False, "f": False, "no": False, "n": False, "off": False
}  # fmt: skip  # what KTRDR takes for a truth that is no YAML one


def _parameters(kind: str, definition: Section, place: str, findings: Findings) -> dict[str, Any]:
    known = INDICATORS[NAMES[kind]].parameters
    given = {name: value for name, value in definition.items() if name not in ("type", "data_source")}
    if unknown := [shown(name) for name in given if name not in known]:
        takes = f"{kind} takes {', '.join(known)}" if known else f"{kind} takes none"
        verb = "is" if len(unknown) == 1 else "are"
        findings.warn(NOT_USED, place, f"{', '.join(unknown)} {verb} not used; {takes}")
    found = {name: parameter.default for name, parameter in known.items()}
    for name, value in given.items():
        if name in known:
            found[name] = _parameter(known[name], value, f"{place}.{name}", findings)
            if not known[name].used:
                findings.unused.append(f"{place}.{name}")
    return found


def _parameter(known: Parameter, value: Any, place: str, findings: Findings) -> Any:
    if known.kind is bool:
        likened = value if isinstance(value, bool) else None if known.strict else _TRUTHS.get(str(value).lower())
        if likened is None:
            findings.error(place, f"it is true or false, not {shown(value)}")
        return known.default if likened is None else likened
    if known.kind is str:
        if not isinstance(value, str) or (known.choices and value not in known.choices):
            findings.error(place, f"it is one of {', '.join(known.choices or COLUMNS)}, not {shown(value)}")
            return known.default
        if not known.choices and value not in COLUMNS:
            findings.cannot_train(place, f"{place} is {shown(value)}, and bars have only {', '.join(COLUMNS)}")
            return known.default
        return value
    number = value if type(value) in (int, float) else real(value) if not known.strict else None
    if known.kind is int and type(value) is not int:
        number = None
    if number is None or not _within(known, number):
        kind = "a whole number" if known.kind is int else "a number"
        low, high = ("above " if known.open_low else "from "), ("below " if known.open_high else "to ")
        findings.error(place, f"it has to be {kind} {low}{known.low:g} {high}{known.high:g}, not {shown(value)}")
        return known.default
    if number < known.least_here:
        findings.needs_ktrdr(place, f"computes this indicator from {known.least_here:g} bars on ({place})")
        return known.default
    return number


def _within(known: Parameter, number: float) -> bool:
    above = number > known.low if known.open_low else number >= known.low
    return above and (number < known.high if known.open_high else number <= known.high)


def read_fuzzy_sets(given: Any, indicators: Section, findings: Findings) -> dict[str, FuzzySet]:
    if not isinstance(given, dict) or not given:
        findings.error("fuzzy_sets", "there is none; a strategy needs at least one")
        return {}
    found = {}
    for name, definition in given.items():
        place = f"fuzzy_sets.{shown(name)}"
        if not _named(name, place, findings):
            continue
        if not isinstance(definition, dict) or not isinstance(definition.get("indicator"), str):
            findings.error(place, "it has to be a mapping that names its indicator")
            continue
        source = _reference(definition["indicator"], indicators, f"{place}.indicator", findings)
        memberships = [
            (label, _membership(value, f"{place}.{shown(label)}", findings))
            for label, value in definition.items()
            if label != "indicator" and _named(label, f"{place}.{shown(label)}", findings)
        ]
        if len(definition) < 2:
            findings.error(place, "it has no membership function, such as low: [0, 20, 40]")
        labels = {label: membership for label, membership in memberships if membership is not None}
        if source is not None:
            found[name] = FuzzySet(source, labels)
    return found


def _named(name: Any, place: str, findings: Findings) -> bool:
    if isinstance(name, str) and name.isprintable():
        return True
    what = "contains control characters" if isinstance(name, str) else "has to be text; put it in quotes"
    findings.error(place, f"its name {what}")
    return False


def _membership(given: Any, place: str, findings: Findings) -> Membership | None:
    if isinstance(given, list):
        given = {"type": "triangular", "parameters": given}
    if not isinstance(given, dict) or "type" not in given or "parameters" not in given:
        findings.error(place, "it has to be [a, b, c], a triangle, or a mapping with type and parameters")
        return None
    shape = str(given["type"]).lower().removesuffix("mf")
    if shape not in MEMBERSHIPS:
        findings.error(place, f"the membership function {shown(given['type'])} is not known: {', '.join(MEMBERSHIPS)}")
        return None
    numbers = [real(value) for value in given["parameters"]] if isinstance(given["parameters"], list) else [None]
    values = tuple(number for number in numbers if number is not None)
    if len(values) != len(numbers) or len(values) != MEMBERSHIPS[shape]:
        hint = "; four make {type: trapezoidal, parameters: […]}" if len(values) == 4 else ""
        findings.error(place, f"{shape} takes {MEMBERSHIPS[shape]} numbers{hint}")
        return None
    if shape == "gaussian" and not values[1] > 0:
        findings.error(place, "the second number of a gaussian, its width, has to be above 0")
        return None
    if shape != "gaussian" and not all(a <= b for a, b in zip(values, values[1:], strict=False)):
        findings.error(place, "its numbers have to ascend")
        return None
    if not all(map(math.isfinite, values)):
        findings.cannot_train(place, f"{place} has a number that is not finite")
        return None
    return Membership(shape, values)


def _reference(text: str, indicators: Section, place: str, findings: Findings) -> Reference | None:
    found = reference(text)
    if found.indicator not in indicators:
        findings.error(place, f"there is no indicator {shown(found.indicator)}")
        return None
    definition = indicators[found.indicator]
    kind = str(definition.get("type")).lower() if isinstance(definition, dict) else ""
    if "." in text and kind in NAMES:
        outputs = INDICATORS[NAMES[kind]].outputs
        if not outputs:
            findings.error(place, f"{kind} has one output only: write {found.indicator} without .{shown(found.output)}")
        elif found.output not in outputs:
            findings.error(place, f"{kind} has no output {shown(found.output)}; it has {', '.join(outputs)}")
    return found


def read_inputs(given: Any, indicators: Section, fuzzy_sets: Any, data: Data, findings: Findings) -> tuple[Input, ...]:
    if not isinstance(given, list):
        findings.error("nn_inputs", "it has to be a list of fuzzy sets and timeframes")
        return ()
    if not given:
        findings.cannot_train("nn_inputs", "nn_inputs is empty, so its network would see nothing")
    found = []
    for number, item in enumerate(given, 1):
        place = f"nn_inputs, number {number}"
        if not isinstance(item, dict):
            findings.error(place, "it has to be a mapping, such as {fuzzy_set: rsi_momentum, timeframes: all}")
            continue
        findings.leave_out(place, item, ("fuzzy_set", "raw_indicator", "timeframes", "normalization"))
        fuzzy_set, raw, normalization = (item.get(key) for key in ("fuzzy_set", "raw_indicator", "normalization"))
        if not isinstance(fuzzy_set, str | None) or not isinstance(raw, str | None) or bool(fuzzy_set) == bool(raw):
            findings.error(place, "it has to name either a fuzzy_set or a raw_indicator")
            continue
        if normalization not in (None, "minmax", "zscore", "none") or (normalization and fuzzy_set):
            findings.error(place, "normalization is minmax, zscore or none, and only of a raw_indicator")
        if raw:
            _reference(raw, indicators, place, findings)
        elif not isinstance(fuzzy_sets, dict) or fuzzy_set not in fuzzy_sets:
            findings.error(place, f"there is no fuzzy set {shown(fuzzy_set)}")
        timeframes = _timeframes(item.get("timeframes"), data, place, findings)
        found.append(Input(fuzzy_set or "", raw or "", timeframes, normalization or "none"))
    return tuple(found)


def _timeframes(given: Any, data: Data, place: str, findings: Findings) -> tuple[str, ...] | None:
    if given == "all":
        return None
    if isinstance(given, str):
        name = shown(given)
        message = f'timeframes: "{name}" is one timeframe here; a KTRDR takes it, and finds no data: write [{name}]'
        findings.warn(DIFFERS, place, message)
        if given not in data.timeframes:
            findings.cannot_train(place, f"{place} wants {shown(given)}, which is not among training_data.timeframes")
        return (given,)
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        findings.error(place, 'it needs timeframes: "all", or a list of them')
        return None
    for timeframe in given:
        if timeframe not in data.timeframes:
            has = ", ".join(data.timeframes)
            findings.error(place, f"the timeframe {shown(timeframe)} is not among training_data.timeframes ({has})")
    return tuple(given)


def unused_indicators(
    indicators: dict[str, Indicator], fuzzy_sets: dict[str, FuzzySet], inputs: tuple[Input, ...], findings: Findings
) -> None:
    """Warn of what no fuzzy set and no input refers to, and of inputs that would know the future."""
    raw = {reference(item.raw).indicator for item in inputs if item.raw}
    used = raw | {fuzzy.indicator.indicator for fuzzy in fuzzy_sets.values()}
    seen = raw | {fuzzy_sets[i.fuzzy_set].indicator.indicator for i in inputs if i.fuzzy_set in fuzzy_sets}
    findings.unused += [f"indicators.{shown(name)}" for name in indicators if name not in used]
    for name in sorted(seen & indicators.keys()):
        if INDICATORS[NAMES[indicators[name].kind]].future:
            what = f"lets no input know the future, and later bars redraw {shown(name)} ({indicators[name].kind})"
            findings.needs_ktrdr(f"indicators.{shown(name)}", what)
