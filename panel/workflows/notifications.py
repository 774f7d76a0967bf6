"""Messages to people who have no page open: rules decide what is worth one, an outbox on disk sends it once.

A message that a service refused, or that could not be delivered, is tried again for a day. One whose answer did not
come in time, or during which the panel stopped, is not: the notifications page says so.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from panel.adapters import KINDS
from panel.domain.agents import kind_title
from panel.domain.comparison import measured
from panel.domain.events import EventBus, OperationEnded, WorkersChanged
from panel.domain.labels import typed_tags
from panel.domain.observation import Observation
from panel.domain.snapshot import Snapshot
from panel.domain.state import GOOD, State, Verdict
from panel.monitoring.poller import Monitor
from panel.observability.rounds import IDLE, cancel_all, pause, until_set
from panel.storage.outbox import Message, MessageState, Outbox
from panel.storage.store import Storage
from panel.workflows.channels import BadChannel, Channel, channel_of, send

RETRIES = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0)  # seconds until the next try; the last one from then on
ROUND = IDLE  # seconds between looks, besides those that news asks for
GIVE_UP_AFTER = 86_400.0  # seconds after which a message that was refused is given up
SILENT = 60.0  # seconds that the backend, or a worker, may be silent before a message is sent
MAX_CHANNELS = 10
MAX_BODY = 500  # characters
MAX_DRAFTS = 200  # messages that are kept while the memory cannot be written

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rule:
    """When a message is sent, in words."""

    key: str
    text: str
    default: bool


TAGS = "tags"
RULES = (
    Rule("failures", "A run fails, or ends with problems", True),
    Rule("better", "A run is better than every earlier one of its kind and strategy", True),
    Rule("ends", "Any other run ends", False),
    Rule("workers", "A worker that was there is gone for a minute, and what it worked on", True),
    Rule("backend", "The backend does not answer for a minute, and when it does again", True),
    Rule("memory", "The panel cannot write its memory", True),
    Rule(TAGS, "A run with one of these tags ends, however it went", False),
)
_GOOD = (*GOOD, State.CANCELLED)


class Notifications:
    """`fixed`: channels' addresses from the environment. `address`: of the panel, for links."""

    def __init__(
        self, storage: Storage, monitor: Monitor, events: EventBus, fixed: Iterable[str], address: str
    ) -> None:
        self._storage = storage
        self._outbox = storage.outbox
        self._memory = storage.memory
        self._monitor = monitor
        self.problems: list[str] = []  # of the environment's channels
        self._fixed: list[Channel] = []
        for place, url in enumerate(fixed, 1):
            try:
                self._fixed.append(channel_of(url, fixed=True))
            except BadChannel as exc:
                self.problems.append(f"KTRDR_PANEL_NOTIFY, address {place}: {exc}")
                log.error("%s", self.problems[-1])
        self._address = address
        self._workers_since: dict[str, float | None] = {}  # worker id -> since when it is gone; None: it is there
        self._marked = False  # what was being sent when the last panel stopped is marked
        self._drafts: list[_Draft] = []
        self._outcomes: list[Callable[[Storage], None]] = []  # of what was sent, to be written down
        self._sending: dict[str, asyncio.Task[None]] = {}  # by channel
        self._due = asyncio.Event()  # there is something to send or to write down
        self._silent_since: float | None = None  # when a message said that the backend is silent
        self._unwritable_since: float | None = None  # … that the memory cannot be written
        events.subscribe(OperationEnded, lambda event: self._ended(event.observation, event.verdict))
        events.subscribe(WorkersChanged, lambda _: self._workers())

    def channels(self) -> list[Channel]:
        known = {channel.id: channel for channel in self._fixed}
        for _, url in self._outbox.channels():
            with suppress(BadChannel):  # a service that Apprise has given up since
                known.setdefault(channel_of(url).id, channel_of(url))
        return list(known.values())

    async def add_channel(self, url: str) -> None:
        """Raises BadChannel, and sqlite3.Error when it cannot be kept."""
        channel, known = channel_of(url), self.channels()
        if any(each.id == channel.id for each in known):
            raise BadChannel("This channel is there already.")
        if len(known) >= MAX_CHANNELS:
            raise BadChannel(f"There are {MAX_CHANNELS} channels already: remove one first.")
        now = time.time()
        await self._storage.write(lambda store: store.outbox.add_channel(channel.id, channel.url, now))

    async def remove_channel(self, channel_id: str) -> None:
        await self._storage.write(lambda store: store.outbox.remove_channel(channel_id))

    def rules(self) -> dict[str, bool]:
        """Rule -> whether it is on."""
        return {rule.key: rule.default for rule in RULES} | self._outbox.rules()

    def tags(self) -> tuple[str, ...]:
        """Those of the rule about tags."""
        return typed_tags(self._outbox.about(TAGS))

    async def set_rules(self, chosen: Iterable[str], tags: str) -> None:
        """`tags`: as typed; the rule about them is on where there are any."""
        named = typed_tags(tags)
        wanted = {*chosen} - {TAGS} | ({TAGS} if named else set())
        on = {rule.key: rule.key in wanted for rule in RULES}
        await self._storage.write(lambda store: store.outbox.set_rules(on, {TAGS: " ".join(named)}))

    def recent(self) -> list[Message]:
        return self._outbox.recent(50)

    async def test(self, channel_id: str) -> None:
        """Send a message to one channel, by the way that all take."""
        now = time.time()
        draft = _Draft(f"test:{now}", "KTRDR panel: a test", "Messages arrive here.", now)
        await self._storage.write(lambda store: draft.add(store.outbox, [channel_id]))
        self._due.set()

    async def run(self) -> None:
        """Until cancelled: send what is due, and look what has gone wrong for long enough. What the memory does not
        take now is tried again with the next round."""
        try:
            while True:
                await self._round()
        except asyncio.CancelledError:  # what is being sent is marked when the panel starts again
            await cancel_all(self._sending.values())
            raise

    async def _round(self) -> None:
        self._gone_workers()
        self._connection()
        await self._memory_lost()
        self._due.clear()
        try:
            await self._write_down()
            await self._send_due()
        except sqlite3.Error as exc:
            log.warning("notifications wait for the memory: %s", exc)
        await until_set(self._due, pause(ROUND))

    async def _write_down(self) -> None:
        if not self._marked:
            await self._storage.write(lambda store: store.outbox.interrupted())
            self._marked = True
        while self._outcomes:
            await self._storage.write(self._outcomes[0])
            del self._outcomes[0]
        while self._drafts:
            draft, channels = self._drafts[0], [channel.id for channel in self.channels()]
            await self._storage.write(lambda store, draft=draft, to=channels: draft.add(store.outbox, to))  # type: ignore[misc]
            del self._drafts[0]

    async def _send_due(self) -> None:
        """One message of each channel at a time: a service that is slow to answer keeps nothing else waiting."""
        addresses = {channel.id: channel.url for channel in self.channels()}
        due = self._outbox.due(time.time())
        for channel in {message.channel for message in due} - addresses.keys():  # removed from the environment
            await self._storage.write(lambda store, channel=channel: store.outbox.drop_waiting(channel))  # type: ignore[misc]
        for each in due:
            if each.channel in addresses and each.channel not in self._sending:
                await self._storage.write(lambda store, each=each: store.outbox.settle(each, MessageState.SENDING))  # type: ignore[misc]
                self._sending[each.channel] = asyncio.create_task(self._send(each, addresses[each.channel]))

    async def _send(self, message: Message, url: str) -> None:
        """What it is sent as is on disk already. `send` never raises."""
        state, problem = await asyncio.to_thread(send, url, message.title, message.body)
        due_at, now = 0.0, time.time()
        if state is not MessageState.SENT:
            log.warning("a notification was not sent: %s", problem)
        if state is MessageState.FAILED and now - message.made_at < GIVE_UP_AFTER:
            state, due_at = MessageState.WAITING, now + RETRIES[min(message.attempts, len(RETRIES) - 1)]
        self._outcomes.append(lambda store: store.outbox.settle(message, state, problem, due_at))
        del self._sending[message.channel]
        self._due.set()

    def _ended(self, observation: Observation, verdict: Verdict) -> None:
        snapshot, on = observation.snapshot, self.rules()
        adapter = KINDS.get(snapshot.kind)
        tagged = on[TAGS] and not set(self._storage.labels.of(snapshot.id).tags).isdisjoint(self.tags())
        run = self._name(snapshot)
        word = verdict.word.lower()
        if verdict.state not in _GOOD:
            wanted, title = on["failures"], f"{run}: {word}"
        elif better := self._best_so_far(observation, verdict):
            wanted, title = on["better"] or on["ends"], f"{run}: {better}"
        else:
            wanted, title = on["ends"], f"{run}: {word}"
        if wanted or tagged:
            figures = adapter.figures(snapshot) if adapter else []
            lines = [verdict.headline, *(f"{figure.label}: {figure.value}" for figure in figures if figure.lead)]
            end = snapshot.completed_at or observation.changed_at
            self._add(f"end:{snapshot.id}:{end}", title, lines, f"/operations/{snapshot.id}")

    def _name(self, snapshot: Snapshot) -> str:
        """Its kind, and what it is called."""
        adapter, label = KINDS.get(snapshot.kind), self._storage.labels.of(snapshot.id)
        kind = adapter.title if adapter else kind_title(snapshot.kind)
        name = label.name or (adapter.name(snapshot) if adapter else snapshot.strategy)
        return kind if name in ("", kind) else f"{kind} {name}"

    def _best_so_far(self, observation: Observation, verdict: Verdict) -> str:
        """In words, if its first figure is higher than that of each earlier run of its kind and strategy."""
        snapshot, adapter = observation.snapshot, KINDS.get(observation.snapshot.kind)
        measure = next((each for each in adapter.measures if each.better == "high"), None) if adapter else None
        if measure is None or verdict.state is not State.COMPLETED or not snapshot.strategy:
            return ""
        reached = measured(measure, snapshot)
        best, runs = self._memory.best_before(snapshot, measure.key)
        return f"best so far of {runs + 1}" if reached is not None and best is not None and reached > best else ""

    def _workers(self) -> None:
        """A worker that the backend lists again soon, as after its own restart, was not gone."""
        reachable = {worker.id for worker in self._monitor.worker_list.workers if worker.reachable}
        for worker_id in reachable:
            self._workers_since[worker_id] = None
        for worker_id, gone_since in self._workers_since.items():
            if worker_id not in reachable and gone_since is None:
                self._workers_since[worker_id] = time.time()

    def _gone_workers(self) -> None:
        on = self.rules()["workers"]
        for worker_id, gone_since in list(self._workers_since.items()):
            if gone_since is not None and time.time() - gone_since > SILENT:
                del self._workers_since[worker_id]
                if on:
                    lines, path = self._worked_on(worker_id)
                    self._add(f"worker:{worker_id}:{gone_since}", f"Worker {worker_id} is gone", lines, path)

    def _worked_on(self, worker_id: str) -> tuple[list[str], str]:
        """What a worker that is gone was busy with, in words, and the page to look at."""
        last = self._monitor.worker_list.last_entry(worker_id)
        known = self._monitor.known(last.operation_id) if last and last.operation_id else None
        if known is None:
            return [], "/workers"
        verdict = self._monitor.verdict(known)
        sentence = f"It worked on {self._name(known.snapshot)}: {verdict.word.lower()}."
        return [sentence, verdict.headline], f"/operations/{known.snapshot.id}"

    def _connection(self) -> None:
        since, on = self._monitor.connection.failing_since, self.rules()["backend"]
        if since is not None and self._silent_since is None and time.time() - since > SILENT:
            self._silent_since = since
            if on:
                self._add(f"silent:{since}", "The backend does not answer", [self._monitor.connection.message], "/")
        elif since is None and self._silent_since is not None:
            if on:
                self._add(f"back:{self._silent_since}", "The backend answers again", [], "/")
            self._silent_since = None

    async def _memory_lost(self) -> None:
        """There is no outbox without a memory: these go out at once, and are tried once."""
        since = self._monitor.recorder.failing_since
        if since is not None and self._unwritable_since is None and self.rules()["memory"]:
            body = f"{self._monitor.recorder.reason}. Nothing can be started until it can."
            title = "The panel cannot write its memory"
            sends = (asyncio.to_thread(partial(send, channel.url, title, body)) for channel in self.channels())
            await asyncio.gather(*sends)
        self._unwritable_since = since

    def _add(self, message_id: str, title: str, lines: list[str], path: str) -> None:
        """Written down with the next round: nothing here waits for the memory, and nothing is lost while it is full."""
        body = "\n".join(filter(None, lines))[:MAX_BODY]
        draft = _Draft(message_id, title[:200], f"{body}\n{self._address}{path}".strip(), time.time())
        self._drafts = [*self._drafts, draft][-MAX_DRAFTS:]
        self._due.set()


@dataclass(frozen=True, slots=True)
class _Draft:
    """A message that is not in the outbox yet."""

    id: str
    title: str
    body: str
    made_at: float

    def add(self, outbox: Outbox, channels: list[str]) -> None:
        outbox.add(self.id, channels, self.title, self.body, self.made_at)
