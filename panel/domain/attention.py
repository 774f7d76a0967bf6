"""What needs a person's attention: home puts it first, and the head of every page counts it. Pure.

Both go by this module: what home paints red or amber is never "All well" in the head.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from panel.domain.batches import Batch
from panel.domain.history import EndedRow
from panel.domain.observation import Observation
from panel.domain.requests import Entry, Plan, PlanState, Start
from panel.domain.state import AMBER_STATES, RED_STATES, State, Verdict
from panel.domain.system_health import AMBER, RED, Link

Judged = tuple[Observation, Verdict]

FEW = 3  # runs of one batch that are listed
DAY = 86_400.0  # seconds for which an end with problems asks for attention
NEEDS_ATTENTION = frozenset({State.STALLED, State.LOST, State.STRAY, State.VANISHED, State.PROBLEMS})
NOT_REACHED = frozenset({State.FAILED, State.FORGOTTEN})  # ends without a result, which home lists among the ends


class LastEnds:
    """The last end of each kind, strategy, symbol and timeframe: it settles those before it, however it ended."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, ...], EndedRow] = {}

    def add(self, row: EndedRow) -> None:
        """Of those that ended at once, the one that is added first counts as the last."""
        last = self._last.setdefault(row.same, row)
        if row.ended_at > last.ended_at:
            self._last[row.same] = row

    def fresh(self, row: EndedRow, now: float) -> bool:
        """Whether one that was added is of the last day, and not settled by any that was."""
        return now - row.ended_at < DAY and self._last[row.same].id == row.id


@dataclass(slots=True)
class Tally:
    """The runs of one batch. Of those that ended lately: how many, how many of them failed, how many need a look, and
    how many came to nothing on the last day with no later run of the same. `stuck` and `running`: that run and are not
    listed."""

    batch: Batch
    ended: int = 0
    failed: int = 0
    looks: int = 0
    failed_lately: int = 0
    others: int = 0
    stuck: int = 0
    running: int = 0

    @property
    def hidden(self) -> int:
        """How many need a look and are not listed."""
        return max(self.looks - FEW, 0) + self.stuck

    @property
    def hidden_failures(self) -> int:
        """How many of `failed_lately` are not listed."""
        return max(self.failed_lately - FEW, 0)

    def lists(self, state: State, fresh: bool) -> bool:
        """Count one more, an earlier end than before; whether it is listed: the first few that need a look, and that
        failed lately, and the latest of the others, which stands for all."""
        self.ended += 1
        self.failed += state in (State.FAILED, State.PROBLEMS)
        if _wants(state, fresh):
            self.looks += 1
            return self.looks <= FEW
        if fresh and state in NOT_REACHED:
            self.failed_lately += 1
            return self.failed_lately <= FEW
        self.others += 1
        return self.others == 1


@dataclass(frozen=True, slots=True)
class Batches:
    """Of the runs that home lists. `of`: by operation; `tallies`: by the batch's key; `last`: also of the runs that are
    not listed, for they settle others all the same."""

    of: dict[str, Batch] = field(default_factory=dict)
    tallies: dict[str, Tally] = field(default_factory=dict)
    last: LastEnds = field(default_factory=LastEnds)

    def lists(self, row: EndedRow, now: float) -> bool:
        """Whether home lists it; an earlier end than before."""
        self.last.add(row)
        tally = self.tally(row.id)
        return tally is None or tally.lists(State(row.state), self.last.fresh(row, now))

    def tally(self, operation_id: str) -> Tally | None:
        """Of its batch; None where it is of none."""
        batch = self.of.get(operation_id)
        return self.tallies.setdefault(batch.key, Tally(batch)) if batch else None

    def few(self, live: Sequence[Judged], name: Literal["stuck", "running"]) -> list[Judged]:
        """Those of them that are listed where there are many."""
        kept, seen = list[Judged](), Counter[str]()
        for judged in live:
            tally = self.tally(judged[0].snapshot.id)
            if tally is not None:
                seen[tally.batch.key] += 1
                if seen[tally.batch.key] > FEW:
                    setattr(tally, name, getattr(tally, name) + 1)
                    continue
            kept.append(judged)
        return kept


