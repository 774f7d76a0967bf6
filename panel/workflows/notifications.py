"""Tells people who have no page open: rules decide what is worth a message, an outbox on disk sends it once.

A message that a service refused, or that could not leave, is tried again for a day. One that may have arrived (the
answer never came, or the panel stopped in between) is not: the notifications page says so.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from panel.adapters import KINDS
from panel.domain.events import EventBus, OperationEnded, WorkersChanged
from panel.domain.history import OperationQuery
from panel.domain.observation import Observation
from panel.domain.snapshot import Snapshot
from panel.domain.state import State, Verdict
from panel.domain.values import number
from panel.monitoring.poller import Monitor
from panel.storage.outbox import Message, MessageState
from panel.storage.store import Storage
from panel.workflows.channels import BadChannel, Channel, channel_of, send

ROUND = 2.0  # seconds between looks at what is due
RETRIES = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0)  # seconds until the next try; the last one from then on
GIVE_UP = 86_400.0  # seconds after which a message that was refused is given up
SILENT = 60.0  # seconds that the backend, or a worker, may be silent before somebody is told
MAX_CHANNELS = 10
MAX_BODY = 500  # characters
BEST_OF = 500  # earlier runs that a result is compared with

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rule:
    """When a message is sent, in words."""

    key: str
    words: str
    default: bool


RULES = (
    Rule("failures", "A run fails, is lost, or ends with problems", True),
    Rule("better", "A training is better than every earlier one of its strategy", True),
    Rule("ends", "Any other run ends", False),
    Rule("workers", "A worker that was there is gone for a minute", True),
    Rule("backend", "The backend does not answer for a minute, and when it does again", True),
    Rule("memory", "The panel cannot write its memory", True),
)
_GOOD = (State.COMPLETED, State.CANCELLED)


class Notifications:
    """`fixed`: channels' addresses from the environment. `address`: of the panel, for links."""

    def __init__(
        self, storage: Storage, monitor: Monitor, events: EventBus, fixed: Iterable[str], address: str
    ) -> None:
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
        self._silent_since: float | None = None  # somebody was told that the backend is silent
        self._unwritable_since: float | None = None  # … that the memory cannot be written
        events.subscribe(OperationEnded, lambda event: self._ended(event.observation, event.verdict))
        events.subscribe(WorkersChanged, lambda _: self._workers())

    def channels(self) -> list[Channel]:
        added = [channel_of(url) for _, url in self._outbox.channels()]
        fixed = {channel.id for channel in self._fixed}
        return [*self._fixed, *(channel for channel in added if channel.id not in fixed)]

    def add_channel(self, url: str) -> Channel:
        """Raises BadChannel."""
        channel, known = channel_of(url), self.channels()
        if any(each.id == channel.id for each in known):
            raise BadChannel("This channel is there already.")
        if len(known) >= MAX_CHANNELS:
            raise BadChannel(f"There are {MAX_CHANNELS} channels already: remove one first.")
        self._outbox.add_channel(channel.id, channel.url, time.time())
        return channel

    def remove_channel(self, channel_id: str) -> None:
        self._outbox.remove_channel(channel_id)

    def rules(self) -> dict[str, bool]:
        """Rule -> whether it is on."""
        return {rule.key: rule.default for rule in RULES} | self._outbox.rules()

    def set_rules(self, chosen: Iterable[str]) -> None:
        wanted = set(chosen)
        for rule in RULES:
            self._outbox.set_rule(rule.key, rule.key in wanted)

    def recent(self) -> list[Message]:
        return self._outbox.recent(50)

    def test(self, channel_id: str) -> None:
        """Send a message to one channel, by the way that all take."""
        self._outbox.add(
            f"test:{time.time()}", [channel_id], "KTRDR panel: a test", "Messages arrive here.", time.time()
        )

    async def run(self) -> None:
        """Until cancelled: send what is due, and look what has gone wrong for long enough."""
        self._outbox.interrupted()
        while True:
            self._gone_workers()
            self._connection()
            await self._memory_lost()
            addresses = {channel.id: channel.url for channel in self.channels()}
            due = self._outbox.due(time.time())
            for message in due:
                if message.channel not in addresses:  # it was removed from the environment
                    self._outbox.drop_waiting(message.channel)
            await asyncio.gather(
                *(self._send(each, addresses[each.channel]) for each in due if each.channel in addresses)
            )
            await asyncio.sleep(0.0 if due else ROUND)

    async def _send(self, message: Message, url: str) -> None:
        self._outbox.settle(message, MessageState.SENDING)
        state, problem = await asyncio.to_thread(send, url, message.title, message.body)
        now = time.time()
        if state is not MessageState.FAILED:
            self._outbox.settle(message, state, problem)
        elif now - message.made_at > GIVE_UP:
            self._outbox.settle(message, MessageState.FAILED, problem)
        else:
            pause = RETRIES[min(message.attempts, len(RETRIES) - 1)]
            self._outbox.settle(message, MessageState.WAITING, problem, now + pause)
        if state is not MessageState.SENT:
            log.warning("a notification was not sent: %s", problem)

    def _ended(self, observation: Observation, verdict: Verdict) -> None:
        snapshot, on = observation.snapshot, self.rules()
        adapter = KINDS.get(snapshot.kind)
        kind, name = (adapter.title, adapter.name(snapshot)) if adapter else (snapshot.kind, "")
        run = kind if name in ("", kind) else f"{kind} {name}"
        word = verdict.word.lower()
        if verdict.state not in _GOOD:
            wanted, title = on["failures"], f"{run}: {word}"
        elif better := self._best_so_far(observation, verdict):
            wanted, title = on["better"] or on["ends"], f"{run}: {better}"
        else:
            wanted, title = on["ends"], f"{run}: {word}"
        if wanted:
            figures = adapter.figures(snapshot) if adapter else []
            lines = [verdict.headline, *(f"{figure.label}: {figure.value}" for figure in figures if figure.lead)]
            end = snapshot.completed_at or observation.changed_at
            self._add(f"end:{snapshot.id}:{end}", title, lines, f"/operations/{snapshot.id}")

    def _best_so_far(self, observation: Observation, verdict: Verdict) -> str:
        """In words, if this training's first figure is better than that of each earlier one of the strategy."""
        snapshot = observation.snapshot
        if verdict.state is not State.COMPLETED or not snapshot.strategy or (reached := _reached(snapshot)) is None:
            return ""
        wanted = OperationQuery(snapshot.kind, (State.COMPLETED,), snapshot.strategy, limit=BEST_OF)
        others = [_reached(each.snapshot) for each in self._memory.find(wanted)[0] if each.snapshot.id != snapshot.id]
        known = [other for other in others if other is not None]
        return f"best so far of {len(known) + 1}" if known and reached > max(known) else ""

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
                    self._add(f"worker:{worker_id}:{gone_since}", f"Worker {worker_id} is gone", [], "/workers")

    def _connection(self) -> None:
        since, on = self._monitor.line.failing_since, self.rules()["backend"]
        if since is not None and self._silent_since is None and time.time() - since > SILENT:
            self._silent_since = since
            if on:
                self._add(f"silent:{since}", "The backend does not answer", [self._monitor.line.message], "/")
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
        channels = [channel.id for channel in self.channels()]
        if not channels:
            return
        body = "\n".join([*filter(None, lines)])[:MAX_BODY]
        try:
            self._outbox.add(message_id, channels, title[:200], f"{body}\n{self._address}{path}".strip(), time.time())
        except sqlite3.Error as exc:
            log.warning("a notification could not be written down: %s", exc)


def _reached(snapshot: Snapshot) -> float | None:
    """The figure that runs of this kind are compared by first."""
    adapter = KINDS.get(snapshot.kind)
    measure = next((each for each in adapter.measures if each.better == "high"), None) if adapter else None
    if measure is None or snapshot.kind != "training":
        return None
    value: object = snapshot.result
    for name in measure.path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return number(value)
