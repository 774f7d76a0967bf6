"""The one entry for starting something, whether a form, a program or a command line asks: check, ask for confirmation
where the start would fail or destroy data, then queue it or start it at once."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256

from panel.adapters import KINDS, BacktestingOperationAdapter, DataLoadOperationAdapter, Kind, TrainingOperationAdapter
from panel.domain.observation import Observation
from panel.domain.queueing import means_later, plain_refusal
from panel.domain.requests import Entry, EntryState, Request, Start, StartState
from panel.errors import CLIClientError, InvalidForm
from panel.workflows import no_room
from panel.workflows.backtest_preflight import check_backtest, completed, known_models
from panel.workflows.load_remedies import why_no_load
from panel.workflows.preflight import Preflight, Sources, check_training
from panel.workflows.preflight_lines import RED
from panel.workflows.queue import Queue, QueueFull
from panel.workflows.replacing import REPLACE, would_replace
from panel.workflows.starting import StartWorkflow

INSIST = "insist"  # the confirmation: start what would fail


@dataclass(frozen=True, slots=True)
class Started:
    operation_id: str


@dataclass(frozen=True, slots=True)
class Queued:
    """It waits, or its start is not answered yet."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Invalid:
    """Nothing was sent. `errors`: a sentence for each field, "" for the form as a whole."""

    errors: dict[str, str]


@dataclass(frozen=True, slots=True)
class Refused:
    """The backend refused; `errors` has its message at the field that it is about. `busy`: the operations that leave it
    no room for this start, which can wait for them; `raw`: its own words, where `message` is plainer."""

    message: str
    errors: dict[str, str]
    busy: tuple[str, ...] = ()
    raw: str = ""

    @property
    def later(self) -> bool:
        """Whether it is only that the backend has no room now."""
        return means_later(self.raw or self.message)


@dataclass(frozen=True, slots=True)
class NeedsConfirmation:
    """Nothing was sent. `which` confirmation is missing, and why it is needed."""

    which: str
    why: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """The request was not sent."""

    message: str


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """It was sent, and whether it began is not known. `open`: it is still looked for."""

    start: Start

    @property
    def open(self) -> bool:
        return self.start.state is not StartState.DISMISSED


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """It was asked for before, and taken out of the queue before it had begun."""

    message: str


SubmitResult = Started | Queued | Invalid | Refused | NeedsConfirmation | NotSent | Unconfirmed | Withdrawn


class SubmitWorkflow:
    """With `sources`, what would fail or destroy data needs a confirmation; with a queue, loads go there, and so does
    what is to wait for a worker. A command line has neither: it waits for its own turn."""

    def __init__(self, starts: StartWorkflow, sources: Sources | None = None, queue: Queue | None = None) -> None:
        self._starts = starts
        self._sources = sources
        self._queue = queue

    async def prepare(self) -> None:
        """A form is open: have the embedded backend load its libraries meanwhile."""
        if self._sources is not None and self._sources.embedded:
            await self._starts.prepare()

    async def values(self, adapter: type[Kind], given: Mapping[str, str]) -> dict[str, str]:
        """The form's fields as they were typed, and what follows from the chosen model."""
        values = {field.name: given.get(field.name, "") for field in adapter.fields}
        if "model_path" in values and self._sources is not None:
            return completed(values, given, await known_models(self._sources))
        return values

    async def look(self, kind: str, given: dict[str, str]) -> Preflight | None:
        """What is known before a start of a form as it is filled in now; None where there is nothing to check."""
        check = _CHECKS.get(kind)
        if check is None or self._sources is None:
            return None
        found = await check(self._sources, given)
        return replace(found, unreachable=self._sources.monitor.connection.failing_since is not None)

    async def submit(
        self,
        kind: str,
        form: Mapping[str, str],
        key: str,
        actor: str,
        *,
        confirmations: Collection[str] = (),
        repeatable: bool = False,
        wait: bool = False,
    ) -> SubmitResult:
        """Start it once for each key. `repeatable`: the button keeps its key, and pressing it again means to try again
        what was refused or cancelled. `wait`: in the queue, if it cannot start now. Raises sqlite3.Error when the
        memory cannot take it; nothing was sent then."""
        self._starts.expect_memory()
        adapter, values = KINDS[kind], dict(form)
        try:
            made = adapter.from_form(values)
        except InvalidForm as exc:
            return Invalid(exc.errors)
        queue = self._queue
        sent, queued = self._starts.knows(key), queue is not None and queue.knows(key)
        which, reason = _CONFIRMED.get(kind, ("", None))
        if self._sources and (repeatable or not (sent or queued)):
            loads_sample = adapter.traits.loads and self._sources.embedded
            if loads_sample and (why := await why_no_load(self._sources.catalogue, values)):
                return Invalid({"symbol": why})
            if reason and which not in confirmations and (why := await reason(self._sources, values)):
                return NeedsConfirmation(which, why)
            sent, queued = self._starts.knows(key), queue is not None and queue.knows(key)
        # A form may be sent twice, once to start and once to wait: its key has only one way to go.
        if queue is not None and not sent and (wait or adapter.traits.alone or queued):
            values |= {REPLACE: "1"} if REPLACE in confirmations else {}  # the queue asks again
            return await self._enqueue(queue, kind, values, key, actor, repeatable=repeatable)
        result = result_of(await self._starts.submit(key, made, values, actor))
        if isinstance(result, Refused) and self._sources is not None and result.later:
            return await self._no_room(kind, result)
        return result

    async def _no_room(self, kind: str, refused: Refused) -> Refused:
        """The refusal in words about the workers; as it came when they are not known."""
        assert self._sources is not None  # noqa: S101
        monitor = self._sources.monitor
        with suppress(CLIClientError):
            monitor.take_worker_list(await self._starts.workers())
        why, busy = no_room.seen_from(monitor, self._sources.storage.labels, kind)
        if not why:
            return refused
        why += " Nothing was started. The start can wait in the queue."
        return Refused(why, {"": why}, busy, refused.raw)

    async def _enqueue(
        self, queue: Queue, kind: str, values: dict[str, str], key: str, actor: str, *, repeatable: bool
    ) -> SubmitResult:
        while (
            repeatable
            and (before := queue.entry(key)) is not None
            and before.state in (EntryState.REFUSED, EntryState.CANCELLED)
        ):
            key = sha256(f"again {key}".encode()).hexdigest()[:32]  # one for each attempt, however often it is clicked
        try:
            (entry,) = await queue.enqueue([Request(key, kind, values)], actor)
            entry = await queue.decided(entry)
        except QueueFull as exc:
            return NotSent(exc.message)
        if entry.state is EntryState.REFUSED:
            return _refused(kind, entry.message)
        if entry.operation_id:
            return Started(entry.operation_id)
        return Withdrawn("It was taken out of the queue.") if entry.state is EntryState.CANCELLED else Queued(entry)


