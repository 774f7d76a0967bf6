"""Many runs at once: tag, star, archive, delete, cancel, run again. What cannot be undone asks first."""

import asyncio
import hashlib
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from panel.adapters import KINDS
from panel.domain import audit
from panel.domain.formatting import many
from panel.domain.labels import LabelChange, Shelf, typed_tags
from panel.domain.observation import Observation
from panel.domain.snapshot import ID
from panel.errors import CLIClientError
from panel.views.operation import OperationView
from panel.web.panel import Panel, PanelDep
from panel.web.recording import entry, note, only_asked
from panel.web.respond import actor_of, page, redirect
from panel.web.routes.labels import UNWRITABLE, list_address, with_undo
from panel.web.routes.operations import MAX_CHOSEN, asked
from panel.workflows import submit as submitted
from panel.workflows.audit import start_outcome
from panel.workflows.starting import new_key

router = APIRouter(prefix="/operations")

MAX_AGAIN = 200  # that are started again at once
PART = 100  # that are read before others have their turn on the event loop
SHOWN = 20  # of the chosen, on the page that asks
AT_ONCE = 4  # requests to the backend

ASKED = {"delete", "cancel", "again"}
CHANGES = {
    "archive": (LabelChange(shelf=Shelf.ARCHIVED), "archived"),
    "unarchive": (LabelChange(shelf=Shelf.SHOWN), "brought back from the archive"),
    "star": (LabelChange(star=True), "starred"),
    "unstar": (LabelChange(star=False), "no longer starred"),
    "delete": (LabelChange(shelf=Shelf.DELETED), "deleted"),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one run: `done` or why not, and where to go on."""

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
    what, back, key = given.get("do", ""), list_address(given.get("back", "")), given.get("key", "")
    if what not in CHANGES and what not in ASKED | {"tag", "untag"}:
        raise HTTPException(422, "This is nothing that can be done with several runs.")
    if not 16 <= len(key) <= 64:
        return _refused(request, "This page was out of date. Go back to the list and choose again.")
    if given.get("all"):
        chosen = await _matching(panel, back)
    elif not all(map(ID.fullmatch, ids)) or not 0 < len(ids) <= MAX_CHOSEN:
        return _refused(request, f"Choose 1 to {MAX_CHOSEN} runs; {len(ids) or 'none'} chosen.")
    else:
        chosen = await remembered(panel, ids)
    fit = [each for each in chosen if fits(panel, what, each)]
    if what == "again" and len(fit) > MAX_AGAIN:
        return _refused(request, f"At most {MAX_AGAIN} runs are started again at once; {len(fit)} chosen.")
    if not fit:
        return _refused(request, f"None of the chosen runs can be {_DONE[what]}.")
    if what in ASKED and not given.get("sure"):
        only_asked(request)
        views = panel.reader.operations(fit[:SHOWN])
        left = len(chosen if given.get("all") else ids) - len(fit)
        hidden = [each.snapshot.id for each in fit[SHOWN:]]
        more: dict[str, Any] = {
            "views": views,
            "hidden": hidden,
            "left": left,
            "back": back,
            "key": key,
            "outcomes": None,
        }
        return page(request, "bulk.html", what=what, **more)
    note(request, subject=f"{what}: {many(len(fit), 'run')}", detail=" ".join(each.snapshot.id for each in fit[:20]))
    if what in ("cancel", "again"):
        return await _acted(request, panel, what, fit, key, back)
    change, done = CHANGES.get(what, (LabelChange(), "tagged"))
    if what in ("tag", "untag"):
        tags = typed_tags(given.get("tag", ""))
        if not tags:
            return _refused(request, "Type a tag first, then press the button beside it.")
        change = LabelChange(add=tags) if what == "tag" else LabelChange(remove=tags)
        done = f"{'tagged' if what == 'tag' else 'no longer tagged'} {' '.join(tags)}"
    try:
        await panel.labels.change([each.snapshot.id for each in fit], change, actor_of(request), undo=key, what=done)
    except sqlite3.Error as exc:
        raise HTTPException(503, UNWRITABLE) from exc
    return redirect(request, with_undo(back, key))


_DONE = {
    "delete": "deleted: what runs stays",
    "cancel": "cancelled: none of them runs",
    "again": "started again: what they were started with is not known",
    "archive": "archived: what runs stays in the list",
    "tag": "tagged",
    "untag": "changed",
    "star": "starred",
    "unstar": "changed",
    "unarchive": "brought back",
}


async def _matching(panel: Panel, address: str) -> list[Observation]:
    """What a list shows on all of its pages, the first MAX_CHOSEN of it."""
    wanted = asked(dict(parse_qsl(address.partition("?")[2]))).wanted
    found: list[Observation] = []
    for offset in range(0, MAX_CHOSEN, PART):
        found += panel.storage.memory.page(replace(wanted, limit=PART, offset=offset))
        await asyncio.sleep(0)
    return found


async def remembered(panel: Panel, ids: Sequence[str]) -> list[Observation]:
    """Those of these operations that nobody has deleted."""
    found: list[Observation] = []
    for number, operation_id in enumerate(ids):
        if (
            not panel.storage.labels.deleted(operation_id)
            and (each := panel.monitor.known(operation_id, epochs=False)) is not None
        ):
            found.append(each)
        if number % PART == PART - 1:
            await asyncio.sleep(0)
    return found


def fits(panel: Panel, what: str, observation: Observation) -> bool:
    live = panel.monitor.verdict(observation).live
    if what == "again":
        adapter = KINDS.get(observation.snapshot.kind)
        return adapter is not None and bool(_form(panel, observation))
    return {"delete": not live, "archive": not live, "cancel": live}.get(what, True)


def _form(panel: Panel, observation: Observation) -> dict[str, str]:
    snapshot = observation.snapshot
    return submitted.asked_before(KINDS[snapshot.kind], panel.storage.start_of(snapshot.id), observation)


async def _acted(request: Request, panel: Panel, what: str, chosen: list[Observation], key: str, back: str) -> Response:
    """A few at a time, each on its own: what is refused for one holds up no other."""
    act: Callable[[Request, Panel, Observation, str], Awaitable[Outcome]] = _cancel if what == "cancel" else _again
    turn = asyncio.Semaphore(AT_ONCE if what == "cancel" else 1)  # starts go out in the order of the list

    async def one(observation: Observation) -> Outcome:
        async with turn:
            return await act(request, panel, observation, key)

    outcomes = await asyncio.gather(*map(one, chosen))
    nothing_left: dict[str, Any] = {"views": [], "hidden": [], "left": 0, "key": new_key()}
    return page(request, "bulk.html", what=what, back=back, outcomes=outcomes, **nothing_left)


async def _cancel(request: Request, panel: Panel, observation: Observation, key: str) -> Outcome:
    view = panel.reader.operation(observation)
    try:
        await panel.commands.cancel(view.snapshot.id, actor_of(request))
    except CLIClientError as exc:
        panel.audit.record(entry(request, "cancel", audit.Outcome.REFUSED, view.snapshot.id, exc.message))
        return Outcome(view, exc.status_code == 400, exc.message)
    panel.audit.record(entry(request, "cancel", audit.Outcome.DONE, view.snapshot.id))
    return Outcome(view, True, "Cancel sent.")


async def _again(request: Request, panel: Panel, observation: Observation, key: str) -> Outcome:
    """One start for each run and key: a second click gets the outcome of the first."""
    snapshot, view = observation.snapshot, panel.reader.operation(observation)
    own_key = "again-" + hashlib.sha256(f"{key} {snapshot.id}".encode()).hexdigest()[:40]
    values = await panel.submit.values(KINDS[snapshot.kind], _form(panel, observation))
    result = await panel.submit.submit(snapshot.kind, values, own_key, actor_of(request), wait=True)
    subject, outcome, detail = start_outcome(snapshot.kind, values, result)
    panel.audit.record(entry(request, "start", outcome, subject, detail))
    match result:
        case submitted.Started(operation_id):
            return Outcome(view, True, "Started.", f"/operations/{operation_id}", "Look at it")
        case submitted.Queued():
            return Outcome(view, True, "Waits in the queue.", "/queue", "Look at the queue")
        case submitted.Unconfirmed(start):
            return Outcome(view, False, "No answer says whether it began.", f"/starts/{start.key}", "Look for it")
    again = f"/start/{snapshot.kind}?again={snapshot.id}"
    return Outcome(view, False, f"Not started. {submitted.message_of(result)}", again, "Open its form")


def _refused(request: Request, message: str) -> Response:
    return page(request, "problem.html", status=422, title="Nothing was done", message=message)
