"""What needs a person's attention: home puts it first, and the head of every page counts it. Pure.

Both go by this module: what home paints red or amber is never "All well" in the head.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from panel.domain.observation import Observation
from panel.domain.requests import Entry, Plan, PlanState, Start
from panel.domain.state import AMBER_STATES, RED_STATES, State, Verdict
from panel.domain.system_health import AMBER, RED, Link

DAY = 86_400.0  # seconds for which an end with problems asks for attention
NEEDS_ATTENTION = frozenset({State.STALLED, State.LOST, State.STRAY, State.VANISHED, State.PROBLEMS})
NOT_REACHED = frozenset({State.FAILED, State.FORGOTTEN})  # ends without a result, which home lists among the ends

Judged = tuple[Observation, Verdict]


@dataclass(frozen=True, slots=True)
class Attention:
    """What home lists. `stuck` and `wanting` need a look: they run, or have ended. `ended`: the other ends, the latest
    first; `failed`: those of them that home paints red or amber. `unsure`: starts with an unknown outcome; `refused`:
    those that waited and could not start."""

    stuck: list[Judged]
    running: list[Judged]
    wanting: list[Judged]
    ended: list[Judged]
    failed: list[Judged]
    unsure: list[Start]
    plans: list[Plan]
    refused: list[Entry]


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
        word = f"{len(looks)} need{'s' if len(looks) == 1 else ''} a look"
        return _link(word, looks)
    if attention.unsure:
        count = len(attention.unsure)
        text = f"Of {_starts(count)} no answer said whether {'it' if count == 1 else 'they'} began."
        return _of_runs(AMBER, f"{_starts(count)} not confirmed", text)
    if stopped or attention.refused:
        count = len(stopped) + len(attention.refused)
        why = (stopped or attention.refused)[0].message
        return _of_runs(RED, f"{_starts(count)} refused", f"What waited could not start. {why}")
    return _link(f"{len(attention.failed)} failed lately", attention.failed) if attention.failed else None


def _link(word: str, judged: Sequence[Judged]) -> Link:
    observation, verdict = next((each for each in judged if each[1].state in RED_STATES), judged[0])
    more = f" Others on the home page: {len(judged) - 1}." if len(judged) > 1 else ""
    shot = observation.snapshot
    name = shot.strategy or f"{shot.symbol} {shot.timeframe}".strip() or shot.id
    state = RED if verdict.state in RED_STATES else AMBER
    return _of_runs(state, word, f"{name}: {verdict.word}. {verdict.headline}{more}")


def _of_runs(state: str, word: str, text: str) -> Link:
    return Link("Runs", state, word, text, address="/")


def _starts(count: int) -> str:
    return f"{count} start{'s' if count != 1 else ''}"
