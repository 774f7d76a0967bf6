"""One operation from the command line: started exactly once, followed with a bar, reported.

It shares the panel's memory of this backend. The intent is on disk before the POST leaves; when the answer is
lost, or this process is killed, the panel knows what to look for, and shows it.
"""

import asyncio
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from typing import Any

from filelock import Timeout
from rich.console import Console
from rich.markup import escape

from panel.adapters import Kind
from panel.backend.connect import connect
from panel.backend.entities import snapshot_of
from panel.backend.ktrdr import Ktrdr
from panel.backend.openings import ending_of, gaps, stored_openings
from panel.backend.polling import cancelled
from panel.cli.following import Follower
from panel.cli.recording import entry
from panel.cli.terminal import Terminal
from panel.domain.audit import AuditEntry, Outcome
from panel.domain.events import EventBus, StartsChanged
from panel.domain.gaps import LENGTHS, left_by, until_of
from panel.domain.load_outcomes import may_have_brought
from panel.domain.memory import damaged, remedy
from panel.domain.observation import Observation
from panel.domain.requests import StartState
from panel.domain.state import State
from panel.domain.verdict import judge
from panel.domain.workers import WorkerList
from panel.errors import CLIClientError
from panel.settings import Settings
from panel.storage.process_lock import process_lock
from panel.storage.store import Storage
from panel.workflows.audit import start_outcome
from panel.workflows.no_room import no_room
from panel.workflows.replacing import reaching_back
from panel.workflows.starting import StartWorkflow, new_key
from panel.workflows.submit import Refused, Started, SubmitResult, SubmitWorkflow, Unconfirmed, message_of, result_of

OK, FAILED, INTERRUPTED = 0, 1, 130
SEARCH_TIME = 30.0  # seconds that a start whose answer was lost is looked for before the command gives up
NOT_CONFIRMED = (
    "It was sent, and no answer said whether it began. It is not sent again by itself. "
    "The panel keeps looking for it and shows it on its home page; look there before you start it again."
)


async def run(settings: Settings, made: Kind, form: Mapping[str, str]) -> int:
    """Health check, start, bar, result; returns the exit code. Ctrl-C cancels what was started."""
    console, title = Terminal(lasting=True), made.title
    work = asyncio.current_task()
    assert work is not None  # noqa: S101

    def cancel(signum: int) -> None:
        if signum == getattr(signal, "SIGHUP", None):  # the terminal is gone, and writing to it fails
            console.file = open(os.devnull, "w")  # noqa: SIM115  open until the process ends
        work.cancel()

    interrupted = _on_interrupt(cancel)
    try:
        async with connect(settings) as client:
            if not await client.health_check():
                console.print(f"Could not connect to API at {client.address}. Is the API server running?", style="red")
                return FAILED
            with closing(Storage(settings.memory_file)) as store:
                run = _Run(console, Ktrdr(client), store, made, form, embedded=not settings.backend)
                return await run.to_its_end(work)
    except asyncio.CancelledError:
        console.print(f"{title}: interrupted.", style="yellow")
        return INTERRUPTED
    except CLIClientError as exc:
        console.print(f"{title}: {escape(exc.message)}", style="red", highlight=False)
        return FAILED
    except (sqlite3.Error, OSError) as exc:
        advice = remedy(str(exc)) if damaged(str(exc)) else ""
        message = f"The panel's memory {settings.memory_file} cannot be used: {exc}. {advice}".strip()
        console.print(escape(message), style="red", highlight=False)
        return FAILED
    finally:
        interrupted()


