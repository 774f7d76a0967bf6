"""The list of every operation that the panel remembers: filtered, sorted and paged by the address alone."""

import asyncio
import csv
import io
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, StreamingResponse
from starlette.datastructures import QueryParams

from panel.adapters import KINDS
from panel.domain.agents import kind_title
from panel.domain.gaps import DAY
from panel.domain.history import MAX_SEARCH, MAX_WORDS, OperationQuery, searchable
from panel.domain.state import GROUP_TITLES, GROUPS, STATE_TITLES, State
from panel.domain.values import moment
from panel.views.listing import BY_KIND, COLUMNS, PLAIN, SORTABLE, USUAL, chosen, csv_head, csv_row, headings
from panel.web.panel import Panel, PanelDep
from panel.web.respond import by_htmx, fragment, page
from panel.workflows.bulk import MAX_CHOSEN
from panel.workflows.starting import new_key

router = APIRouter(prefix="/operations")

PAGE = 50  # rows
FILTERS = ("kind", "state", "strategy", "symbol", "from", "to", "star", "archived", "q")
PART = 500  # rows of a CSV file that are read at once


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address asks for. `given`: the filters as they were typed; `columns`: their keys; `ignored`: what was
    left out of them, a clause for each."""

    wanted: OperationQuery
    given: dict[str, str]
    page: int
    ignored: tuple[str, ...] = ()
    columns: tuple[str, ...] = USUAL

    def address(self, **changes: Any) -> str:
        """This list with something else in its address; None takes it out."""
        order: dict[str, Any] = {}
        if (self.wanted.sort, self.wanted.ascending) != ("created", False):
            order = {"sort": self.wanted.sort, "up": "1" if self.wanted.ascending else None}
        columns = {"columns": ",".join(self.columns)} if self.columns != USUAL else {}
        now = {**self.given, **columns, **order, **changes}
        query = urlencode({name: value for name, value in now.items() if value}, safe=",")
        return f"/operations?{query}" if query else "/operations"

    def file(self) -> str:
        """The address of all of it as CSV."""
        return self.address().replace("/operations", "/operations/list.csv", 1)

    def sorted_by(self, sort: str) -> str:
        """The list by this column, as a click on its heading gives it: the other way round at the second."""
        same = sort == self.wanted.sort
        up = not self.wanted.ascending if same else sort in ("name", "state")
        return self.address(sort=None if sort == "created" and not up else sort, up="1" if up else None)


def asked(given: Mapping[str, str]) -> Asked:
    """From an address's parameters. Invalid values are left out, and named."""
    ignored: list[str] = []
    typed = {name: value.strip()[:200] for name in FILTERS if (value := given.get(name, "")).strip()}
    state = typed.get("state", "")
    states = GROUPS.get(state) or tuple(alone for alone in STATE_TITLES if alone.value == state)
    days: dict[str, float | None] = {}
    for name in ("from", "to"):
        days[name] = moment(typed.get(name))
        if name in typed and days[name] is None:
            ignored.append(f"“{typed.pop(name)}” is not a date")
    search, left = searchable(given.get("q", ""))
    if left:
        typed["q"] = search
        shown = left if len(left) <= 60 else f"{left[:59]}…"
        ignored.append(f"“{shown}” goes beyond the {MAX_WORDS} words and {MAX_SEARCH} characters of a search")
    if state and not states:
        ignored.append(f"“{typed.pop('state')}” is not a state")
    if typed.get("star", "1") != "1":
        typed.pop("star")
    if typed.get("archived", "1") not in ("1", "all"):
        ignored.append(f"“{typed.pop('archived')}” says nothing of archived runs")
    sort = next((each for each in SORTABLE if each == given.get("sort")), "created")
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
        search=search,
        starred="star" in typed,
        archived={"1": True, "all": None}.get(typed.get("archived", ""), False),
        sort=sort,
        ascending=given.get("up") == "1",
        limit=PAGE,
        offset=(at - 1) * PAGE,
    )
    return Asked(wanted, typed, at, tuple(ignored), chosen(_several(given, "columns")))


