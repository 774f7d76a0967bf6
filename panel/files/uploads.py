"""The files of each upload, what was found in them and what was decided. A record of it is kept beside them, so a
restart loses nothing."""

import asyncio
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import msgspec

from panel.files import private
from panel.files.summary import Imported, Summary
from panel.files.values import Answers, Question

RECORD = "upload.json"  # in the folder of each


class NotKept(LookupError):
    """There is no such upload (any more)."""


@dataclass(slots=True)
class Decisions:
    """What a person chose for one file; "" where nothing was chosen yet."""

    answers: Answers = field(default_factory=Answers)
    symbol: str = ""
    timeframe: str = ""
    leave_out: bool = False  # lines that cannot be read
    bad_bars: Literal["", "leave", "keep"] = ""
    existing: Literal["", "merge", "replace"] = ""


@dataclass(slots=True)
class ImportedFile:
    """One file of an upload. `asked`: every question that came up, answered or not; `looked_with`: the decisions that
    `summary` was made with. `made`: KTRDR's CSV to download, where there is no folder to store it in."""

    name: str
    path: Path
    size: int
    decisions: Decisions = field(default_factory=Decisions)
    looked_with: Decisions | None = None
    summary: Summary | None = None
    asked: dict[str, Question] = field(default_factory=dict)
    refused: str = ""
    errors: dict[str, str] = field(default_factory=dict)  # of the last decisions: a sentence for each wrong field
    line: int = 0
    stored: Imported | None = None
    stored_as: tuple[str, str] = ("", "")
    made: Path | None = None
    note: str = ""  # what came of the last decisions, where it is not what was asked for
    share: float = 0.0
    step: str = ""
    work: "asyncio.Task[None] | None" = None

    @property
    def busy(self) -> bool:
        return self.work is not None and not self.work.done()

    @property
    def ready(self) -> bool:
        """Whether it could be stored now."""
        return bool(self.summary) and not (self.busy or self.refused or self.stored or self.undecided)

    @property
    def symbol(self) -> str:
        return self.decisions.symbol or (self.summary.symbol if self.summary else "")

    @property
    def timeframe(self) -> str:
        return self.decisions.timeframe or (self.summary.timeframe if self.summary else "")

    @property
    def looked_as(self) -> str:
        """The symbol and timeframe of `summary`, which those that were typed since may differ from."""
        chosen, found = self.looked_with or Decisions(), self.summary
        symbol, timeframe = (chosen.symbol, chosen.timeframe) if found else ("", "")
        return f"{symbol or (found.symbol if found else '')} {timeframe or (found.timeframe if found else '')}".strip()

    @property
    def undecided(self) -> list[str]:
        """What has to be decided before it can be stored: keys of questions, and names of fields."""
        if self.summary is None:
            return []
        found, chosen = [question.key for question in self.summary.questions], self.decisions
        found += [name for name in ("symbol", "timeframe") if not getattr(self, name)]
        found += ["leave_out"] if self.summary.unread and not chosen.leave_out else []
        found += ["bad_bars"] if self.summary.bad and not chosen.bad_bars else []
        return found + (["existing"] if self.summary.held and not chosen.existing else [])


@dataclass(slots=True)
class Upload:
    id: str
    folder: Path
    at: float
    target: Path | None = None  # the folder of stored data against which its files were checked
    arriving: bool = True  # its files are not all there yet
    files: list[ImportedFile] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)  # archives, and why

    @property
    def busy(self) -> bool:
        return self.arriving or any(file.busy for file in self.files)


def packed(upload: Upload) -> bytes:
    """For its record: all but the work that is under way."""
    files = [replace(file, work=None, share=0.0, step="") for file in upload.files]
    return msgspec.json.encode(replace(upload, files=files), enc_hook=str)  # paths, which msgspec does not know


def write(folder: Path, record: bytes) -> None:
    """Atomically: a record is complete, or the one before."""
    new = folder / f"{RECORD}.new"
    with open(new, "wb", opener=private.opener) as out:
        out.write(record)
    os.replace(new, folder / RECORD)


def read(folder: Path) -> Upload:
    """Raises OSError and ValueError for what is no record of the files that lie there."""
    upload = msgspec.json.decode((folder / RECORD).read_bytes(), type=Upload, dec_hook=lambda to, value: Path(value))
    for file in upload.files:  # the panel's data may have been moved
        file.path = folder / file.path.relative_to(upload.folder)
        file.made = file.made and folder / file.made.relative_to(upload.folder)
        if not file.path.is_file():
            raise ValueError(f"{file.path} is missing")
    upload.folder = folder
    return upload


def kept(folder: Path, since: float) -> list[Upload]:
    """Those of an earlier run, oldest first."""
    found = []
    for record in folder.glob(f"*/{RECORD}"):
        with suppress(OSError, ValueError):
            found.append(read(record.parent))
    return sorted((upload for upload in found if upload.at > since), key=lambda upload: upload.at)


def remove_old(folder: Path, before: float) -> None:
    """Uploads whose folder was not touched since `before`, seconds since 1970."""
    with suppress(FileNotFoundError):
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_mtime < before:
                shutil.rmtree(entry.path, ignore_errors=True)
