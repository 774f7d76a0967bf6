"""Users and tokens over the JSON API, for operators. A password goes in and never out; a token comes out once."""

import asyncio
from collections.abc import Awaitable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from panel.accounts import password
from panel.accounts.file import Accounts, Refused, Role, Unreadable, check_password, new_token
from panel.domain.audit import Outcome
from panel.domain.values import utc
from panel.web.api_requests import PROBLEM, IdempotencyKey
from panel.web.panel import Panel, PanelDep
from panel.web.recording import note
from panel.web.respond import problem

_REFUSED: dict[int | str, dict[str, Any]] = {
    422: PROBLEM | {"description": "Refused; `detail` says why. Nothing was changed."},
    503: PROBLEM | {"description": "The file of users and tokens cannot be read or written."},
}

router = APIRouter(prefix="/api")

Name = Annotated[str, Field(max_length=32, description="Small letters, digits, dot, dash and underscore.")]
Password = Annotated[str, Field(max_length=1000, json_schema_extra={"format": "password"})]


class UserBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Name = Field(examples=["maria"])
    role: Role
    password: Password


class UserChange(BaseModel):
    """What is left out stays as it is. A new password ends the user's sessions."""

    model_config = ConfigDict(extra="forbid")

    role: Role | None = None
    password: Password | None = None


class TokenBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Name = Field(examples=["nightly-job"])
    role: Role


class Account(BaseModel):
    name: str
    role: Role
    since: datetime | None


class AccountList(BaseModel):
    users: list[Account]
    tokens: list[Account]


class NewToken(Account):
    token: str = Field(description="In this answer, and never again.")


@router.get("/access", operation_id="listAccess", summary="Who may use the panel")
async def access(panel: PanelDep) -> AccountList:
    """Names and roles, no secrets."""
    accounts: Accounts = panel.access.accounts
    users = [Account(name=each.name, role=each.role, since=utc(each.since)) for each in accounts.users.values()]
    tokens = [Account(name=each.name, role=each.role, since=utc(each.since)) for each in accounts.tokens.values()]
    return AccountList(users=users, tokens=tokens)


@router.post(
    "/access/users",
    operation_id="addUser",
    response_model=Account,
    status_code=201,
    responses=_REFUSED,
    summary="Add a user",
)
async def add_user(
    request: Request, panel: PanelDep, asked: UserBody, idempotency_key: IdempotencyKey
) -> Account | Response:
    """A name is given once: a repeat is refused, and changes nothing."""
    note(request, subject=asked.name, detail=asked.role)

    async def add() -> None:
        hashed = await asyncio.to_thread(password.hashed, check_password(asked.password))
        await panel.access.change(lambda accounts: accounts.add_user(asked.name, asked.role, hashed))

    return await _refusal(request, add()) or _user(panel, asked.name)


@router.post(
    "/access/users/{name}/change",
    operation_id="changeUser",
    response_model=Account,
    responses=_REFUSED,
    summary="Change a user's role or password",
)
async def change_user(
    request: Request, panel: PanelDep, name: str, asked: UserChange, idempotency_key: IdempotencyKey
) -> Account | Response:
    changed = (asked.role or "", "new password" if asked.password else "")
    note(request, detail=", ".join(filter(None, changed)))

    async def change() -> None:
        word = asked.password
        hashed = None if word is None else await asyncio.to_thread(password.hashed, check_password(word))
        await panel.access.change(lambda accounts: accounts.change_user(name, asked.role, hashed))

    return await _refusal(request, change()) or _user(panel, name)


@router.post(
    "/access/users/{name}/remove",
    operation_id="removeUser",
    status_code=204,
    responses=_REFUSED,
    summary="Remove a user",
)
async def remove_user(request: Request, panel: PanelDep, name: str, idempotency_key: IdempotencyKey) -> Response:
    change = panel.access.change(lambda accounts: accounts.remove_user(name))
    return await _refusal(request, change) or Response(status_code=204)


@router.post(
    "/access/tokens",
    operation_id="createToken",
    response_model=NewToken,
    status_code=201,
    responses=_REFUSED,
    summary="Create a token for a program",
)
async def create_token(
    request: Request, panel: PanelDep, asked: TokenBody, idempotency_key: IdempotencyKey
) -> NewToken | Response:
    """A name is given once. If this answer is lost, revoke the token and create it again."""
    word = new_token()
    note(request, subject=asked.name, detail=asked.role)
    change = panel.access.change(lambda accounts: accounts.add_token(asked.name, asked.role, word))
    if refused := await _refusal(request, change):
        return refused
    since = panel.access.accounts.tokens[asked.name].since
    return NewToken(name=asked.name, role=asked.role, since=utc(since), token=word)


@router.post(
    "/access/tokens/{name}/revoke",
    operation_id="revokeToken",
    status_code=204,
    responses=_REFUSED,
    summary="Revoke a token",
)
async def revoke_token(request: Request, panel: PanelDep, name: str, idempotency_key: IdempotencyKey) -> Response:
    change = panel.access.change(lambda accounts: accounts.remove_token(name))
    return await _refusal(request, change) or Response(status_code=204)


async def _refusal(request: Request, change: Awaitable[None]) -> Response | None:
    try:
        await change
    except (Refused, Unreadable, OSError) as exc:
        refused = isinstance(exc, Refused)
        note(request, Outcome.REFUSED if refused else Outcome.FAILED, detail=str(exc))
        return problem(422 if refused else 503, str(exc))
    return None


def _user(panel: Panel, name: str) -> Account:
    user = panel.access.accounts.users.get(name)
    if user is None:  # removed in the same moment
        raise HTTPException(404, f"There is no user “{name}”.")
    return Account(name=user.name, role=user.role, since=utc(user.since))
