"""Forms that start something, and what became of a start that was not answered."""

import asyncio
import time

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from panel.adapters import KINDS, OperationAdapter
from panel.adapters.base import TIMEFRAMES
from panel.backend.catalogue import Catalogue
from panel.domain.formatting import day
from panel.domain.gaps import DAY
from panel.domain.requests import Start
from panel.domain.snapshot import ID
from panel.domain.strategies import Strategy
from panel.domain.values import moment
from panel.errors import CLIClientError, InvalidForm
from panel.live.publisher import Publisher
from panel.views.operation import commands_for
from panel.web.respond import actor, by_htmx, fragment, go, page
from panel.workflows.backtest_preflight import begun, check_backtest, completed, known_models, today
from panel.workflows.preflight import RED, preflight
from panel.workflows.starting import StartWorkflow, new_key

router = APIRouter()


@router.get("/start/{kind}")
async def form(request: Request, kind: str) -> Response:
    """An empty form, or one filled in from an earlier operation (`?again=<id>`) or from `?<field>=`."""
    adapter = _adapter(kind)
    values = {field.name: field.default for field in adapter.fields}
    again = request.query_params.get("again", "")
    if ID.fullmatch(again):
        start, observation = request.app.state.store.start_of(again), request.app.state.live.relay.known(again)
        if start is not None:
            values |= start.form
        elif observation is not None:
            values |= adapter.typed(observation.snapshot.parameters | {"strategy_name": observation.snapshot.strategy})
    values |= {k: v for k, v in request.query_params.items() if k in values}
    if "model_path" in values:
        values = begun(values, await known_models(request.app.state))
    return await _form(request, adapter, values, {}, new_key())


@router.post("/start/{kind}")
async def submit(request: Request, kind: str) -> Response:
    adapter = _adapter(kind)
    given = await typed(request)
    values = await _values(request, adapter, given)
    key = given.get("key", "")
    if not 16 <= len(key) <= 64:
        errors = {"": "This form was out of date. Start again from here."}
        return await _form(request, adapter, values, errors, new_key())
    try:
        made = adapter.from_form(values)
    except InvalidForm as exc:
        return await _form(request, adapter, values, exc.errors, key)
    if kind == "data_load":
        return await _queued(request, values, key, given)
    if kind == "training" and not given.get("insist") and (lack := await _lack(request, values)):
        return await _form(request, adapter, values, {"insist": lack}, key)
    starting: StartWorkflow = request.app.state.starting
    start = await starting.submit(key, made, values, actor(request))
    match start.state:
        case "started":
            return go(request, f"/operations/{start.operation_id}")
        case "refused":
            return await _form(request, adapter, values, _blame(adapter, start.message), new_key())
        case "unsent":
            message = f"{start.message} Nothing was started; what you typed is still here."
            return await _form(request, adapter, values, {"": message}, new_key(), status=502)
    return go(request, f"/starts/{key}")


async def _queued(request: Request, values: dict[str, str], key: str, given: dict[str, str]) -> Response:
    """A data load: into the queue, and to its page if it begins at once."""
    live: Publisher = request.app.state.live
    inline = bool(given.get("inline")) and by_htmx(request)
    if not given.get("replace") and (loss := await _loss(request, values)):
        if inline:
            return fragment("fragments/trouble.html", what="Not loaded", message=loss)
        return await _form(request, KINDS["data_load"], values, {"replace": loss}, key)
    before = request.app.state.store.load(key)
    if inline and before is not None and before.state in ("refused", "cancelled"):
        key = new_key()  # nothing came of it, and the button was pressed anew
    load = live.loads.add(key, values)
    for _ in range(60):
        load = request.app.state.store.load(key) or load
        if load.state not in ("waiting", "starting") or (load.state == "waiting" and live.loads.others()):
            break
        await asyncio.sleep(0.05)
    if load.state == "refused":
        if inline:
            return fragment("fragments/trouble.html", what="Not loaded", message=load.message)
        return await _form(request, KINDS["data_load"], values, _blame(KINDS["data_load"], load.message), new_key())
    if inline:
        return Response(status_code=204, headers={"HX-Trigger": "look"})
    return go(request, f"/operations/{load.operation_id}" if load.operation_id else "/data")


async def _lack(request: Request, values: dict[str, str]) -> str:
    """Why this training would certainly fail: data that is not stored. "" when it would not, or when the
    backend cannot be asked."""
    found = await preflight(request.app.state.live, request.app.state.catalogue, values)
    lines = [line for line in found["lines"] if line.range is not None and line.level == RED]
    if not lines:
        return ""
    return f"{lines[0].subject}: {lines[0].text} Load it first, or let the panel load it and then train."


