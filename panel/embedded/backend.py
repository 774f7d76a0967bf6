"""Operations of the embedded backend: started, cancelled, resumed and, when their process died, ended.

Every operation runs in a process of its own. Several panels and command lines may share one folder: what
they know of each other is in the ledger, and a lock shows who is alive. Each kind has one slot, a file
that is locked as long as an operation of this kind runs; the lock ends with the process that holds it,
however that ends. So an operation that is active while its slot is free has died.
"""

import fcntl
import os
import re
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path

from panel.embedded import record, strategy
from panel.embedded.ledger import ACTIVE, Ledger, Row, stamp
from panel.embedded.processes import Processes
from panel.files import private

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,254}")
KINDS = ("training", "data_load", "backtesting", "dummy")
SLOT_WAIT = 2.0  # seconds in which a process that has just ended leaves its slot
CANCEL_WAIT = 3.0  # seconds for the process to answer a cancel


class Busy(Exception):
    """Another operation of this kind is running."""


class Taken(Exception):
    """There is an operation with this id."""


class Backend:
    """`folder` holds everything: data/, models/, strategies/, checkpoints/, logs/ and the ledger. Strategies
    are also looked for in `strategies_folder`. Records of backtests are kept for `keep_days`; 0: for ever."""

    def __init__(self, folder: Path, strategies_folder: Path | None = None, keep_days: int = 0) -> None:
        self.folder = folder.absolute()
        self.keep_days = keep_days
        own = [self.folder / "strategies", *([strategies_folder.absolute()] if strategies_folder else [])]
        self.strategy_folders = [*own, strategy.STARTERS]
        self.ledger = Ledger(self.folder / "operations.db")
        self.began = time.monotonic()
        self.processes = Processes(self.folder)

    def open(self) -> None:
        for name in ("data", "strategies", "models", "checkpoints", "logs", "slots"):
            private.make_folder(self.folder / name)
        self.ledger.create()
        for kind in KINDS:
            self.sweep(kind)
        record.drop_old(self.folder, self.keep_days)

    def close(self) -> None:
        self.processes.close()
        for kind in KINDS:
            self.sweep(kind)

    def launch(self, kind: str, metadata: Row, request: Row, operation_id: str | None = None) -> str:
        """Begin an operation; returns its id. Raises Busy or Taken."""
        operation_id = operation_id or f"op_{kind}_{datetime.now(UTC):%Y%m%d_%H%M%S}_{secrets.token_hex(4)}"
        slot = self._take(kind)
        try:
            if not self.ledger.add(operation_id, kind, metadata, request):
                raise Taken
            self.processes.start(operation_id, slot)
        finally:
            os.close(slot)
        if kind == "backtesting":
            record.drop_old(self.folder, self.keep_days)
        return operation_id

    def resume(self, operation_id: str) -> None:
        """Go on from the checkpoint. Raises Busy, and Taken when it is not failed or cancelled any more."""
        slot = self._take("training")
        try:
            if not self.ledger.update(operation_id, ("failed", "cancelled"), status="resuming", cancel=None, step=None):
                raise Taken
            self.processes.start(operation_id, slot)
        finally:
            os.close(slot)

    def cancel(self, operation_id: str, reason: str) -> Row | None:
        """Request its end and wait a moment; returns the operation as it then is."""
        self.ledger.update(operation_id, cancel=reason)
        end = time.monotonic() + CANCEL_WAIT
        while (operation := self.operation(operation_id)) and operation["status"] in ACTIVE:
            if time.monotonic() > end:
                break
            time.sleep(0.05)
        return operation

    def operation(self, operation_id: str) -> Row | None:
        found = self.ledger.operation(operation_id)
        if found and found["status"] in ACTIVE and self.sweep(found["type"]):
            found = self.ledger.operation(operation_id)
        return found

    def sweep(self, kind: str) -> bool:
        """End operations whose process is gone; returns whether the slot was free."""
        slot = self._try(kind)
        if slot is None:
            return False
        try:
            self._end_orphans(kind)
        finally:
            os.close(slot)
        return True

    def _end_orphans(self, kind: str) -> None:
        """With the slot locked: what is still called active has no process."""
        for operation in self.ledger.operations({"type": kind, "status": ACTIVE}, 100, 0)[0]:
            where = f" at {operation['step']}" if operation["step"] else ""
            reason = f"The process of this operation ended without a word{where}: killed, or out of memory."
            if kind == "training" and self.ledger.checkpoints(operation["id"]):
                reason += " It can be resumed from its checkpoint."
            self.ledger.update(operation["id"], status="failed", error=reason, completed_at=stamp())

    def _take(self, kind: str) -> int:
        end = time.monotonic() + SLOT_WAIT
        while (slot := self._try(kind)) is None:
            if time.monotonic() > end:
                raise Busy
            time.sleep(0.05)
        try:
            self._end_orphans(kind)
        except BaseException:
            os.close(slot)
            raise
        return slot

    def _try(self, kind: str) -> int | None:
        """The slot's lock as an open file, or None while another process holds it."""
        slot = os.open(self.folder / "slots" / kind, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(slot, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(slot)
            return None
        return slot
