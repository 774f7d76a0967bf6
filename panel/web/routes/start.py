"""Forms that start something, and starts whose outcome is unknown."""

import time

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from panel.adapters import KINDS, Kind
from panel.adapters.command_lines import commands_for
from panel.adapters.fields import TIMEFRAMES
from panel.domain.audit import Outcome
from panel.domain.batches import originals
from panel.domain.models import Model
from panel.domain.queueing import plain_refusal
from panel.domain.requests import FORM_KEY, Start, StartState
from panel.domain.snapshot import ID
from panel.domain.strategies import Strategy
from panel.errors import CLIClientError
from panel.web.auth.identity import identity_of
from panel.web.panel import Panel, PanelDep
from panel.web.recording import note, note_start
from panel.web.respond import actor_of, by_htmx, fragment, page, redirect, refused_status, typed
from panel.workflows import submit as submitted
from panel.workflows.backtest_preflight import known_models, today, with_model
from panel.workflows.preflight import Preflight
from panel.workflows.replacing import REPLACE
from panel.workflows.starting import new_key
from panel.workflows.submit import asked_before

router = APIRouter()


@router.get("/start/{kind}")
async def form(request: Request, panel: PanelDep, kind: str) -> Response:
    """An empty form, or one filled in from an earlier operation (`?again=<id>`) or from `?<field>=`."""
    adapter = _adapter(kind)
    await _offered_here(panel, adapter)
    await panel.submit.prepare()
    values = {field.name: field.default for field in adapter.fields}
    again = request.query_params.get("again", "")
    if ID.fullmatch(again):
        values |= asked_before(adapter, panel.storage.start_of(again), panel.monitor.known(again))
    values |= {k: v for k, v in request.query_params.items() if k in values}
    if "model_path" in values:
        # One that is asked for by its path is known, also when it is retired.
        models = await known_models(panel.sources) if values["model_path"] else await _offered(panel)
        values = with_model(values, models)
    return await _form(request, panel, adapter, values, {}, new_key())


@router.post("/start/{kind}")
async def submit(request: Request, panel: PanelDep, kind: str) -> Response:
    adapter, given = _adapter(kind), await typed(request)
    values, key = await panel.submit.values(adapter, given), given.get("key", "")
    await _offered_here(panel, adapter)
    if not FORM_KEY.fullmatch(key):
        errors = {"": "This form was out of date. Start again from here."}
        note(request, Outcome.REFUSED, kind, errors[""])
        return await _form(request, panel, adapter, values, errors, new_key())
    inline = bool(given.get("inline")) and by_htmx(request)
    confirmed = [name for name in (submitted.INSIST, REPLACE) if given.get(name)]
    wait = bool(given.get("wait"))
    inline = inline and adapter.traits.alone
    result = await panel.submit.submit(
        kind, values, key, actor_of(request), confirmations=confirmed, repeatable=inline, wait=wait
    )
    note_start(request, kind, values, result)
    if inline:
        return _in_place(result)
    match result:
        case submitted.Started(operation_id):
            return redirect(request, f"/operations/{operation_id}")
        case submitted.Queued():
            return redirect(request, "/data" if adapter.traits.alone else "/queue")
        case submitted.Unconfirmed(start):
            return redirect(request, f"/starts/{start.key}")
        case submitted.Invalid(errors):
            return await _form(request, panel, adapter, values, errors, key)
        case submitted.NeedsConfirmation(which, why):
            return await _form(request, panel, adapter, values, {which: why}, key)
        case submitted.Refused(errors=errors, busy=busy):
            later = not wait and (bool(busy) or result.later)
            return await _form(request, panel, adapter, values, errors, new_key(), wait=later, busy=busy)
        case submitted.Withdrawn(message):  # a form that is come back to
            errors = {"": f"{message} What you typed is still here: start it again from here."}
            return await _form(request, panel, adapter, values, errors, new_key(), wait=wait)
        case submitted.NotSent(message):
            later = not wait and not adapter.traits.alone
            offer = " The start can wait in the queue." if later else ""
            errors = {"": f"{message} Nothing was started; what you typed is still here.{offer}"}
            return await _form(request, panel, adapter, values, errors, new_key(), status=502, wait=later)


def _in_place(result: submitted.SubmitResult) -> Response:
    """For a button on another page."""
    if isinstance(result, submitted.Started | submitted.Queued | submitted.Unconfirmed):
        return Response(status_code=204, headers={"HX-Trigger": "look"})
    return fragment("fragments/trouble.html", what="Not loaded", message=submitted.message_of(result))


@router.post("/start/{kind}/look")
async def look(request: Request, panel: PanelDep, kind: str) -> Response:
    """What is known before the start. A POST, because the backend's own checks are: nothing here changes
    anything."""
    given = await typed(request)
    found = await panel.submit.look(kind, given)
    if found is None:
        raise HTTPException(404, "There is nothing to check before such a start.")
    if not by_htmx(request):
        adapter = _adapter(kind)
        values, key = await panel.submit.values(adapter, given), given.get("key") or new_key()
        return await _form(request, panel, adapter, values, {}, key, checked=found)
    for line in found.lines:
        if line.loading is not None:
            panel.monitor.wake(line.loading.id)  # its progress is shown here
    return fragment(
        "fragments/preflight.html",
        found,
        missing=found.missing,
        planned=found.planned,
        embedded=panel.reader.embedded,
        key=new_key,
        action=_adapter(kind).action,
        wait=found.waits,
        operates=identity_of(request).operates,
        now=time.time(),
    )


