"""Who is logged in, and how often somebody may try to be."""

import asyncio
import hashlib
import json
import logging
import os
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from panel import password

log = logging.getLogger(__name__)

LASTS = 7 * 86400.0  # seconds from a login to its end, whatever happens in between
MOST = 1000  # sessions; the oldest ones end first

WINDOW = 300.0  # seconds in which wrong passwords are counted
EACH, ALL = 10, 60  # that many from one address, and from everywhere


@dataclass(eq=False, slots=True)
class Session:
    """`expires` is in Unix seconds; `open` are the answers under way, streams above all, that end with it."""

    expires: float
    open: set[asyncio.Timeout] = field(default_factory=set)


class Sessions:
    """Random tokens, of which only hashes are kept: in memory, and in a file that outlives the panel.

    The file also holds the hash of the password they were made under; with another password they are void.
    """

    def __init__(self, file: Path, given: str) -> None:
        self._file = file
        self._given = given
        self._known: dict[str, Session] = {}
        self.password = ""  # its hash; "" matches nothing

    def load(self) -> None:
        """Read the file, and work out the password's hash. Takes a second: not for the event loop."""
        kept = self._read()
        before = kept.get("password")
        before = before if isinstance(before, str) and password.is_hash(before) else ""
        if password.is_hash(self._given):
            self.password = self._given
        else:
            same = before and password.matches(self._given, before)
            self.password = before if same else password.hashed(self._given)
        sessions = kept.get("sessions")
        if self.password == before and isinstance(sessions, dict):
            self._known = {k: Session(float(at)) for k, at in sessions.items() if isinstance(at, int | float)}

    def begin(self) -> str:
        """A new session's token."""
        token = secrets.token_urlsafe(32)
        now = time.time()
        self._known = {k: session for k, session in self._known.items() if session.expires > now}
        while len(self._known) >= MOST:
            self._end(min(self._known, key=lambda k: self._known[k].expires))
        self._known[_name(token)] = Session(now + LASTS)
        self._write()
        return token

    def find(self, token: str) -> Session | None:
        """The session of a token; None when it has ended or never was."""
        session = self._known.get(_name(token))
        return session if session is not None and session.expires > time.time() else None

    def end(self, token: str) -> None:
        """End the session and every answer that is still going out under it."""
        if _name(token) in self._known:
            self._end(_name(token))
            self._write()

    def _end(self, name: str) -> None:
        session = self._known.pop(name)
        for answer in session.open:
            if not answer.expired():
                answer.reschedule(0)

    def _read(self) -> dict[str, Any]:
        try:
            kept = json.loads(self._file.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError):
            log.warning("the file of sessions cannot be read: everybody has to log in again")
            return {}
        return kept if isinstance(kept, dict) else {}

    def _write(self) -> None:
        kept = {"password": self.password, "sessions": {k: session.expires for k, session in self._known.items()}}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        new = self._file.with_suffix(".new")
        new.unlink(missing_ok=True)  # one that was left may be open to others
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            json.dump(kept, out)
        new.replace(self._file)


class TooManyAttempts(Exception):
    """`seconds` until the next try."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"{seconds:.0f} s to wait")
        self.seconds = seconds


class AttemptLimiter:
    """Wrong passwords of the last minutes. Never holds more than ALL of them, whoever sends how many."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._made: deque[tuple[float, str]] = deque()

    def check(self, address: str) -> None:
        """Raises TooOften while this address, or everybody together, has to wait."""
        now = self._clock()
        while self._made and self._made[0][0] <= now - WINDOW:
            self._made.popleft()
        own = [at for at, of in self._made if of == address]
        if len(own) >= EACH:
            raise TooManyAttempts(own[0] + WINDOW - now)
        if len(self._made) >= ALL:
            raise TooManyAttempts(self._made[0][0] + WINDOW - now)

    def count(self, address: str) -> None:
        self._made.append((self._clock(), address))

    def forgive(self, address: str) -> None:
        """The password was right: this address begins anew."""
        self._made = deque(each for each in self._made if each[1] != address)


def _name(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
