"""Users and tokens of a panel under test."""

from pathlib import Path

from panel.accounts.file import AccountFile, Accounts, Role, new_token
from tests.support.inside import Inside
from tests.support.passwords import cheap

ANNA, VIC = "anna's long word", "vic's long word"  # an operator and a viewer
COOKIE = "ktrdr_panel_8321"

Header = tuple[str, str]


def account_file(folder: Path) -> AccountFile:
    return AccountFile(folder / "panel" / "access.json")


def two_users(folder: Path) -> None:
    """anna, an operator, and vic, a viewer."""

    def add(accounts: Accounts) -> Accounts:
        return accounts.add_user("anna", Role.OPERATOR, cheap(ANNA)).add_user("vic", Role.VIEWER, cheap(VIC))

    account_file(folder).change(add)


def a_token(folder: Path, name: str, role: Role) -> Header:
    """The header that a program with a new token sends."""
    word = new_token()
    account_file(folder).change(lambda accounts: accounts.add_token(name, role, word))
    return "authorization", f"Bearer {word}"


def log_in(here: Inside, name: str, word: str, *headers: Header) -> Header:
    """The header that the browser sends from then on."""
    answer = here.post("/login", {"user": name, "password": word, "next": "/"}, *headers)
    assert answer.status == 303, answer.text
    return "cookie", f"{COOKIE}={answer.cookie(COOKIE)}"
