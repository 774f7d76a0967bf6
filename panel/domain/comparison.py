"""Compares runs: different parameters, results, and which did best. Pure.

What was read of an operation is compared. KTRDR returns the first hundred characters of a strategy's file, so two runs
that differ in nothing here may still differ in it: `settings` compares the files that the panel kept.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from panel.domain.chart import Chart
from panel.domain.comparable import SOURCES, Unlike, source_of, unlike
from panel.domain.formatting import minute
from panel.domain.models import dated
from panel.domain.observation import Observation
from panel.domain.results import NO_LOSSES, Measure, lost_nothing
from panel.domain.snapshot import Snapshot
from panel.domain.strategy_content import Content
from panel.domain.values import mapping, moment, number

NOT_ASKED = frozenset(  # what the backend puts among the parameters
    {"strategy_yaml", "strategy_path", "worker_id", "task_id", "operation_id", "service_name", "operation_name"}
)


@dataclass(frozen=True, slots=True)
class Row:
    """One thing of each run, as text; "" where a run has none. `best`: the places of those that did best."""

    name: str
    values: tuple[str, ...]
    best: frozenset[int] = frozenset()

    @property
    def differs(self) -> bool:
        return len(set(self.values)) > 1


@dataclass(frozen=True, slots=True)
class Change:
    """One number of a result, before and now. `by`: the difference as text, "" where there is none. `effect`: "better",
    "worse", or "" when neither is known."""

    name: str
    before: str
    now: str
    by: str
    effect: str = ""


@dataclass(frozen=True, slots=True)
class Changes:
    """What is different from an earlier run of the same strategy."""

    before: Snapshot
    parameters: tuple[Row, ...]
    results: tuple[Change, ...]
    unchanged: tuple[str, ...]  # names of results that are the same
    unlike: Unlike  # why some results are called neither better nor worse


@dataclass(frozen=True, slots=True)
class Overlay:
    """One curve of each run, for one chart; None for a run that has no such curve."""

    title: str
    unit: str
    curves: tuple[tuple[float | None, ...] | None, ...]


def parameters(snapshots: Sequence[Snapshot]) -> list[Row]:
    """All that was asked for, what differs first."""
    given = [_asked(snapshot) for snapshot in snapshots]
    names = dict.fromkeys(name for one in given for name in one)
    rows = [Row(name, tuple(one.get(name, "") for one in given)) for name in names]
    return sorted(rows, key=lambda row: not row.differs)


def settings(contents: Sequence[Content]) -> list[Row]:
    """What the runs' strategies say, each setting in words: those that differ."""
    described = [_described(content) for content in contents]
    names = dict.fromkeys(name for one in described for name in one)
    rows = [Row(name, tuple(one.get(name, "") for one in described)) for name in names]
    return [row for row in rows if row.differs]


def _described(content: Content) -> dict[str, str]:
    texts = {}
    for indicator in content.indicators:
        parts = (indicator.kind, *(f"{name.lower()} {value}" for name, value in indicator.settings))
        texts[f"Indicator {indicator.name}"] = ", ".join(parts)
    for fuzzy in content.fuzzy_sets:
        for each in fuzzy.memberships:
            numbers = " ".join(f"{value:g}" for value in each.parameters)
            texts[f"{fuzzy.name} {each.label}"] = f"{each.shape} {numbers}"
        texts[f"{fuzzy.name} of"] = fuzzy.indicator
    texts["Inputs"] = "; ".join(f"{each.source} on {each.timeframes}" for each in content.inputs)
    for part, found in (("Model", content.model), ("Training", content.training), ("Decisions", content.decisions)):
        texts |= {f"{part}: {name.lower()}": value for name, value in found}
    return texts


def results(
    measures: Sequence[Measure], snapshots: Sequence[Snapshot], contents: Sequence[Content | None] = ()
) -> list[Row]:
    """The numbers of each result; those that no run has are left out. `contents`: as for `unlike`."""
    rows, fair = [], not unlike(snapshots, contents)
    for measure in measures:
        values = [measured(measure, snapshot) for snapshot in snapshots]
        texts = tuple(shown(measure, snapshot) for snapshot in snapshots)
        if any(texts):
            comparable = (fair or not measure.same_data) and NO_LOSSES not in texts
            rows.append(Row(measure.label, texts, _best(measure, values) if comparable else frozenset()))
    return rows


def used(snapshots: Sequence[Snapshot]) -> list[Row]:
    """The data that each run worked on, from its result; what no result has is left out."""
    described: list[dict[str, str]] = []
    for snapshot in snapshots:
        result = snapshot.result or {}
        summary, source = mapping(result.get("data_summary")), source_of(snapshot)
        samples, (start, end) = number(summary.get("total_samples")), _period(summary)
        if snapshot.traits.learns and start and not dated(snapshot):
            start = end = "not chosen"
        described.append(
            {
                "Source": SOURCES.get(source, ""),
                "From": start,
                "To": end,
                "Samples": "" if samples is None else f"{samples:,.0f}",
            }
        )
    rows = [Row(name, tuple(one[name] for one in described)) for name in described[0]] if described else []
    return [row for row in rows if any(row.values)]


def on_sample(snapshot: Snapshot) -> bool:
    """Whether its numbers come from made-up bars, wholly or partly."""
    return source_of(snapshot) in ("sample", "mixed")


