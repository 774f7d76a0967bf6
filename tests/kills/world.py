"""A panel and its backend as processes that are killed, and what has reached the backend."""

import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path

import httpx
import pandas as pd

from panel.embedded import market
from panel.embedded.bars import Bars
from panel.settings import Settings
from tests.support.command_line import environment
from tests.support.lasting import arrived
from tests.support.panels import COMMAND
from tests.support.small_strategy import STRATEGY

LASTS = "1.0"  # seconds of an operation of the backend that runs apart

Mark = tuple[str, str, str, str]  # kind, strategy or symbol, first day, last day


class World:
    def __init__(self, folder: Path, apart: bool) -> None:
        self.folder, self.apart = folder, apart
        self.port, self.backend_port = _port(), _port()
        self.address = f"http://127.0.0.1:{self.port}"
        backend = f"http://127.0.0.1:{self.backend_port}/api/v1" if apart else ""
        self.settings = Settings.from_environ({}, backend=backend, port=self.port, data_folder=folder)
        self.memory = self.settings.memory_file
        self.file = folder / "operations.json"
        strategies = folder / "strategies" if apart else folder / "embedded" / "strategies"
        strategies.mkdir(parents=True)
        for name in ("swing", "walker"):
            (strategies / f"{name}.yaml").write_text(STRATEGY.format(name=name, epochs=2))
        if not apart:
            days = (int(pd.Timestamp(day, tz="UTC").timestamp()) for day in ("2025-01-01", "2026-01-01"))
            Bars(folder / "embedded" / "data").add("EURUSD", "1h", market.bars("EURUSD", "1h", *days))
        self._variables = environment(folder, backend) | {
            "KTRDR_PANEL_PORT": str(self.port),
            "KTRDR_PANEL_LOG_LEVEL": "warning",
            "KTRDR_STRATEGIES_DIR": str(strategies) if apart else "",
        }
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> float:
        """What does not run; returns the seconds until it answers."""
        began = time.monotonic()
        if self.apart and "backend" not in self._running:
            command = [sys.executable, "-m", "tests.support.lasting", str(self.file), str(self.backend_port), LASTS]
            self._open("backend", command, dict(os.environ))
        if "panel" not in self._running:
            self._open("panel", [*COMMAND, "serve"], self._variables)
        while not self._up():
            for name, process in self._running.items():
                if (code := process.poll()) is not None:
                    raise RuntimeError(f"The {name} ended by itself, with {code}:\n{self._log(name)}")
            if time.monotonic() > began + 120:
                raise TimeoutError(f"The panel runs, and did not answer in two minutes:\n{self._log('panel')}")
            time.sleep(0.02)
        return time.monotonic() - began

    def kill_something(self, chance: random.Random) -> str:
        """Kill the panel, or the backend, or both; returns what."""
        what = chance.choice(("panel", "panel", "backend", "both"))
        if what in ("backend", "both"):
            if self.apart:
                self._kill("backend")
            else:
                for pid in self._workers():
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
        if what in ("panel", "both"):
            self._kill("panel")
        return {"backend": "backend" if self.apart else "the backend's processes"}.get(what, what)

    def end(self) -> None:
        for name in list(self._running):
            self._kill(name)
        for pid in self._workers():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def made(self) -> Counter[Mark]:
        """Everything that the backend began, in all its lives."""
        if self.apart:
            return Counter(mark(kind, body) for kind, body in arrived(self.file))
        with closing(sqlite3.connect(self.folder / "embedded" / "operations.db", timeout=10)) as db:
            return Counter(
                mark(kind, json.loads(body)) for kind, body in db.execute("SELECT type, request FROM operations")
            )

    def operation_of(self, wanted: Mark) -> str:
        """The operation that the backend knows by this mark; "" without one."""
        if self.apart:
            rows = [(name, row["kind"], row["body"]) for name, row in json.loads(self.file.read_text()).items()]
        else:
            with closing(sqlite3.connect(self.folder / "embedded" / "operations.db", timeout=10)) as db:
                found = db.execute("SELECT id, type, request FROM operations")
                rows = [(name, kind, json.loads(body)) for name, kind, body in found]
        return next((name for name, kind, body in rows if mark(kind, body) == wanted), "")

    def rows(self, query: str, *values: str) -> list[tuple]:
        """Of the panel's memory."""
        with closing(sqlite3.connect(self.memory, timeout=10)) as db:
            return db.execute(query, values).fetchall()

    def _open(self, name: str, command: list[str], variables: dict[str, str]) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(command, env=variables, stdout=log, stderr=log)

    def _log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()[-2000:]

    def _kill(self, name: str) -> None:
        if (process := self._running.pop(name, None)) is not None:
            process.kill()
            process.wait(20)

    def _up(self) -> bool:
        asked = [f"{self.address}/healthz"]
        asked += [f"http://127.0.0.1:{self.backend_port}/api/v1/health"] if self.apart else []
        with suppress(httpx.TransportError):
            return all(httpx.get(address, timeout=5).status_code < 500 for address in asked)
        return False

    def _workers(self) -> list[int]:
        """Processes of operations of the embedded backend: their command names its folder."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                command = (process / "cmdline").read_bytes()
                if b"panel.embedded" in command and str(self.folder).encode() in command:
                    found.append(int(process.name))
        return found


def _port() -> int:
    """A free one, and none of those that the system gives to connections: one of them could take it while its process
    is dead."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def mark(kind: str, body: dict) -> Mark:
    """What tells a start apart."""
    about = body.get("symbol", "") if kind == "data_load" else body.get("strategy_name", "")
    return kind, str(about).upper(), str(body.get("start_date"))[:10], str(body.get("end_date"))[:10]
