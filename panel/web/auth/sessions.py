"""Who is logged in, and how often somebody may try to be."""

import asyncio
import hashlib
import json
import logging
import os
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from panel import password
from panel.files import private

log = logging.getLogger(__name__)

LASTS = 7 * 86400.0  # seconds from a login to its end, whatever happens in between
MOST = 1000  # sessions; the oldest ones end first

FREE = 5  # wrong passwords from one address before it has to wait
LONGEST = 60.0  # seconds between two tries
WINDOW = 900.0  # seconds after the last wrong one in which an address is forgotten
ADDRESSES = 10_000


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
        """On a full disk sessions still work, and end with this process."""
        try:
            self._store()
        except OSError as exc:
            log.warning("the file of sessions cannot be written: %s", exc.strerror)
            with suppress(OSError):
                self._file.with_suffix(".new").unlink(missing_ok=True)

    def _store(self) -> None:
        kept = {"password": self.password, "sessions": {k: session.expires for k, session in self._known.items()}}
        private.make_folder(self._file.parent)
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
    """Wrong passwords of the last minutes, by address: what others guess keeps nobody out. After FREE of them each
    further try has to wait, twice as long every time. Remembers at most ADDRESSES, those that guessed last."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()  # how many, and when the last one

    def check(self, address: str) -> None:
        """Raises TooManyAttempts while this address has to wait."""
        wrong, last = self._of(address)
        if wrong >= FREE:
            pause = min(2.0 ** (wrong - FREE), LONGEST)
            if (left := last + pause - self._clock()) > 0:
                raise TooManyAttempts(left)

    def count(self, address: str) -> None:
        wrong, _ = self._of(address)
        self._wrong[_network(address)] = wrong + 1, self._clock()
        self._wrong.move_to_end(_network(address))
        if len(self._wrong) > ADDRESSES:
            self._wrong.popitem(last=False)

    def forgive(self, address: str) -> None:
        """The password was right: this address begins anew."""
        self._wrong.pop(_network(address), None)

    def _of(self, address: str) -> tuple[int, float]:
        wrong, last = self._wrong.get(_network(address), (0, 0.0))
        return (wrong, last) if last > self._clock() - WINDOW else (0, 0.0)


def _network(address: str) -> str:
    """One IPv6 customer has a whole /64 of addresses."""
    try:
        known = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if known.version == 4:
        return address
    mapped = known.ipv4_mapped
    return str(mapped) if mapped else str(ip_network((int(known), 64), strict=False))


def _name(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
