"""Which runs can be compared by what they reached: those tested on the same bars, with the same right answers. Pure.

The embedded backend's results say what they worked on. KTRDR's say less: there what was asked for counts, and how many
samples there were.
"""

import json
from collections.abc import Iterable, Sequence
from enum import StrEnum

from panel.domain.snapshot import Snapshot
from panel.domain.strategy_content import Content
from panel.domain.values import mapping, number, text

SOURCES = {"sample": "Sample data", "mixed": "Partly sample data", "own": "Own files"}
GENERATOR = "sample market generator"  # what a load from it names as its source
CLOSE = 1.05  # between numbers of bars: a strategy that looks back further has a few less of the same ones
CLOSER = 1.01  # where no days were chosen, and only all samples are counted: the test part is a fraction of them
_OF_TESTS = ("Labels", "Data split")  # settings of a training that change what it is tested on


class Unlike(StrEnum):
    """Why runs cannot be compared; NOT when they can."""

    NOT = ""
    BARS = "bars"
    ANSWERS = "answers"  # on the same bars another answer was right
    UNKNOWN = "unknown"  # what was right is not known of all


def unlike(snapshots: Sequence[Snapshot], contents: Sequence[Content | None] = ()) -> Unlike:
    """`contents`: of each run the strategy that it was started with, where it was kept. Runs without a result have
    nothing to compare, and are left out."""
    kept = contents or [None] * len(snapshots)
    pairs = [(each, content) for each, content in zip(snapshots, kept, strict=True) if each.measured]
    judged = [each for each, _ in pairs]
    if len({_bars(each) for each in judged}) > 1 or not _sizes_are_close(judged):
        return Unlike.BARS
    return _answers(judged, [content for _, content in pairs])


def source_of(snapshot: Snapshot) -> str:
    """Where the bars of its result are from: "sample", "own", "mixed", or "" when it does not say, as with KTRDR."""
    result = snapshot.result or {}
    source = text(mapping(result.get("data_summary")).get("source")) or text(result.get("source"))
    source = "sample" if source == GENERATOR else source
    return source if source in SOURCES else ""


def source_of_all(snapshots: Iterable[Snapshot]) -> str:
    """Of all that say it: one source, or "mixed" where several are."""
    found = {source for each in snapshots if (source := source_of(each))}
    return found.pop() if len(found) == 1 else "mixed" if found else ""


def _bars(snapshot: Snapshot) -> tuple[str, ...]:
    """The market and the days, as they were asked for and as they are known."""
    used = mapping((snapshot.result or {}).get("data_summary"))
    days = (text(snapshot.parameters.get(name))[:10] for name in ("start_date", "end_date"))
    # KTRDR fills in an end that nobody chose; without its own name for the test part a training's end is no bar's.
    end = "" if snapshot.traits.learns and not used.get("test_start_date") else text(used.get("end_date"))[:10]
    return snapshot.symbol, snapshot.timeframe, *days, end, source_of(snapshot)


def _sizes_are_close(snapshots: Sequence[Snapshot]) -> bool:
    """Whether they were tested on about as many bars. Without days, runs of which that is not known may have had any:
    more may have been stored for the later one."""
    found = [_size(each) for each in snapshots]
    known = [size for size, _ in found if size]
    undated = any(each.traits.learns and not _has_days(each) for each in snapshots)
    if undated and len(known) < len(found) > 1:
        return False
    exact = not undated or all(of_test for _, of_test in found)
    return not known or max(known) <= min(known) * (CLOSE if exact else CLOSER)


def _size(snapshot: Snapshot) -> tuple[float | None, bool]:
    """How many bars it was tested on, or as the nearest thing all of its samples; and whether it is the former."""
    result = snapshot.result or {}
    used = mapping(result.get("data_summary"))
    tested = number(mapping(used.get("samples")).get("test")) or number(used.get("bars"))
    tested = tested or number(result.get("equity_curve_length"))
    return tested or number(used.get("total_samples")), tested is not None


def _has_days(snapshot: Snapshot) -> bool:
    return bool(snapshot.parameters.get("start_date") and snapshot.parameters.get("end_date"))


def _answers(snapshots: Sequence[Snapshot], contents: Sequence[Content | None]) -> Unlike:
    """Of trainings: by their labels, else by what their strategies say of them, else by the strategies' names."""
    if len(snapshots) < 2 or not snapshots[0].traits.learns:
        return Unlike.NOT
    labels = [mapping(mapping((each.result or {}).get("data_summary")).get("labels")) for each in snapshots]
    if all(labels):
        return Unlike.ANSWERS if len({json.dumps(each, sort_keys=True) for each in labels}) > 1 else Unlike.NOT
    said = [
        tuple(sorted(pair for pair in content.training if pair[0].startswith(_OF_TESTS)))
        for content in contents
        if content
    ]
    if len(said) == len(snapshots):
        return Unlike.ANSWERS if len(set(said)) > 1 else Unlike.NOT
    return Unlike.UNKNOWN if len({each.strategy for each in snapshots}) > 1 else Unlike.NOT
