"""The memory's disk and file."""

import resource
import sqlite3
import time
from contextlib import closing

from tests.attack.world import Result, world
from tests.support.pages import KEY
from tests.support.scripted import RESULT, operation, percent, stamp

FORM = {"key": KEY, "strategy_name": "swing"}


def _ended() -> dict[str, object]:
    return operation("op_a", status="completed", result_summary=RESULT, completed_at=stamp())


def full_disk() -> Result:
    """No file of the panel's may grow while an operation ends, for 15 s; then it may again."""
    with world() as w:
        w.backend.operations["op_a"] = operation("op_a", progress=percent(50))
        w.status("/operations/op_a")
        soft, hard = resource.prlimit(w.process.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        w.backend.operations["op_a"] = _ended()
        announced = w.until(lambda: "cannot write its memory" in w.text("/"), 20)
        start = w.here.post("/start/training", FORM).status_code
        shown = w.until(lambda: "Completed" in w.text("/operations/op_a"), 15)
        time.sleep(5)
        resource.prlimit(w.process.pid, resource.RLIMIT_FSIZE, (soft, hard))
        again = w.until(lambda: "cannot write its memory" not in w.text("/"), 30)
        with closing(sqlite3.connect(w.here.settings.memory_file)) as db:
            kept = w.until(lambda: db.execute("SELECT state FROM operations").fetchall() == [("completed",)], 10)
        sent = sum(count for hit, count in w.backend.hits.items() if "start" in hit)
        return Result(
            announced and shown and again and kept and start == 503 and not sent,
            f"said on the page: {announced}; the end shown: {shown}; written afterwards: {kept}; a start meanwhile: {start}, "
            f"{sent} sent",
        )


def locked() -> Result:
    """Another process holds the write lock for 6 s."""
    with world() as w:
        w.until(lambda: w.status("/readyz")[0] == 200)
        w.status("/"), w.status("/static/panel.css")
        slowest, pages = 0.0, 0
        with closing(sqlite3.connect(w.here.settings.memory_file, isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")
            end = time.monotonic() + 6
            while time.monotonic() < end:
                for path in ("/healthz", "/", "/operations"):
                    code, took = w.status(path)
                    slowest, pages = max(slowest, took), pages + (code == 200)
            start = w.here.post("/start/training", FORM).status_code
            sent = sum(count for hit, count in w.backend.hits.items() if "start" in hit)
            db.execute("ROLLBACK")
        later = w.here.post("/start/training", FORM).status_code
        return Result(
            slowest < 1 and start == 503 and not sent and later == 303,
            f"{pages} pages meanwhile, the slowest in {slowest * 1000:.0f} ms; a start: {start}, {sent} sent; afterwards {later}",
        )


def deleted() -> Result:
    """The file is moved away while the panel runs, and comes back."""
    with world() as w:
        w.until(lambda: w.status("/readyz")[0] == 200)
        file = w.here.settings.memory_file
        file.rename(file.with_suffix(".aside"))
        start = w.here.post("/start/training", FORM).status_code
        announced = w.until(lambda: "deleted or replaced" in w.text("/workers"), 15)
        made, sent = file.exists(), sum(count for hit, count in w.backend.hits.items() if "start" in hit)
        file.with_suffix(".aside").rename(file)
        later = w.here.post("/start/training", FORM).status_code
        return Result(
            announced and not made and not sent and (start, later) == (503, 303),
            f"said on every page: {announced}; a start: {start}, {sent} sent; after it was put back: {later}",
        )
