"""What people say of runs, over the JSON API: name, note, tags, star; putting runs away, and taking that back."""

import time
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from panel.domain.formatting import many
from panel.domain.labels import (
    LONGEST_NAME,
    LONGEST_NOTE,
    LONGEST_TAG,
    MAX_TAGS,
    LabelChange,
    typed_name,
    typed_note,
    typed_tags,
)
from panel.domain.values import utc
from panel.storage.labels import UNDO
from panel.web import api_schemas as schemas
from panel.web.api_requests import ACTED, IdempotencyKey, start_key
from panel.web.panel import Panel, PanelDep
from panel.web.recording import note
from panel.web.respond import actor_of, problem
from panel.web.routes.bulk import CHANGES, fits, remembered
from panel.web.routes.operation import find
from panel.web.routes.operations import MAX_CHOSEN

Tags = Annotated[list[Annotated[str, Field(max_length=LONGEST_TAG)]], Field(max_length=MAX_TAGS)]

router = APIRouter(prefix="/api")


class LabelBody(BaseModel):
    """What is left out stays as it is."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "Best of May", "tags": ["trial"], "star": True}]}
    )

    name: Annotated[str, Field(max_length=LONGEST_NAME)] | None = Field(default=None, description='"" takes it away.')
    note: Annotated[str, Field(max_length=LONGEST_NOTE)] | None = None
    tags: Tags | None = Field(default=None, description="All of them, in place of those that were there.")
    star: bool | None = None
    version: int | None = Field(
        default=None,
        description="`label_version` as it was read: refused with 409 when somebody changed it since. Without it the"
        " last change wins.",
    )


class ChangeBody(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"ids": ["op_training_1"], "do": "tag", "tags": ["trial"]}]}
    )

    ids: Annotated[list[Annotated[str, Field(max_length=200)]], Field(min_length=1, max_length=MAX_CHOSEN)]
    do: Literal["star", "unstar", "tag", "untag", "archive", "unarchive", "delete"] = Field(
        description="What runs can neither be archived nor deleted."
    )
    tags: Tags = Field(default=[], description="For `tag` and `untag`.")


class ChangeAnswer(BaseModel):
    changed: list[str] = Field(description="Ids of the operations that are different now.")
    left_out: list[str] = Field(description="Ids that are not known, or with which this cannot be done.")
    undo: str = Field(description="For `POST /api/operations/undo`.")
    undo_until: datetime


class UndoBody(BaseModel):
    undo: str = Field(max_length=64)


class UndoAnswer(BaseModel):
    back: int = Field(description="How many are as they were before; those that were changed since stay.")


@router.post(
    "/operations/change",
    operation_id="changeOperations",
    response_model=ChangeAnswer,
    responses=ACTED,
    summary="Star, tag, archive or delete operations",
)
async def change(
    request: Request, panel: PanelDep, asked: ChangeBody, idempotency_key: IdempotencyKey
) -> ChangeAnswer | Response:
    """Once for each key; can be undone for a minute."""
    key, tags = start_key(idempotency_key), typed_tags(" ".join(asked.tags))
    if asked.do in ("tag", "untag"):
        if not tags:
            return problem(422, "Give a tag.", errors={"tags": "Give a tag."})
        wanted, what = (
            (LabelChange(add=tags), "tagged") if asked.do == "tag" else (LabelChange(remove=tags), "untagged")
        )
    else:
        wanted, what = CHANGES[asked.do]
    found = await remembered(panel, list(dict.fromkeys(asked.ids)))
    fit = [each.snapshot.id for each in found if fits(panel, asked.do, each)]
    note(request, subject=f"{asked.do}: {many(len(fit), 'run')}", detail=" ".join(fit[:20]))
    changed = await panel.labels.change(fit, wanted, actor_of(request), undo=key, what=what)
    left = [each for each in asked.ids if each not in set(fit)]
    until = utc(time.time() + UNDO) or schemas.UNKNOWN
    return ChangeAnswer(changed=changed, left_out=left, undo=key, undo_until=until)


@router.post("/operations/undo", operation_id="undoChange", responses=ACTED, summary="Undo a change of operations")
async def undo(request: Request, panel: PanelDep, asked: UndoBody, idempotency_key: IdempotencyKey) -> UndoAnswer:
    back = await panel.labels.undo(asked.undo, actor_of(request))
    if back is None:
        raise HTTPException(409, "That was more than a minute ago, or has been undone. Nothing was changed.")
    return UndoAnswer(back=back)


@router.post(
    "/operations/{operation_id}/label",
    operation_id="labelOperation",
    responses=ACTED,
    summary="Name, note, tag or star an operation",
)
async def label(
    request: Request, panel: PanelDep, operation_id: str, asked: LabelBody, idempotency_key: IdempotencyKey
) -> schemas.Details:
    """Returns the operation as it is now."""
    observation = await find(panel, operation_id)
    if not await _labelled(panel, operation_id, asked, actor_of(request)):
        raise HTTPException(409, "Somebody changed it in the meantime. Read it again, and send its new label_version.")
    return schemas.details(
        observation, panel.monitor.verdict(observation), panel.storage.labels.of(operation_id), epochs=False
    )


async def _labelled(panel: Panel, operation_id: str, asked: LabelBody, actor: str) -> bool:
    """Whether it was done; without a version again and again until nobody else came in between."""
    changes: dict[str, Any] = {}
    if asked.name is not None:
        changes["name"] = typed_name(asked.name)
    if asked.note is not None:
        changes["note"] = typed_note(asked.note)
    if asked.tags is not None:
        changes["tags"] = typed_tags(" ".join(asked.tags))
    if asked.star is not None:
        changes["star"] = asked.star
    for _ in range(5 if asked.version is None else 1):
        now = panel.storage.labels.of(operation_id)
        version = now.version if asked.version is None else asked.version
        _, done = await panel.labels.edit(operation_id, replace(now, **changes, version=version), actor)
        if done:
            return True
    return False
