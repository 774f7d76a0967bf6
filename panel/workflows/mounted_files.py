"""The files in a KTRDR's data folder, where the panel can reach it: which of them cannot be used, and why.

KTRDR itself passes over them in silence, or takes their rows for days from 2023 on
(ktrdr/data/local_data_loader.py, of the public repository).
"""

import asyncio
import os
from pathlib import Path

from panel.domain.gaps import DataFile
from panel.files.jobs import ReadFolder
from panel.files.names import ENDINGS, LENGTHS
from panel.files.regular import Stamp, stamp
from panel.files.summary import FileRead
from panel.workflows.import_jobs import INLINE, ImportJobs, missing

MAX_FILES = 400  # files that are checked
READ_BY_KTRDR = ("", "KTRDR", "TradingView", "Yahoo")  # forms with a header, commas and dates of one reading


class MountedFiles:
    """A file is read again only when it has changed; nothing is ever written into the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, tuple[Stamp, DataFile]] = {}
        self._jobs: ImportJobs | None = None

    async def look(self) -> list[DataFile]:
        """By name; none where the folder cannot be read."""
        found = await asyncio.to_thread(_listed, self._folder)
        changed = tuple(name for name, at in found.items() if name not in self._known or self._known[name][0] != at)
        if changed and not missing():
            self._jobs = self._jobs or ImportJobs()  # a semaphore belongs to the running loop
            size = sum(found[name].size for name in changed)
            outcome = await self._jobs.run(ReadFolder(self._folder, changed), max(size, INLINE + 1), lambda *_: None)
            self._known |= {read.file: (found[read.file], _for_ktrdr(read)) for read in outcome.files_read}
        self._known = {name: known for name, known in self._known.items() if name in found}
        return [file for _, (_, file) in sorted(self._known.items())]


def _listed(folder: Path) -> dict[str, Stamp]:
    try:
        names = sorted(name for name in os.listdir(folder) if name.lower().endswith(ENDINGS) and name[0] != ".")[
            :MAX_FILES
        ]
        return {name: at for name in names if (at := stamp(folder / name)) is not None}
    except OSError:
        return {}


def _for_ktrdr(read: FileRead) -> DataFile:
    """KTRDR finds a file by its name alone, and reads fewer forms than an import."""
    reason, line = read.reason, read.line
    wanted = f"{read.symbol}_{read.timeframe}.csv"
    if not reason and read.form not in READ_BY_KTRDR:
        reason = f"This is a file of {read.form}, and KTRDR does not read its form. Import it."
    elif not reason and read.timeframe in LENGTHS and read.file != wanted:
        reason = f"KTRDR looks for {wanted}. Import the file to have it under that name."
    return DataFile(
        read.file, read.symbol, read.timeframe, reason, line, read.bars, read.start, read.end,
        () if reason else read.bad, () if reason else read.left_out,
    )  # fmt: skip