def overlays(charts: Sequence[Chart | None]) -> list[Overlay]:
    """The charts of runs of one kind, taken apart: one for each curve that a run has."""
    found: dict[tuple[str, str], list[tuple[float | None, ...] | None]] = {}
    for at, chart in enumerate(charts):
        for plot in chart.plots if chart else ():
            for curve in plot.curves:
                row = found.setdefault((curve.name, plot.unit), [None] * len(charts))
                row[at] = curve.values
    return [Overlay(name, unit, tuple(curves)) for (name, unit), curves in found.items()]


def changes(measures: Sequence[Measure], before: Snapshot, now: Snapshot) -> Changes:
    """What is different now; results only once there are any."""
    why = unlike((before, now))
    changed: list[Change] = []
    same: list[str] = []
    for measure in measures:
        texts = shown(measure, before), shown(measure, now)
        if not all(texts):
            continue
        old, new = measured(measure, before), measured(measure, now)
        if texts[0] == texts[1]:
            same.append(measure.label)
        elif old is None or new is None:  # one of them is no number
            changed.append(Change(measure.label, *texts, ""))
        else:
            effect = _effect(measure, old, new) if not (why and measure.same_data) else ""
            changed.append(Change(measure.label, *texts, _by(measure, old, new), effect))
    rows = tuple(row for row in parameters((before, now)) if row.differs)
    return Changes(before, rows, tuple(changed), tuple(same), why)


def measured(measure: Measure, snapshot: Snapshot) -> float | None:
    if measure.over_losses and lost_nothing(snapshot.measured):
        return None
    value = _at(snapshot, measure.path)
    if not measure.over or value is None:
        return value
    other = _at(snapshot, measure.over)
    return None if other is None else value - other


def shown(measure: Measure, snapshot: Snapshot) -> str:
    """As pages write it, "" where there is none."""
    if (value := measured(measure, snapshot)) is not None:
        return written(measure, value)
    return NO_LOSSES if measure.over_losses and lost_nothing(snapshot.measured) else ""


def best_first(measure: Measure, observations: Iterable[Observation]) -> list[Observation]:
    """Those without this number last."""

    def rank(observation: Observation) -> tuple[bool, float]:
        value = measured(measure, observation.snapshot)
        return value is None, 0.0 if value is None else -_worth(measure, value)

    return sorted(observations, key=rank)


def _at(snapshot: Snapshot, path: str) -> float | None:
    inner: Any = snapshot.result
    for key in path.split("."):
        inner = mapping(inner).get(key)
    return number(inner)


def written(measure: Measure, value: float) -> str:
    if measure.unit == "points":
        return f"{value * 100:+z.1f} points"
    if measure.unit == "%":
        return f"{value * 100:z.1f} %"
    return f"{value:,.{measure.digits}f}{' s' if measure.unit == 's' else ''}"


def _worth(measure: Measure, value: float) -> float:
    """The more the better."""
    return {"high": value, "low": -value, "small": -abs(value)}.get(measure.better, 0.0)


def _best(measure: Measure, values: Sequence[float | None]) -> frozenset[int]:
    """Of at least two runs, when they are not all alike as they are written."""
    there = {at: value for at, value in enumerate(values) if value is not None}
    if not measure.better or len({written(measure, value) for value in there.values()}) < 2:
        return frozenset()
    top = max(there.values(), key=lambda value: _worth(measure, value))
    return frozenset(at for at, value in there.items() if written(measure, value) == written(measure, top))


def _by(measure: Measure, old: float, new: float) -> str:
    difference = abs(new) - abs(old) if measure.better == "small" else new - old
    up, down = ("deeper", "less deep") if measure.better == "small" else ("higher", "lower")
    share = measure.unit in ("%", "points")
    amount = f"{abs(difference) * 100:.1f} points" if share else written(measure, abs(difference))
    return f"{amount} {up if difference > 0 else down}"


def _effect(measure: Measure, old: float, new: float) -> str:
    if not measure.better:
        return ""
    return "better" if _worth(measure, new) > _worth(measure, old) else "worse"


def _asked(snapshot: Snapshot) -> dict[str, str]:
    given = {name: text for name, value in snapshot.parameters.items() if (text := as_text(value))}
    if snapshot.strategy:
        given = {"strategy_name": snapshot.strategy} | given
    for one, several in (("symbol", "symbols"), ("timeframe", "timeframes")):
        if one not in given and several not in given and (value := getattr(snapshot, one)):
            given[one] = value
    if given.get("mode") == snapshot.kind:  # as it was read once
        del given["mode"]
    return {name: text for name, text in given.items() if name not in NOT_ASKED}


def as_text(value: Any) -> str:
    """A parameter as a person would write it; a midnight is its day."""
    if isinstance(value, list | tuple):
        return ", ".join(as_text(item) for item in value)[:500]
    if isinstance(value, bool):
        return "yes" if value else "no"
    if (amount := number(value)) is not None:
        return f"{amount:,.10g}"
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, default=str)[:500]
    text = "" if value is None else str(value)[:500]
    return text[:10] if text[10:19] == "T00:00:00" and moment(text) is not None else text


def _period(summary: Mapping[str, Any]) -> tuple[str, str]:
    start, end = moment(summary.get("start_date")), moment(summary.get("end_date"))
    return "" if start is None else minute(start)[:10], "" if end is None else minute(end)[:10]
