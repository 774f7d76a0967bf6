"""The notifications page: channels, rules, and what was sent."""

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from panel.web.panel import Panel, PanelDep
from panel.web.recording import note
from panel.web.respond import page, redirect, refused_status, typed
from panel.workflows.channels import BadChannel
from panel.workflows.notifications import RULES

router = APIRouter(prefix="/notifications")


@router.get("")
async def notifications(request: Request, panel: PanelDep) -> Response:
    return _page(request, panel)


@router.post("/channels")
async def add_channel(request: Request, panel: PanelDep) -> Response:
    url = (await typed(request)).get("url", "")
    try:
        await panel.notifications.add_channel(url)
    except BadChannel as exc:
        return _page(request, panel, url, str(exc), refused_status(request))
    note(request, subject=panel.notifications.channels()[-1].service)
    return redirect(request, "/notifications")


@router.post("/channels/{channel}/remove")
async def remove_channel(request: Request, panel: PanelDep, channel: str) -> Response:
    _known(request, panel, channel)
    await panel.notifications.remove_channel(channel)
    return redirect(request, "/notifications")


@router.post("/channels/{channel}/test")
async def test_channel(request: Request, panel: PanelDep, channel: str) -> Response:
    _known(request, panel, channel)
    await panel.notifications.test(channel)
    return redirect(request, "/notifications#sent")


@router.post("/rules")
async def set_rules(request: Request, panel: PanelDep) -> Response:
    form = await request.form(max_files=0, max_fields=50)
    await panel.notifications.set_rules((str(rule) for rule in form.getlist("rule")), str(form.get("tags", "")))
    note(request, subject=", ".join(rule for rule, on in panel.notifications.rules().items() if on) or "none")
    return redirect(request, "/notifications")


def _known(request: Request, panel: Panel, channel: str) -> None:
    found = next((each for each in panel.notifications.channels() if each.id == channel), None)
    if found is None:
        raise HTTPException(404, "There is no such channel.")
    note(request, subject=found.service)


def _page(request: Request, panel: Panel, url: str = "", error: str = "", status: int = 200) -> Response:
    channels = panel.notifications.channels()
    return page(
        request,
        "notifications.html",
        status=status,
        channels=channels,
        problems=panel.notifications.problems,
        rules=RULES,
        on=panel.notifications.rules(),
        tags=" ".join(panel.notifications.tags()),
        messages=panel.notifications.recent(),
        names={channel.id: channel.service for channel in channels},
        url=url,
        error=error,
    )