@router.post("/start/{kind}/command")
async def command(request: Request, panel: PanelDep, kind: str) -> Response:
    """The form as a command line, as it is filled in now. A POST, because what is typed is no address."""
    adapter = _adapter(kind)
    values = await panel.submit.values(adapter, await typed(request))
    return fragment("fragments/commands.html", commands=_commands(panel, adapter, values))


@router.get("/starts/{key}")
async def unconfirmed(request: Request, panel: PanelDep, key: str) -> Response:
    start = panel.storage.start(key)
    if start is None:
        raise HTTPException(404, "Nothing was started with this key.")
    if start.state is StartState.STARTED:
        return redirect(request, f"/operations/{start.operation_id}")
    might_be = [panel.reader.operation(observation) for observation in panel.starts.might_be(start)]
    message, raw = plain_refusal(start.message) if start.state is StartState.REFUSED else (start.message, "")
    return page(
        request,
        "unconfirmed.html",
        start=start,
        message=message,
        raw=raw,
        kind=KINDS[start.kind].title,
        might_be=might_be,
    )


@router.get("/starts/{key}/fate")
async def fate(panel: PanelDep, key: str) -> Response:
    """For a form whose answer was lost: the panel stopped, or the connection broke."""
    start = panel.storage.start(key)
    settled = start is None or not start.unsettled
    message = plain_refusal(start.message)[0] if start is not None else ""
    body = fragment("fragments/start-fate.html", start=start, message=message)
    body.headers["X-Settled"] = "1" if settled else "0"
    return body


@router.post("/starts/{key}/check")
async def check_again(request: Request, panel: PanelDep, key: str) -> Response:
    return _after(request, await panel.starts.check_again(key))


@router.post("/starts/{key}/choose")
async def choose(request: Request, panel: PanelDep, key: str) -> Response:
    """A person chooses the operation that it began."""
    operation_id = (await typed(request)).get("operation_id", "")
    return _after(request, await panel.starts.choose(key, operation_id))


@router.post("/starts/{key}/dismiss")
async def dismiss(request: Request, panel: PanelDep, key: str) -> Response:
    """A person marks it as not started."""
    return _after(request, await panel.starts.dismiss(key))


def _after(request: Request, start: Start | None) -> Response:
    if start is None:
        raise HTTPException(404, "Nothing was started with this key.")
    if start.state is StartState.DISMISSED:
        return redirect(request, "/")
    return redirect(
        request, f"/operations/{start.operation_id}" if start.state is StartState.STARTED else f"/starts/{start.key}"
    )


async def _form(
    request: Request,
    panel: Panel,
    adapter: type[Kind],
    values: dict[str, str],
    errors: dict[str, str],
    key: str,
    status: int = 0,
    checked: Preflight | None = None,
    wait: bool = False,
    busy: tuple[str, ...] = (),
) -> Response:
    strategies: list[Strategy] = []
    silent = ""
    if any(field.name == "strategy_name" for field in adapter.fields):
        try:
            strategies = await panel.catalogue.strategies()
        except CLIClientError as exc:
            silent = exc.message
    return page(
        request,
        f"kinds/{adapter.kind}.html",
        status=refused_status(request, status or (422 if errors else 200)),
        adapter=adapter,
        fields={field.name: field for field in adapter.fields},
        values=values,
        commands=_commands(panel, adapter, values),
        errors=errors,
        busy=busy,
        key=key,
        wait=wait or bool(checked and checked.waits) or panel.monitor.connection.failing_since is not None,
        strategies=strategies,
        variants=originals([each.name for each in strategies if not each.problem]),
        silent=silent,
        models=await _offered(panel) if "model_path" in values and not silent else [],
        today=today(),
        timeframes=TIMEFRAMES,
        checked=checked,
        now=time.time(),
        new_key=new_key,
        research=await panel.ktrdr.research() if adapter.offered_at else None,
        known=await panel.inventory.known() if adapter.traits.alone and not silent else [],
    )


def _commands(panel: Panel, adapter: type[Kind], values: dict[str, str]) -> list[str]:
    strategy = panel.catalogue.kept_strategy(values.get("strategy_name", ""))
    return commands_for(adapter, values, panel.reader.address, strategy)


async def _offered(panel: Panel) -> list[Model]:
    """Models to choose from: none that is retired."""
    labels = panel.storage.labels.of_models()
    retired = {key for key, label in labels.items() if label.retired}
    return [model for model in await known_models(panel.sources) if model.key not in retired]


async def _offered_here(panel: Panel, adapter: type[Kind]) -> None:
    if adapter.kind not in panel.offers.kinds:
        await panel.offers.look()
    if adapter.kind not in panel.offers.kinds:
        raise HTTPException(404, f"{adapter.title}: this backend does not have it.")


def _adapter(kind: str) -> type[Kind]:
    if kind not in KINDS:
        raise HTTPException(404, "There is nothing of this kind to start.")
    return KINDS[kind]
