"""What can be done to an operation: cancel, resume. Each asks first, on a page of its own or in place."""

import time

from fastapi import APIRouter, Request
from fastapi.responses import Response

from panel.errors import CLIClientError
from panel.verdict import State
from panel.web.live import Live
from panel.web.pages import find
from panel.web.respond import by_htmx, fragment, go, page, whom

router = APIRouter(prefix="/operations/{operation_id}")


@router.get("/cancel")
async def ask(request: Request, operation_id: str) -> Response:
    """The question before a cancel, with what it would end."""
    live: Live = request.app.state.live
    seen, now = await find(request, operation_id), time.time()
    view = live.view(seen, live.relay.verdict(seen), now)
    if by_htmx(request):
        return fragment("fragments/cancel.html", **view)
    return page(request, "cancel.html", **view)


@router.post("/cancel")
async def cancel(request: Request, operation_id: str) -> Response:
    live: Live = request.app.state.live
    seen = await find(request, operation_id)
    if live.relay.verdict(seen).live:
        try:
            await live.relay.cancel(operation_id, whom(request))
        except CLIClientError as exc:
            # 400: it finished first; 404: it is no longer known. The operation's page shows both.
            if exc.status_code != 400 and not exc.unknown:
                answered = exc.status_code is not None
                return _trouble(request, f"The cancel was not {'accepted' if answered else 'confirmed'}", exc)
    return go(request, f"/operations/{operation_id}")


@router.post("/resume")
async def resume(request: Request, operation_id: str) -> Response:
    """Offered with the embedded backend only: KTRDR's own resume has side effects when it fails."""
    live: Live = request.app.state.live
    seen = await find(request, operation_id)
    if live.embedded and live.relay.verdict(seen).state in (State.FAILED, State.CANCELLED):
        try:
            await live.relay.resume(operation_id, whom(request))
        except CLIClientError as exc:
            return _trouble(request, "It was not resumed", exc)
    return go(request, f"/operations/{operation_id}")


def _trouble(request: Request, what: str, exc: CLIClientError) -> Response:
    if by_htmx(request):
        return fragment("fragments/trouble.html", what=what, message=exc.message)
    return page(request, "problem.html", 409, title=what, message=exc.message)
