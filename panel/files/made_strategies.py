"""Which strategy files a batch made, as long as they may have to be removed again, and which were."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from panel.files import private
from panel.files.drafts import draft_of


class MadeStrategies:
    """In a folder of the panel's own: one small file for each batch. Call it in a thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, key: str, made: Mapping[str, str], removed: Sequence[str] = ()) -> None:
        """`made`: strategy -> digest of its file's text. `removed`: strategies whose files were. Raises OSError."""
        private.make_folder(self._folder)
        text = json.dumps({"batch": key, "made": dict(made), "removed": list(removed)})
        with draft_of(self._file(key)) as draft, open(draft, "x", encoding="utf-8", opener=private.opener) as out:
            out.write(text)

    def drop(self, key: str) -> None:
        with suppress(OSError):
            self._file(key).unlink(missing_ok=True)

    def all(self) -> dict[str, dict[str, str]]:
        """Batch -> its files, of those that have any left."""
        files = self._folder.glob("*.json") if self._folder.is_dir() else ()
        found = (_read(file) for file in files)
        return {each["batch"]: each["made"] for each in found if each.get("made")}

    def removed(self, key: str) -> list[str]:
        return list(_read(self._file(key)).get("removed", []))

    def _file(self, key: str) -> Path:
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"


def _read(file: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        return dict(json.loads(file.read_text("utf-8")))
    return {}
