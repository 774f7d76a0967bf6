"""Many operations at once in the JSON API: cancel, run again, star, tag, archive; and undoing that."""

import time
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from panel.domain.bulk import Action, BulkRequest, Outcome, Result, subject
from panel.domain.history import OperationQuery
from panel.domain.labels import typed_tags
from panel.domain.state import State
from panel.domain.values import utc
from panel.errors import CLIClientError
from panel.storage.bulk import digest_of
from panel.storage.labels import UNDO
from panel.web.api_requests import ACTED, PROBLEM, IdempotencyKey, Moment, Search, Tags, start_key
from panel.web.panel import Panel, PanelDep
from panel.web.recording import note
from panel.web.respond import actor_of, problem
from panel.web.routes.bulk import recorder
from panel.web.routes.labels import TOO_LATE
from panel.workflows.bulk import MAX_AGAIN, MAX_CHOSEN, KeyReused
from panel.workflows.replacing import REPLACE
from panel.workflows.submit import INSIST

Ids = Annotated[list[Annotated[str, Field(max_length=200)]], Field(min_length=1, max_length=MAX_CHOSEN)]
REUSED = "This Idempotency-Key was sent before with another request."

router = APIRouter(prefix="/api")


class Match(BaseModel):
    """The filters of `GET /api/operations`; at least one of them."""

    model_config = ConfigDict(extra="forbid")

    kind: str = ""
    state: list[State] = []
    strategy: str = ""
    symbol: str = ""
    q: Search = ""
    since: Moment | None = None

    def query(self) -> OperationQuery:
        return OperationQuery(
            kind=self.kind,
            states=tuple(self.state),
            strategy=self.strategy,
            symbol=self.symbol,
            since=None if self.since is None else self.since.timestamp(),
            search=self.q.strip(),  # spaces alone are no filter
            archived=None,
            limit=MAX_CHOSEN,
        )


