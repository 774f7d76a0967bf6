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


@dataclass(slots=True)
class Tally:
    """The runs of one batch. Of those that ended lately: how many, how many of them failed, and how many need a look.
    `stuck` and `running`: that run and are not listed."""

    batch: Batch
    ended: int = 0
    failed: int = 0
    looks: int = 0
    others: int = 0
    stuck: int = 0
    running: int = 0

    @property
    def hidden(self) -> int:
        """How many need a look and are not listed."""
        return max(self.looks - FEW, 0) + self.stuck

    def lists(self, state: State, ended_at: float, now: float) -> bool:
        """Count one more, an earlier end than before; whether it is listed: the first few that need a look, and that
        failed, and the latest of the others, which stands for all."""
        self.ended += 1
        self.failed += state in (State.FAILED, State.PROBLEMS)
        if state in NEEDS_ATTENTION and (state is State.STRAY or now - ended_at < DAY):
            self.looks += 1
            return self.looks <= FEW
        self.others += 1
        return self.others <= (FEW if state in NOT_REACHED else 1)


@dataclass(frozen=True, slots=True)
class Batches:
    """Of the runs that home lists. `of`: by operation; `tallies`: by the batch's key."""

    of: dict[str, Batch] = field(default_factory=dict)
    tallies: dict[str, Tally] = field(default_factory=dict)

    def lists(self, row: EndedRow, now: float) -> bool:
        """Whether home lists it; an earlier end than before."""
        tally = self.tally(row.id)
        return tally is None or tally.lists(State(row.state), row.ended_at, now)

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


def needs_look(verdict: Verdict, *, silent: bool = False) -> bool:
    """Of one that runs. A cancel that is under way is what somebody wanted, unless there is something to do about it;
    while the backend is `silent` about everything, the connection says so once."""
    if verdict.state is State.CANCELLING:
        return bool(verdict.advice)
    return verdict.state in RED_STATES | AMBER_STATES and not (silent and verdict.state is State.SILENT)


def partition_by_attention(ended: Sequence[Judged], now: float) -> tuple[list[Judged], list[Judged]]:
    """(what wants attention, the others), of operations in the order of their ends, the latest first. Problems
    are settled by a later run of the same, however it ended, and are old after a day."""
    wanting: list[Judged] = []
    others: list[Judged] = []
    for judged, fresh in _unsettled(ended, now):
        state = judged[1].state
        wants = state is State.STRAY or (state in NEEDS_ATTENTION and fresh)
        (wanting if wants else others).append(judged)
    return wanting, others


def failed_lately(ended: Sequence[Judged], now: float) -> list[Judged]:
    """Those that came to nothing: settled, and old, as problems are."""
    return [judged for judged, fresh in _unsettled(ended, now) if fresh and judged[1].state in NOT_REACHED]


def _unsettled(ended: Sequence[Judged], now: float) -> Iterator[tuple[Judged, bool]]:
    """Each, and whether it is of the last day with no later run of the same."""
    later: set[tuple[str, ...]] = set()
    for observation, verdict in ended:
        shot = observation.snapshot
        same = (shot.kind, shot.strategy, shot.symbol, shot.timeframe)
        yield (observation, verdict), now - (shot.completed_at or observation.changed_at) < DAY and same not in later
        later.add(same)


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
    return _link("Failed lately", attention.failed, len(attention.failed)) if attention.failed else None


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
