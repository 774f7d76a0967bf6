"""Imports files of market data: reads them, asks what is not clear, then stores them.

An upload is a folder of its own in the panel's data, with the files as they came and a record of what was answered and
found out. A restart takes it up again.
"""

import asyncio
import logging
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from panel.files import private, uploads
from panel.files.jobs import Export, Look, Outcome, Store, Unpack
from panel.files.regular import opened
from panel.files.uploads import Decisions, ImportedFile, NotKept, Upload
from panel.files.values import printable
from panel.observability.rounds import cancel_all
from panel.workflows.import_jobs import ImportJobs, wrong

MAX_UPLOAD = 512 << 20  # bytes
MAX_FILES = 50  # of one upload, archives unpacked later
SPARE = 256 << 20  # bytes that an upload leaves free on the disk
KEPT = 86_400.0  # seconds that an upload is kept
MAX_KEPT = 20
ZIP = b"PK\x03\x04"
WAIT = 1.5  # seconds that an answer waits for a job to end, before it shows a progress

RELOOKED = "What you changed changes what is read. Look at it again, then store it."
STORED_ELSEWHERE = "It was stored in another data folder than the one that the panel uses now. Store it here too."
UNDECIDED = "Not stored yet: something is left to decide."

log = logging.getLogger(__name__)

Stored = Callable[[str, str], None]  # called with symbol and timeframe