class ChangeBody(BaseModel):
    """`ids` or `match`."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"do": "cancel", "match": {"kind": "training", "state": ["running"]}},
                {"do": "tag", "ids": ["op_training_1", "op_training_2"], "tags": ["trial"]},
            ]
        },
    )

    ids: Ids | None = None
    match: Match | None = Field(
        default=None,
        description=f"All operations that match. Refused with 422 when these are more than {MAX_CHOSEN}. A repeat"
        " with the same key is about the operations that matched the first time.",
    )
    do: Action = Field(
        description="`cancel`, `again` (starts the same once more; what cannot start now waits in the queue), `star`,"
        " `unstar`, `tag`, `untag`, `archive`, `unarchive`, `delete`. What runs can neither be archived nor deleted."
        f" At most {MAX_AGAIN} are started again."
    )
    tags: Tags = Field(default=[], description="For `tag` and `untag`.")
    confirm: list[Literal["insist", "replace"]] = Field(
        default=[],
        description=f"For `again`: `{INSIST}` starts what would fail, `{REPLACE}` lets stored data be replaced.",
    )


class ChangeResult(BaseModel):
    """The outcome for one operation."""

    id: str
    state: Outcome = Field(
        description="`done`; `unchanged`: it was so already; `started`, `queued` or `unconfirmed`: the outcome of"
        " `again`; `refused`: nothing was done with it."
    )
    message: str = Field(description="The same in a sentence; of a refusal the reason.")
    operation_id: str | None = Field(default=None, description="Of `again`: what has started.")
    queue_key: str | None = Field(default=None, description="Of `again`: for /api/queue/{key}/cancel.")


class ChangeAnswer(BaseModel):
    results: list[ChangeResult] = Field(description="One for each operation, in the order of the request.")
    changed: list[str] = Field(description="Ids of the operations with which something was done.")
    left_out: list[str] = Field(description="Ids of those that were refused.")
    undo: str = Field(description="For `POST /api/operations/undo`; empty for `cancel`, which cannot be undone.")
    undo_until: datetime | None = Field(description="Null when it cannot be undone.")


class UndoBody(BaseModel):
    undo: str = Field(max_length=64)


class UndoAnswer(BaseModel):
    back: int = Field(
        description="How many are as they were before; those that were changed since stay. Of `again`: how many starts"
        " were cancelled."
    )


@router.post(
    "/operations/change",
    operation_id="changeOperations",
    response_model=ChangeAnswer,
    responses={
        422: PROBLEM | {"description": "Refused as a whole: nothing was done. `errors` has a sentence for each field."},
        503: PROBLEM | {"description": "The memory cannot be written. A repeat of the key does what is left."},
    },
    summary="Cancel, run again, star, tag, archive or delete many operations",
)
async def change(
    request: Request, panel: PanelDep, asked: ChangeBody, idempotency_key: IdempotencyKey
) -> ChangeAnswer | Response:
    """Once for each key: a repeat gets the answer of the first. What is refused for one operation holds up no other;
    `results` has one entry for each. All but `cancel` can be undone for a minute."""
    key, tags = start_key(idempotency_key), typed_tags(" ".join(asked.tags))
    if asked.do in (Action.TAG, Action.UNTAG) and not tags:
        return _at_fault("tags", "Give a tag.")
    if (asked.ids is None) == (asked.match is None):
        return _at_fault("match", "Give either ids or match.")
    if asked.match is not None and asked.match.query() == Match().query():
        return _at_fault("match", "Give at least one filter.")
    text = asked.model_dump_json()
    before = panel.bulk.job(key)
    if before is not None and (before.digest, before.action) != (digest_of(text), asked.do):
        return problem(422, REUSED)
    ids = before.ids if before is not None else _meant(panel, asked)
    if isinstance(ids, str):
        return _at_fault("match", ids)
    if asked.do is Action.AGAIN and len(ids) > MAX_AGAIN:
        field = "ids" if asked.match is None else "match"
        return _at_fault(field, f"At most {MAX_AGAIN} are started again at once; these are {len(ids)}.")
    bulk_request = BulkRequest(asked.do, ids, tags, tuple(asked.confirm), text)
    note(request, subject=subject(asked.do, len(ids)), detail=" ".join(ids[:20]))
    try:
        results = await panel.bulk.apply(bulk_request, key, actor_of(request), recorder(request, panel))
    except KeyReused:
        return problem(422, REUSED)
    done = panel.bulk.job(key)
    until = None if asked.do is Action.CANCEL else utc(((done and done.done_at) or time.time()) + UNDO)
    return _answer(results, key if until else "", until)


@router.post("/operations/undo", operation_id="undoChange", responses=ACTED, summary="Undo a change of operations")
async def undo(request: Request, panel: PanelDep, asked: UndoBody, idempotency_key: IdempotencyKey) -> UndoAnswer:
    try:
        back = await panel.bulk.undo(asked.undo, actor_of(request))
    except CLIClientError as exc:
        raise HTTPException(502, f"Some of what was started could not be cancelled: {exc.message}") from exc
    if back is None:
        raise HTTPException(409, TOO_LATE)
    return UndoAnswer(back=back)


def _meant(panel: Panel, asked: ChangeBody) -> tuple[str, ...] | str:
    """The ids; a sentence when they are too many."""
    if asked.match is None:
        return tuple(dict.fromkeys(asked.ids or ()))
    found, count = panel.storage.memory.find(asked.match.query())
    if count > MAX_CHOSEN:
        return f"{count:,} operations match, and at most {MAX_CHOSEN} are changed at once. Narrow it down."
    return tuple(each.snapshot.id for each in found)


def _answer(results: list[Result], undo: str, until: datetime | None) -> ChangeAnswer:
    answers = [
        ChangeResult(
            id=each.id,
            state=each.outcome,
            message=each.message,
            operation_id=each.operation_id or None,
            queue_key=each.queue_key or None,
        )
        for each in results
    ]
    return ChangeAnswer(
        results=answers,
        changed=[each.id for each in results if each.outcome not in (Outcome.REFUSED, Outcome.UNCHANGED)],
        left_out=[each.id for each in results if each.outcome is Outcome.REFUSED],
        undo=undo,
        undo_until=until,
    )


def _at_fault(field: str, message: str) -> Response:
    return problem(422, message, errors={field: message})
