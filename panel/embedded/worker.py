"""The process in which one operation runs: `python -m panel.embedded.worker <folder> <operation id>`.

It writes its progress to the ledger, looks there whether it shall stop, and ends when the pipe on its
standard input does: that is the panel's end. Without an id it loads its libraries and waits for one on its standard
input, which then is a socket.
"""

import os
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from panel.embedded.job import Failed, Job, Stopped
from panel.embedded.ledger import Ledger, Row, stamp

GRACE = 15.0  # seconds after the panel's end in which the work has to have been put down
IDLE = 600.0  # seconds that a process is kept ready


def _work(kind: str) -> Callable[[Job], Row]:
    """Imported only when needed: the learning libraries take a second."""
    if kind == "training":
        from panel.embedded.training import train

        return train
    if kind == "data_load":
        from panel.embedded.download import download

        return download
    if kind == "backtesting":
        from panel.embedded.backtest import backtest

        return backtest
    return count


def count(job: Job) -> Row:
    """The test operation: it counts to 100 in 200 seconds."""
    job.runs()
    began = time.monotonic()
    while (done := int((time.monotonic() - began) / 2)) < 100:
        context = {"operation": "Trial run", "step_current": done, "step_total": 100}
        step = f"Counting: {done} of 100"
        job.report(done, step, steps_completed=done, steps_total=100, context=context)
        time.sleep(0.1)
    return {"counted": 100}


def run(folder: Path, operation_id: str, orphaned: threading.Event) -> None:
    operation = Ledger(folder / "operations.db").operation(operation_id)
    if operation is None:
        return
    job = Job(folder, operation, orphaned)
    end: Row
    try:
        job.runs()
        job.report(0, "Loading libraries", now=True)
        end = {"status": "completed", "percentage": 100.0, "step": None, "result": _work(operation["type"])(job)}
    except Stopped as exc:
        end = {"status": exc.status, "error": str(exc)}
    except Failed as exc:
        end = {"status": "failed", "error": str(exc)}
    except Exception as exc:
        traceback.print_exc()
        end = {"status": "failed", "error": f"It broke off: {type(exc).__name__}: {exc}"[:1000]}
    job.ledger.update(operation_id, completed_at=stamp(), **end)


def wait_for_work(line: socket.socket) -> str | None:
    """The id of an operation; None when the panel ends or has no work for IDLE seconds. The id comes with two open
    files: the operation's slot, which is held as long as this process lives, and its log."""
    line.settimeout(IDLE)
    try:
        message, files, _, _ = socket.recv_fds(line, 1024, 2)
    except TimeoutError:
        line.shutdown(socket.SHUT_RD)  # the panel cannot send any more; what it has sent is still done
        line.setblocking(False)
        try:
            message, files, _, _ = socket.recv_fds(line, 1024, 2)
        except BlockingIOError:
            return None
    if not message:
        return None
    line.setblocking(True)
    for output in (1, 2):
        os.dup2(files[1], output)
    return message.decode()


def main() -> None:
    os.nice(5)  # lower priority than the panel and the user's other programs
    folder, operation_id = Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None
    if operation_id is None:
        for kind in ("training", "data_load", "backtesting"):
            _work(kind)
        operation_id = wait_for_work(socket.socket(fileno=os.dup(0)))
        if operation_id is None:
            return
    orphaned = threading.Event()

    def watch() -> None:
        sys.stdin.buffer.read()
        orphaned.set()
        time.sleep(GRACE)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    run(folder, operation_id, orphaned)
    sys.stderr.flush()
    os._exit(0)  # at once: the slot is free for the next operation


if __name__ == "__main__":
    main()
