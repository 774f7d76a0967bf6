"""Strategy files that were uploaded and are not saved yet: their editor has an address that can be reloaded."""

import hashlib
import json
import re
from contextlib import suppress
from pathlib import Path

from panel.files import private
from panel.files.drafts import draft_of

KEPT = 20  # the newest
_TOKEN = re.compile(r"[0-9a-f]{32}")


class UploadedStrategies:
    """In a folder of the panel's own. Call it in a thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, name: str, text: str) -> str:
        """Returns its token: the same for the same file. Raises OSError."""
        content = json.dumps([name, text])
        token = hashlib.sha256(content.encode()).hexdigest()[:32]
        private.make_folder(self._folder)
        file = self._folder / f"{token}.json"
        with draft_of(file) as draft, open(draft, "x", encoding="utf-8", opener=private.opener) as out:
            out.write(content)
        kept = sorted(self._folder.glob("*.json"), key=lambda each: each.stat().st_mtime_ns)
        for old in kept[: max(len(kept) - KEPT, 0)]:
            old.unlink(missing_ok=True)
        return token

    def of(self, token: str) -> tuple[str, str] | None:
        """Name and text; None when it is not kept any more."""
        if _TOKEN.fullmatch(token):
            with suppress(OSError, ValueError):
                name, text = json.loads((self._folder / f"{token}.json").read_text("utf-8"))
                return name, text
        return None
