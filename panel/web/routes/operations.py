"""The list of every operation that the panel remembers: filtered, sorted and paged by the address alone."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from panel.adapters import KINDS
from panel.domain.agents import kind_words
from panel.domain.gaps import DAY
from panel.domain.history import OperationQuery, Sort
from panel.domain.state import ALONE_WORDS, GROUP_WORDS, GROUPS, State
from panel.domain.values import moment
from panel.web.panel import PanelDep
from panel.web.respond import by_htmx, fragment, page

router = APIRouter(prefix="/operations")

PAGE = 50  # rows
COLUMNS: tuple[tuple[Sort | None, str, bool], ...] = (  # what it sorts by, its heading, whether it holds numbers
    ("state", "State", False),
    ("name", "Operation", False),
    (None, "Result", False),
    ("created", "Started", True),
    ("took", "Took", True),
    ("ended", "Ended", True),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address asks for. `given`: the filters as they were typed; `ignored`: what made no sense."""

    wanted: OperationQuery
    given: dict[str, str]
    page: int
    ignored: tuple[str, ...] = ()

    def address(self, **changes: Any) -> str:
        """This list with something else in its address; None takes it out."""
        order: dict[str, Any] = {}
        if (self.wanted.sort, self.wanted.ascending) != ("created", False):
            order = {"sort": self.wanted.sort, "up": "1" if self.wanted.ascending else None}
        now = {**self.given, **order, **changes}
        query = urlencode({name: value for name, value in now.items() if value})
        return f"/operations?{query}" if query else "/operations"

    def sorted_by(self, sort: Sort) -> str:
        """The list by this column, as a click on its heading gives it: the other way round at the second."""
        same = sort == self.wanted.sort
        up = not self.wanted.ascending if same else sort in ("name", "state")
        return self.address(sort=None if sort == "created" and not up else sort, up="1" if up else None)


def asked(given: Mapping[str, str]) -> Asked:
    """From an address's parameters. What makes no sense is left out, and named."""
    ignored: list[str] = []
    typed = {
        name: value.strip()[:200]
        for name in ("kind", "state", "strategy", "symbol", "from", "to", "q")
        if (value := given.get(name, "")).strip()
    }
    state = typed.get("state", "")
    states = GROUPS.get(state) or tuple(alone for alone in ALONE_WORDS if alone.value == state)
    days: dict[str, float | None] = {}
    for name in ("from", "to"):
        days[name] = moment(typed.get(name))
        if name in typed and days[name] is None:
            ignored.append(f"“{typed.pop(name)}” is not a date")
    if state and not states:
        ignored.append(f"“{typed.pop('state')}” is not a state")
    sort: Sort = next((column for column in get_args(Sort) if column == given.get("sort")), "created")
    number = given.get("page", "")
    at = max(int(number), 1) if number.isascii() and number.isdigit() and len(number) < 8 else 1
    until = days["to"]
    wanted = OperationQuery(
        kind=typed.get("kind", ""),
        states=states,
        strategy=typed.get("strategy", ""),
        symbol=typed.get("symbol", ""),
        since=days["from"],
        until=until + DAY if until is not None else None,  # the last day is wanted too
        search=typed.get("q", ""),
        sort=sort,
        ascending=given.get("up") == "1",
        limit=PAGE,
        offset=(at - 1) * PAGE,
    )
    return Asked(wanted, typed, at, tuple(ignored))


@router.get("")
async def listing(request: Request, panel: PanelDep) -> HTMLResponse:
    """The whole page, or under htmx what was found alone."""
    memory = panel.storage.memory
    wish = asked(request.query_params)
    observation, count = memory.find(wish.wanted)
    if not observation and count:  # past the last page
        last = -(-count // PAGE)
        wish = replace(wish, page=last, wanted=replace(wish.wanted, offset=(last - 1) * PAGE))
        observation, count = memory.find(wish.wanted)
    found: dict[str, Any] = {
        "rows": [panel.reader.operation(one) for one in observation],
        "count": count,
        "pages": -(-count // PAGE),
        "total": memory.count(OperationQuery()) if wish.given else count,
        "asked": wish,
        "said": said(wish.given),
        "columns": COLUMNS,
        "now": time.time(),
    }
    if by_htmx(request):
        return fragment("fragments/found.html", **found)
    known, strategies, symbols = memory.names()
    kinds = sorted({*KINDS, *known}, key=lambda kind: (kind not in KINDS, kind))
    return page(
        request,
        "operations.html",
        stream="operations",
        kinds=[(kind, name_of_kind(kind)) for kind in kinds],
        groups=GROUP_WORDS,
        alone={state.value: word for state, word in ALONE_WORDS.items()},
        strategies=strategies,
        symbols=symbols,
        **found,
    )


@router.get("/news")
async def news(request: Request, panel: PanelDep) -> HTMLResponse:
    """How many more match than the `had` that the page was drawn with; the page asks when something came or went."""
    wish = asked(request.query_params)
    had = request.query_params.get("had", "")
    count = panel.storage.memory.count(wish.wanted)
    more = count - int(had) if had.isascii() and had.isdigit() and len(had) < 10 else 0
    return fragment("fragments/news.html", more=more, asked=wish, had=had)


def said(given: Mapping[str, str]) -> str:
    """The filters in words: kind Training, failed, since 2024-01-01."""
    parts = []
    for name, value in given.items():
        match name:
            case "kind":
                parts.append(f"kind {name_of_kind(value)}")
            case "state":
                word = GROUP_WORDS.get(value) or ALONE_WORDS[State(value)]
                parts.append(f"state “{word.lower()}”")
            case "from":
                parts.append(f"started on {value} or later")
            case "to":
                parts.append(f"started on {value} or earlier")
            case "q":
                parts.append(f"the words “{value}”")
            case _:
                parts.append(f"{name} {value}")
    return ", ".join(parts)


def name_of_kind(kind: str) -> str:
    return KINDS[kind].title if kind in KINDS else kind_words(kind)
