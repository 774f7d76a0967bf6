"""Many runs at once, from the list: tag, star, archive, delete, cancel, run again. What cannot be undone asks first."""

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from panel.domain import audit
from panel.domain.bulk import Action, BulkRequest, Outcome, Result, subject
from panel.domain.labels import typed_tags
from panel.domain.observation import Observation
from panel.domain.requests import FORM_KEY
from panel.domain.snapshot import ID
from panel.views.operation import OperationView
from panel.web.panel import Panel, PanelDep
from panel.web.recording import entry, note, only_asked
from panel.web.respond import actor_of, page, problem_page, redirect
from panel.web.routes.labels import UNWRITABLE, list_address, with_undo
from panel.web.routes.operations import asked
from panel.workflows.bulk import MAX_AGAIN, MAX_CHOSEN, PART, KeyReused

router = APIRouter(prefix="/operations")

SHOWN = 20  # of the chosen, on the page that asks
ASKED = (Action.DELETE, Action.CANCEL, Action.AGAIN)
OUTDATED = "This page was out of date. Go back to the list and choose again."


@dataclass(frozen=True, slots=True)
class Row:
    """The outcome for one run, and its link."""

    view: OperationView
    done: bool
    text: str
    link: str = ""
    link_text: str = ""


@router.post("/bulk")
async def bulk(request: Request, panel: PanelDep) -> Response:
    form = await request.form(max_files=0, max_fields=MAX_CHOSEN + 100)
    given = {name: value for name, value in form.items() if isinstance(value, str)}
    ids = list(dict.fromkeys(value for value in form.getlist("id") if isinstance(value, str)))
    back, key = list_address(given.get("back", "")), given.get("key", "")
    try:
        action = Action(given.get("do", ""))
    except ValueError as exc:
        raise HTTPException(422, "This is nothing that can be done with several runs.") from exc
    if not FORM_KEY.fullmatch(key):
        return _refused(request, OUTDATED)
    if given.get("all"):
        chosen = await _matching(panel, back)
    elif not all(map(ID.fullmatch, ids)) or not 0 < len(ids) <= MAX_CHOSEN:
        return _refused(request, f"Choose 1 to {MAX_CHOSEN} runs; {len(ids) or 'none'} chosen.")
    else:
        chosen = await panel.bulk.runs(ids)
    tags = typed_tags(given.get("tag", ""))
    if action in (Action.TAG, Action.UNTAG) and not tags:
        return _refused(request, "Type a tag first, then press the button beside it.")
    before = panel.bulk.job(key) if given.get("sure") else None  # pressed again: shows what it did the first time
    fit = chosen if before else [each for each in chosen if not panel.bulk.why_not(action, each)]
    if action is Action.AGAIN and len(fit) > MAX_AGAIN:
        return _refused(request, f"At most {MAX_AGAIN} runs are started again at once; {len(fit)} chosen.")
    if not fit and before is None:
        return _refused(request, f"None of the chosen runs can be {_NONE[action]}.")
    if action in ASKED and not given.get("sure"):
        only_asked(request)
        left = len(chosen if given.get("all") else ids) - len(fit)
        hidden = [each.snapshot.id for each in fit[SHOWN:]]
        more: dict[str, Any] = {"hidden": hidden, "left": left, "back": back, "key": key, "outcomes": None}
        return page(request, "bulk.html", what=action.value, views=panel.reader.operations(fit[:SHOWN]), **more)
    wanted = tuple(each.snapshot.id for each in fit)
    note(request, subject=subject(action, len(wanted)), detail=" ".join(wanted[:20]))
    text = " ".join((*tags, "/", back if given.get("all") else "", *ids))
    bulk_request = BulkRequest(action, wanted, tags, text=text)
    try:
        results = await panel.bulk.apply(bulk_request, key, actor_of(request), recorder(request, panel))
    except KeyReused:
        return _refused(request, OUTDATED)
    except sqlite3.Error as exc:
        if action is Action.AGAIN:
            raise
        raise HTTPException(503, UNWRITABLE) from exc
    if action not in (Action.CANCEL, Action.AGAIN):
        return redirect(request, with_undo(back, key))
    views = {view.snapshot.id: view for view in panel.reader.operations(chosen)}
    nothing_left: dict[str, Any] = {"views": [], "hidden": [], "left": 0, "key": key}
    rows = [_row(each, views[each.id]) for each in results if each.id in views]
    undo = action is Action.AGAIN and any(each.queue_key for each in results)
    return page(request, "bulk.html", what=action.value, back=back, outcomes=rows, undo=undo, **nothing_left)


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


def _refused(request: Request, message: str) -> Response:
    return problem_page(request, 422, "Nothing was done", message)
