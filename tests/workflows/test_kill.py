"""kill -9, of the panel, the backend or the command line, at any moment: nothing doubled, nothing lost.

Real processes with a proxy between them. KTRDR_PANEL_TEST_KILLS sets how often something is killed (4 unless it is
set); a hundred take about four minutes. With `-s` the times are printed.
"""

import asyncio
import os
import random
import signal
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import httpx

from panel.domain.observation import Cancel
from panel.settings import Settings
from panel.storage.store import Storage
from tests.support.command_line import environment
from tests.support.lasting import arrived
from tests.support.pages import words
from tests.support.panels import COMMAND, OWN_PAGE, Panel, free_port, panel_process
from tests.support.scripted import operation, percent
from tests.support.wires import proxied, until

KILLS = int(os.environ.get("KTRDR_PANEL_TEST_KILLS", "4"))
SEED = int(os.environ.get("KTRDR_PANEL_TEST_SEED", "0")) or random.randrange(1, 10**6)
LASTS = 2.0  # seconds that an operation takes
PATHS = ("training", "backtesting", "data_load")


class Process:
    """A program that may be killed and started again."""

    def __init__(self, folder: Path, name: str, command: list[str], variables: dict[str, str], port: int) -> None:
        self.folder, self.name, self.command, self.variables, self.port = folder, name, command, variables, port
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(self.command, env=self.variables, stdout=log, stderr=log)

    def up(self) -> bool:
        with suppress(httpx.TransportError):
            return httpx.get(f"http://127.0.0.1:{self.port}/healthz", timeout=2).status_code < 500
        return False

    def kill(self, how: int = signal.SIGKILL) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(120)
            self.process = None


@contextmanager
def backend_process(folder: Path) -> Iterator[tuple[Process, Path]]:
    port, file = free_port(), folder / "operations.json"
    command = [sys.executable, "-m", "tests.support.lasting", str(file), str(port), str(LASTS)]
    process = Process(folder, "backend", command, dict(os.environ), port)
    process.start()
    try:
        until(process.up)
        yield process, file
    finally:
        process.kill()


@contextmanager
def panel_of(folder: Path, backend: str) -> Iterator[tuple[Process, Panel]]:
    port = free_port()
    variables = environment(folder, backend) | {"KTRDR_PANEL_PORT": str(port), "KTRDR_PANEL_LOG_LEVEL": "warning"}
    process = Process(folder, "panel", [*COMMAND, "serve"], variables, port)
    process.start()
    settings = Settings.from_environ({}, backend=backend, port=port, data_folder=folder)
    try:
        until(process.up)
        yield process, Panel(f"http://127.0.0.1:{port}", settings)
    finally:
        process.kill()


def form(kind: str, number: int) -> dict[str, str]:
    """Each with a day of its own, by which the backend's log tells whose it is."""
    day = f"{1990 + number // 300}-{number // 25 % 12 + 1:02}-{number % 25 + 1:02}"
    return {
        "training": {"strategy_name": "swing", "start_date": day, "insist": "1"},
        "backtesting": {"strategy_name": "swing", "start_date": day, "end_date": "2024-01-01", "model_path": "m"},
        "data_load": {"symbol": "EURUSD", "timeframe": "1h", "mode": "tail", "start_date": day, "replace": "1"},
    }[kind]


def rows(memory: Path, query: str) -> list[tuple]:
    with closing(sqlite3.connect(memory, timeout=60)) as db:
        return db.execute(query).fetchall()


def counts(file: Path) -> dict[str, int]:
    """Day -> how many starts with it reached the backend."""
    found: dict[str, int] = {}
    for _, body in arrived(file):
        found[body["start_date"]] = found.get(body["start_date"], 0) + 1
    return found


