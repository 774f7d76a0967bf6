"""Login sessions, and a limit on failed logins."""

import hashlib
import json
import logging
import math
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

from panel.accounts import password
from panel.files import private

log = logging.getLogger(__name__)

LASTS = 7 * 86400.0  # seconds that a login lasts
MAX_SESSIONS = 1000  # of each user, and of the password without a name: the oldest end first, and nobody else's

FREE = 5  # wrong passwords from one address before it has to wait
LONGEST = 60.0  # seconds between two tries
WINDOW = 900.0  # seconds after the last wrong one in which an address is forgotten
ADDRESSES = 10_000


@dataclass(eq=False, slots=True)
class Held:
    """`expires` is in Unix seconds; `open` ends the answers under way, streams above all, that end with it."""

    expires: float = math.inf
    open: set[Callable[[], None]] = field(default_factory=set)

    def end(self) -> None:
        for end in list(self.open):
            end()


@dataclass(eq=False, slots=True, kw_only=True)
class Session(Held):
    """One browser's login. `user`: "" for the password without a name; `mark`: the user's when it began. `since` and
    `seen`: Unix seconds; 0 where an earlier version did not write it down. `browser`: as its user would call it."""

    id: str
    user: str = ""
    mark: str = ""
    since: float = 0.0
    seen: float = 0.0
    address: str = ""
    browser: str = ""


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
        if not self._given or password.is_hash(self._given):
            self.password = self._given
        else:
            same = before and password.matches(self._given, before)
            self.password = before if same else password.hashed(self._given)
        sessions = kept.get("sessions")
        read = [_session(name, entry) for name, entry in sessions.items()] if isinstance(sessions, dict) else []
        valid = self.password == before and self.password != ""
        self._known = {each.id: each for each in read if each is not None and (each.user or valid)}

    def begin(self, user: str = "", mark: str = "", address: str = "", browser: str = "") -> str:
        """Begin a session; returns its token."""
        token = secrets.token_urlsafe(32)
        now, name = time.time(), _name(token)
        self._known = {k: session for k, session in self._known.items() if session.expires > now}
        own = sorted((each for each in self._known.values() if each.user == user), key=lambda each: each.expires)
        for oldest in own[: max(len(own) - MAX_SESSIONS + 1, 0)]:
            self._end(oldest.id)
        self._known[name] = Session(
            expires=now + LASTS, id=name, user=user, mark=mark, since=now, seen=now, address=address, browser=browser
        )
        self._write()
        return token

    def find(self, token: str) -> Session | None:
        """The session of a token; None when it has ended or never was."""
        session = self._known.get(_name(token))
        return session if session is not None and session.expires > time.time() else None

    def listed(self) -> list[Session]:
        """Sessions that are valid, the last seen first."""
        now = time.time()
        return sorted((each for each in self._known.values() if each.expires > now), key=lambda each: -each.seen)

    def end(self, token: str) -> None:
        """End the session and every answer that is being sent under it."""
        self.end_where(lambda session: session.id == _name(token))

    def end_where(self, ends: Callable[[Session], bool]) -> list[Session]:
        """End all these sessions; returns them."""
        ended = [session for session in self._known.values() if ends(session)]
        for session in ended:
            self._end(session.id)
        if ended:
            self._write()
        return ended

    def save(self) -> None:
        """Store when each was last seen: from time to time, and when the panel stops."""
        if self._known:
            self._write()

    def _end(self, name: str) -> None:
        self._known.pop(name).end()

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
        """With a full disk sessions still work, until this process ends."""
        try:
            self._store()
        except OSError as exc:
            log.warning("the file of sessions cannot be written: %s", exc.strerror)
            with suppress(OSError):
                self._file.with_suffix(".new").unlink(missing_ok=True)

    def _store(self) -> None:
        kept = {"password": self.password, "sessions": {k: _kept(session) for k, session in self._known.items()}}
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
    """Wrong passwords of the last minutes, by address: guesses of others lock no one out. After FREE of them each
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

    def count_right(self, address: str) -> None:
        """The last try was right. Earlier failures stay: they may have been at another user's password."""
        wrong, last = self._of(address)
        if wrong > 1:
            self._wrong[_network(address)] = wrong - 1, last
        else:
            self._wrong.pop(_network(address), None)

    def reset(self, address: str) -> None:
        """The password was right: forget this address's failures."""
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


def _kept(session: Session) -> dict[str, Any]:
    return {name: getattr(session, name) for name in ("expires", *_NUMBERS, *_TEXTS)}


_NUMBERS, _TEXTS = ("since", "seen"), ("user", "mark", "address", "browser")


def _session(name: str, entry: Any) -> Session | None:
    """From the file, in which an earlier version kept only the end of each; None for what is no session."""
    entry = {"expires": entry} if not isinstance(entry, dict) else entry
    numbers = {key: entry.get(key, 0.0) for key in ("expires", *_NUMBERS)}
    texts = {key: entry.get(key, "") for key in _TEXTS}
    if any(isinstance(n, bool) or not isinstance(n, int | float) or not math.isfinite(n) for n in numbers.values()):
        return None
    if any(not isinstance(text, str) for text in texts.values()):
        return None
    given: dict[str, Any] = {key: float(n) for key, n in numbers.items()} | texts
    return Session(id=name, **given)


def _name(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