@dataclass(frozen=True, slots=True)
class Attention:
    """What home lists. `stuck` and `wanting` need a look: they run, or have ended. `ended`: the other ends, the latest
    first; `failed`: those of them that home paints red or amber. `unsure`: starts with an unknown outcome; `refused`:
    those that waited and could not start. Of a batch only a few runs are among them, so that it does not push out the
    others; `batches`: those that have any, each with how many."""

    stuck: list[Judged]
    running: list[Judged]
    wanting: list[Judged]
    ended: list[Judged]
    failed: list[Judged]
    unsure: list[Start]
    plans: list[Plan]
    refused: list[Entry]
    batches: Batches = field(default_factory=lambda: Batches())

    @property
    def looks(self) -> int:
        """How many need a look, also of those that are not listed."""
        return len(self.stuck) + len(self.wanting) + sum(tally.hidden for tally in self.batches.tallies.values())

    @property
    def failures(self) -> int:
        """How many failed lately, also of those that are not listed."""
        return len(self.failed) + sum(tally.hidden_failures for tally in self.batches.tallies.values())


def needs_look(verdict: Verdict, *, silent: bool = False) -> bool:
    """Of one that runs. A cancel that is under way is what somebody wanted, unless there is something to do about it;
    while the backend is `silent` about everything, the connection says so once."""
    if verdict.state is State.CANCELLING:
        return bool(verdict.advice)
    return verdict.state in RED_STATES | AMBER_STATES and not (silent and verdict.state is State.SILENT)


def row_of(judged: Judged) -> EndedRow:
    """Of an end that the listing may not have yet."""
    observation, verdict = judged
    shot = observation.snapshot
    at = shot.completed_at or observation.changed_at
    return EndedRow(0, shot.id, verdict.state, at, shot.kind, shot.strategy, shot.symbol, shot.timeframe)


def partition_by_attention(
    ended: Sequence[Judged], now: float, last: LastEnds | None = None
) -> tuple[list[Judged], list[Judged]]:
    """(what wants attention, the others), of operations in the order of their ends, the latest first. Problems
    are settled by a later run of the same, however it ended, and are old after a day. `last`: has the ends that are not
    among `ended`."""
    wanting: list[Judged] = []
    others: list[Judged] = []
    for judged, fresh in _unsettled(ended, now, last):
        (wanting if _wants(judged[1].state, fresh) else others).append(judged)
    return wanting, others


def failed_lately(ended: Sequence[Judged], now: float, last: LastEnds | None = None) -> list[Judged]:
    """Those that came to nothing: settled, and old, as problems are."""
    return [judged for judged, fresh in _unsettled(ended, now, last) if fresh and judged[1].state in NOT_REACHED]


def _unsettled(ended: Sequence[Judged], now: float, last: LastEnds | None) -> Iterator[tuple[Judged, bool]]:
    """Each, and whether it is of the last day with no later run of the same."""
    last = last or LastEnds()
    for judged in ended:
        last.add(row := row_of(judged))
        yield judged, last.fresh(row, now)


def _wants(state: State, fresh: bool) -> bool:
    """Whether one that ended needs a look; what a stray one is, no later run changes."""
    return state is State.STRAY or (state in NEEDS_ATTENTION and fresh)


def runs_link(attention: Attention) -> Link | None:
    """What the head of every page says of the runs; None when home paints nothing red or amber."""
    looks = [*attention.stuck, *attention.wanting]
    stopped = [plan for plan in attention.plans if plan.state is PlanState.STOPPED]
    if looks:
        word = f"{attention.looks} need{'s' if attention.looks == 1 else ''} a look"
        return _link(word, looks, attention.looks)
    if attention.unsure:
        count = len(attention.unsure)
        text = f"Whether {_starts(count)} began is not known. {attention.unsure[0].message[:300]}".rstrip()
        return _of_runs(AMBER, f"{_starts(count)} not confirmed", text)
    if stopped or attention.refused:
        count = len(stopped) + len(attention.refused)
        why = (stopped or attention.refused)[0].message
        return _of_runs(RED, f"{_starts(count)} refused", f"What waited could not start. {why}")
    return _link("Failed lately", attention.failed, attention.failures) if attention.failed else None


def _link(word: str, judged: Sequence[Judged], count: int) -> Link:
    observation, verdict = next((each for each in judged if each[1].state in RED_STATES), judged[0])
    more = f" And {count - 1} more." if count > 1 else ""
    shot = observation.snapshot
    name = shot.strategy or f"{shot.symbol} {shot.timeframe}".strip() or shot.id
    state = RED if verdict.state in RED_STATES else AMBER
    return _of_runs(state, word, f"{name}: {verdict.word}. {verdict.headline}{more}")


def _of_runs(state: str, word: str, text: str) -> Link:
    return Link("Runs", state, word, text, address="/")


def _starts(count: int) -> str:
    return f"{count} start{'s' if count != 1 else ''}"