class _Run:
    """One start, with what it needs."""

    def __init__(
        self, console: Console, ktrdr: Ktrdr, store: Storage, made: Kind, form: Mapping[str, str], *, embedded: bool
    ) -> None:
        self.console = console
        self.ktrdr = ktrdr
        self.store = store
        self.embedded = embedded
        self.load_lock = process_lock(store.path)
        self.made = made
        self.form = {name: value for name, value in form.items() if value}
        self.key = new_key()
        events = EventBus()
        events.subscribe(StartsChanged, lambda _: self._say_when_lost())
        self.starting = StartWorkflow(ktrdr, store, events)
        self.submit = SubmitWorkflow(self.starting)
        self.follower = Follower(ktrdr, console, made.title)
        self.last_message = ""
        self.stored_until: float | None = None  # before a load
        self.recorded = False

    async def to_its_end(self, work: "asyncio.Task[Any]") -> int:
        try:
            try:
                sent = await (self._in_turn() if self.made.traits.alone else self._send())
                result = await self.follower.to_end(await self._certain(sent))
                stored = await self._looked_through(result)
            except asyncio.CancelledError:
                work.uncancel()
                result, stored = await self._take_back(), {}
        finally:
            await self.starting.close()
        return _report(self.console, type(self.made), result, self.follower, stored)

    async def _looked_through(self, result: dict[str, Any]) -> dict[str, Any]:
        """Of a load that completed, fields of its observation: gaps in the stored bars of its period, and the last bar
        where bars lack after it. The backend does not say which segments failed. {} when they cannot be looked up."""
        if not self.made.traits.loads or result["status"] != "completed":
            return {}
        load = snapshot_of(result, 0.0)
        if not may_have_brought(load) or load.timeframe not in LENGTHS:
            return {}
        try:
            stored = await self.ktrdr.stored_range(load.symbol, load.timeframe)
            found = gaps(await stored_openings(self.ktrdr, stored), load.timeframe, load.symbol)
        except CLIClientError:
            return {}
        ended = time.time()
        ending = ending_of(stored, until_of(load.parameters, ended))
        left = left_by(load.parameters, self.stored_until, found, stored.reached, ended, ending)
        return {"gaps_left": left} | ({"none_after": stored.end, "ending": ending} if ending else {})

    async def _send(self) -> SubmitResult:
        result = await self.submit.submit(self.made.kind, self.form, self.key, "the command line")
        if not self.recorded:
            self.recorded = True
            subject, outcome, detail = start_outcome(self.made.kind, self.form, result)
            await self._record(entry("start", outcome, subject, detail))
        return result

    async def _record(self, made: AuditEntry) -> None:
        with suppress(sqlite3.Error, OSError):  # what was started goes on
            await self.store.write(lambda store: store.audit.add([made]))

    async def _in_turn(self) -> SubmitResult:
        """A load waits until no other runs or is being started: two at once disturb each other at the backend."""
        while True:
            before = "another load is being started"
            with suppress(Timeout), self.load_lock:  # the panel, or another command line, may be about to start one
                before = await self._before()
                if not before:
                    await self._note_stored()
                    return await self._send()
            self._tell(f"Waiting: {before}.")
            await asyncio.sleep(1.0)

    async def _note_stored(self) -> None:
        """How far the stored bars reach: a load of new bars is to fill what comes after, also where KTRDR would not."""
        if self.form.get("mode", "tail") != "tail":
            return
        with suppress(CLIClientError):
            stored = await self.ktrdr.stored_range(self.form["symbol"].upper(), self.form["timeframe"])
            self.stored_until = stored.end
            if not self.embedded and not self.form.get("start_date"):
                self.form |= reaching_back(stored, time.time())

    async def _before(self) -> str:
        """What has to end before a load may begin, in words."""
        for start in self.store.possibly_running_loads(time.time()):
            await self.starting.check_again(start.key)
            return f"a load of {escape(start.form.get('symbol', '').upper())} was sent and is not confirmed yet"
        before = await self.ktrdr.active_loads()
        if not before:
            return ""
        what = f"{before[0].symbol} {before[0].id}".strip()
        loads = "1 load" if len(before) == 1 else f"{len(before)} loads"
        return f"{loads} before this one ({escape(what)})"

    async def _certain(self, sent: SubmitResult) -> str:
        """Look for it while its answer is lost; returns the operation's id. Raises CLIClientError when it was not
        started."""
        end = time.monotonic() + SEARCH_TIME
        while isinstance(sent, Unconfirmed) and sent.open and time.monotonic() < end:
            await asyncio.sleep(1.0)
            sent = result_of(await self.starting.check_again(self.key) or sent.start)
        if isinstance(sent, Started):
            return sent.operation_id
        if isinstance(sent, Unconfirmed) and sent.open:
            raise CLIClientError(f"not confirmed. {sent.start.message} {NOT_CONFIRMED}")
        why = message_of(sent)
        if isinstance(sent, Refused) and sent.later and self.made.traits.worker:
            with suppress(CLIClientError):
                listed = WorkerList().heard(await self.ktrdr.workers(), time.time())
                why = no_room(listed, self.made.kind, time.time()) or why
            why += " With --queue the start waits for a worker, and the panel makes it."
        elif isinstance(sent, Refused) and sent.raw:
            why += f" The backend's words: {sent.raw}"
        raise CLIClientError(why)

    async def _take_back(self) -> dict[str, Any]:
        """Ctrl-C: cancel what was started. A POST that is under way is waited for: what it starts would
        otherwise run on unnoticed."""
        nothing = {"status": "cancelled", "operation_id": None}
        if not self.starting.knows(self.key):
            return nothing | {"note": "Nothing was started."}
        sent, at = await self._send(), self.made.cancel_at  # its outcome: this key is never sent again
        if isinstance(sent, Unconfirmed):
            sent = result_of(await self.starting.check_again(self.key) or sent.start)
        match sent:
            case Started(operation_id):
                await self._record(entry("cancel", Outcome.DONE, operation_id))
                return await cancelled(self.ktrdr, operation_id, at)
            case Unconfirmed(start):
                result = await cancelled(self.ktrdr, start.operation_id, at) if start.operation_id else nothing
                return result | {"note": NOT_CONFIRMED}
        return nothing | {"note": "Nothing was started."}

    def _say_when_lost(self) -> None:
        start = self.store.start(self.key)
        if start is not None and start.state is StartState.SENDING and start.message:
            self._tell("Sent; the answer was lost. Looking for it at the backend …")

    def _tell(self, words: str) -> None:
        if words != self.last_message:
            self.last_message = words
            self.console.print(words, style="dim", highlight=False)


