"""The process in which one operation runs: `python -m panel.embedded.worker <folder> <operation id>`.

It tells the ledger how far it is, looks there whether it shall stop, and ends when the pipe on its
standard input does: that is the panel's end.
"""

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from panel.embedded.ledger import Ledger, Row, stamp

EVERY = 0.25  # seconds between reports, and between looks for a cancel
GRACE = 15.0  # seconds after the panel's end in which the work has to have been put down


class Stopped(Exception):
    """The operation shall end now: cancelled, or left alone by its panel. The text is why."""

    def __init__(self, reason: str, status: str) -> None:
        super().__init__(reason)
        self.status = status


class Failed(Exception):
    """The operation cannot go on; the text is for people."""


class Job:
    """One operation as its work sees it."""

    def __init__(self, folder: Path, operation: Row, orphaned: threading.Event) -> None:
        self.folder = folder
        self.id: str = operation["id"]
        self.request: Row = operation["request"]
        self.resumes = operation["status"] == "resuming"
        self.operation = operation
        self.ledger = Ledger(folder / "operations.db")
        self.orphaned = orphaned
        self.place = ""  # how far it is, for the reason it gives when it has to stop: "at epoch 12 of 60"
        self._told = 0.0

    def runs(self) -> None:
        self.ledger.update(
            self.id, status="running", started_at=self.operation["started_at"] or stamp(), error=None, completed_at=None
        )

    def report(self, percentage: float, step: str, *, now: bool = False, **more: Any) -> None:
        """Tell where it is, at most every EVERY seconds unless `now`. Raises Stopped when it shall end."""
        if self.orphaned.is_set():
            where = f" {self.place}" if self.place else ""
            raise Stopped(f"The panel that ran this operation stopped{where}.", "failed")
        if not now and time.monotonic() - self._told < EVERY:
            return
        self._told = time.monotonic()
        self.ledger.update(self.id, percentage=min(percentage, 99.0), step=step, **more)
        reason = self.ledger.wish(self.id)
        if reason is not None:
            raise Stopped(reason, "cancelled")


def _work(kind: str) -> Callable[[Job], Row]:
    """Imported only when needed: the learning libraries take a second."""
    if kind == "training":
        from panel.embedded.training import train

        return train
    if kind == "data_load":
        from panel.embedded.download import download

        return download
    return count


def count(job: Job) -> Row:
    """The trial operation: it counts to 100 in 200 seconds."""
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
        end = {"status": "completed", "percentage": 100.0, "step": None, "result": _work(operation["type"])(job)}
    except Stopped as exc:
        end = {"status": exc.status, "error": str(exc)}
    except Failed as exc:
        end = {"status": "failed", "error": str(exc)}
    except Exception as exc:
        traceback.print_exc()
        end = {"status": "failed", "error": f"It broke off: {type(exc).__name__}: {exc}"[:1000]}
    job.ledger.update(operation_id, completed_at=stamp(), **end)


def main() -> None:
    folder, operation_id = Path(sys.argv[1]), sys.argv[2]
    orphaned = threading.Event()

    def watch() -> None:
        sys.stdin.buffer.read()
        orphaned.set()
        time.sleep(GRACE)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    os.nice(5)  # the panel and the person's own work come first
    run(folder, operation_id, orphaned)
    sys.stderr.flush()
    os._exit(0)  # at once: the slot is free for the next operation


if __name__ == "__main__":
    main()
