"""What the home page puts first: what needs a person's attention. Pure."""

from collections.abc import Sequence

from panel.domain.observation import Observation
from panel.domain.state import State, Verdict

DAY = 86_400.0  # seconds for which an end with problems asks for attention
TRANSIENT = frozenset({State.STALLED, State.LOST, State.STRAY})  # come and go while nothing begins or ends
NEEDS_ATTENTION = TRANSIENT | {State.VANISHED, State.PROBLEMS}

Judged = tuple[Observation, Verdict]


def partition_by_attention(ended: Sequence[Judged], now: float) -> tuple[list[Judged], list[Judged]]:
    """(what wants attention, the others), of operations in the order of their ends, the latest first. Problems
    are settled by a later run of the same, however it ended, and are old after a day."""
    wanting: list[Judged] = []
    others: list[Judged] = []
    later: set[tuple[str, ...]] = set()
    for observation, verdict in ended:
        shot = observation.snapshot
        same = (shot.kind, shot.strategy, shot.symbol, shot.timeframe)
        fresh = now - (shot.completed_at or observation.changed_at) < DAY and same not in later
        wants = verdict.state is State.STRAY or (verdict.state in NEEDS_ATTENTION and fresh)
        (wanting if wants else others).append((observation, verdict))
        later.add(same)
    return wanting, others
