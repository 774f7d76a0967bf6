"""Labels of runs in the JSON API: name, note, tags, star; archiving runs, and undoing that."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field

from panel.domain.labels import LONGEST_NAME, LONGEST_NOTE, typed_name, typed_note, typed_tags
from panel.web import api_schemas as schemas
from panel.web.api_requests import ACTED, IdempotencyKey, Tags
from panel.web.panel import Panel, PanelDep
from panel.web.respond import actor_of
from panel.web.routes.operation import described_in_full, find

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
        description="`label_version` as it was read: refused with 409 when it was changed since. Without it the"
        " last change wins.",
    )


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
        raise HTTPException(409, "It was changed in the meantime. Read it again, and send its new label_version.")
    return described_in_full(panel, observation)


async def _labelled(panel: Panel, operation_id: str, asked: LabelBody, actor: str) -> bool:
    """Whether it was done; without a version it is repeated until no other change came in between."""
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
