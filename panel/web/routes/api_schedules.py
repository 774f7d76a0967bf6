"""The JSON API's part about schedules."""

import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from panel.adapters import KINDS, DataLoadOperationAdapter
from panel.domain.schedules import BATCH, DAYS, Schedule, repeat_text
from panel.domain.values import utc
from panel.errors import InvalidForm
from panel.web.api_batch_schemas import BatchBody
from panel.web.api_requests import PROBLEM, IdempotencyKey, start_key
from panel.web.panel import Panel, PanelDep
from panel.web.respond import actor_of, problem
from panel.web.routes.schedules import known
from panel.workflows.schedules import FormReused

Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

_NAMES: dict[str, int] = {day.lower(): number for number, day in enumerate(DAYS)}
_UNKNOWN: dict[int | str, dict[str, Any]] = {404: PROBLEM | {"description": "There is no such schedule."}}
_REFUSED: dict[int | str, dict[str, Any]] = {
    422: PROBLEM | {"description": "Refused; `errors` has a sentence for each field."}
}

REUSED = "This Idempotency-Key was sent before with another schedule."
DELETED = "The schedule of this Idempotency-Key was deleted. Use a new key."

router = APIRouter(prefix="/api")


class ScheduleBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: str = Field(description=f"{', '.join(KINDS)} or batch.", examples=[DataLoadOperationAdapter.kind])
    form: dict[str, Annotated[str, Field(max_length=1000)]] = Field(
        default={},
        description="The fields of the kind's start form, as they are typed there.",
        examples=[{"symbol": "EURUSD", "timeframe": "1h"}],
    )
    batch: BatchBody | None = Field(default=None, description="Of the kind batch, instead of `form`.")
    days: list[Day] = Field(examples=[["monday", "friday"]])
    at: str = Field(description="HH:MM by the clock of the zone.", examples=["18:30"])
    zone: str = Field(description="A name of the IANA time zone database.", examples=["Europe/Berlin"])

    def text(self) -> str:
        """The same for each way of writing the same."""
        form = {name: value for name, value in self.form.items() if value}
        batch = self.batch.as_form() if self.batch is not None else None
        return json.dumps([self.kind, form, batch, sorted(set(self.days)), self.at, self.zone], sort_keys=True)


class ScheduleAnswer(BaseModel):
    key: str
    kind: str
    form: dict[str, str]
    words: str = Field(description="As “every weekday at 18:30”.")
    days: list[Day]
    at: str
    zone: str
    active: bool
    next_at: datetime | None = Field(description="None while it is switched off.")
    last_at: datetime | None = Field(description="When the last run was due.")
    last_queue_key: str = Field(description='Its entry in the queue, or its batch; "" when it was left out.')
    last_note: str = Field(description="What was unusual about it, as that it was late.")


class ScheduleList(BaseModel):
    schedules: list[ScheduleAnswer]


class Switch(BaseModel):
    on: bool


@router.get("/schedules", operation_id="listSchedules", summary="Starts that are repeated by the clock")
async def schedules(panel: PanelDep) -> ScheduleList:
    """The newest first."""
    return ScheduleList(schedules=[_answer(panel, each) for each in panel.storage.schedules.all()])


@router.post(
    "/schedules",
    operation_id="createSchedule",
    response_model=ScheduleAnswer,
    status_code=201,
    responses=_REFUSED,
    summary="Repeat a start by the clock",
)
async def create(
    request: Request, panel: PanelDep, asked: ScheduleBody, idempotency_key: IdempotencyKey
) -> ScheduleAnswer | Response:
    """Made once for each key; a repeat gets the schedule as it is now, and is refused when it was deleted since."""
    key, text = start_key(idempotency_key)[:40], asked.text()

    async def add(form: dict[str, str], days: set[int]) -> None:
        await panel.schedules.add(key, asked.kind, form, days, asked.at, asked.zone, actor_of(request), text)

    try:
        if not panel.schedules.made(key, text) and (refused := await _saved(panel, asked, add)):
            return refused
    except FormReused as exc:
        return problem(422, DELETED if exc.deleted else REUSED)
    return _answer(panel, known(panel, key))


@router.post(
    "/schedules/{key}/change",
    operation_id="changeSchedule",
    response_model=ScheduleAnswer,
    responses=_UNKNOWN | _REFUSED,
    summary="Change a schedule",
)
async def change(
    request: Request, panel: PanelDep, key: str, asked: ScheduleBody, idempotency_key: IdempotencyKey
) -> ScheduleAnswer | Response:
    """Everything but its kind. One that is switched off stays off; what it has run stays."""
    if known(panel, key).kind != asked.kind:
        why = "The kind of a schedule cannot be changed."
        return problem(422, why, errors={"kind": why})

    async def save(form: dict[str, str], days: set[int]) -> None:
        await panel.schedules.change(key, form, days, asked.at, asked.zone)

    return await _saved(panel, asked, save) or _answer(panel, known(panel, key))


@router.post(
    "/schedules/{key}/switch", operation_id="switchSchedule", responses=_UNKNOWN, summary="Switch a schedule on or off"
)
async def switch(panel: PanelDep, key: str, asked: Switch, idempotency_key: IdempotencyKey) -> ScheduleAnswer:
    known(panel, key)
    await panel.schedules.switch(key, asked.on)
    return _answer(panel, known(panel, key))


@router.post("/schedules/{key}/delete", operation_id="deleteSchedule", status_code=204, summary="Delete a schedule")
async def delete(panel: PanelDep, key: str, idempotency_key: IdempotencyKey) -> Response:
    """What it has put into the queue stays there."""
    await panel.schedules.delete(key)
    return Response(status_code=204)


async def _saved(
    panel: Panel, asked: ScheduleBody, save: Callable[[dict[str, str], set[int]], Awaitable[None]]
) -> Response | None:
    """The refusal, where it was not saved."""
    adapter, batch = KINDS.get(asked.kind), asked.batch if asked.kind == BATCH else None
    if asked.kind == BATCH and batch is None:
        return problem(422, "A batch is missing.", errors={"batch": "Say what it consists of."})
    if asked.kind != BATCH and (adapter is None or not adapter.fields):
        return problem(422, "There is no such kind.", errors={"kind": "There is no such kind."})
    days = {_NAMES[day] for day in asked.days}
    try:
        await save(
            batch.as_form() if batch is not None else await panel.submit.values(KINDS[asked.kind], asked.form), days
        )
    except InvalidForm as exc:
        errors = batch.fields_of(exc.errors) if batch is not None else exc.errors
        return problem(422, " ".join(errors.values()), errors=errors)
    return None


def _answer(panel: Panel, schedule: Schedule) -> ScheduleAnswer:
    last = panel.storage.schedules.last_run(schedule.key)
    return ScheduleAnswer(
        key=schedule.key,
        kind=schedule.kind,
        form={name: value for name, value in schedule.form.items() if value},
        words=repeat_text(schedule.days, schedule.at),
        days=[day for day, number in _NAMES.items() if number in schedule.days],
        at=schedule.at,
        zone=schedule.zone,
        active=schedule.active,
        next_at=utc(schedule.next_at),
        last_at=utc(last.due) if last else None,
        last_queue_key=last.entry if last else "",
        last_note=last.note if last else "",
    )
