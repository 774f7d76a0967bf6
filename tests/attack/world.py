"""What every row of the attack table works with: a backend that a row may change, and a panel in a process of its own."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE, Popen
from tempfile import TemporaryDirectory

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.support.panels import Panel, panel_process
from tests.support.scripted import Backend, served


class Idle:
    """A process that only looks at the clock as the panel does: what it waits for is the machine."""

    def __init__(self) -> None:
        self.process = Popen([sys.executable, "-c", _IDLE], stdin=PIPE, stdout=PIPE, text=True)

    def stalls(self) -> int:
        """Over 50 ms, so far."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


_IDLE = """
import select, sys, time
due, stalls = time.monotonic(), 0
while True:
    due += 0.025
    if select.select([sys.stdin], [], [], max(due - time.monotonic(), 0))[0]:
        if not sys.stdin.readline():
            break
        print(stalls, flush=True)
    elif (now := time.monotonic()) > due:
        stalls, due = stalls + (now - due > 0.05), now
"""


@dataclass
class World:
    backend: Backend
    here: Panel
    process: Popen[bytes]
    folder: Path
    idle: Idle
    began: float = field(default_factory=time.monotonic)

    def status(self, path: str, timeout: float = 30.0) -> tuple[int, float]:
        """The status of a page and the seconds until its last byte; status 0 for no answer."""
        began = time.monotonic()
        try:
            code = httpx.get(self.here.address + path, timeout=timeout).status_code
        except httpx.HTTPError:
            code = 0
        return code, time.monotonic() - began

    def text(self, path: str) -> str:
        return self.here.get(path).text

    def measure(self, name: str, *labels: str) -> float:
        for family in text_string_to_metric_families(self.text("/metrics")):
            for sample in family.samples:
                if sample.name == name and tuple(sample.labels.values()) == labels:
                    return float(sample.value)
        return 0.0

    def stalls(self, longer_than: str = "0.25") -> int:
        """How often the panel's loop stood still for longer than so many seconds (0.05, 0.25, 1)."""
        return int(self.measure("ktrdr_panel_stalls_total", longer_than))

    def stalls_so_far(self) -> tuple[int, int, int]:
        """Over 50 ms and over 250 ms, and those over 50 ms that an idle process on this machine had meanwhile."""
        return self.stalls("0.05"), self.stalls(), self.idle.stalls()

    def stalled(self, before: tuple[int, int, int]) -> str:
        """In words, since `stalls_so_far` gave this."""
        short, long, idle = (now - then for now, then in zip(self.stalls_so_far(), before, strict=True))
        return f"stalls over 50 ms {short} (an idle process: {idle}), over 250 ms {long}"

    def megabytes(self) -> float:
        return self.measure("process_resident_memory_bytes") / 1e6

    def cpu(self) -> float:
        """Seconds of CPU so far."""
        return self.measure("process_cpu_seconds_total")

    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")

    def until(self, reached: Callable[[], bool], timeout: float = 30.0) -> bool:
        """Whether it became so in time."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if reached():
                return True
            time.sleep(0.1)
        return False


@dataclass(frozen=True)
class Result:
    """`figures` are in words; `good` is the verdict."""

    good: bool
    figures: str


@contextmanager
def world(
    backend: Backend | None = None, prepare: Callable[[Path, str], None] | None = None, **variables: str
) -> Iterator[World]:
    """`prepare` is called with the data folder and the backend's address before the panel starts."""
    used = backend or Backend()
    with TemporaryDirectory(prefix="attack-") as name, served(used.app) as address:
        if prepare:
            prepare(Path(name), address + "/api/v1")
        with panel_process(Path(name), address + "/api/v1", **variables) as (here, process):
            idle = Idle()
            try:
                yield World(used, here, process, Path(name), idle)
            finally:
                idle.process.kill()
                idle.process.communicate()
        process.wait(20)
