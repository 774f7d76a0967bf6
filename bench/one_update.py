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

from panel import wire
from panel.catalogue import Catalogue
from panel.execute import Reading
from panel.fanout import Fanout, Mailbox
from panel.loads import Loads
from panel.operations import Snapshot
from panel.relay import Relay
from panel.starting import Starting
from panel.store import Store
from panel.survey import Survey
from panel.turn import Turn
from panel.web.live import Live
from tests.scripted import corrupt, operation, percent

WANTED = 10.0  # milliseconds


class Silent:
    """A backend that answers nothing by itself: what it would say is handed in below."""

    async def get(self, *_: Any, **__: Any) -> Any:
        await asyncio.Event().wait()

    post = delete = get


def body_at(polls: int) -> bytes:
    """The answer after so many polls, each at another epoch."""
    step = f"Epoch {polls}/400 · Batch 30/205"
    told = operation("op_a", progress=percent(polls / 4, step), metrics={"epochs": corrupt(polls)})
    return json.dumps({"success": True, "data": told}).encode()


def rooms(memory: Path) -> tuple[Store, Live]:
    client: Any = Silent()
    store, catalogue = Store(memory), Catalogue(client, None)
    live = Live(Fanout(), store, catalogue, embedded=False)
    live.relay = Relay(client, store, live, "nowhere")
    starting = Starting(client, store, live.relay.expect, live.starts_changed)
    live.survey = Survey(client, catalogue, store, live.stored_changed)
    live.loads = Loads(client, store, starting, live.relay, catalogue, Turn(memory), live.queue_changed)
    live.told = lambda verdict: None
    return store, live


async def measure(rounds: int) -> tuple[int, dict[str, list[float]]]:
    """Bytes of an answer, and milliseconds of CPU for each part in each round: a busy machine does not change them."""
    polls = next(n for n in range(1, 500) if len(body_at(n)) >= 810_000)
    bodies = [body_at(polls + more) for more in range(rounds + 5)]  # each says something new
    spent: defaultdict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        store, live = rooms(Path(folder) / "memory.db")
        page, home = Mailbox(), Mailbox()
        with live.fanout.open(page, "line", "op:op_a"), live.fanout.open(home, "line", "home"):
            for turn, body in enumerate(bodies):
                times = [time.process_time()]
                answer = wire.read_answer("GET", "/operations/op_a", 200, body)
                times.append(time.process_time())
                snapshot = Snapshot.from_json(answer, time.time())
                times.append(time.process_time())
                live.relay.observe(Reading(snapshot, answer["data"]))
                times.append(time.process_time())
                await live.fanout.settled()
                times.append(time.process_time())
                if turn >= 5:  # the first few only warm up
                    for name, began, ended in zip(PARTS, times, times[1:], strict=False):
                        spent[name].append((ended - began) * 1000)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        store.close()
    return len(bodies[0]), spent


PARTS = ("decode", "reading", "verdict, store, render", "hand to streams")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="10 updates instead of 60")
    rounds = 10 if parser.parse_args().quick else 60
    size, spent = asyncio.run(measure(rounds))
    print(f"one update of {size / 1000:.0f} kB, CPU time, medians of {rounds}:")
    for name, each in spent.items():
        print(f"  {name:<24}{statistics.median(each):7.2f} ms")
    middle = statistics.median([sum(each) for each in zip(*spent.values(), strict=True)])
    print(f"  {'together':<24}{middle:7.2f} ms; wanted {WANTED:.0f} ms, ratio {middle / WANTED:.2f}")


if __name__ == "__main__":
    main()
