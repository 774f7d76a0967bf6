"""Processes that are kept ready for the next operation."""

import os
import signal
import socket
import sqlite3
from pathlib import Path

import pytest

from panel.embedded import EmbeddedBackend, worker
from panel.embedded.backend import Backend
from tests.embedded.conftest import Wire
from tests.support.inside import inside

pytestmark = pytest.mark.anyio


def ready(home: EmbeddedBackend) -> int:
    process, _ = home._backend.processes._ready
    return process.pid


def works(home: EmbeddedBackend, operation_id: str) -> int:
    process, _ = home._backend.processes._children[operation_id]
    return process.pid


def kill_ready(home: EmbeddedBackend) -> int:
    os.kill(process := ready(home), signal.SIGKILL)
    os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
    return process


async def started(wire: Wire) -> str:
    operation_id = (await wire.post("/dummy/start"))["data"]["operation_id"]
    await wire.until(operation_id, lambda operation: operation["status"] == "running")
    return operation_id


async def test_the_process_that_is_ready_does_the_next_operation(wire: Wire, home, folder):
    await wire.post("/workers/prepare")
    process = ready(home)
    await wire.post("/workers/prepare")
    assert ready(home) == process, "one is enough"
    operation_id = await started(wire)
    assert works(home, operation_id) == process
    assert (await wire.ask("POST", "/dummy/start"))[0] == 503, "it holds the slot"
    status, _ = await wire.ask("DELETE", f"/operations/{operation_id}")
    assert status == 200 and (await wire.operation(operation_id))["status"] == "cancelled"

    operation_id = await started(wire)
    assert works(home, operation_id) != process, "another one, without preparation"
    os.kill(works(home, operation_id), signal.SIGKILL)
    failed = await wire.end(operation_id)
    assert "killed, or out of memory" in failed["error_message"]


async def test_a_ready_process_that_was_killed_is_replaced(wire: Wire, home):
    await wire.post("/workers/prepare")
    killed = kill_ready(home)
    assert works(home, await started(wire)) != killed
    await wire.post("/workers/prepare")
    killed = kill_ready(home)
    await wire.post("/workers/prepare")
    assert ready(home) != killed


async def test_a_ready_process_ends_with_its_panel(wire: Wire, home):
    await wire.post("/workers/prepare")
    process = ready(home)
    await home.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_an_idle_process_ends_and_takes_no_more_work(monkeypatch):
    monkeypatch.setattr(worker, "IDLE", 0.01)
    panel, line = socket.socketpair()
    with panel, line:
        assert worker.wait_for_work(line) is None
        with pytest.raises(BrokenPipeError):
            socket.send_fds(panel, [b"op_x"], [0, 1])


def test_a_process_that_waits_for_work_ends_with_its_panel():
    panel, line = socket.socketpair()
    with line:
        panel.close()
        assert worker.wait_for_work(line) is None


@pytest.mark.parametrize("path", ["/start/training", "/start/backtesting", "/start/data_load"])
def test_a_form_prepares_a_process(tmp_path, path):
    def waiting() -> int:
        lines = [entry.read_bytes() for entry in Path("/proc").glob("[0-9]*/cmdline") if os.access(entry, os.R_OK)]
        return sum(str(tmp_path).encode() in line and b"panel.embedded.worker" in line for line in lines)

    with inside(tmp_path, "") as here:
        assert here.get("/operations").status == 200 and waiting() == 0
        assert here.get(path).status == 200 and waiting() == 1
    assert waiting() == 0


def test_a_start_that_broke_off_leaves_its_slot(tmp_path):
    """As when the ledger is locked, or the disk full."""
    backend = Backend(tmp_path)
    backend.open()
    ledger, aside = tmp_path / "operations.db", tmp_path / "aside.db"
    ledger.rename(aside)
    with pytest.raises(sqlite3.OperationalError):
        backend.launch("dummy", {}, {})
    aside.replace(ledger)
    assert backend.sweep("dummy"), "nothing runs, and the slot is free"
