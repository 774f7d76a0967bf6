"""Where the memory of a backend lies."""

import hashlib
import re
from pathlib import Path

from panel.settings import Settings, without_userinfo


def memory_of(settings: Settings) -> Path:
    """The file that remembers this backend: operations of one are not another's."""
    backend = without_userinfo(settings.backend)
    readable = re.sub(r"[^a-z0-9]+", "-", backend.lower()).strip("-")[:60]
    name = f"{readable}-{hashlib.sha256(backend.encode()).hexdigest()[:8]}" if backend else "embedded"
    return settings.data_folder / "panel" / f"{name}.db"