async def _would_fail(sources: Sources, values: dict[str, str]) -> str:
    """Why this training would certainly fail: data that is not stored. "" when it would not, or when the backend
    cannot be asked."""
    lines = (await check_training(sources, values)).lines
    bad = next((line for line in lines if line.range is not None and line.level == RED), None)
    if bad is None:
        return ""
    advice = " Load it first, or let the panel load it and then train." if bad.load else ""
    advice = f" Import {bad.imports} first." if bad.imports else advice
    return f"{bad.subject}: {bad.text}{advice}"


async def _would_replace(sources: Sources, values: dict[str, str]) -> str:
    return "" if sources.embedded else await would_replace(sources.catalogue.range, values)


_CONFIRMED = {
    TrainingOperationAdapter.kind: (INSIST, _would_fail),
    DataLoadOperationAdapter.kind: (REPLACE, _would_replace),
}
_CHECKS = {TrainingOperationAdapter.kind: check_training, BacktestingOperationAdapter.kind: check_backtest}


def asked_before(adapter: type[Kind], start: Start | None, observation: Observation | None) -> dict[str, str]:
    """What an operation was started with, as form fields; {} when that is unknown."""
    if start is not None:
        return dict(start.form)
    if observation is None:
        return {}
    snapshot = observation.snapshot
    about = {"symbol": snapshot.symbol, "timeframe": snapshot.timeframe}
    return adapter.typed(about | snapshot.parameters | {"strategy_name": snapshot.strategy})


def result_of(start: Start) -> SubmitResult:
    """The outcome of a start."""
    match start.state:
        case StartState.STARTED:
            return Started(start.operation_id or "")
        case StartState.REFUSED:
            return _refused(start.kind, start.message)
        case StartState.UNSENT:
            return NotSent(start.message)
    return Unconfirmed(start)


def message_of(result: SubmitResult) -> str:
    """Why nothing was started; "" when something was."""
    match result:
        case Invalid(errors):
            return " ".join(errors.values())
        case NeedsConfirmation(_, why):
            return why
        case Refused(message) | NotSent(message) | Withdrawn(message):
            return message
        case Unconfirmed(start):
            return start.message
    return ""


def _refused(kind: str, answer: str) -> Refused:
    message, raw = plain_refusal(answer)
    return Refused(message, _blame(kind, message), raw=raw)


def _blame(kind: str, message: str) -> dict[str, str]:
    """The backend's refusal at the field it is about, where that can be recognised."""
    for word, name in (("trategy", "strategy_name"), ("symbol", "symbol"), ("isoformat", "start_date")):
        if word in message and any(field.name == name for field in KINDS[kind].fields):
            return {name: message}
    return {"": message}