def _on_interrupt(act: Callable[[int], Any]) -> Callable[[], Any]:
    """Call `act` at the first Ctrl-C, TERM or, unless `nohup` turned it off, HUP; returns what undoes that."""
    loop = asyncio.get_running_loop()
    signals = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signals.append(signal.SIGHUP)
    for each in signals:
        loop.add_signal_handler(each, act, each)
    return lambda: [loop.remove_signal_handler(each) for each in signals]


def _report(
    console: Console, adapter: type[Kind], result: dict[str, Any], follower: Follower, stored: Mapping[str, Any]
) -> int:
    operation_id = result.get("operation_id") or ""
    if result["status"] == "cancelled":
        text = f"{adapter.title} cancelled. {escape(result.get('note', ''))} {operation_id}"
        console.print(text.rstrip(), style="yellow")
        return INTERRUPTED
    snapshot = snapshot_of(result, 0.0)
    if result["status"] != "completed":
        why = escape(follower.why_failed() or snapshot.error or "the backend gave no reason")
        console.print(f"{adapter.title} failed: {why}", style="red", highlight=False)
        console.print(operation_id, style="dim", highlight=False)
        return FAILED
    verdict = judge(Observation(snapshot, 0.0, **stored), 3600.0)  # nothing goes on any more
    problem = verdict.state is State.PROBLEMS
    doubt = problem or verdict.state is State.UNCHECKED
    console.print(
        f"{adapter.title} {verdict.word.lower() if doubt else 'completed'}. [dim]{operation_id}[/dim]",
        style="yellow" if doubt else "green",
        highlight=False,
    )
    if problem or adapter.traits.loads:
        console.print(f"  {escape(verdict.headline)} {escape(verdict.advice)}".rstrip(), highlight=False)
    for figure in adapter.figures(snapshot):
        note = f"  [dim]{escape(figure.note)}[/dim]" if figure.note else ""
        console.print(f"  {escape(figure.label):<26}{escape(figure.value):>12}{note}", highlight=False)
    return FAILED if problem else OK