def test_nothing_is_doubled_or_lost_when_something_is_killed(tmp_path: Path) -> None:
    print(f"KTRDR_PANEL_TEST_SEED={SEED}")
    chance = random.Random(SEED)
    took: dict[str, list[float]] = {"panel up": [], "panel right": [], "backend up": [], "backend right": []}
    with (
        backend_process(tmp_path) as (backend, file),
        proxied(backend.port) as wire,
        panel_of(tmp_path, f"{wire.address}/api/v1") as (process, here),
        httpx.Client(headers=OWN_PAGE, timeout=0.05) as browser,
    ):
        memory = here.settings.memory_file
        for number in range(KILLS):
            kind = PATHS[number % 3] if KILLS < 10 else chance.choice(PATHS)
            filled = form(kind, number)
            for _ in range(2):  # the browser does not wait for the answer
                with suppress(httpx.TransportError):
                    browser.post(f"{here.address}/start/{kind}", data={"key": f"key-{number:012}", **filled})
            time.sleep(chance.choice((0.0, 0.005, 0.02, 0.1, 0.5)))
            victim, name = (process, "panel") if number % 2 == 0 else (backend, "backend")
            victim.kill()
            time.sleep(chance.choice((0.0, 0.3)))
            victim.start()
            took[f"{name} up"].append(until(lambda: process.up() and backend.up()))
            took[f"{name} right"].append(until(lambda: is_right(here, file, memory)))
            assert set(counts(file).values()) <= {1}, counts(file)
            decide(here, file, memory)
        until(lambda: all_ended(file, memory))
        decide(here, file, memory)
        waiting = len(rows(memory, "SELECT 1 FROM queue WHERE state = 'waiting'"))
        until(
            lambda: not rows(memory, "SELECT 1 FROM queue WHERE state IN ('waiting', 'starting', 'running')"),
            60 + 10 * waiting,
        )
        assert set(counts(file).values()) <= {1}, counts(file)
        until(lambda: not rows(memory, "SELECT 1 FROM starts WHERE state = 'sending'"), 90)
    print(
        f"{KILLS} kills, {len(counts(file))} POSTs; seconds until it answered again, and then until pages were right:"
    )
    for what, times in took.items():
        print(f"  {what:14} median {statistics.median(times):5.2f}  most {max(times):5.2f}")


def decide(here: Panel, file: Path, memory: Path) -> None:
    """What is not confirmed a person puts aside: a load would hold the queue until then."""
    for key, kind, day in rows(
        memory, "SELECT key, kind, json_extract(form, '$.start_date') FROM starts WHERE state = 'unconfirmed'"
    ):
        assert kind != "training" or day not in counts(file), "a training that began is always found"
        assert "Not confirmed" in here.get(f"/starts/{key}").text
        here.post(f"/starts/{key}/dismiss")


def is_right(here: Panel, file: Path, memory: Path) -> bool:
    """The pages answer, the line is good, and what a start began is known for certain."""
    with suppress(httpx.TransportError):
        home = here.get("/").text
        made = {body["start_date"] for _, body in arrived(file)}
        for operation_id, state, day in rows(
            memory, "SELECT operation_id, state, json_extract(form, '$.start_date') FROM starts WHERE kind = 'training'"
        ):
            if day in made and state != "started":
                return False
            if state == "started" and here.get(f"/operations/{operation_id}").status_code != 200:
                return False
        return "Backend unreachable" not in home
    return False


def all_ended(file: Path, memory: Path) -> bool:
    import json

    kept = json.loads(file.read_text())
    known = dict(rows(memory, "SELECT id, state FROM operations"))
    started = {row[0] for row in rows(memory, "SELECT operation_id FROM starts WHERE state = 'started'")}
    over = ("completed", "problems", "failed", "cancelled")  # a load's bars are not stored up to now there
    return all(known.get(name) in over for name in started if name in kept)


def test_a_cancel_that_was_under_way_can_be_asked_for_again(address, backend, tmp_path):
    """The panel was killed before the backend had answered it."""
    backend.operations["op_a"] = operation("op_a", progress=percent(10, "Epoch 1"))
    answered = threading.Event()

    async def late(request):
        await asyncio.to_thread(answered.wait, 120)
        return 500, {"detail": "too late"}

    backend.answers["DELETE /operations/op_a"] = late
    with panel_process(tmp_path, address) as (here, process):
        here.until("/operations/op_a", lambda text: "Epoch 1" in text)
        with ThreadPoolExecutor(1) as pool:
            lost = pool.submit(here.post, "/operations/op_a/cancel")
            with closing(Storage(here.settings.memory_file)) as store:
                until(lambda: [each.cancel for each in store.memory.unfinished()] == [Cancel.ASKED])
            process.kill()
            assert isinstance(lost.exception(), httpx.TransportError)
    answered.set()
    del backend.answers["DELETE /operations/op_a"]
    with panel_process(tmp_path, address) as (here, _):
        here.until("/operations/op_a", lambda text: "Cancel…" in words(text))
        assert here.post("/operations/op_a/cancel").status_code == 303
    assert backend.hits["DELETE /operations/op_a"] == 2
