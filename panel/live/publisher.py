"""Turns domain events into fragments: each is rendered once, and its bytes go to every open page.

Topics are what pages are about: `line` (every page), `home`, `workers`, `queue`, `stored`, `plans` with `plan:<key>`,
`op:<id>`, `api:<id>` for scripts, and for the list of operations `listing` and the `row:<id>` of each that is on it
(see `rows`). Each fragment has the same template on the page and in the stream.
"""

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable
from typing import Any

from panel.domain import events
from panel.domain.agents import parts
from panel.domain.attention import needs_look
from panel.domain.events import EventBus
from panel.domain.observation import Observation
from panel.live.hub import BOARD, LISTED, Hub, frame, heartbeat, partial
from panel.live.reader import Reader
from panel.live.rows import Rows, row_of
from panel.observability.rounds import until_next
from panel.views.charts import curves_of, place_of
from panel.views.listing import COLUMNS
from panel.views.operation import end_sentence
from panel.views.templating import draw

ANNOUNCED_FOR, MAX_ANNOUNCED = 900.0, 10  # seconds for which an end is announced to new pages, and how many are
LISTS_SHARE = 9  # times the duration of drawing home's lists that pass before they are drawn again: a tenth of a core
BEAT = 10.0  # seconds; the page calls itself stale when three are missing


