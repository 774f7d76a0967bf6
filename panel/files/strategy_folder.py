"""A folder of strategy files that people change: written whole or not at all, never over another person's change, and
with the old versions kept elsewhere."""

import hashlib
import os
import re
import secrets
import shutil
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from panel.files import private
from panel.files.strategy_yaml import MAX_BYTES, Refused, is_plain_name, read_text

VERSIONS = 50  # that are kept of each file
KTRDR_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")  # what KTRDR trains: its check accepts others, its start does not
NEW_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_ENDINGS = (".yaml", ".yml", ".YAML", ".YML")
_MOMENT = "%Y%m%dT%H%M%S%f"
_VERSION = re.compile(r"\d{8}T\d{12}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Version:
    """An earlier text of a file. `at`: Unix seconds, when it was replaced or deleted."""

    id: str
    at: float


class Changed(Exception):
    """The file has changed since it was opened. `now` is its text; None when it was deleted."""

    def __init__(self, now: str | None) -> None:
        super().__init__("the file has changed")
        self.now = now


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class StrategyFolder:
    """`versions` is a folder of the panel's own. Everything here reads or writes the disk: call it in a thread."""

    def __init__(self, folder: Path, versions: Path) -> None:
        self.folder = folder
        self._versions = versions
        self._lock = threading.Lock()

    def trouble(self) -> str:
        """Why nothing can be saved here: a clause, or ""."""
        if not self.folder.is_dir():
            return "the folder of strategies does not exist"
        return "" if os.access(self.folder, os.W_OK | os.X_OK) else "the folder of strategies is read-only"

    def file(self, name: str) -> Path | None:
        """The file of this strategy, if there is one."""
        if not is_plain_name(name):
            return None
        return next((file for end in _ENDINGS if os.path.lexists(file := self.folder / f"{name}{end}")), None)

    def text(self, name: str) -> str | None:
        """None when there is no such file. Raises Refused for one that cannot be read."""
        file = self.file(name)
        return read_text(file) if file else None

    def save(self, name: str, text: str, opened: str) -> None:
        """`opened` is the digest of the text that was changed; "" makes a new file. Raises Changed, and Refused (a
        clause about the file)."""
        content = text.encode()
        if len(content) > MAX_BYTES:
            raise Refused("it is larger than 256 kB")
        with self._lock:
            before = self._unchanged(name, opened)
            file = self.file(name)
            if file is None and not NEW_NAME.fullmatch(name) and not self.versions(name):
                raise Refused("its name needs letters, digits, hyphens and underscores, 100 at most, and no dot")
            if file is not None and file.is_symlink():
                raise Refused("it is a link, and links are not written to")
            self._write(file or self.folder / f"{name}.yaml", name, content, before)

    def delete(self, name: str, opened: str) -> str:
        """Returns the id of the version that is kept of it. Raises Changed and Refused."""
        with self._lock:
            before, file = self._unchanged(name, opened), self.file(name)
            if before is None or file is None:
                raise Changed(None)
            try:
                kept = self._keep(name, before)
                file.unlink()
            except OSError as exc:
                raise Refused(f"it cannot be deleted: {exc.strerror}") from exc
            return kept

    def versions(self, name: str) -> list[Version]:
        """The newest one first."""
        if not is_plain_name(name):
            return []
        with suppress(OSError):
            stems = [Path(file).stem for file in os.listdir(self._versions / name)]
            return [Version(each, _moment(each)) for each in sorted(filter(_VERSION.fullmatch, stems), reverse=True)]
        return []

    def version(self, name: str, version: str) -> str | None:
        """The text of an earlier version; None when it is not kept any more."""
        file = self._versions / name / f"{version}.yaml"
        known = is_plain_name(name) and _VERSION.fullmatch(version)
        return read_text(file) if known and file.is_file() else None

    def draft(self, text: str) -> Path:
        """A file of this text beside the others, for a check; whoever asked for it removes it. Raises OSError."""
        file = self.folder / f".panel-check-{secrets.token_hex(8)}.yaml"
        with file.open("xb") as out:
            out.write(text.encode())
        return file

    def _unchanged(self, name: str, opened: str) -> str | None:
        now = self.text(name)
        if (digest(now) if now is not None else "") != opened:
            raise Changed(now)
        return now

    def _write(self, file: Path, name: str, content: bytes, before: str | None) -> None:
        draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}.tmp")
        try:
            with draft.open("xb") as out:
                out.write(content)
                out.flush()
                os.fsync(out.fileno())
            if before is None:
                os.link(draft, file)  # fails where another program has made the file meanwhile
                return
            self._keep(name, before)
            shutil.copymode(file, draft)
            if self.text(name) != before:
                raise Changed(self.text(name))
            os.replace(draft, file)
        except FileExistsError as exc:
            raise Changed(self.text(name)) from exc
        except OSError as exc:
            raise Refused(f"it cannot be written: {exc.strerror}") from exc
        finally:
            with suppress(OSError):
                draft.unlink(missing_ok=True)

    def _keep(self, name: str, text: str) -> str:
        folder = self._versions / name
        private.make_folder(folder)
        kept = f"{datetime.now(UTC):{_MOMENT}}-{digest(text)[:12]}"
        with open(folder / f"{kept}.yaml", "w", encoding="utf-8", newline="", opener=private.opener) as out:
            out.write(text)
        for version in self.versions(name)[VERSIONS:]:
            (folder / f"{version.id}.yaml").unlink(missing_ok=True)
        return kept


def _moment(version: str) -> float:
    return datetime.strptime(version.partition("-")[0], _MOMENT).replace(tzinfo=UTC).timestamp()
