"""One operation's page."""

import contextlib
import json
import time

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse

from panel.domain.agents import parts
from panel.domain.missing_bars import absent
from panel.domain.observation import Observation
from panel.domain.snapshot import ID
from panel.errors import CLIClientError
from panel.views.charts import curves_of
from panel.web import api_schemas as schemas
from panel.web.panel import Panel, PanelDep
from panel.web.respond import fragment, page

router = APIRouter()


@router.get("/operations/{operation_id}")
async def operation(request: Request, panel: PanelDep, operation_id: str) -> HTMLResponse:
    observation = await find(panel, operation_id)
    await panel.resume.consider(observation)
    if panel.reader.embedded and absent(observation.snapshot):
        await panel.inventory.known()  # no load is offered of what the sample market does not have
    await _read_unknown(panel, [part for part in parts(observation.snapshot) if panel.monitor.known(part) is None])
    view = panel.reader.among_neighbours(observation)
    return page(
        request,
        "operation.html",
        view,
        panel.reader.details(view),
        panel.reader.timeline(view),
        stream=operation_id,
        batch=panel.storage.batches.of([operation_id]).get(operation_id),
        family=panel.reader.family(observation),
        changes=panel.reader.changes(observation),
        curves=json.dumps(curves_of(observation.snapshot)),
        raw=_raw(panel, operation_id),
    )


@router.get("/operations/{operation_id}/answer")
async def answer(panel: PanelDep, operation_id: str) -> HTMLResponse:
    """The backend's latest answer, for the place on a page that saw the run go on meanwhile."""
    observation = await find(panel, operation_id)
    return fragment(
        "fragments/answer.html",
        snapshot=observation.snapshot,
        raw=_raw(panel, operation_id),
        now=time.time(),
    )


def _raw(panel: Panel, operation_id: str) -> str:
    """The backend's own words as they were last read, without the curves; "" when they are not in memory."""
    shown = {name: value for name, value in (panel.monitor.answer(operation_id) or {}).items() if name != "metrics"}
    return json.dumps(shown, indent=2, ensure_ascii=False, default=str) if shown else ""


def described(panel: Panel, observation: Observation) -> schemas.Operation:
    """For programs: as stored, or as read since."""
    verdict = panel.monitor.verdict(observation)
    if verdict.live and (latest := panel.monitor.known(observation.snapshot.id)) is not None:
        observation, verdict = latest, panel.monitor.verdict(latest)
    return schemas.operation(observation, verdict, panel.storage.labels.of(observation.snapshot.id))


def described_in_full(panel: Panel, observation: Observation, *, epochs: bool = False) -> schemas.Details:
    label = panel.storage.labels.of(observation.snapshot.id)
    return schemas.details(observation, panel.monitor.verdict(observation), label, epochs)


async def _read_unknown(panel: Panel, ids: list[str]) -> None:
    """Operations that another one names, and that were not requested."""
    for operation_id in ids:
        with contextlib.suppress(CLIClientError):  # they are shown once they can be read
            await panel.monitor.look(operation_id)


async def find(panel: Panel, operation_id: str) -> Observation:
    """What is known of the operation; 404 when it is unknown, 502 when the backend cannot be asked."""
    if not ID.fullmatch(operation_id):
        raise HTTPException(404, "There is no operation with such a name.")
    if panel.storage.labels.deleted(operation_id):
        raise HTTPException(404, "This run was deleted from the panel's memory.")
    try:
        observation = await panel.monitor.look(operation_id)
    except CLIClientError as exc:
        raise HTTPException(502, f"The panel does not know this operation, and could not ask: {exc.message}") from exc
    if observation is None:
        raise HTTPException(404, "Neither the panel nor the backend knows this operation.")
    return observation
