"""A backup is one zip file: a copy of each database as it was at one moment, and the small files around them.

backup.json     format, version, time, backend, and the SHA-256 of every file
…               the files, by their places in the data folder
"""

import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from panel import __version__
from panel.domain.schedules import next_due
from panel.files import private
from panel.files.archive import DAMAGE
from panel.storage import integrity, presence
from panel.storage.schema import check_version

FORMAT = 1
CONTENTS = "backup.json"
SIDES = ("", "-wal", "-shm")  # files of one database
HELD = "It waited when the backup was made, and may have been started since. Nothing is started by a restore."


class Unusable(Exception):
    """A backup that cannot be made or restored. The text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The content of a backup, by paths below `folder`: databases, and folders with everything in them. `memory` is
    the first database."""

    folder: Path
    memory: Path
    databases: tuple[Path, ...]
    folders: tuple[Path, ...]


def back_up(parts: Parts, backend: str, target: Path) -> tuple[int, int]:
    """Write the archive; returns its files and bytes. Panels may be running. Raises Unusable, OSError and
    sqlite3.Error."""
    if os.path.lexists(target):
        raise Unusable(f"{target} exists already. Name another file.")
    if not parts.memory.exists():
        raise Unusable(f"There is no memory yet: {parts.memory}.")
    hashes: dict[str, str] = {}
    with tempfile.TemporaryDirectory(dir=target.absolute().parent, prefix=".backup-") as name, ExitStack() as opened:
        draft = Path(name) / "draft"
        out = opened.enter_context(zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED, compresslevel=6))
        for database in filter(Path.exists, parts.databases):
            copy = Path(name) / "copy.db"
            _copy(database, copy)
            hashes[_place(parts, database)] = _add(out, copy, _place(parts, database))
            copy.unlink()
        for file in _files(parts.folders):
            with suppress(FileNotFoundError):  # it was removed meanwhile
                hashes[_place(parts, file)] = _add(out, file, _place(parts, file))
        about = {"format": FORMAT, "version": __version__, "made_at": time.time(), "backend": backend, "files": hashes}
        out.writestr(CONTENTS, json.dumps(about, indent=1, ensure_ascii=False))
        opened.close()
        draft.chmod(private.FILE)
        with draft.open("rb") as whole:
            os.fsync(whole.fileno())
        os.rename(draft, target)
    return len(hashes), target.stat().st_size


def restore(parts: Parts, backend: str, source: Path) -> Path | None:
    """Put everything of the archive in its place, or nothing; returns the folder in which the replaced files are kept,
    None where there were none. Raises Unusable, OSError, sqlite3.Error, and InUse while a panel runs."""
    with presence.alone(parts.memory), tempfile.TemporaryDirectory(dir=parts.folder, prefix=".restore-") as name:
        new = Path(name)
        _unpack(source, new, backend)
        found = [database for database in parts.databases if (new / _place(parts, database)).is_file()]
        if parts.memory not in found:
            raise Unusable(f"{source} holds no memory of this backend.")
        for database in found:
            if why := integrity.damage(new / _place(parts, database)):
                raise Unusable(f"{source}: {_place(parts, database)} in it is damaged: {why}.")
        _hold_back(new / _place(parts, parts.memory), source)
        return _exchange(parts, new, found)


def _copy(database: Path, copy: Path) -> None:
    """In one step, so that it is the state of one moment; writers go on meanwhile."""
    uri = f"{database.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=10)) as db, closing(sqlite3.connect(copy)) as out:
        db.backup(out)
        out.execute("PRAGMA journal_mode = DELETE")  # one file
    if why := integrity.damage(copy):
        raise Unusable(f"{database} is damaged ({why}), so no backup was made of it.")


def _files(folders: tuple[Path, ...]) -> Iterator[Path]:
    """Regular files below them: no links, and no drafts, whose names begin with a dot."""
    for folder in folders:
        for at, names, files in os.walk(folder):
            names[:] = [name for name in names if not name.startswith(".")]
            paths = [Path(at) / name for name in sorted(files) if not name.startswith(".")]
            yield from (file for file in paths if file.is_file() and not file.is_symlink())


def _place(parts: Parts, path: Path) -> str:
    return path.relative_to(parts.folder).as_posix()


def _add(out: zipfile.ZipFile, file: Path, place: str) -> str:
    """Returns its SHA-256."""
    digest = hashlib.sha256()
    with file.open("rb") as source, out.open(place, "w", force_zip64=True) as packed:
        while chunk := source.read(1 << 20):
            digest.update(chunk)
            packed.write(chunk)
    return digest.hexdigest()


