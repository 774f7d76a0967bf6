"""Users, tokens and the audit trail on the command line. A running panel applies each change within two seconds."""

import sqlite3
import time
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

import click

from panel.accounts.file import Accounts, Refused, Role, Unreadable, check_password, new_token
from panel.accounts.password import hashed, is_hash
from panel.cli.recording import record
from panel.cli.terminal import say, say_json
from panel.domain.audit import AuditQuery, Outcome
from panel.errors import UnsafeSettings
from panel.settings import Settings
from panel.storage.store import Storage
from panel.views.access import audit_line

ROLE = click.Choice([role.value for role in Role])
ROLE_HELP = "viewer: sees everything, changes nothing. operator: starts, cancels and changes."
ASKED_FOR = "Asked for when it is not given here, where others may read it; or its hash."
STEP = 1000  # entries that are read at once

T = TypeVar("T")


@click.group()
def user() -> None:
    """Who may log in, by name. With users, everybody has to log in."""


@user.command("add")
@click.argument("name")
@click.option("--role", type=ROLE, required=True, help=ROLE_HELP)
@click.password_option("--password", help=ASKED_FOR)
def add_user(name: str, role: str, password: str) -> None:
    """Add a user. The first one has to be an operator, unless the panel has a password too."""
    word = _hash(password)
    first = _change("user add", name, lambda accounts: accounts.add_user(name, Role(role), word), role)
    say(f"{name} can log in as {_a(role)}.")
    if first and not _settings().password:
        say("From now on everybody has to log in.")


@user.command("role")
@click.argument("name")
@click.argument("role", type=ROLE)
def change_role(name: str, role: str) -> None:
    """Give a user another role. Ends the user's sessions."""
    _change("user change", name, lambda accounts: accounts.change_user(name, Role(role)), role)
    say(f"{name} is {_a(role)} now.")


@user.command("password")
@click.argument("name")
@click.password_option("--password", help=ASKED_FOR)
def change_password(name: str, password: str) -> None:
    """Give a user another password. Ends the user's sessions."""
    word = _hash(password)
    _change("user change", name, lambda accounts: accounts.change_user(name, None, word), "new password")
    say(f"{name} has a new password.")


@user.command("remove")
@click.argument("name")
def remove_user(name: str) -> None:
    """Remove a user. Ends the user's sessions, open pages too."""
    _change("user remove", name, lambda accounts: accounts.remove_user(name))
    say(f"{name} is removed.")
    settings = _settings()
    if not settings.password and not _read(settings).users:
        say("There is no user left: from its next start on the panel needs no login.")


@user.command("list")
def list_users() -> None:
    """All users with their roles."""
    for each in sorted(_read(_settings()).users.values(), key=lambda each: each.name):
        say(f"{each.name:<32}  {each.role:<8}  added {_time(each.since)}")


@click.group()
def token() -> None:
    """Tokens by which programs are known: Authorization: Bearer …"""


@token.command("create")
@click.argument("name")
@click.option("--role", type=ROLE, required=True, help=ROLE_HELP)
def create_token(name: str, role: str) -> None:
    """Print a new token, once: only its hash is kept."""
    word = new_token()
    _change("token create", name, lambda accounts: accounts.add_token(name, Role(role), word), role)
    say(f"The token “{name}” ({role}). It is shown only now:", err=True)
    say(word)


@token.command("revoke")
@click.argument("name")
def revoke_token(name: str) -> None:
    """Revoke a token. Ends what is read with it, streams too."""
    _change("token revoke", name, lambda accounts: accounts.remove_token(name))
    say(f"The token “{name}” is revoked.")


@token.command("list")
def list_tokens() -> None:
    """All tokens with their roles, and when each was last used."""
    settings = _settings()
    uses = _stored(settings, lambda store: store.audit.token_uses())
    for each in sorted(_read(settings).tokens.values(), key=lambda each: each.name):
        at, address = uses.get(each.digest, (None, ""))
        used = f"last used {_time(at)} from {address}" if at else "never used"
        say(f"{each.name:<32}  {each.role:<8}  created {_time(each.since)}  {used}")


@click.command()
@click.option("--who", default="", help="Only of this user or token.")
@click.option("--what", default="", help="Only what begins with this word: start, cancel, login …")
@click.option("--days", type=click.FloatRange(0), help="Only entries of the last DAYS days.")
@click.option("--backend", help="Address of the KTRDR whose panel is meant.")
def audit(who: str, what: str, days: float | None, backend: str | None) -> None:
    """Print who started and changed what, as JSON lines, the oldest first."""
    settings, after = _settings(backend=backend), 0
    since = 0.0 if days is None else time.time() - days * 86_400
    while True:
        query = AuditQuery(who, what, since, after=after, limit=STEP)
        found = _stored(settings, lambda store, query=query: store.audit.find(query))  # type: ignore[misc]
        for each in found:
            say_json(audit_line(each))
        if len(found) < STEP:
            return
        after = found[-1].number


def _change(what: str, name: str, action: Callable[[Accounts], Accounts], detail: str = "") -> bool:
    """Change the file and record it in the audit trail. Returns whether there was no user before."""
    settings, before = _settings(), [True]

    def checked(accounts: Accounts) -> Accounts:
        before[0] = bool(accounts.users)
        return action(accounts).check(shared=bool(settings.password))

    try:
        settings.account_file.change(checked)
    except (Refused, Unreadable, OSError) as exc:
        record(settings, what, Outcome.REFUSED, name, str(exc))
        raise click.ClickException(str(exc)) from exc
    if problem := record(settings, what, Outcome.DONE, name, detail):
        say(f"It is done, but could not be written into the audit trail: {problem}", err=True)
    return not before[0]


def _settings(backend: str | None = None) -> Settings:
    try:
        return Settings.from_environ(serves=False, backend=backend)
    except UnsafeSettings as exc:
        raise click.ClickException(str(exc)) from exc


def _read(settings: Settings) -> Accounts:
    try:
        return settings.account_file.read()
    except Unreadable as exc:
        raise click.ClickException(str(exc)) from exc


def _stored(settings: Settings, ask: Callable[[Storage], T]) -> T:
    try:
        store = Storage(settings.memory_file)
        try:
            return ask(store)
        finally:
            store.close()
    except (sqlite3.Error, OSError) as exc:
        raise click.ClickException(f"The panel's memory in {settings.data_folder} cannot be read: {exc}.") from exc


def _hash(word: str) -> str:
    try:
        return word if is_hash(word) else hashed(check_password(word))
    except Refused as exc:
        raise click.ClickException(str(exc)) from exc


def _a(role: str) -> str:
    return f"an {role}" if role == Role.OPERATOR else f"a {role}"


def _time(at: float) -> str:
    return f"{datetime.fromtimestamp(at):%Y-%m-%d %H:%M}"
