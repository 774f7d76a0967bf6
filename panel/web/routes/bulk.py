"""Many runs at once, from the list: tag, star, archive, delete, cancel, run again. What cannot be undone asks first."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response
from starlette.datastructures import ImmutableMultiDict

from panel.domain import audit
from panel.domain.bulk import Action, BulkRequest, Outcome, Result, subject
from panel.domain.labels import typed_tags
from panel.domain.observation import Observation
from panel.domain.requests import FORM_KEY
from panel.domain.snapshot import ID
from panel.storage.labels import UNDO
from panel.views.operation import OperationView
from panel.web.panel import Panel, PanelDep
from panel.web.recording import entry, note, only_asked
from panel.web.respond import actor_of, by_htmx, fragment, page, problem_page, redirect, see_other
from panel.web.routes.labels import UNWRITABLE, list_address, with_undo
from panel.web.routes.operations import asked
from panel.workflows.bulk import MAX_AGAIN, MAX_CHOSEN, PART, KeyReused

router = APIRouter(prefix="/operations")

SHOWN = 20  # of the chosen, on the page that asks
LONGEST = 2000  # characters of an address: nginx takes 4 to 8 kB of header, the address among others
ASKED = (Action.DELETE, Action.CANCEL, Action.AGAIN)
NO_TAG = "Type a tag first, then press the button beside it."
OUTDATED = "This page was out of date. Go back to the list and choose again."


@dataclass(frozen=True, slots=True)
class Row:
    """The outcome for one run, and its link."""

    view: OperationView
    done: bool
    text: str
    link: str = ""
    link_text: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a form or an address asks for. `every`: all that the list at `back` shows."""

    action: Action
    ids: tuple[str, ...]
    every: bool
    back: str
    key: str
    tags: tuple[str, ...]

    def address(self) -> str:
        """Of the page that asks whether it is meant, or says why it cannot be done."""
        ids = () if self.every else (("id", each) for each in self.ids)
        every = [("all", "1")] if self.every else []
        head = [("do", self.action.value), ("key", self.key), ("back", self.back), ("tag", " ".join(self.tags))]
        return f"/operations/bulk?{urlencode([*head, *every, *ids])}"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The runs that are meant, and those of them with which it can be done."""

    runs: list[Observation]
    fit: list[Observation]


def _led(request: Request, asked_for: Asked) -> Response | None:
    """To the page that asks; None where its address would be longer than proxies take, and the page is the answer."""
    address = asked_for.address()
    return see_other(request, address) if len(address) <= LONGEST else None


@router.get("/bulk")
async def ask(request: Request, panel: PanelDep) -> Response:
    """The question before what cannot be undone, or why nothing can be done; nothing is changed."""
    asked_for = _asked(request.query_params)
    found = await _chosen(panel, asked_for)
    if isinstance(found, str):
        return _refused(request, found, asked_for.back)
    return _question(request, panel, asked_for, found)


@router.post("/bulk")
async def bulk(request: Request, panel: PanelDep) -> Response:
    form = await request.form(max_files=0, max_fields=MAX_CHOSEN + 100)
    asked_for, sure = _asked(form), bool(form.get("sure"))
    action, key = asked_for.action, asked_for.key
    # Pressed again it shows what it did the first time.
    before = panel.bulk.job(key) if sure and FORM_KEY.fullmatch(key) else None
    found = await _chosen(panel, asked_for, fit=before is not None)
    if isinstance(found, str):
        note(request, audit.Outcome.REFUSED, detail=found)
        return _led(request, asked_for) or _refused(request, found, asked_for.back)
    if action in ASKED and not sure:
        only_asked(request)
        return _led(request, asked_for) or _question(request, panel, asked_for, found)
    wanted = tuple(each.snapshot.id for each in found.fit)
    note(request, subject=subject(action, len(wanted)), detail=" ".join(wanted[:20]))
    text = " ".join((*asked_for.tags, "/", asked_for.back if asked_for.every else "", *asked_for.ids))
    bulk_request = BulkRequest(action, wanted, asked_for.tags, text=text)
    try:
        results = await panel.bulk.apply(bulk_request, key, actor_of(request), recorder(request, panel))
    except KeyReused:
        return _led(request, replace(asked_for, key="")) or _refused(request, OUTDATED, asked_for.back)
    except sqlite3.Error as exc:
        if action is Action.AGAIN:
            raise
        raise HTTPException(503, UNWRITABLE) from exc
    if action not in (Action.CANCEL, Action.AGAIN):
        return redirect(request, with_undo(asked_for.back, key))
    done = panel.bulk.job(key)
    if done is not None and done.results is not None:
        address = f"/operations/bulk/{quote(key, safe='')}?{urlencode({'back': asked_for.back})}"
        if (answer := see_other(request, address)) is not None:
            return answer
    return _outcome(request, panel, asked_for, results, found.runs, undo=True)


@router.get("/bulk/{key}")
async def outcome(request: Request, panel: PanelDep, key: str, back: str = "") -> Response:
    """What was done with each of the runs."""
    job = panel.bulk.job(key) if FORM_KEY.fullmatch(key) else None
    if job is None or job.results is None or job.action not in (Action.CANCEL, Action.AGAIN):
        raise HTTPException(404, "There is no such change of runs, or it is still going on.")
    runs = await panel.bulk.runs(job.ids)
    asked_for = Asked(job.action, job.ids, False, list_address(back), key, ())
    undo = time.time() - (job.done_at or 0.0) < UNDO
    return _outcome(request, panel, asked_for, job.results, runs, undo=undo)


def _asked(given: ImmutableMultiDict[str, Any]) -> Asked:
    values = {name: value for name, value in given.items() if isinstance(value, str)}
    ids = tuple(dict.fromkeys(value for value in given.getlist("id") if isinstance(value, str)))
    try:
        action = Action(values.get("do", ""))
    except ValueError as exc:
        raise HTTPException(422, "This is nothing that can be done with several runs.") from exc
    tags = typed_tags(values.get("tag", ""))
    return Asked(
        action, ids, bool(values.get("all")), list_address(values.get("back", "")), values.get("key", ""), tags
    )


async def _chosen(panel: Panel, asked_for: Asked, *, fit: bool = False) -> Chosen | str:
    """A sentence where nothing can be done. `fit`: it was done already, so all of them are fit."""
    action, ids = asked_for.action, asked_for.ids
    if not FORM_KEY.fullmatch(asked_for.key):
        return OUTDATED
    if not asked_for.every and (not all(map(ID.fullmatch, ids)) or not 0 < len(ids) <= MAX_CHOSEN):
        return f"Choose 1 to {MAX_CHOSEN} runs; {len(ids) or 'none'} chosen."
    if action in (Action.TAG, Action.UNTAG) and not asked_for.tags:
        return NO_TAG
    runs = await (_matching(panel, asked_for.back) if asked_for.every else panel.bulk.runs(ids))
    able = runs if fit else [each for each in runs if not panel.bulk.why_not(action, each)]
    if action is Action.AGAIN and len(able) > MAX_AGAIN:
        return f"At most {MAX_AGAIN} runs are started again at once; {len(able)} chosen."
    if not able and not fit:
        return f"None of the chosen runs can be {_NONE[action]}."
    return Chosen(runs, able)


def _question(request: Request, panel: Panel, asked_for: Asked, found: Chosen) -> Response:
    if asked_for.action not in ASKED:
        return redirect(request, asked_for.back)
    more: dict[str, Any] = {
        "hidden": [each.snapshot.id for each in found.fit[SHOWN:]],
        "left": len(found.runs if asked_for.every else asked_for.ids) - len(found.fit),
        "back": asked_for.back,
        "key": asked_for.key,
        "outcomes": None,
    }
    views = panel.reader.operations(found.fit[:SHOWN])
    return page(request, "bulk.html", what=asked_for.action.value, views=views, **more)


def _outcome(
    request: Request,
    panel: Panel,
    asked_for: Asked,
    results: Sequence[Result],
    runs: Sequence[Observation],
    *,
    undo: bool,
) -> Response:
    action, views = asked_for.action, {view.snapshot.id: view for view in panel.reader.operations(runs)}
    more: dict[str, Any] = {
        "outcomes": [_row(each, views[each.id]) for each in results if each.id in views],
        "undo": undo and action is Action.AGAIN and any(each.queue_key for each in results),
        "back": asked_for.back,
        "key": asked_for.key,
    }
    return page(request, "bulk.html", what=action.value, views=[], hidden=[], left=0, **more)


_NONE = {
    Action.DELETE: "deleted: what runs stays",
    Action.CANCEL: "cancelled: none of them runs, or all that do are being cancelled already",
    Action.AGAIN: "started again: what they were started with is not known",
    Action.ARCHIVE: "archived: what runs stays in the list",
    Action.TAG: "tagged",
    Action.UNTAG: "changed",
    Action.STAR: "starred",
    Action.UNSTAR: "changed",
    Action.UNARCHIVE: "brought back",
}


async def _matching(panel: Panel, address: str) -> list[Observation]:
    """What a list shows on all of its pages, the first MAX_CHOSEN of it."""
    wanted = asked(dict(parse_qsl(address.partition("?")[2]))).wanted
    found: list[Observation] = []
    for offset in range(0, MAX_CHOSEN, PART):
        found += panel.storage.memory.page(replace(wanted, limit=PART, offset=offset))
        await asyncio.sleep(0)
    return found


def recorder(request: Request, panel: Panel) -> Callable[[str, audit.Outcome, str, str], None]:
    """Writes each run's outcome into the audit trail, under this request."""

    def record(what: str, outcome: audit.Outcome, about: str, detail: str) -> None:
        panel.audit.record(entry(request, what, outcome, about, detail))

    return record


def _row(result: Result, view: OperationView) -> Row:
    link, text = "", ""
    match result.outcome:
        case Outcome.STARTED:
            link, text = f"/operations/{result.operation_id}", "Look at it"
        case Outcome.QUEUED:
            link, text = "/queue", "Look at the queue"
        case Outcome.UNCONFIRMED:
            link, text = f"/starts/{result.start_key}", "Look for it"
        case Outcome.REFUSED if result.message.startswith("Not started."):
            link, text = f"/start/{view.snapshot.kind}?again={result.id}", "Open its form"
    return Row(view, result.well, result.message, link, text)


def _refused(request: Request, message: str, back: str) -> Response:
    if by_htmx(request):
        wrong = "bulk-tag" if message == NO_TAG else ""
        return fragment("fragments/trouble.html", what="Nothing was done", message=message, wrong=wrong)
    return problem_page(request, 422, "Nothing was done", message, ways=[(back, "Back to the list")])