class Publisher:
    def __init__(self, hub: Hub, reader: Reader, bus: EventBus) -> None:
        self._hub = hub
        self._reader = reader
        self._monitor = reader.monitor
        self._lists_due = True
        self._lists_waiting: asyncio.TimerHandle | None = None
        self._lists_again = 0.0  # when home's lists may be drawn again (the loop's time)
        self._due: set[Callable[[], None]] = set()  # what is drawn soon
        self._map: object = None  # what the map was last drawn from
        self._filling: set[tuple[str, str]] = set()  # rows that show a load's progress
        self._contact: tuple[bool, ...] = ()  # what home was last drawn for: see Connection.contact
        self._cards: set[str] = set()  # operations that home shows as running
        self._transient: set[str] = set()  # operations that home shows as wanting attention, for now
        self._links: list[tuple[object, ...]] = []  # what the system health was last drawn from
        self._drawn: dict[tuple[str, str], str] = {}
        self._rows = Rows()
        self._plain = {"line": self._connection, "workers": self._workers, "queue": self._queue}
        self._wholes: dict[str, str] = {}  # operation -> the research on an open page that it is part of
        self._timed: dict[str, object] = {}  # what the timelines were last drawn from
        self._announced: list[dict[str, Any]] = []
        hub.publish("listing", "listed", LISTED)  # a list asks once when its stream opens, however late that is
        bus.subscribe(events.OperationChanged, self._operation_changed)
        bus.subscribe(events.VerdictRecorded, self._written)
        bus.subscribe(events.OperationEnded, self._operation_ended)
        bus.subscribe(events.OperationsListed, lambda _: self._listed())
        bus.subscribe(events.CheckpointChecked, lambda event: self._operation(event.observation))
        bus.subscribe(events.ConnectionChanged, lambda _: self._connection())
        bus.subscribe(events.WorkersChanged, lambda _: self._workers_changed())
        bus.subscribe(events.LabelsChanged, self._labels_changed)
        bus.subscribe(events.QueueChanged, lambda _: self._queue_changed())
        bus.subscribe(events.BatchChanged, lambda event: self._board_changed(event.key))
        bus.subscribe(events.StoredDataChanged, lambda _: self._soon(self._stored))

    async def beat(self) -> None:
        """Send a heartbeat to every page every BEAT seconds; runs until cancelled."""
        while True:
            await until_next(BEAT)
            # When the backend last answered and listed its workers: an age is no reason to draw the health again.
            monitor = self._monitor
            heard = frame(f"{monitor.connection.answered_at or 0} {monitor.worker_list.heard_at or 0}", "heard")
            self._hub.publish("line", "beat", heartbeat() + heard, keep=False)
            self._connection()  # what time alone has changed: workers not listed for long

    def prepare(self, topic: str) -> None:
        """Have the topic's current state ready for a stream that is about to open."""
        observation = self._monitor.known(topic.split(":")[1]) if topic.startswith(("row:", "op:")) else None
        if topic == "home" and self._lists_due:
            self._lists()
        elif topic in self._plain:
            self._plain[topic]()
        elif topic == "stored" or topic.startswith("plan:"):
            self._stored(topic)
        elif topic.startswith("row:"):
            self._rows.opened(topic)
            if observation is not None:
                self._row(observation, topic)
        elif observation is not None:
            self._draw_operation(observation)

    def closed(self, topic: str) -> None:
        """A stream of the topic closed."""
        if self._hub.readers(topic):
            return
        self._wholes = {part: whole for part, whole in self._wholes.items() if whole != topic[3:]}
        if topic.startswith("row:"):
            self._rows.closed(topic)
        known = self._monitor.known(topic[3:]) if topic.startswith("op:") else None
        if topic.startswith(("plan:", "row:", "op:")) and not (known and self._monitor.verdict(known).live):
            self._forget(topic)

    # What happened

    def _operation_changed(self, event: events.OperationChanged) -> None:
        observation, verdict, snapshot = event.observation, event.verdict, event.observation.snapshot
        if verdict.live and snapshot.id in self._cards:
            view = self._reader.operation(observation, estimated=bool(self._hub.readers("home")))
            card = partial(f"card-{snapshot.id}", draw("fragments/card.html", view))
            self._hub.publish("home", f"card-{snapshot.id}", frame(card))
        elif not verdict.live:
            self._hub.drop("home", f"card-{snapshot.id}")
        if snapshot.traits.loads:
            self._soon(self._stored)
            if not verdict.live:
                self._connection()  # its end may say something about the data source
        if needs_look(verdict) != (snapshot.id in self._transient):
            self._transient ^= {snapshot.id}
            self._listed()
        for topic in self._rows.of(snapshot.id):
            self._row(observation, topic)
        self._hub.publish(f"api:{snapshot.id}", "changed", b"!", keep=False)  # they draw it themselves
        self._operation(observation)
        if (whole := self._wholes.get(snapshot.id)) and (research := self._monitor.known(whole)) is not None:
            self._operation(research)
        if not verdict.live:
            self._forget(f"op:{snapshot.id}")

    def _written(self, event: events.VerdictRecorded) -> None:
        """Lists and timelines are read from the memory: an end is drawn again once it is stored."""
        self._hub.publish("api:changes", "changed", b"!", keep=False)  # programs read there what changed
        if not event.verdict.live:
            self._operation(event.observation)
            self._forget(f"op:{event.observation.snapshot.id}")
            self._listed()
            self._soon(self._stored)  # rows say how their last loads ended

    def _operation_ended(self, event: events.OperationEnded) -> None:
        """Announce it to every page. The latest few stay, for browsers that were not there just then."""
        view, now = self._reader.operation(event.observation), time.time()
        end = {"id": view.snapshot.id, "at": now, "text": end_sentence(view)}
        self._announced = [*(one for one in self._announced if one["at"] > now - ANNOUNCED_FOR), end][-MAX_ANNOUNCED:]
        self._hub.publish("line", "ended", frame(json.dumps(self._announced), "ended"))

    def _listed(self) -> None:
        self._lists_due = True
        self._reader.listed()
        self._soon(self._connection)  # the head counts what home lists
        if self._lists_waiting is None and self._hub.readers("home"):  # who comes later has them drawn then
            loop = asyncio.get_running_loop()
            self._lists_waiting = loop.call_at(max(self._lists_again, loop.time()), self._drawn_later, self._lists)
        if self._hub.readers("listing"):
            self._hub.publish("listing", "listed", LISTED)

    def _soon(self, drawing: Callable[[], None]) -> None:
        """Once for many changes."""
        if drawing not in self._due and self._hub.topics:
            self._due.add(drawing)
            asyncio.get_running_loop().call_later(0.3, self._drawn_later, drawing)

    def _drawn_later(self, drawing: Callable[[], None]) -> None:
        self._due.discard(drawing)
        try:
            drawing()
        except sqlite3.Error as exc:  # system health shows it
            self._monitor.recorder.failed(exc)

    def _labels_changed(self, event: events.LabelsChanged) -> None:
        for operation_id in event.ids:
            if (observation := self._monitor.known(operation_id)) is not None:
                self._operation(observation)
                for topic in self._rows.of(operation_id):
                    self._row(observation, topic)
        self._listed()

    def _queue_changed(self) -> None:
        if self._hub.readers("queue"):
            self._soon(self._queue)
        self._soon(self._stored)
        self._listed()

    def _board_changed(self, key: str) -> None:
        """Its page asks for itself again: it is sorted as its reader wants it."""
        if self._hub.readers(f"batch:{key}"):
            self._hub.publish(f"batch:{key}", "board", BOARD, keep=False)

    def _workers_changed(self) -> None:
        self._connection()
        for topic in self._hub.topics:
            known = self._monitor.known(topic[3:]) if topic.startswith("op:") else None
            if known is not None and known.snapshot.finished and self._reader.resume.considered(known):
                self._draw_operation(known)  # it can be resumed now, or no more
        for topic in ("workers", "queue"):  # what waits may wait for a worker
            if self._hub.readers(topic):
                self._plain[topic]()

    # Drawing

    def _connection(self) -> None:
        view = self._reader.connection()
        links = [link.without_age for link in view.links]
        if links != self._links:
            self._links = links
            self._put("line", "line", draw("fragments/line.html", view))
            before, self._contact = self._contact, view.connection.contact
            if before != self._contact:
                self._listed()

    def _queue(self) -> None:
        """Its first page: who looks at another one sees it as it was opened."""
        self._put("queue", "entries", draw("fragments/entries.html", self._reader.entries()))

    def _workers(self) -> None:
        self._put("workers", "workers", draw("fragments/workers.html", self._reader.workers()))

    def _row(self, observation: Observation, topic: str) -> None:
        view, (_, keys) = self._reader.operation(observation), row_of(topic)
        html = draw("fragments/row.html", view, view=view, keys=keys, columns=[COLUMNS[key] for key in keys])
        self._put(topic, f"row-{view.snapshot.id}", html)

    def _operation(self, observation: Observation) -> None:
        if self._hub.readers(f"op:{observation.snapshot.id}"):
            self._draw_operation(observation)

    def _draw_operation(self, observation: Observation) -> None:
        view, topic = self._reader.operation(observation), f"op:{observation.snapshot.id}"
        verdict, snapshot, details = view.verdict, view.snapshot, self._reader.details(view)
        for place in ("status", "outcome", "notes", "details", "label"):
            self._put(topic, place, draw(f"fragments/{place}.html", view, details))
        if not verdict.live:
            changes = self._reader.changes(observation)
            self._put(topic, "changes", draw("fragments/changes.html", view, changes=changes))
        if named := parts(snapshot):
            self._wholes |= dict.fromkeys(named, snapshot.id)
            self._put(topic, "study", draw("fragments/study.html", view, study=self._reader.study(observation)))
        epochs = bool(snapshot.epochs)
        timed = (verdict.state, verdict.word, snapshot.percentage // 25, epochs, observation.cancel)
        if self._timed.get(topic) != timed:  # the timeline is long, and its lines are few
            self._timed[topic] = timed
            self._put(topic, "timeline", draw("fragments/timeline.html", self._reader.timeline(view)))
        curves = json.dumps(curves_of(snapshot), separators=(",", ":"))
        if self._drawn.get((topic, "curves")) != curves:
            self._drawn[(topic, "curves")] = curves
            self._hub.publish(topic, "curves", frame(curves, "curves"))

    def _lists(self) -> None:
        clock = asyncio.get_running_loop().time
        if self._lists_waiting is not None:
            self._lists_waiting.cancel()
        began, self._lists_due, self._lists_waiting = clock(), False, None
        home = self._reader.home()
        self._cards = {item.snapshot.id for item in (*home.running, *home.stuck)}
        self._hub.drop("home")
        self._hub.publish("home", "lists", frame(partial("lists", draw("fragments/lists.html", home))))
        self._lists_again = clock() + (clock() - began) * LISTS_SHARE

    def _stored(self, topic: str = "") -> None:
        if topic == "stored" or self._hub.readers("stored"):
            self._coverage()
            self._put("stored", "queue", draw("fragments/queue.html", self._reader.queue()))
        for each in {topic, *self._hub.topics}:
            observation = self._monitor.known(each[3:]) if each.startswith("op:") else None
            if observation is not None and self._reader.inventory.seen_ended(observation.snapshot.id):
                self._draw_operation(observation)
            if each.startswith("plan:") and (plan := self._reader.plan(each[5:])) is not None:
                self._put(each, "plan", draw("fragments/plan.html", plan))

    def _coverage(self) -> None:
        """The map as a whole when a row is another; of a load that only goes on, its progress alone."""
        running = self._reader.loading()
        inventory = self._reader.inventory
        view = self._reader.stored()
        drawn = (tuple(inventory.rows(running)), tuple(inventory.files), frozenset(running), view.troubles)
        if drawn != self._map:
            self._map = drawn
            html = draw("fragments/coverage.html", view)
            self._hub.publish("stored", "coverage", frame(partial("coverage", html)))
        for pair, snapshot in running.items():
            self._put("stored", place_of(*pair), draw("fragments/loading.html", loading=snapshot), "innerHTML")
        for pair in self._filling - running.keys():
            gone = frame(partial(place_of(*pair), "<span hidden></span>", "innerHTML"))
            self._hub.drop("stored", place_of(*pair))
            self._drawn.pop(("stored", place_of(*pair)), None)
            self._hub.publish("stored", place_of(*pair), gone, keep=False)
        self._filling = set(running)

    def _put(self, topic: str, place: str, html: str, swap: str = "outerMorph") -> None:
        if self._drawn.get((topic, place)) != html:
            self._drawn[(topic, place)] = html
            self._hub.publish(topic, place, frame(partial(place, html, swap)))

    def _forget(self, topic: str) -> None:
        self._hub.drop(topic)
        self._timed.pop(topic, None)
        for key in [key for key in self._drawn if key[0] == topic]:
            del self._drawn[key]
