"""The longest stall of the last minute is kept exactly, in little room; looks are close only while there is work."""

import asyncio
from collections.abc import Callable
from random import Random

from panel.observability.rounds import until_next
from panel.observability.stalls import IDLE, INTERVAL, LINGER, WINDOW, StallMonitor
from tests.support.virtual import virtual_time


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


class Watched(StallMonitor):
    looks = 0

    def note(self, now: float, late: float) -> None:
        self.looks += 1
        super().note(now, late)


def in_a_panel(stand: Callable[[Watched], None]) -> Watched:
    """A monitor that ran while this stood in the event loop's way, and for ten quiet seconds before and after it."""
    stalls = Watched()
    with virtual_time() as runner:

        async def whole() -> None:
            running = asyncio.create_task(stalls.run())
            await asyncio.sleep(10)
            assert stalls.looks <= 2 + 10 / IDLE
            stand(stalls)
            await asyncio.sleep(10)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

        runner.run(whole())
    return stalls


def test_what_a_request_takes_of_the_loop_is_seen_however_long_nothing_happened():
    def answer(stalls: StallMonitor) -> None:
        stalls.begins()
        asyncio.get_running_loop()._virtual.elapsed += 0.2
        stalls.wake(LINGER)
        stalls.answers()

    stalls = in_a_panel(answer)
    assert 0.2 - INTERVAL <= stalls.longest <= 0.2 and stalls.counts[0.05] == 1
    assert LINGER / INTERVAL < stalls.looks < LINGER / INTERVAL + 30  # the closer looks have ended


def test_looks_stay_close_while_a_request_has_no_answer():
    stalls = in_a_panel(lambda stalls: stalls.begins())
    assert stalls.looks > 9 / INTERVAL


def test_rounds_of_several_loops_are_at_one_moment():
    moments: set[float] = set()

    async def loop(first: float) -> None:
        await asyncio.sleep(first)
        for _ in range(5):
            await until_next(2.0)
            moments.add(round(asyncio.get_running_loop().time(), 2))

    with virtual_time() as runner:

        async def whole() -> None:
            await asyncio.gather(loop(0.3), loop(0.9), loop(1.99))

        runner.run(whole())
    assert len(moments) == 5 and all(moment % 2 == 0 for moment in moments)
