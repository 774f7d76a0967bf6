"""Checks settings, disk, backend and workers, and says how to fix problems. Changes nothing but
the cache of what market data files hold."""

import platform
import shutil
import socket
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from pathlib import Path

from panel.accounts.file import Unreadable
from panel.accounts.password import is_hash
from panel.backend.connect import embedded_missing
from panel.backend.decoding import line
from panel.backend.http import HTTPClient
from panel.backend.ktrdr import Ktrdr
from panel.backend.openings import knows_sessions
from panel.backend.strategies import in_folder
from panel.cli.tls import context_of
from panel.domain.formatting import duration
from panel.domain.kinds import learning
from panel.domain.memory import remedy
from panel.domain.workers import Worker
from panel.errors import CLIClientError, UnsafeSettings
from panel.settings import BASE_URL, Settings
from panel.storage import integrity

CLOCKS = 5.0  # seconds that the backend's clock may differ: starts are matched by time
SCARCE, TOO_LITTLE = 1_000_000_000, 100_000_000  # bytes of free disk
SLOW = 1.0  # seconds for /health
OWN_ANSWER = 3.0  # seconds for a panel on this machine


class Grade(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """`advice` says what to do, and is empty when nothing is to be done."""

    what: str
    grade: Grade
    message: str
    advice: str = ""


async def examine(settings: Settings) -> list[Finding]:
    """All checks, in the order in which to fix problems."""
    found = await _ktrdr(settings) if settings.backend else [_embedded()]
    return [
        *found,
        *_strategies(settings),
        *_data(settings),
        *_calendars(settings),
        *_memory(settings),
        *_reach(settings),
        await _port(settings),
    ]


def _embedded() -> Finding:
    if missing := embedded_missing():
        return Finding(
            "backend",
            Grade.FAIL,
            f"None is named, and the embedded one lacks {', '.join(missing)}.",
            f"pip install 'ktrdr-panel[embedded]', or name a KTRDR in {BASE_URL}.",
        )
    return Finding("backend", Grade.OK, "The embedded one; its libraries are installed.")


async def _ktrdr(settings: Settings) -> list[Finding]:
    async with HTTPClient(settings.backend, timeout=5.0, max_retries=0) as client:
        ktrdr, began = Ktrdr(client), time.perf_counter()
        try:
            version = await ktrdr.health()
        except CLIClientError as exc:
            advice = f"See that KTRDR runs, and that {BASE_URL} is its address, ending in /api/v1."
            return [Finding("backend", Grade.FAIL, exc.message, advice)]
        took = time.perf_counter() - began
        message = f"{client.address} answers in {took * 1000:.0f} ms, version {version or 'unknown'}."
        slow = "The backend or the way to it is busy; pages will lag behind." if took > SLOW else ""
        found = [Finding("backend", Grade.WARN if slow else Grade.OK, message, slow)]
        found += _clock(client.date)
        try:
            found.append(_workers(await ktrdr.workers()))
        except CLIClientError as exc:
            found.append(Finding("workers", Grade.WARN, exc.message, "Trainings need one; see KTRDR's own log."))
    return found


def _clock(date: str) -> Iterator[Finding]:
    try:
        off = time.time() - parsedate_to_datetime(date).timestamp()
    except ValueError:
        yield Finding("clock", Grade.WARN, "The backend's answers have no date.", "Compare the two clocks by hand.")
        return
    if abs(off) < CLOCKS:
        yield Finding("clock", Grade.OK, "The backend's clock agrees with this one.")
    else:
        message = f"The backend's clock is {duration(abs(off))} {'behind' if off > 0 else 'ahead'}."
        yield Finding("clock", Grade.WARN, message, "Let both machines take the time from the network (NTP).")


def _workers(workers: Sequence[Worker]) -> Finding:
    kinds = Counter(worker.kind or "unknown" for worker in workers if worker.reachable)
    lost = sum(not worker.reachable for worker in workers)
    message = ", ".join(f"{count} for {kind}" for kind, count in sorted(kinds.items())) or "none can be reached"
    message = f"Workers: {message}{f'; {lost} not reachable' if lost else ''}."
    if not any(worker.reachable and worker.does(kind) for worker in workers for kind in learning()):
        return Finding("workers", Grade.WARN, message, "Start a training worker; until then every training is refused.")
    advice = "Look at the worker that does not answer; it is struck off five minutes later." if lost else ""
    return Finding("workers", Grade.WARN if lost else Grade.OK, message, advice)


def _strategies(settings: Settings) -> Iterator[Finding]:
    folder = settings.strategies_folder
    if folder is None and settings.backend:
        message = "No folder is named; KTRDR lists none of its own v3 strategies."
        yield Finding("strategies", Grade.WARN, message, "Name KTRDR's folder: KTRDR_STRATEGIES_DIR=/…/strategies")
        return
    if folder is None:
        folder = settings.data_folder / "embedded" / "strategies"
        if not folder.exists():
            yield Finding("strategies", Grade.OK, f"None yet; they go into {folder}.")
            return
    try:
        next(folder.iterdir(), None)
    except OSError as exc:
        reason = (exc.strerror or "unreadable").lower()
        yield Finding("strategies", Grade.FAIL, f"{folder}: {reason}.", "Name a folder that this user may read.")
        return
    strategies = in_folder(folder).values()
    good = sum(not strategy.problem for strategy in strategies)
    old = sum("v2" in strategy.problem for strategy in strategies)
    broken = len(strategies) - good - old
    message = f"{folder}: {good} v3, {old} v2{f', {broken} unreadable' if broken else ''}."
    advice = "" if good else "KTRDR trains v3 files; put some there, or name another folder in KTRDR_STRATEGIES_DIR."
    yield Finding("strategies", Grade.OK if good else Grade.WARN, message, advice)


def _data(settings: Settings) -> Iterator[Finding]:
    """The embedded backend's market data: which files cannot be used, and why."""
    if settings.backend or embedded_missing():
        return
    from panel.files.folder import Folder

    folder = settings.data_folder / "embedded" / "data"
    try:
        entries = Folder(folder).entries()
    except OSError as exc:
        reason = (exc.strerror or "unreadable").lower()
        yield Finding("data", Grade.FAIL, f"{folder}: {reason}.", "Let this user read it.")
        return
    bad = [f"{line(entry.file)}: {line(str(entry.problem))}" for entry in entries if entry.problem]
    if not entries:
        yield Finding("data", Grade.OK, f"None yet; market data goes into {folder}.")
    elif not bad:
        yield Finding("data", Grade.OK, f"{folder}: every one of {len(entries)} can be used.")
    else:
        message = f"{folder}: {len(bad)} of {len(entries)} cannot be used. {' '.join(bad[:5])}"
        yield Finding(
            "data", Grade.WARN, message, "Mend or remove them; ktrdr-panel import reads other programs' files."
        )


def _calendars(settings: Settings) -> Iterator[Finding]:
    """Of the gaps that the panel looks for in a KTRDR's bars; the embedded backend has all of them."""
    if settings.backend and knows_sessions():
        yield Finding("gaps", Grade.OK, "The calendars of exchanges, currencies and crypto are known.")
    elif settings.backend:
        message = (
            "Sessions of exchanges are not known: of stocks the rest is learned, so a single missing trading day is no "
            "gap. Currencies and crypto are judged by their own week. ktrdr-panel[embedded] has the calendars."
        )
        yield Finding("gaps", Grade.OK, message)


def _memory(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_folder
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=folder / "panel" if (folder / "panel").exists() else there) as file:
            file.write(b"x" * 4096)
            file.flush()
    except OSError as exc:
        reason = (exc.strerror or "not writable").lower()
        yield Finding(
            "memory", Grade.FAIL, f"{folder}: {reason}.", "Let this user write there, or set KTRDR_PANEL_DATA_DIR."
        )
        return
    yield _integrity(settings.memory_file)
    free = shutil.disk_usage(there).free
    grade = Grade.FAIL if free < TOO_LITTLE else Grade.WARN if free < SCARCE else Grade.OK
    advice = "" if grade is Grade.OK else "Make room, or set KTRDR_PANEL_DATA_DIR to a larger disk."
    yield Finding("disk", grade, f"{free / 1e9:,.1f} GB free.", advice)


def _integrity(file: Path) -> Finding:
    if not file.exists():
        return Finding("memory", Grade.OK, f"{file.parent.parent} can be written to.")
    try:
        why = integrity.damage(file)
    except sqlite3.Error as exc:
        return Finding("memory", Grade.WARN, f"{file} cannot be read now: {exc}.", "Try again in a while.")
    if why:
        return Finding("memory", Grade.FAIL, f"{file}: {why}.", remedy(why))
    return Finding("memory", Grade.OK, f"{file} is undamaged and can be written to.")


def _reach(settings: Settings) -> Iterator[Finding]:
    if settings.tls_cert:
        try:
            context_of(settings)
        except UnsafeSettings as exc:
            yield Finding("tls", Grade.FAIL, str(exc), "Mend KTRDR_PANEL_TLS_CERT and KTRDR_PANEL_TLS_KEY.")
        else:
            yield Finding("tls", Grade.OK, f"Answers by https with {settings.tls_cert}.")
    if settings.trusted_proxies:
        message = f"Believes the forwarded headers of {', '.join(settings.trusted_proxies)}."
        yield Finding("proxies", Grade.OK, message)
    names = ", ".join(sorted(name for name in settings.hosts if name.endswith(f":{settings.port}")))
    yield Finding("hosts", Grade.OK, f"Listens on {settings.host}; answers to {names}.")
    try:
        count = len(settings.account_file.read().users)
    except Unreadable as exc:
        yield Finding("users", Grade.FAIL, str(exc), "The panel does not start with it: restore the file.")
        return
    users = f"{count} user{'s' if count != 1 else ''}" if count else ""
    if settings.unprotected:
        message = "Others can reach the panel, and nothing asks them who they are."
        yield Finding(
            "password", Grade.WARN, message, "Add a user or set KTRDR_PANEL_PASSWORD, or listen on 127.0.0.1."
        )
    elif not settings.password:
        message = f"{users} can log in." if users else "None, and only this machine is answered."
        yield Finding("password", Grade.OK, message)
    elif is_hash(settings.password):
        yield Finding("password", Grade.OK, "One is asked for; its hash is set.")
    else:
        message = "One is asked for; it is set in plain text."
        yield Finding("password", Grade.WARN, message, "ktrdr-panel hash-password prints a hash to set instead.")


async def _port(settings: Settings) -> Finding:
    where = f"{settings.host}:{settings.port}"
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if platform.system() != "Windows":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does it
        try:
            probe.bind((settings.host, settings.port))
        except OSError as exc:
            reason = (exc.strerror or "it cannot be listened on").lower()
        else:
            return Finding("port", Grade.OK, f"{where} is free.")
    version = await running_panel(settings)
    if version is not None:
        return Finding("port", Grade.OK, f"A panel, version {version}, runs on {where} already.")
    return Finding("port", Grade.FAIL, f"{where}: {reason}.", "Choose another one: KTRDR_PANEL_PORT.")


async def running_panel(settings: Settings) -> str | None:
    """The version of the panel that answers on this machine's port, or None."""
    address = f"{'https' if settings.tls_cert else 'http'}://127.0.0.1:{settings.port}"
    # Its certificate may be for another name; nothing secret is sent.
    async with HTTPClient(address, timeout=OWN_ANSWER, max_retries=0, verify=False) as client:
        try:
            health = await client.get("/healthz")
        except CLIClientError:
            return None
    return str(health.get("version")) if isinstance(health, dict) and health.get("name") == "ktrdr-panel" else None