def _unpack(source: Path, folder: Path, backend: str) -> None:
    try:
        with zipfile.ZipFile(source) as archive:
            about = _about(archive, source)
            if about["backend"] != backend:
                of = f"the backend at {about['backend']}" if about["backend"] else "the embedded backend"
                raise Unusable(f"{source} is a backup of {of}. Name that one: KTRDR_API_CLIENT_BASE_URL.")
            for place, expected in about["files"].items():
                target = folder / PurePosixPath(place)
                private.make_folder(target.parent)
                digest = hashlib.sha256()
                with archive.open(place) as packed, open(target, "xb", opener=private.opener) as out:
                    while chunk := packed.read(1 << 20):
                        digest.update(chunk)
                        out.write(chunk)
                    out.flush()
                    os.fsync(out.fileno())
                if digest.hexdigest() != expected:
                    raise Unusable(f"{source} is damaged: {place} is not as it was.")
    except DAMAGE as exc:
        raise Unusable(f"{source} is damaged, or no backup of this program.") from exc


def _about(archive: zipfile.ZipFile, source: Path) -> dict[str, Any]:
    if archive.getinfo(CONTENTS).file_size > 1 << 28:
        raise Unusable(f"{source} is no backup of this program.")
    about = json.loads(archive.read(CONTENTS))
    if not isinstance(about, dict) or about.get("format") != FORMAT or not isinstance(about.get("files"), dict):
        raise Unusable(f"{source} was made by another version of the panel.")
    for place in about["files"]:
        path = PurePosixPath(place)
        if path.is_absolute() or ".." in path.parts or path.parts[0] not in ("panel", "embedded"):
            raise Unusable(f"{source} is no backup of this program.")
    return about


def _hold_back(memory: Path, source: Path) -> None:
    """What waited to be started or sent when the backup was made may have been since: nothing of it goes by itself."""
    with closing(sqlite3.connect(memory, isolation_level=None)) as db:
        try:
            check_version(db.execute("PRAGMA user_version").fetchone()[0])
        except sqlite3.DatabaseError as exc:
            raise Unusable(f"{source}: {exc}.") from exc
        tables = {row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        hold_back(db, tables, time.time())


def hold_back(db: sqlite3.Connection, tables: set[str], now: float) -> None:
    """What follows something else, as a plan's training its loads, is settled. Schedules go on with their next time
    after `now`: a run that was missed since the backup may have been made."""
    waiting = "state IN ('waiting', 'starting')"
    if "queue" in tables:
        db.execute(f"UPDATE queue SET held = 1, message = ? WHERE {waiting}", (HELD,))
    if "loads" in tables:
        db.execute(f"UPDATE loads SET state = 'cancelled', message = ? WHERE {waiting}", (HELD,))
        db.execute(f"UPDATE plans SET state = 'stopped', message = ? WHERE {waiting}", (HELD,))
    elif "plans" in tables:  # with a queue: the training of one that is starting stands in it
        db.execute("UPDATE plans SET state = 'stopped', message = ? WHERE state = 'waiting'", (HELD,))
    if "batch_runs" in tables:
        db.execute("UPDATE batch_runs SET state = 'cancelled', message = ? WHERE state = 'waiting'", (HELD,))
    if "schedules" in tables:
        due = "SELECT key, days, at, zone FROM schedules WHERE active = 1 AND next_at <= ?"
        for key, days, at, zone in db.execute(due, (now,)).fetchall():
            with suppress(ValueError):  # such a schedule runs nothing
                following = next_due([int(day) for day in days], at, zone, now)
                db.execute("UPDATE schedules SET next_at = ? WHERE key = ?", (following, key))
    if "messages" in tables:
        sent = "A backup was restored; whether it was sent is not known."
        db.execute("UPDATE messages SET state = 'unknown', problem = ? WHERE state IN ('waiting', 'sending')", (sent,))


def _exchange(parts: Parts, new: Path, databases: list[Path]) -> Path | None:
    """Move the present files aside, and the new ones into place; undone when that fails half-way."""
    kept = parts.folder / f"replaced-{time.strftime('%Y%m%d-%H%M%S')}"
    places = [database.with_name(database.name + side) for database in databases for side in SIDES]
    places += [folder for folder in parts.folders if (new / _place(parts, folder)).exists()]
    moved: list[tuple[Path, Path]] = []
    try:
        for place in filter(os.path.lexists, places):
            _move(place, kept / _place(parts, place), moved)
        for place in places:
            if (new / _place(parts, place)).exists():
                _move(new / _place(parts, place), place, moved)
    except OSError:
        for source, target in reversed(moved):
            os.replace(target, source)
        with suppress(OSError):
            shutil.rmtree(kept)  # empty folders
        raise
    return kept if kept.exists() else None


def _move(source: Path, target: Path, moved: list[tuple[Path, Path]]) -> None:
    private.make_folder(target.parent)
    os.rename(source, target)
    moved.append((source, target))
