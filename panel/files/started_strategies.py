"""The strategy of each start as it was then: one file for each different text, one small file for each start."""

import hashlib
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from panel.files import private
from panel.files.drafts import draft_of
from panel.files.strategy_folder import digest
from panel.files.strategy_yaml import read_text

MAX_STARTS = 5000  # starts that are remembered
SPARE = 100  # more than that, before the oldest are dropped: dropping reads all the others


@dataclass(frozen=True, slots=True)
class Kept:
    name: str
    text: str


class StartedStrategies:
    """In a folder of the panel's own: texts/<SHA-256>.yaml and starts/<SHA-256 of the start's key>."""

    def __init__(self, folder: Path) -> None:
        self._texts = folder / "texts"
        self._starts = folder / "starts"
        self._lock = threading.Lock()  # a text is written, and named by its start, while no other thread drops any

    def keep(self, key: str, name: str, text: str) -> None:
        """Raises OSError."""
        hashed = digest(text)
        file = self._texts / f"{hashed}.yaml"
        with self._lock:
            if not file.exists():
                _write(file, text)
            _write(self._starts / _file_of(key), f"{hashed} {name}\n")
            with suppress(OSError):  # it is kept, and the next one tries again
                self._drop_old()

    def _drop_old(self) -> None:
        """The oldest starts, and the texts that no other start names: nothing else leads to a text."""
        starts = list(self._starts.iterdir())
        if len(starts) <= MAX_STARTS + SPARE:
            return
        starts.sort(key=lambda start: start.stat().st_mtime)
        old, left = starts[:-MAX_STARTS], starts[-MAX_STARTS:]
        needed = {start.read_text("utf-8").partition(" ")[0] for start in left}
        for start in old:
            start.unlink(missing_ok=True)
        for text in self._texts.iterdir():
            if text.stem not in needed:
                text.unlink(missing_ok=True)

    def of(self, key: str) -> Kept | None:
        """Raises Refused when the file of the text cannot be read."""
        with suppress(OSError):
            hashed, _, name = (self._starts / _file_of(key)).read_text("utf-8").rstrip("\n").partition(" ")
            if len(hashed) == 64 and hashed.isalnum():
                return Kept(name, read_text(self._texts / f"{hashed}.yaml"))
        return None


def _file_of(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def _write(file: Path, text: str) -> None:
    private.make_folder(file.parent)
    with draft_of(file) as draft, open(draft, "x", encoding="utf-8", newline="", opener=private.opener) as out:
        out.write(text)