def _several(given: Mapping[str, str], name: str) -> list[str]:
    """Values that may be one parameter with commas, or several of this name, as from a form without scripts."""
    values = given.getlist(name) if isinstance(given, QueryParams) else [given.get(name, "")]
    return [each for value in values for each in value[:1000].split(",")]


@router.get("")
async def listing(request: Request, panel: PanelDep) -> HTMLResponse:
    """The whole page, or for htmx the results alone."""
    memory = panel.storage.memory
    query = asked(request.query_params)
    observation, count = memory.find(query.wanted)
    if not observation and count:  # past the last page
        last = -(-count // PAGE)
        query = replace(query, page=last, wanted=replace(query.wanted, offset=(last - 1) * PAGE))
        observation, count = memory.find(query.wanted)
    done = request.query_params.get("done", "")[:64]
    found: dict[str, Any] = {
        "rows": panel.reader.operations(observation),
        "count": count,
        "pages": -(-count // PAGE),
        "total": memory.count(OperationQuery()) if query.given else count,
        "asked": query,
        "filters": filter_text(query.given),
        "headings": headings(query.columns),
        "columns": [COLUMNS[key] for key in query.columns],
        "now": time.time(),
        "done": (done, *panel.storage.labels.undoable(done, time.time())) if done else None,
        "key": new_key,
        "most": MAX_CHOSEN,
        "asking": not panel.monitor.connection.listed,
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
        groups=GROUP_TITLES,
        alone={state.value: word for state, word in STATE_TITLES.items()},
        strategies=strategies,
        symbols=symbols,
        tags=memory.tags(),
        choices=[("Columns", PLAIN), *((name_of_kind(kind), columns) for kind, columns in BY_KIND.items())],
        views=panel.storage.labels.views(),
        **found,
    )


@router.get("/news")
async def news(request: Request, panel: PanelDep) -> HTMLResponse:
    """How many more match than the `had` that the page was drawn with; the page asks when something came or went."""
    query = asked(request.query_params)
    had = request.query_params.get("had", "")
    count = panel.storage.memory.count(query.wanted)
    more = count - int(had) if had.isascii() and had.isdigit() and len(had) < 10 else 0
    return fragment("fragments/news.html", more=more, asked=query, had=had)


@router.get("/list.csv")
async def as_csv(request: Request, panel: PanelDep) -> StreamingResponse:
    """What the list shows, on all its pages."""
    query = asked(request.query_params)
    headers = {"Content-Disposition": 'attachment; filename="runs.csv"'}
    return StreamingResponse(_csv(panel, query), media_type="text/csv", headers=headers)


async def _csv(panel: Panel, query: Asked) -> AsyncIterator[str]:
    yield _lines([csv_head(query.columns)])
    offset = 0
    while part := panel.storage.memory.page(replace(query.wanted, limit=PART, offset=offset)):
        yield _lines([csv_row(view, query.columns) for view in panel.reader.operations(part)])
        offset += PART
        await asyncio.sleep(0)  # others wait for the event loop


def _lines(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def filter_text(given: Mapping[str, str]) -> str:
    """The filters as text: kind Training, failed, since 2024-01-01."""
    parts = []
    for name, value in given.items():
        match name:
            case "kind":
                parts.append(f"kind {name_of_kind(value)}")
            case "state":
                word = GROUP_TITLES.get(value) or STATE_TITLES[State(value)]
                parts.append(f"state “{word.lower()}”")
            case "from":
                parts.append(f"started on {value} or later")
            case "to":
                parts.append(f"started on {value} or earlier")
            case "star":
                parts.append("starred")
            case "archived":
                parts.append("archived" if value == "1" else "archived or not")
            case "q":
                parts.append(f"the words “{value}”")
            case _:
                parts.append(f"{name} {value}")
    return ", ".join(parts)


def name_of_kind(kind: str) -> str:
    return KINDS[kind].title if kind in KINDS else kind_title(kind)