async def _loss(request: Request, values: dict[str, str]) -> str:
    """What a load with dates would throw away: KTRDR then replaces the stored file with only that period.
    "" when nothing would be lost."""
    live: Publisher = request.app.state.live
    start, end = moment(values.get("start_date")), moment(values.get("end_date"))
    if live.embedded or (start is None and end is None):
        return ""
    try:
        stored = await request.app.state.catalogue.range(values["symbol"].strip().upper(), values["timeframe"])
    except CLIClientError:
        return ""
    if not stored.bars or stored.start is None or stored.end is None:
        return ""
    first, last = max(start or stored.start, stored.start), min((end or stored.end) + DAY, stored.end)
    kept = round(stored.bars * max(last - first, 0.0) / max(stored.end - stored.start, 1.0))
    return (
        f"The backend would replace what it has stored with this period only: of {stored.bars:,} bars "
        f"({day(stored.start)} to {day(stored.end)}) about {kept:,} would remain. "
        "Without dates nothing is replaced."
    )


@router.post("/start/{kind}/look")
async def look(request: Request, kind: str) -> Response:
    """What is known before the start. A POST, because the backend's own checks are: nothing here changes
    anything."""
    given = await typed(request)
    match kind:
        case "training":
            found = await preflight(request.app.state.live, request.app.state.catalogue, given)
        case "backtesting":
            found = await check_backtest(request.app.state, given)
        case _:
            raise HTTPException(404, "There is nothing to check before such a start.")
    return fragment("fragments/preflight.html", **found)


@router.post("/start/{kind}/command")
async def command(request: Request, kind: str) -> Response:
    """The form as a command line, as it is filled in now. A POST, because what is typed is no address."""
    adapter = _adapter(kind)
    values = await _values(request, adapter, await typed(request))
    shown = commands_for(adapter, values, request.app.state.live.address)
    return fragment("fragments/commands.html", commands=shown)


@router.get("/starts/{key}")
async def unconfirmed(request: Request, key: str) -> Response:
    start = request.app.state.store.start(key)
    if start is None:
        raise HTTPException(404, "Nothing was started with this key.")
    if start.state == "started":
        return go(request, f"/operations/{start.operation_id}")
    live: Publisher = request.app.state.live
    starting: StartWorkflow = request.app.state.starting
    now = time.time()
    might_be = [
        live.view(observation, live.relay.verdict(observation), now) for observation in starting.might_be(start)
    ]
    return page(request, "unconfirmed.html", start=start, kind=KINDS[start.kind].title, might_be=might_be)


@router.post("/starts/{key}/check")
async def check_again(request: Request, key: str) -> Response:
    return _after(request, await request.app.state.starting.check_again(key))


@router.post("/starts/{key}/choose")
async def choose(request: Request, key: str) -> Response:
    """A person knows which operation it is."""
    operation_id = (await typed(request)).get("operation_id", "")
    return _after(request, request.app.state.starting.choose(key, operation_id))


@router.post("/starts/{key}/dismiss")
async def dismiss(request: Request, key: str) -> Response:
    """A person knows that it did not begin."""
    return _after(request, request.app.state.starting.dismiss(key))


def _after(request: Request, start: Start | None) -> Response:
    if start is None:
        raise HTTPException(404, "Nothing was started with this key.")
    if start.state == "dismissed":
        return go(request, "/")
    return go(request, f"/operations/{start.operation_id}" if start.state == "started" else f"/starts/{start.key}")


async def _form(
    request: Request,
    adapter: type[OperationAdapter],
    values: dict[str, str],
    errors: dict[str, str],
    key: str,
    status: int = 0,
) -> Response:
    catalogue: Catalogue = request.app.state.catalogue
    live: Publisher = request.app.state.live
    strategies: list[Strategy] = []
    silent = ""
    if any(field.name == "strategy_name" for field in adapter.fields):
        try:
            strategies = await catalogue.strategies()
        except CLIClientError as exc:
            silent = exc.message
    return page(
        request,
        f"kinds/{adapter.kind}.html",
        status or (422 if errors else 200),
        adapter=adapter,
        fields={field.name: field for field in adapter.fields},
        values=values,
        commands=commands_for(adapter, values, live.address),
        errors=errors,
        key=key,
        strategies=strategies,
        silent=silent,
        models=await known_models(request.app.state) if "model_path" in values and not silent else [],
        today=today(),
        timeframes=TIMEFRAMES,
        known=await live.survey.known() if adapter.kind == "data_load" and not silent else [],
    )


def _blame(adapter: type[OperationAdapter], message: str) -> dict[str, str]:
    """The backend's refusal beside the field it is about, where that can be told."""
    shown = message.partition(" (searched:")[0]
    for word, name in (("trategy", "strategy_name"), ("symbol", "symbol"), ("isoformat", "start_date")):
        if word in message and any(field.name == name for field in adapter.fields):
            return {name: shown}
    return {"": shown}


def _adapter(kind: str) -> type[OperationAdapter]:
    if kind not in KINDS:
        raise HTTPException(404, "There is nothing of this kind to start.")
    return KINDS[kind]


async def _values(request: Request, adapter: type[OperationAdapter], given: dict[str, str]) -> dict[str, str]:
    """What was typed, and what follows from it."""
    values = {field.name: given.get(field.name, "") for field in adapter.fields}
    if "model_path" in values:
        return completed(values, given, await known_models(request.app.state))
    return values


async def typed(request: Request) -> dict[str, str]:
    form = await request.form(max_files=0, max_fields=50)
    return {name: value for name, value in form.items() if isinstance(value, str)}
