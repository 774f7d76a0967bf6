"""The processes of operations. One may be kept ready, with its libraries loaded: they take most of a start."""

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, cast

STOP_WAIT = 3.5  # seconds for processes to put their work down when the panel stops
_ROOT = Path(__file__).resolve().parents[2]  # where the worker finds this package


_Process = subprocess.Popen[bytes]
_Line = IO[bytes] | socket.socket  # a process's standard input: it stops when this is closed


class Processes:
    """Each lives in a session of its own, so that Ctrl-C reaches only the panel, which then decides."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: dict[str, tuple[_Process, _Line]] = {}
        self._ready: tuple[_Process, socket.socket] | None = None
        self._lock = threading.Lock()  # around both: requests are answered in several threads

    def prepare(self) -> None:
        """Keep a process ready for the next operation. It ends by itself when none comes for ten minutes."""
        with self._lock:
            if self._ready is not None:
                process, line = self._ready
                if process.poll() is None:
                    return
                line.close()
            line, theirs = socket.socketpair()
            with theirs:
                self._ready = self._open([], theirs.fileno(), subprocess.DEVNULL), line

    def start(self, operation_id: str, slot: int) -> None:
        """The process inherits the slot."""
        self._tidy()
        with (self._folder / "logs" / f"{operation_id}.log").open("ab") as log:
            child: tuple[_Process, _Line] | None = self._take_ready(operation_id, slot, log.fileno())
            if child is None:
                process = self._open([operation_id], subprocess.PIPE, log.fileno(), slot)
                child = process, cast(IO[bytes], process.stdin)
        with self._lock:
            self._children[operation_id] = child

    def close(self) -> None:
        """Stop all processes; returns when they have ended."""
        with self._lock:
            ready, self._ready = self._ready, None
        if ready is not None:
            ready[0].kill()  # it has no work to stop
            ready[0].wait()
            ready[1].close()
        end = time.monotonic() + STOP_WAIT
        for _, line in self._children.values():
            line.close()
        for process, _ in self._children.values():
            try:
                process.wait(max(end - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._children.clear()

    def _tidy(self) -> None:
        with self._lock:
            for ended in [name for name, (process, _) in self._children.items() if process.poll() is not None]:
                self._children.pop(ended)[1].close()

    def _take_ready(self, operation_id: str, slot: int, log: int) -> tuple[_Process, socket.socket] | None:
        """The process that was kept ready, now with this operation; None when there is none, or it has just ended."""
        with self._lock:
            ready, self._ready = self._ready, None
        if ready is None:
            return None
        process, line = ready
        try:
            socket.send_fds(line, [operation_id.encode()], [slot, log])
        except OSError:
            line.close()
            process.wait()
            return None
        return ready

    def _open(self, arguments: list[str], stdin: int, output: int, slot: int | None = None) -> _Process:
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "panel.embedded.worker", str(self._folder), *arguments],
            cwd=_ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            stdin=stdin,
            stdout=output,
            stderr=output,
            pass_fds=[] if slot is None else [slot],
            start_new_session=True,
        )
