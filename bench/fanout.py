"""CPU for each event and stream: the panel beside nginx with nchan, the usual pattern and the floor in Python.

    python -m bench.fanout [--quick]

Servers on one core, readers on the other. All are measured in turn, round after round, and compared within a round;
the figures are medians. What a server uses while nothing is published is measured first and taken off.
"""

import argparse
import http.client
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from bench.nginx import installed, nginx
from bench.stage import READERS, SERVER, Process, ended, free_port, memory, middle, share, wait_for

ROUND = 9.4  # seconds: with the pauses before and after twice the round of discovery
PAGES = ("/", "/start/training", "/data", "/static/panel.css")


@dataclass
class Side:
    """One of those that are compared."""

    name: str
    port: int
    server: Process
    publisher: Process
    idle: float = 0.0  # seconds of CPU a second, with nothing to publish

    def streams(self, count: int, stalled: int = 0) -> Process:
        readers = Process.python(READERS, "bench.readers", self.port, "/stream/home", count, stalled)
        readers.hear()
        return readers


@dataclass
class Window:
    cost: float  # µs of the server's CPU for each event at a reader
    events: int
    reading: float  # share of the readers' core that was used
    serving: float
    system: float  # share of the server's CPU that went into the operating system: sockets, mostly


def measure(side: Side, readers: Process, seconds: float, *command: object) -> Window:
    time.sleep(0.3)  # what was sent before has arrived
    before, cpu, system, began = readers.ask("count"), side.server.cpu(), side.server.system(), time.monotonic()
    side.publisher.ask(*command, seconds)
    time.sleep(0.3)
    after, spent, took = readers.ask("count"), side.server.cpu() - cpu, time.monotonic() - began
    events = after["events"] - before["events"]
    cost = (spent - side.idle * took) / max(events, 1) * 1e6
    inside = (side.server.system() - system) / max(spent, 1e-9)
    return Window(cost, events, (after["cpu"] - before["cpu"]) / seconds, spent / seconds, inside)


@contextmanager
def sides(names: list[str]) -> Iterator[list[Side]]:
    with ExitStack() as stack:
        backend = free_port()
        other = Process.python(READERS, "bench.backend", backend)
        stack.enter_context(ended(other))
        wait_for(backend)
        found = []
        for name in names:
            port = free_port()
            if name == "nchan":
                server = nginx(port)
                stack.enter_context(ended(server))
                wait_for(port)
                publisher = Process.python(READERS, "bench.nginx", port)
            else:
                more = [f"http://127.0.0.1:{backend}/api/v1"] if name == "panel" else []
                server = publisher = Process.python(SERVER, "bench.servers", name, port, *more)
                wait_for(port)
            stack.enter_context(ended(publisher))
            found.append(Side(name, port, server, publisher))
        yield found


def compare(names: list[str], counts: list[int], rounds: int, seconds: float) -> None:
    print(
        f"{'streams':>8} {'':6} {'':8} {'µs/event':>9} {'panel ×':>8} {'readers':>8} {'server':>7} {'system':>7}"
        f" {'kB/stream':>10}"
    )
    for count in counts:
        with sides(names) as all_sides, ExitStack() as stack:
            readers, weight = {}, {}
            for side in all_sides:
                side.server.cpu()
                before = sum(map(memory, side.server.pids))
                readers[side.name] = side.streams(count)
                stack.enter_context(ended(readers[side.name]))
                weight[side.name] = (sum(map(memory, side.server.pids)) - before) / count / 1024
            time.sleep(1)
            # What few streams cost at ten events a second is less than the panel's rounds, the longest of which is 5 s.
            slowly = ROUND if count < 10 and seconds >= 1 else seconds
            for side in all_sides:
                cpu = side.server.cpu()
                time.sleep(slowly)
                side.idle = (side.server.cpu() - cpu) / slowly
            for how, span, command in (("full", seconds, ("full",)), ("10/s", slowly, ("rate", 10))):
                kept: dict[str, list[Window]] = {name: [] for name in names}
                for _ in range(rounds):
                    for side in all_sides:
                        kept[side.name].append(measure(side, readers[side.name], span, *command))
                for name in names:
                    windows = kept[name]
                    ratio = middle([own.cost / its.cost for own, its in zip(kept["panel"], windows, strict=True)])
                    print(
                        f"{count:>8} {how:6} {name:8} {middle([w.cost for w in windows]):>9.2f} {ratio:>8.2f}"
                        f" {middle([w.reading for w in windows]):>8.0%} {middle([w.serving for w in windows]):>7.0%}"
                        f" {middle([w.system for w in windows]):>7.0%} {weight[name]:>10.1f}",
                        flush=True,
                    )
            print("         idle, ms of CPU a second:", {s.name: round(s.idle * 1000, 2) for s in all_sides})


def stalled(count: int, rounds: int, seconds: float) -> None:
    """The same number of readers, alone and beside as many that take nothing."""
    with (
        sides(["panel", "panel"]) as (alone, beside),
        ended(one := alone.streams(count)),
        ended(other := beside.streams(count, count)),
    ):
        ratios, part = [], []
        for _ in range(rounds):
            beside.publisher.ask("fill")  # their sockets; the others read it
            time.sleep(1)
            free, burdened = measure(alone, one, seconds, "full"), measure(beside, other, seconds, "full")
            ratios.append(burdened.cost / free.cost)
            part.append(burdened.events / max(free.events, 1))
        print(f"{count} readers beside {count} that take nothing: {middle(ratios):.2f} × the CPU for each event,")
        print(f"  {middle(part):.2f} × the events in the same time")


def pages(streams: int, seconds: float) -> None:
    """How long a page takes while every stream gets ten events a second."""
    with sides(["panel"]) as (panel,), ended(panel.streams(streams)):
        for burdened in (False, True):
            if burdened:
                panel.publisher.tell("rate", 10, seconds * len(PAGES) + 1)
                time.sleep(0.5)
            print(f"{streams} streams, {'ten events a second' if burdened else 'nothing published'}: ms for a page")
            for path in PAGES:
                line, took, end = http.client.HTTPConnection("127.0.0.1", panel.port), [], time.monotonic() + seconds
                while time.monotonic() < end:
                    began = time.monotonic()
                    line.request("GET", path)
                    line.getresponse().read()
                    took.append((time.monotonic() - began) * 1000)
                    time.sleep(0.013)
                text = f"p50 {share(took, 0.5):.1f}  p99 {share(took, 0.99):.1f}  most {max(took):.1f}  of {len(took)}"
                print(f"  {path:18} {text}", flush=True)
        panel.publisher.hear()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short run that only shows that everything works")
    parser.add_argument("--only", choices=["cost", "stalled", "pages"])
    parser.add_argument("--streams", type=int, nargs="+")
    parser.add_argument("--sides", nargs="+", default=["panel", "nchan", "usual", "floor"])
    given = parser.parse_args()
    names, quick = given.sides, given.quick
    if "nchan" in names and not installed():
        print("nginx with nchan is not installed (apt-get install nginx-light libnginx-mod-nchan): left out.")
        names.remove("nchan")
    if given.only in (None, "cost"):
        counts = given.streams or ([1, 100] if quick else [1, 100, 1000, 4000])
        compare(names, counts, 2 if quick else 5, 0.5 if quick else 2)
    if given.only in (None, "stalled"):
        stalled(50 if quick else 500, 2 if quick else 4, 0.5 if quick else 2)
    if given.only in (None, "pages"):
        pages(200 if quick else 5000, 1 if quick else 8)


if __name__ == "__main__":
    main()
