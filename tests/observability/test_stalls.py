"""The longest stall of the last minute is kept exactly, in little room."""

from random import Random

from panel.observability.stalls import WINDOW, StallMonitor


def test_the_longest_of_the_last_minute_and_since_the_start():
    stalls, seen, chance = StallMonitor(), [], Random(1)
    assert stalls.of_last_minute() == stalls.longest == 0.0
    for _ in range(500):
        now = (seen[-1][0] if seen else 0.0) + chance.random() * 2
        seen.append((now, chance.random()))
        stalls.note(*seen[-1])
        assert stalls.of_last_minute() == max(late for at, late in seen if at >= now - WINDOW)
        assert stalls.longest == max(late for _, late in seen)
    assert stalls.counts == {limit: sum(late > limit for _, late in seen) for limit in (0.05, 0.25, 1.0)}
    for step in range(10_000):
        stalls.note(seen[-1][0] + step * 0.025, 0.001)
    assert len(stalls._slots) < 20
