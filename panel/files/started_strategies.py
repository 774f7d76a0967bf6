"""The strategy of each start as it was then: one file for each different text, one small file for each start."""

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from panel.files import private
from panel.files.drafts import draft_of
from panel.files.strategy_folder import digest
from panel.files.strategy_yaml import read_text

MAX_STARTS = 5000  # starts that are remembered


@dataclass(frozen=True, slots=True)
class Kept:
    name: str
    text: str


class StartedStrategies:
    """In a folder of the panel's own: texts/<SHA-256>.yaml and starts/<SHA-256 of the start's key>."""

    def __init__(self, folder: Path) -> None:
        self._texts = folder / "texts"
        self._starts = folder / "starts"

    def keep(self, key: str, name: str, text: str) -> None:
        """Raises OSError."""
        hashed = digest(text)
        file = self._texts / f"{hashed}.yaml"
        if not file.exists():
            _write(file, text)
        _write(self._starts / _file_of(key), f"{hashed} {name}\n")
        starts = sorted(self._starts.iterdir(), key=lambda start: start.stat().st_mtime)
        for old in starts[: max(len(starts) - MAX_STARTS, 0)]:
            old.unlink(missing_ok=True)

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
