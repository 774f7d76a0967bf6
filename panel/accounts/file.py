"""Who may use the panel: named users and tokens for programs, in one small file that holds only hashes.

The command line and the panel both change the file; each change is made under a lock, and replaces the file as a whole.
A user's password is kept as its scrypt hash. A token is 256 random bits, so its SHA-256 is enough.
"""

import hashlib
import json
import os
import re
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from panel.accounts import password
from panel.files import private

T = TypeVar("T")

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
RESERVED = ("local", "operator", "unknown")  # who is meant where there is no user
MAX_ACCOUNTS = 1000  # users, and tokens
MAX_BYTES = 1_000_000

_TOKEN = re.compile(r"ktrdr_[A-Za-z0-9_-]{43}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Role(StrEnum):
    VIEWER = "viewer"  # sees everything, starts and changes nothing
    OPERATOR = "operator"


class Refused(Exception):
    """A change that cannot be made. The text says why, in a sentence. `field`: which part of it is at fault, if one."""

    def __init__(self, why: str, field: str = "") -> None:
        super().__init__(why)
        self.field = field


class Unreadable(Exception):
    """The file cannot be read, or holds something else. The text is a sentence."""


@dataclass(frozen=True, slots=True)
class User:
    """`password` is a scrypt hash; `since`: Unix seconds."""

    name: str
    role: Role
    password: str = field(repr=False)
    since: float

    @property
    def mark(self) -> str:
        """Changes with the role and the password: a session that was begun under another one is void."""
        return hashlib.sha256(f"{self.role}:{self.password}".encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Token:
    """`digest`: the SHA-256 of the token; `since`: Unix seconds."""

    name: str
    role: Role
    digest: str
    since: float


@dataclass(frozen=True, slots=True)
class Accounts:
    """All users and tokens, by name."""

    users: Mapping[str, User] = field(default_factory=dict)
    tokens: Mapping[str, Token] = field(default_factory=dict)

    def token(self, word: str) -> Token | None:
        digest = digest_of(word)
        return next((token for token in self.tokens.values() if token.digest == digest), None)

    def add_user(self, name: str, role: Role, hashed: str) -> "Accounts":
        _check_name(name)
        if name in self.users:
            raise Refused(f"There is a user “{name}” already.", "name")
        if len(self.users) >= MAX_ACCOUNTS:
            raise Refused(f"There are {MAX_ACCOUNTS} users already.")
        return replace(self, users={**self.users, name: User(name, role, hashed, time.time())})

    def change_user(self, name: str, role: Role | None = None, hashed: str | None = None) -> "Accounts":
        known = self.user(name)
        changed = replace(known, role=role or known.role, password=hashed or known.password)
        return replace(self, users={**self.users, name: changed})

    def remove_user(self, name: str) -> "Accounts":
        self.user(name)
        return replace(self, users={known: user for known, user in self.users.items() if known != name})

    def add_token(self, name: str, role: Role, word: str) -> "Accounts":
        _check_name(name)
        if name in self.tokens:
            raise Refused(f"There is a token “{name}” already.", "name")
        if len(self.tokens) >= MAX_ACCOUNTS:
            raise Refused(f"There are {MAX_ACCOUNTS} tokens already.")
        return replace(self, tokens={**self.tokens, name: Token(name, role, digest_of(word), time.time())})

    def remove_token(self, name: str) -> "Accounts":
        if name not in self.tokens:
            raise Refused(f"There is no token “{name}”.")
        return replace(self, tokens={known: token for known, token in self.tokens.items() if known != name})

    def user(self, name: str) -> User:
        if name not in self.users:
            raise Refused(f"There is no user “{name}”.")
        return self.users[name]

    def check(self, *, shared: bool) -> "Accounts":
        """Refuses a list without an operator. `shared`: the panel has a password without a name, whose owner is an
        operator too."""
        if self.users and not shared and all(user.role is not Role.OPERATOR for user in self.users.values()):
            raise Refused("At least one user must be an operator: otherwise no one could start or change anything.")
        return self


class AccountFile:
    """The file. A missing one is read as empty."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Accounts:
        """Raises Unreadable: with a broken file all logins fail, and it is not replaced."""
        try:
            with self.path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
            if len(content) > MAX_BYTES:
                raise ValueError("it is too large")
            return _decoded(json.loads(content))
        except FileNotFoundError:
            return Accounts()
        except (OSError, ValueError, TypeError, RecursionError) as exc:
            raise Unreadable(f"The file of users and tokens {self.path} cannot be read: {exc}.") from exc

    def change(self, action: Callable[[Accounts], Accounts]) -> Accounts:
        """What the action makes of it, on disk. Raises Refused, Unreadable, or OSError when it cannot be written."""
        with self._alone():
            changed = action(self.read())
            self._write(changed)
        return changed

    def version(self) -> tuple[int, int, int] | None:
        """Changes whenever the file does; None while there is none."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """SQLite's lock on an empty file is gone with the process that held it."""
        lock = self.path.with_suffix(".lock")
        private.make_file(lock)
        try:
            db = sqlite3.connect(lock, isolation_level=None, timeout=10)
            try:
                db.execute("BEGIN EXCLUSIVE")
                yield
            finally:
                db.close()
        except sqlite3.Error as exc:
            raise OSError(f"the lock of {self.path} cannot be taken: {exc}") from exc

    def _write(self, accounts: Accounts) -> None:
        new = self.path.with_suffix(".new")
        new.unlink(missing_ok=True)  # one that was left may be open to others
        content = {
            "users": [asdict(user) for user in accounts.users.values()],
            "tokens": [asdict(token) for token in accounts.tokens.values()],
        }
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            json.dump(content, out, indent=1)
            out.flush()
            os.fsync(out.fileno())
        new.replace(self.path)


def new_token() -> str:
    """256 random bits. The prefix lets people and secret scanners recognise a token."""
    return f"ktrdr_{secrets.token_urlsafe(32)}"


def is_token(word: str) -> bool:
    """Whether it has a token's shape."""
    return _TOKEN.fullmatch(word) is not None


def digest_of(word: str) -> str:
    return hashlib.sha256(word.encode("utf-8", "replace")).hexdigest()


def check_password(word: str) -> str:
    """The word, when it is long enough."""
    if len(word) < password.SHORTEST:
        raise Refused(f"The password is too short: it needs {password.SHORTEST} characters.", "password")
    return word


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise Refused("A name has 1 to 32 characters: small letters, digits, dot, dash and underscore.", "name")
    if name in RESERVED:
        raise Refused(f"“{name}” is no name for a user or token: the panel itself uses it.", "name")


def _decoded(content: Any) -> Accounts:
    """Raises ValueError or TypeError for anything that this module would not write."""
    if not isinstance(content, dict):
        raise TypeError("it holds no object")
    users, tokens = content.get("users", []), content.get("tokens", [])
    if not (isinstance(users, list) and isinstance(tokens, list) and all(isinstance(x, dict) for x in users + tokens)):
        raise TypeError("it holds no lists of users and tokens")
    made = [User(_name(x), Role(x.get("role")), _text(x, "password"), _number(x)) for x in users]
    given = [Token(_name(x), Role(x.get("role")), _text(x, "digest"), _number(x)) for x in tokens]
    if any(not password.is_hash(user.password) for user in made):
        raise ValueError("a user's password is no hash")
    if any(not _DIGEST.fullmatch(token.digest) for token in given):
        raise ValueError("a token is no hash")
    if len(made) > MAX_ACCOUNTS or len(given) > MAX_ACCOUNTS:
        raise ValueError("it holds too many")
    return Accounts({user.name: user for user in made}, {token.name: token for token in given})


def _name(entry: dict[str, Any]) -> str:
    if not NAME.fullmatch(name := _text(entry, "name")):
        raise ValueError("a name is none that could be given")
    return name


def _text(entry: dict[str, Any], key: str) -> str:
    if not isinstance(value := entry.get(key), str):
        raise TypeError(f"{key} is missing")
    return value


def _number(entry: dict[str, Any]) -> float:
    value = entry.get("since", 0.0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
        raise ValueError("a time is none")
    return float(value)
