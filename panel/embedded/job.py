"""The progress reports of an operation's code, and its requests to stop."""

import threading
import time
from pathlib import Path
from typing import Any

from panel.embedded.ledger import Ledger, Row, stamp

REPORT_INTERVAL = 0.25  # seconds between reports, and between looks for a cancel


class Stopped(Exception):
    """The operation has to end now: cancelled, or its panel has gone. The text is why."""

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
        self._reported_at = 0.0

    def runs(self) -> None:
        """As in KTRDR, the time of a resume takes the place of the start's."""
        began = None if self.resumes else self.operation["started_at"]
        self.ledger.update(self.id, status="running", started_at=began or stamp(), error=None, completed_at=None)

    def report(self, percentage: float, step: str, *, now: bool = False, **more: Any) -> None:
        """Report its progress, at most every REPORT_INTERVAL seconds unless `now`. Raises Stopped when it shall end."""
        if self.orphaned.is_set():
            where = f" {self.place}" if self.place else ""
            raise Stopped(f"The panel that ran this operation stopped{where}.", "failed")
        if not now and time.monotonic() - self._reported_at < REPORT_INTERVAL:
            return
        self._reported_at = time.monotonic()
        self.ledger.update(self.id, percentage=min(percentage, 99.0), step=step, **more)
        reason = self.ledger.cancel_reason(self.id)
        if reason is not None:
            raise Stopped(reason, "cancelled")
