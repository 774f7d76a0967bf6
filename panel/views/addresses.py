"""Addresses below the path at which a reverse proxy offers the panel.

Inside, the panel lives at "/": routes, templates and redirects know nothing of that path. What leaves gets it in front,
the attributes of drawn HTML here, headers in `panel.web.middleware.proxy`. An address that has it stays as it is.
"""

import re
from functools import lru_cache

# Attributes that hold addresses. Text cannot look like one: its quotes are escaped.
_ATTRIBUTES = r"href|src|action|formaction|hx-(?:get|post|put|patch|delete|sse:connect)|data-(?:address|bars|go)"

_root = ""  # of this process, which serves one panel: much is drawn in the background, apart from any request


def live_below(root_path: str) -> None:
    """From now on: "/panel", or "" at the root of the host."""
    global _root  # noqa: PLW0603
    _root = root_path


def root() -> str:
    return _root


def placed(address: str) -> str:
    """An address of the panel as the browser has to ask for it."""
    return address if not _root or not _inside(_root).match(address) else _root + address


def placed_html(html: str) -> str:
    """The same for every address in the attributes of HTML."""
    return html if not _root else _attributes(_root).sub(rf"\1{_root}", html)


@lru_cache
def _inside(root: str) -> re.Pattern[str]:
    """A path of the panel's that is not below `root` yet. Two slashes begin another host."""
    return re.compile(rf"(?=/)(?![/\\]{{2}})(?!{re.escape(root)}(?:[/?#\"]|$))")


@lru_cache
def _attributes(root: str) -> re.Pattern[str]:
    return re.compile(rf'(\s(?:{_ATTRIBUTES})="){_inside(root).pattern}')
