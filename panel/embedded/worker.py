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

from panel.embedded.job import Failed, Job, Stopped
from panel.embedded.ledger import Ledger, Row, stamp

GRACE = 15.0  # seconds after the panel's end in which the work has to have been put down


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
