"""Checks passwords, sessions and tokens, and changes the file of users."""

import asyncio
import hashlib
import hmac
import logging
import secrets
import time
from collections.abc import Callable

from panel.accounts import password
from panel.accounts.file import Accounts, Refused, Role, Token, Unreadable, User, is_token
from panel.observability.rounds import IDLE, until_next
from panel.settings import Settings
from panel.web.auth.identity import LOCAL, SHARED, Identity
from panel.web.auth.sessions import AttemptLimiter, Held, Session, Sessions

UNGUESSABLE = 20  # characters of a password from which on a right one is not slowed down
INTERVAL = 1.0  # seconds between two looks whether the file of users has changed; fewer until there is one
SAVE_EVERY = 300.0  # seconds between two writes of when sessions were last seen

_NO_USERS = "scrypt:15:8:3:{}:{}".format("A" * 22, "A" * 43)  # matches no password, and takes as long as a real one

log = logging.getLogger(__name__)


class Access:
    """`protected`: a login is needed. Once it is so, it stays so until the panel stops: a file that is
    lost opens nothing."""

    def __init__(self, settings: Settings) -> None:
        # Ports and paths of a host share cookies, so the names differ.
        self.cookie = f"ktrdr_panel_{settings.port}{settings.root_path.replace('/', '_')}"
        self.file = settings.account_file
        self.shared = bool(settings.password)
        self.sessions = Sessions(self.file.path.with_name(f"sessions-{settings.port}.json"), settings.password)
        self.accounts = Accounts()
        self.protected = self.shared
        self.tries = AttemptLimiter()
        self._version: tuple[int, int, int] | None = None
        self._one = asyncio.Lock()
        self._salt = secrets.token_bytes(32)
        self._right = b""  # a digest of the password once it was found right, so that programs need no scrypt each time
        self._held: dict[str, Held] = {}  # answers to programs, by their token's digest; "" without any protection

    def load(self) -> None:
        """Takes a second: not for the event loop. Raises Unreadable: with a broken file no login can be checked."""
        self._version = self.file.version()
        self.accounts = self.file.read()
        self.protected = self.protected or bool(self.accounts.users)
        self.sessions.load()
        self.sessions.end_where(self._void)

    async def run(self) -> None:
        """Apply changes that the command line makes. Runs until cancelled."""
        saved = time.monotonic()
        while True:
            await until_next(INTERVAL if self.protected else IDLE)
            if self.file.version() != self._version:  # a stat is quicker than a thread
                await self._reload()
            if time.monotonic() - saved > SAVE_EVERY:
                saved = time.monotonic()
                self.sessions.save()

    async def change(self, action: Callable[[Accounts], Accounts]) -> None:
        """Change users or tokens from a page; cannot lock out who asks. Raises Refused, Unreadable or OSError."""

        def checked(accounts: Accounts) -> Accounts:
            changed = action(accounts).check(shared=self.shared)
            if accounts.users and not changed.users and not self.shared:
                raise Refused("The last user cannot be removed here: no one could log in any more.")
            return changed

        await asyncio.to_thread(self.file.change, checked)
        await self._reload()

    async def _reload(self) -> None:
        version = await asyncio.to_thread(self.file.version)
        try:
            accounts = await asyncio.to_thread(self.file.read)
        except Unreadable as exc:
            if version != self._version:
                log.error("%s What was known before holds on.", exc)
            self._version = version
            return
        self._version, self.accounts = version, accounts
        self.sessions.end_where(self._void)
        known = {token.digest for token in accounts.tokens.values()}
        if accounts.users and not self.protected:
            self.protected = True
        for digest in [each for each in self._held if each not in known and (each or self.protected)]:
            self._held.pop(digest).end()

    def _void(self, session: Session) -> bool:
        """Whether its user was removed, or has another role or password."""
        user = self.accounts.users.get(session.user)
        return session.user != "" and (user is None or user.mark != session.mark)

    def of_session(self, session: Session) -> Identity:
        if not session.user:
            return Identity(SHARED, Role.OPERATOR, session.id)
        return Identity(session.user, self.accounts.users[session.user].role, session.id)

    def local_identity(self) -> tuple[Identity, Held]:
        """The identity of every request without protection."""
        return LOCAL, self._held.setdefault("", Held())

    def token(self, word: str) -> tuple[Token, Held] | None:
        """A right token passes however many wrong ones its address sent: 256 bits cannot be guessed."""
        token = self.accounts.token(word) if is_token(word) else None
        return (token, self._held.setdefault(token.digest, Held())) if token else None

    async def admits(self, word: str, address: str) -> bool:
        """Whether this is the password. Raises TooManyAttempts before it is checked: any answer would be as good as
        another guess. Only a long one, which cannot be guessed, passes at any time, so that guesses from the same
        address lock no program out."""
        digest = hmac.digest(self._salt, word.encode("utf-8", "surrogatepass"), hashlib.sha256)
        known = hmac.compare_digest(digest, self._right)
        if known and len(word) >= UNGUESSABLE:
            return True
        self.tries.check(address)
        if known:
            return True
        self.tries.count(address)
        if not self.sessions.password:
            return False
        async with self._one:  # each takes 32 MB
            right = await asyncio.to_thread(password.matches, word, self.sessions.password)
        if right:
            self._right = digest
            self.tries.reset(address)
        return right

    async def user(self, name: str, word: str, address: str) -> User | None:
        """The user, if this is the password. Raises TooManyAttempts as `admits` does. An unknown name takes as long."""
        self.tries.check(address)
        self.tries.count(address)
        user = self.accounts.users.get(name)
        async with self._one:
            right = await asyncio.to_thread(password.matches, word, user.password if user else _NO_USERS)
        if user is None or not right or self.accounts.users.get(name) != user:
            return None
        self.tries.count_right(address)
        return user
