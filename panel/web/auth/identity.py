"""The identity of a request, and its browser."""

import re
from dataclasses import dataclass

from fastapi import Request

from panel.accounts.file import Role

SHARED = "operator"  # a login with the panel's own password, which has no name


@dataclass(frozen=True, slots=True)
class Identity:
    """`name`: of a user or token, SHARED, or LOCAL's. `session`: the id of the browser's session, if there is one."""

    name: str
    role: Role
    session: str = ""

    @property
    def operates(self) -> bool:
        return self.role is Role.OPERATOR


LOCAL = Identity("local", Role.OPERATOR)  # no login needed
ANONYMOUS = Identity("unknown", Role.VIEWER)  # on the login page


def identity_of(request: Request) -> Identity:
    """Set by the authentication middleware."""
    found = request.scope.get("identity", ANONYMOUS)
    return found if isinstance(found, Identity) else ANONYMOUS


def address_of(request: Request) -> str:
    return request.client.host if request.client else ""


_BROWSERS = (  # the most specific first: most name each other
    ("Edge", r"Edg(?:A|iOS)?/(\d+)"),
    ("Opera", r"OPR/(\d+)"),
    ("Vivaldi", r"Vivaldi/(\d+)"),
    ("Firefox", r"(?:Firefox|FxiOS)/(\d+)"),
    ("Chrome", r"(?:Chrome|CriOS|Chromium|HeadlessChrome)/(\d+)"),
    ("Safari", r"Version/(\d+).* Safari/"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("macOS", "Macintosh"),
    ("ChromeOS", "CrOS"),
    ("Linux", "Linux"),
)


def browser_name(agent: str) -> str:
    """`Firefox 143 on Linux` from a User-Agent; "" for an unknown one."""
    found = ((name, re.search(pattern, agent[:500])) for name, pattern in _BROWSERS)
    name = next((f"{name} {match[1][:4]}" for name, match in found if match), "")
    system = next((name for name, mark in _SYSTEMS if mark in agent[:500]), "")
    return f"{name} on {system}" if name and system else name or system
