"""What can be done to an operation: cancel, resume. Each asks first, on a page of its own or in place."""

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import Response

from panel.domain.audit import Outcome
from panel.domain.requests import ResumeState
from panel.errors import AlreadyEnded, CLIClientError
from panel.web.panel import PanelDep
from panel.web.recording import note
from panel.web.respond import actor_of, by_htmx, fragment, page, problem_page, redirect
from panel.web.routes.operation import find
from panel.workflows.resuming import BUSY, Attempt, own

router = APIRouter(prefix="/operations/{operation_id}")


@router.get("/cancel")
async def ask(request: Request, panel: PanelDep, operation_id: str) -> Response:
    """The question before a cancel: what it would end, and what would be lost."""
    observation = await find(panel, operation_id)
    view, checkpoint = panel.reader.operation(observation), None
    if observation.snapshot.traits.learns and view.verdict.live:
        checkpoint = own(await panel.resume.look(operation_id), observation)
    if by_htmx(request):
        return fragment("fragments/cancel.html", view, checkpoint=checkpoint, inline=True)
    return page(request, "cancel.html", view, checkpoint=checkpoint, inline=False)


@router.post("/cancel")
async def cancel(request: Request, panel: PanelDep, operation_id: str) -> Response:
    """In place when its question was asked in place: the stream shows the progress."""
    observation = await find(panel, operation_id)
    inline = by_htmx(request) and bool((await request.form(max_files=0, max_fields=5)).get("inline"))
    finished = not panel.monitor.verdict(observation).live
    if not finished:
        try:
            await panel.commands.cancel(operation_id, actor_of(request))
        except CLIClientError as exc:
            finished = isinstance(exc, AlreadyEnded)
            if not finished and not exc.unknown:  # the operation's page shows both
                answered = exc.status_code is not None
                return _trouble(request, f"The cancel was not {'accepted' if answered else 'confirmed'}", exc.message)
    if inline:
        return fragment("fragments/cancelling.html", finished=finished)
    return redirect(request, f"/operations/{operation_id}")


@router.post("/resume")
async def resume(request: Request, panel: PanelDep, operation_id: str) -> Response:
    """Go on from the checkpoint, once a worker is free; without scripts the answer waits for that."""
    observation = await find(panel, operation_id)
    if panel.monitor.verdict(observation).live and panel.resume.attempt(operation_id) is not None:
        return _resumed(request, operation_id, panel.resume.attempt(operation_id))  # pressed twice
    attempt = panel.resume.begin(operation_id, actor_of(request))
    if attempt.task is not None:
        await asyncio.wait([attempt.task], timeout=0.5 if by_htmx(request) else 2 * BUSY)
    return _resumed(request, operation_id, attempt)


@router.get("/resume")
async def resumed(request: Request, panel: PanelDep, operation_id: str) -> Response:
    """The progress of a resume."""
    await find(panel, operation_id)
    return _resumed(request, operation_id, panel.resume.attempt(operation_id))


def _resumed(request: Request, operation_id: str, attempt: Attempt | None) -> Response:
    if attempt is not None and attempt.state is ResumeState.REFUSED:
        return _trouble(request, "It was not resumed", attempt.message)
    if by_htmx(request):
        waiting = attempt is not None and attempt.state in (ResumeState.WAITING, ResumeState.SENDING)
        return fragment("fragments/resuming.html", id=operation_id, attempt=attempt if waiting else None)
    return redirect(request, f"/operations/{operation_id}")


def _trouble(request: Request, what: str, message: str) -> Response:
    note(request, Outcome.UNCONFIRMED if "confirmed" in what else Outcome.REFUSED, detail=message)
    if by_htmx(request):
        return fragment("fragments/trouble.html", what=what, message=message)
    return problem_page(request, 409, what, message)
