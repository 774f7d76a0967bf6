"""Kill the panel and its backend again and again while a program queues starts over the JSON API.

    python -m tests.kills [--kills 200] [--apart] [--seed N]

The panel runs over the embedded backend, whose processes are killed too; with --apart over a backend in a process of its
own. A program sends trainings, backtests, loads and batches, each with an Idempotency-Key, and sends what was not answered
again, as its authors are told to. Everything has dates of its own, by which it is told apart at the backend. In the end
nothing may have been started twice, nothing be lost, and nothing be stuck. It is no part of the suite: 200 kills take ten to
twenty minutes. Exits with 1 when something did not hold.
"""

import argparse
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import httpx

from tests.kills.program import Program
from tests.kills.world import World

DRAIN_WITHIN = 240.0  # seconds in which something that is queued has to end, after the last kill


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill the panel and its backend at random points.")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--apart", action="store_true", help="the backend is a process of its own")
    parser.add_argument("--seed", type=int, default=random.randrange(1, 10**6))
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), asked.apart)
        try:
            return _run(world, asked.kills, random.Random(asked.seed))
        finally:
            world.end()


def _run(world: World, kills: int, chance: random.Random) -> int:
    began, up, killed, faults = time.monotonic(), list[float](), Counter[str](), list[str]()
    world.start()
    program = Program(world, chance)
    program.prepare()
    while killed.total() < kills:
        sending = threading.Thread(target=program.send_some)
        sending.start()
        time.sleep(chance.choice((0.0, 0.02, 0.2, 1.0, 4.0, 8.0)) * chance.random())
        killed[world.kill_something(chance)] += 1
        sending.join()
        up.append(world.start())
        if chance.random() < 0.2 and killed.total() < kills:  # also while it starts
            time.sleep(chance.random())
            killed[world.kill_something(chance)] += 1
            up.append(world.start())
        if killed.total() % 10 == 0:
            with suppress(httpx.TransportError):
                program.decide()
            faults = program.twice()
            print(f"{killed.total()} kills, {program.figures()}", flush=True)
            if faults:
                break
    program.send_again()
    drained = faults == [] and program.drain(DRAIN_WITHIN)
    faults = program.twice() or ([] if drained else ["stuck: " + program.open()]) + program.lost()
    for fault in faults:
        print("FAILED", fault)
    print(f"{killed.total()} kills ({', '.join(f'{n} × {what}' for what, n in killed.items())}); {program.figures()}")
    print(f"seconds until it answered again: median {statistics.median(up):.2f}, most {max(up):.2f}")
    print(f"{len(faults)} faults, in {time.monotonic() - began:.0f} s.")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
