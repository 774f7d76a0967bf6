"""Processes that are measured, each on the core it was given, and how much of it they used."""

import atexit
import contextlib
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import timeit
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SERVER, READERS = 0, 1  # cores
ROOT = Path(__file__).resolve().parents[1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """A part of a measurement in a process of its own that is told what to do on its stdin, a line each,
    and answers with a line of JSON."""

    def __init__(self, core: int, *command: str) -> None:
        self._process = subprocess.Popen(
            [*command],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"TMPDIR": str(folder())},  # it may be ended before it tidies up
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
        self.pid = self._process.pid

    @classmethod
    def python(cls, core: int, module: str, *words: Any) -> "Process":
        return cls(core, sys.executable, "-m", module, *map(str, words))

    def tell(self, *words: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()

    def hear(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args} broke off")
        return json.loads(line)

    def ask(self, *words: Any) -> Any:
        self.tell(*words)
        return self.hear()

    @property
    def pids(self) -> list[int]:
        """Its own, and its children's."""
        return [self.pid, *_children(self.pid)]

    def cpu(self) -> float:
        """Seconds of CPU so far, of this process and its children, to the nanosecond."""
        return sum(map(_cpu, self.pids))

    def system(self) -> float:
        """Those of them that the operating system took for it, to the hundredth."""
        return sum(map(_system, self.pids))

    def end(self, sign: int = signal.SIGTERM) -> None:
        self._process.send_signal(sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        self._process.kill()
        self._process.wait()


def _cpu(pid: int) -> float:
    spent = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        spent += int((task / "schedstat").read_text().split()[0])
    return spent / 1e9


def _system(pid: int) -> float:
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(after_name[12]) / os.sysconf("SC_CLK_TCK")


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def memory(pid: int) -> int:
    """Resident bytes of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def ended(*processes: Process) -> Iterator[None]:
    try:
        yield
    finally:
        for process in processes:
            process.end()


def wait_for(port: int, timeout: float = 60) -> None:
    end = time.monotonic() + timeout
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def folder() -> Path:
    """Gone when this process ends."""
    place = tempfile.mkdtemp(prefix="ktrdr-panel-bench-")
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    return Path(place)


def speed() -> str:
    """How quick this machine is just now: a figure in milliseconds means little without it."""
    took = min(timeit.repeat("for i in range(1_000_000): s += i", "s = 0", number=1, repeat=5))
    return f"this machine just now: a million additions in Python take {took * 1000:.0f} ms"


def middle(values: list[float]) -> float:
    return statistics.median(values)


def share(values: list[float], part: float) -> float:
    """A percentile; `part` is 0.99 for p99."""
    ranked = sorted(values)
    return ranked[min(int(len(ranked) * part), len(ranked) - 1)]
