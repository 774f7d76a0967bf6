"""What one update costs: the answer of a training after a minute of polling, decoded, judged, written down and drawn.

    python -m bench.one_update [--quick]

The answer is about 810 kB, because the backend adds its whole history at every poll (`metrics.epochs` is
`[history, cursor, history, cursor, …]`). The home page and the operation's page are open. Wanted: 10 ms for all of it.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from starlette.requests import Request

from bench.stage import speed
from panel.backend import answers as wire
from panel.backend.entities import snapshot_of
from panel.backend.ktrdr import Reading
from panel.live.hub import Mailbox
from tests.support.inside import Inside, inside
from tests.support.parts import panel_of
from tests.support.scripted import Backend, corrupt, operation, percent, served

WANTED = 10.0  # milliseconds


def body_at(polls: int) -> bytes:
    """The answer after so many polls, each at another epoch."""
    step = f"Epoch {polls}/400 · Batch 30/205"
    reading = operation("op_a", progress=percent(polls / 4, step), metrics={"epochs": corrupt(polls)})
    return json.dumps({"success": True, "data": reading}).encode()


async def late(_: Request) -> Any:
    """The backend's own answer, after the measurement: what it would say is handed in below."""
    await asyncio.sleep(1.5)
    return 503, {"detail": "late"}


async def measure(here: Inside, bodies: list[bytes]) -> dict[str, list[float]]:
    """Milliseconds of CPU for each part in each round: a busy machine does not change them."""
    panel, spent = panel_of(here.app), defaultdict[str, list[float]](list)
    page, home = Mailbox(), Mailbox()
    with panel.hub.open(page, "line", "op:op_a"), panel.hub.open(home, "line", "home"):
        for turn, body in enumerate(bodies):
            times = [time.thread_time()]
            answer = wire.read_answer("GET", "/operations/op_a", 200, body)
            times.append(time.thread_time())
            snapshot = snapshot_of(answer, time.time())
            times.append(time.thread_time())
            panel.monitor.observe(Reading(snapshot, answer["data"]))
            times.append(time.thread_time())
            await panel.hub.settled()
            times.append(time.thread_time())
            if turn >= 5:  # the first few only warm up
                for name, began, ended in zip(PARTS, times, times[1:], strict=False):
                    spent[name].append((ended - began) * 1000)
    return spent


PARTS = ("decode", "reading", "verdict, store, render", "hand to streams")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="10 updates instead of 60")
    rounds = 10 if parser.parse_args().quick else 60
    print(speed())
    polls = next(n for n in range(1, 500) if len(body_at(n)) >= 810_000)
    bodies = [body_at(polls + more) for more in range(rounds + 5)]  # each says something new
    backend = Backend()
    backend.answers["GET /operations/op_a"] = late
    with (
        tempfile.TemporaryDirectory() as folder,
        served(backend.app) as address,
        inside(Path(folder), address + "/api/v1") as here,
    ):
        spent = here.runner.run(measure(here, bodies))
    print(f"one update of {len(bodies[0]) / 1000:.0f} kB, CPU time, medians of {rounds}:")
    for name, each in spent.items():
        print(f"  {name:<24}{statistics.median(each):7.2f} ms")
    middle = statistics.median([sum(each) for each in zip(*spent.values(), strict=True)])
    print(f"  {'together':<24}{middle:7.2f} ms; wanted {WANTED:.0f} ms, ratio {middle / WANTED:.2f}")


if __name__ == "__main__":
    main()