class Imports:
    """`target`: the folder of stored data, None when none can be reached; `own`: whether it is the embedded backend's.
    `stored` is called whenever something was stored."""

    def __init__(self, folder: Path, target: Path | None, stored: Stored, *, own: bool) -> None:
        self.target = target
        self._own = own
        self._folder = folder
        self._stored = stored
        self._jobs: ImportJobs | None = None
        self._uploads: dict[str, Upload] = {}

    async def restore(self) -> None:
        """Take up what an earlier run of the panel kept. What it was still reading is read again, and all of it where
        the data folder is another one now: what lies there decides what is asked."""
        for upload in await asyncio.to_thread(uploads.kept, self._folder, time.time() - KEPT):
            self._uploads[upload.id] = upload
            elsewhere, upload.target = upload.target != self.target and not self._own, self.target
            for file in upload.files:
                if elsewhere and file.stored:
                    file.note, file.stored, file.made = "" if file.made else STORED_ELSEWHERE, None, None
                if elsewhere or not (file.summary or file.refused or file.stored):
                    self._start([file], self._look(upload, file))

    async def close(self) -> None:
        """Stop what is under way; the files are kept."""
        for upload in self._uploads.values():
            await _stopped(upload)

    def room(self, size: int) -> str:
        """Why an upload of so many bytes cannot be taken, in a sentence; "" when it can."""
        if size > MAX_UPLOAD:
            return f"Up to {MAX_UPLOAD >> 20} MB can be imported at once, and this is {size / 2**20:,.0f} MB."
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if shutil.disk_usage(self._folder).free < size + SPARE:
            return "There is not enough room on the panel's disk."
        return ""

    async def begin(self) -> Upload:
        """A new upload, whose folder takes the files; old ones are removed."""
        await self._tidy()
        token = secrets.token_hex(12)
        upload = Upload(token, self._folder / token, time.time(), self.target)
        await asyncio.to_thread(upload.folder.mkdir, mode=0o700, parents=True)
        self._uploads[token] = upload
        return upload

    async def received(
        self, upload: Upload, files: Iterable[tuple[str, Path]], market: tuple[str, str] = ("", "")
    ) -> None:
        """Its files are in its folder, with their original names. Archives are unpacked, and every file is checked.
        `market`: the symbol and timeframe that a single file is of, where that was said before."""
        for name, path in files:
            size, start = await asyncio.to_thread(_beginning, path)
            members = [(name, path)]
            if start == ZIP:
                outcome = await self._run(Unpack(path), size)
                members = list(outcome.files)
                upload.refused += [(name, outcome.refused)] if outcome.refused else []
            for member, place in members:
                file = ImportedFile(printable(member)[-120:] or "file.csv", place, place.stat().st_size)
                upload.files.append(file)
        if len(upload.files) == 1:
            upload.files[0].decisions.symbol, upload.files[0].decisions.timeframe = market
        for file in upload.files:
            self._start([file], self._look(upload, file))
        upload.arriving = False
        await _save(upload)
        await wait(upload.files)

    async def from_folder(self, name: str) -> Upload:
        """A copy of a file of the data folder, which itself stays as it is. Raises NotKept."""
        target = self.target
        if target is None or Path(name).name != name or name.startswith("."):
            raise NotKept(name)
        upload = await self.begin()
        copy = upload.folder / "0"
        try:
            await asyncio.to_thread(_copied, target / name, copy)
        except (OSError, ValueError) as exc:
            self.forget(upload.id)
            raise NotKept(name) from exc
        await self.received(upload, [(name, copy)])
        return upload

    @property
    def unfinished(self) -> list[Upload]:
        """Those with files that were not stored yet, newest first."""
        found = [upload for upload in self._uploads.values() if any(not file.stored for file in upload.files)]
        return sorted(found, key=lambda upload: upload.at, reverse=True)

    def upload(self, token: str) -> Upload:
        """Raises NotKept."""
        try:
            return self._uploads[token]
        except KeyError:
            raise NotKept(token) from None

    def file(self, token: str, number: int) -> tuple[Upload, ImportedFile]:
        """Raises NotKept."""
        upload = self.upload(token)
        if not 0 <= number < len(upload.files):
            raise NotKept(token)
        return upload, upload.files[number]

    def forget(self, token: str) -> None:
        upload = self._uploads.pop(token, None)
        if upload is not None:
            for file in upload.files:
                if file.work is not None:
                    file.work.cancel()
            shutil.rmtree(upload.folder, ignore_errors=True)

    def decide(self, upload: Upload, file: ImportedFile, decisions: Decisions, *, store: bool) -> None:
        """Take the decisions; look again if they change what was shown, else store it if that was asked for. So
        nothing is stored that was not seen first."""
        if file.busy:
            return
        if file.summary is not None:  # proposed again after another check
            decisions.symbol = "" if decisions.symbol == file.summary.symbol.upper() else decisions.symbol
            decisions.timeframe = "" if decisions.timeframe == file.summary.timeframe else decisions.timeframe
        file.decisions, file.note = decisions, ""
        file.errors, file.line = wrong(decisions, file), 0
        file.refused = " ".join(file.errors.values())
        if file.errors:
            return
        file.stored = None
        if file.looked_with is None or _reading(file.looked_with) != _reading(decisions) or not store:
            file.made, file.note = None, RELOOKED if store else ""
            self._start([file], self._look(upload, file))
        elif file.undecided:
            file.note = UNDECIDED
        else:
            self._start([file], self._keep(upload, file))

    def store_all(self, upload: Upload) -> None:
        """Store each file about which nothing is left to decide, one after another: several may be of one symbol."""

        async def keep() -> None:
            for file in ready:
                await self._keep(upload, file)

        ready = [file for file in upload.files if file.ready]
        if ready:
            self._start(ready, keep())

    def place(self, name: str) -> Path:
        """For a file that is sent and then removed."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self._folder / name

    async def export(self, symbol: str, timeframe: str, start: int, end: int, kind: Any, into: Path) -> Outcome:
        """Stored bars as a file; `exported` is 0 when there are none in the period."""
        assert self.target is not None  # noqa: S101  the caller has asked
        job = Export(self.target, symbol, timeframe, start, end, kind, into, self._own)
        return await self._run(job, 0)

    def _start(self, files: list[ImportedFile], work: Any) -> None:
        task = asyncio.create_task(work)
        for file in files:
            file.share, file.step, file.work = 0.0, "Waiting", task

    async def _run(self, job: Any, size: int, file: ImportedFile | None = None) -> Outcome:
        def progress(share: float, step: str) -> None:
            if file is not None:
                file.share, file.step = share, step

        self._jobs = self._jobs or ImportJobs()  # a semaphore belongs to the running loop
        try:
            return await self._jobs.run(job, size, progress)
        except Exception:  # of the panel's own making: the page says so, instead of showing nothing
            log.exception("an import broke off")
            return Outcome(refused="An error of the panel kept it from being read. The panel's log says more.")

    async def _look(self, upload: Upload, file: ImportedFile) -> None:
        chosen = replace(file.decisions)
        job = Look(file.path, file.name, chosen.answers, chosen.symbol, chosen.timeframe, self.target, cached=self._own)
        outcome = await self._run(job, file.size, file)
        file.refused, file.line = outcome.refused, outcome.line
        if outcome.summary is not None:  # else what was shown stays, so that something else can be answered
            file.summary, file.looked_with = outcome.summary, chosen
            file.asked |= {question.key: question for question in outcome.summary.questions}
        await _save(upload)

    async def _keep(self, upload: Upload, file: ImportedFile) -> None:
        chosen, summary = file.decisions, file.summary
        assert summary is not None and not file.undecided  # noqa: S101
        symbol, timeframe = file.symbol.upper(), file.timeframe
        folder = self.target or file.path.parent / "made"
        job = Store(
            file.path, file.name, chosen.answers, symbol, timeframe, folder,
            leave_out=chosen.leave_out or chosen.bad_bars == "leave", keep_bad=chosen.bad_bars == "keep",
            existing=chosen.existing or ("refuse" if self.target else "replace"), cached=self._own,
        )  # fmt: skip
        outcome = await self._run(job, file.size, file)
        file.refused, file.line = outcome.refused, outcome.line
        if outcome.imported is not None:
            file.stored, file.stored_as = outcome.imported, (symbol, timeframe)
            if self.target is None:
                file.made = outcome.imported.file
            else:
                self._stored(symbol, timeframe)
        await _save(upload)

    async def _tidy(self) -> None:
        """Remove what is old, and the oldest when there are too many; also what an earlier run of the panel left."""
        now, idle = time.time(), [u for u in self._uploads.values() if not u.busy]
        surplus = idle[: max(len(self._uploads) - MAX_KEPT + 1, 0)]
        for upload in [*(u for u in idle if now - u.at > KEPT), *surplus]:
            await self._end(upload)
        await asyncio.to_thread(uploads.remove_old, self._folder, now - KEPT)

    async def _end(self, upload: Upload) -> None:
        await _stopped(upload)
        await asyncio.to_thread(self.forget, upload.id)


async def _stopped(upload: Upload) -> None:
    await cancel_all(file.work for file in upload.files if file.work is not None)


async def _save(upload: Upload) -> None:
    """On a full disk the record is lost at the next restart, no earlier."""
    with suppress(OSError):
        await asyncio.to_thread(uploads.write, upload.folder, uploads.packed(upload))


async def wait(files: Iterable[ImportedFile]) -> None:
    """Until their work is done, at most WAIT seconds."""
    tasks = [file.work for file in files if file.work is not None and not file.work.done()]
    if tasks:
        await asyncio.wait(tasks, timeout=WAIT)


def _reading(decisions: Decisions) -> tuple[Any, ...]:
    """What decides how a file is read, and beside what it is shown."""
    return decisions.answers, decisions.symbol, decisions.timeframe


def _beginning(file: Path) -> tuple[int, bytes]:
    with file.open("rb") as opened:
        return os.fstat(opened.fileno()).st_size, opened.read(4)


def _copied(file: Path, copy: Path) -> None:
    with opened(file) as source, open(copy, "xb", opener=private.opener) as out:
        shutil.copyfileobj(source, out, 1 << 20)
