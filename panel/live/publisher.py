"""What the relay finds, drawn once and handed to every open page.

Topics are what pages are about: `line` (every page), `home`, `workers`, `op:<id>`, and for the list of operations
`listing` and the `row:<id>` of each that is on it. Each fragment has the same template on the page and in the
stream, so a page that was just loaded and one that was open are the same.
"""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

from panel.backend.catalogue import Catalogue
from panel.domain.attention import TURNING
from panel.domain.gaps import LENGTHS
from panel.domain.verdict import Observation, Verdict
from panel.live.hub import Hub, frame, partial
from panel.storage.store import Storage
from panel.views.charts import curves_of, place_of
from panel.views.operation import changes_of, estimate_of, timeline_of
from panel.views.pages import Views
from panel.views.templating import draw
from panel.workflows.resuming import out_of_question

WRITTEN = 1.5  # seconds after an end until its checkpoint is written
TOLD, TOLD_AT_ONCE = 900.0, 10  # seconds for which an end is news, and how many are
BEAT = 10.0  # seconds; the page calls itself stale when three are missing


class Publisher(Views):
    """The relay's listener."""

    told: Callable[[Verdict], None]  # of every verdict that was written down

    def __init__(self, fanout: Hub, store: Storage, catalogue: Catalogue, *, embedded: bool) -> None:
        super().__init__(fanout, store, embedded=embedded)
        self._catalogue = catalogue
        self._dirty = True
        self._stored_dirty = False
        self._map: Any = None  # what the map was last drawn from
        self._filling: set[tuple[str, str]] = set()  # rows that show a load's progress
        self._silent = False  # the backend, when home was last drawn because of it
        self._turned: set[str] = set()  # what home shows as wanting attention, for now
        self._links: list[tuple[object, ...]] = []  # what the line was last drawn from
        self._drawn: dict[tuple[str, str], str] = {}
        self._ends: list[dict[str, Any]] = []
        fanout.publish("listing", "listed", LISTED)  # a list asks once when its stream opens, however late that is
        self._looking: set[asyncio.Task[None]] = set()  # for checkpoints
        self._timed: dict[str, object] = {}  # what the timelines were last drawn from

    async def beat(self) -> None:
        """Tell every page twice in each of its patience's turns that the line stands; runs until cancelled."""
        began = time.time()
        while True:
            self._store.paces.awake(began, time.time())
            await asyncio.sleep(BEAT)
            self.fanout.publish("line", "beat", heartbeat() + self._heard(), keep=False)
            self.line_changed()  # what time alone has changed: workers not listed for long

    async def close(self) -> None:
        """The panel stops: checkpoints are looked for no more."""
        looking = list(self._looking)
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)

    # The relay's side

    def changed(self, observation: Observation) -> None:
        snapshot, now = observation.snapshot, time.time()
        verdict = self.relay.verdict(observation)
        if verdict.live:
            card = draw("fragments/card.html", **self.card(observation, verdict, now))
            self.fanout.publish("home", f"card-{snapshot.id}", frame(partial(f"card-{snapshot.id}", card)))
        else:
            self.fanout.drop("home", f"card-{snapshot.id}")
            if snapshot.kind == "data_load" and snapshot.id not in self._loaded:
                self._ended_loads = None
                self.line_changed()
                self._loaded[snapshot.id] = now
                self._catalogue.data_changed()
                if snapshot.symbol and snapshot.timeframe in LENGTHS:
                    self.survey.look(snapshot.symbol, snapshot.timeframe)
        if snapshot.kind == "data_load":
            self.stored_changed()
        if (verdict.state in TURNING) != (snapshot.id in self._turned):
            self._turned ^= {snapshot.id}
            self.listed()
        if self.fanout.readers(f"row:{snapshot.id}"):
            self._row(observation, now)
        self.fanout.publish(f"api:{snapshot.id}", "changed", b"!", keep=False)  # they draw it themselves
        topic = f"op:{snapshot.id}"
        if self.fanout.readers(topic):
            self._operation(observation, verdict, now)
            if not self.resuming.considered(observation) and not out_of_question(observation, verdict):
                looking = asyncio.create_task(self.resumable(observation, WRITTEN))
                self._looking.add(looking)
                looking.add_done_callback(self._looking.discard)
        elif verdict.live and not self._store.paces.promised(snapshot.id):
            estimate_of(self._store, observation, verdict, now)  # written down, though nobody looks now
        if not verdict.live:
            self._forget(topic)

    def ended(self, observation: Observation, verdict: Verdict) -> None:
        """Tell every page, once. The latest few stay, for browsers that were not there just then."""
        now = time.time()
        end = {"id": observation.snapshot.id, "at": now, "text": told(self.view(observation, verdict, now))}
        self._ends = [*(each for each in self._ends if each["at"] > now - TOLD), end][-TOLD_AT_ONCE:]
        self.fanout.publish("line", "ended", frame(json.dumps(self._ends), "ended"))

    def listed(self) -> None:
        if not self._dirty:
            self._dirty = True
            asyncio.get_running_loop().call_soon(self._lists)
        if self.fanout.readers("listing"):
            self.fanout.publish("listing", "listed", LISTED)

    def stored_changed(self) -> None:
        """Stored data, the queue or a plan is not what it was; drawn soon, once for many changes."""
        if not self._stored_dirty and self.fanout.topics:
            self._stored_dirty = True
            asyncio.get_running_loop().call_later(0.3, self._stored)

    def queue_changed(self) -> None:
        """A load or a plan came, went or moved on."""
        self.stored_changed()
        self.listed()

    def starts_changed(self) -> None:
        """A start was sent, answered, lost or found."""
        self.loads.wake()

    def line_changed(self) -> None:
        line = self.line()
        links = [link.told for link in line["links"]]
        if links != self._links:
            self._links = links
            self._put("line", "line", draw("fragments/line.html", **line))
            if self._silent != (self.relay.line.failing_since is not None):
                self._silent = not self._silent
                self.listed()

    def judged(self, verdict: Verdict) -> None:
        self.told(verdict)

    def workers_changed(self) -> None:
        self.line_changed()
        for topic in self.fanout.topics:
            observation = self.relay.known(topic[3:]) if topic.startswith("op:") else None
            if observation is not None and observation.snapshot.finished and self.resuming.considered(observation):
                self._operation(
                    observation, self.relay.verdict(observation), time.time()
                )  # it can be resumed now, or no more
        if self.fanout.readers("workers"):
            self._put("workers", "workers", draw("fragments/workers.html", **self.workers()))

    def watched(self, operation_id: str) -> bool:
        if any(map(self.fanout.readers, (f"op:{operation_id}", f"row:{operation_id}", f"api:{operation_id}", "home"))):
            return True
        observation = self.relay.known(operation_id)
        return observation is not None and observation.snapshot.kind == "data_load" and self._loads_are_read()

    def anyone(self) -> bool:
        return bool(self.fanout.readers("line"))

    # The streams' side

    def prepare(self, topic: str) -> None:
        """Have the topic's current state ready for a stream that is about to open."""
        if topic == "home" and self._dirty:
            self._lists()
        elif topic == "line":
            self.line_changed()
        elif topic == "workers":
            self._put("workers", "workers", draw("fragments/workers.html", **self.workers()))
        elif topic == "stored" or topic.startswith("plan:"):
            self._stored(topic)
        elif topic.startswith("row:"):
            observation = self.relay.known(topic[4:])
            if observation is not None:
                self._row(observation, time.time())
        elif topic.startswith("op:"):
            observation = self.relay.known(topic[3:])
            if observation is not None:
                self._operation(observation, self.relay.verdict(observation), time.time())
                self.relay.wake(observation.snapshot.id)

    def left(self, topic: str) -> None:
        """A stream of the topic closed."""
        if topic.startswith(("plan:", "row:")) and not self.fanout.readers(topic):
            self._forget(topic)
        if topic.startswith("op:") and not self.fanout.readers(topic):
            observation = self.relay.known(topic[3:])
            if observation is None or not self.relay.verdict(observation).live:
                self._forget(topic)

    # Drawing

    def _row(self, observation: Observation, now: float) -> None:
        place = f"row-{observation.snapshot.id}"
        self._put(f"row:{observation.snapshot.id}", place, draw("fragments/row.html", **self.row(observation, now)))

    async def resumable(self, observation: Observation, after: float = 0.0) -> None:
        """Look up whether it can be resumed, if that is not out of the question, and show it. `after`: seconds."""
        await asyncio.sleep(after)
        if not out_of_question(observation, self.relay.verdict(observation)):
            await self.resuming.consider(observation)
            if self.fanout.readers(f"op:{observation.snapshot.id}"):
                self._operation(observation, self.relay.verdict(observation), time.time())

    def _operation(self, observation: Observation, verdict: Verdict, now: float) -> None:
        topic, view = f"op:{observation.snapshot.id}", self.whole(observation, verdict, now)
        for place in ("status", "outcome", "notes"):
            self._put(topic, place, draw(f"fragments/{place}.html", **view))
        if not verdict.live:
            self._put(
                topic,
                "changes",
                draw("fragments/changes.html", **view | {"changes": changes_of(self._store, observation)}),
            )
        known = (
            verdict.state,
            verdict.word,
            observation.snapshot.percentage // 25,
            bool(observation.snapshot.epochs),
            observation.cancel,
        )
        if self._timed.get(topic) != known:  # the timeline is long, and its lines are few
            self._timed[topic] = known
            self._put(
                topic,
                "timeline",
                draw("fragments/timeline.html", **timeline_of(self._store, observation, verdict, now)),
            )
        curves = json.dumps(curves_of(observation.snapshot), separators=(",", ":"))
        if self._drawn.get((topic, "curves")) != curves:
            self._drawn[(topic, "curves")] = curves
            self.fanout.publish(topic, "curves", frame(curves, "curves"))

    def _lists(self) -> None:
        self._dirty = False
        html = draw("fragments/lists.html", **self.home())
        self.fanout.drop("home")
        self.fanout.publish("home", "lists", frame(partial("lists", html)))

    def _stored(self, topic: str = "") -> None:
        self._stored_dirty = False
        if topic == "stored" or self.fanout.readers("stored"):
            self._coverage()
            self._put("stored", "queue", draw("fragments/queue.html", **self.queue()))
        for each in {topic, *self.fanout.topics}:
            observation = self.relay.known(each[3:]) if each.startswith("op:") else None
            if observation is not None and observation.snapshot.id in self._loaded:
                self._operation(observation, self.relay.verdict(observation), time.time())
            if each.startswith("plan:") and self._store.plan(each[5:]) is not None:
                self._put(each, "plan", draw("fragments/plan.html", **self.plan(each[5:])))

    def _coverage(self) -> None:
        """The map as a whole when a row is another; of a load that only goes on, its progress alone."""
        running = self.loading()
        drawn = (tuple(self.survey.rows(running)), frozenset(running))
        if drawn != self._map:
            self._map = drawn
            html = draw("fragments/coverage.html", **self.stored())
            self.fanout.publish("stored", "coverage", frame(partial("coverage", html)))
        for pair, snapshot in running.items():
            self._put("stored", place_of(*pair), draw("fragments/loading.html", loading=snapshot), "innerHTML")
        for pair in self._filling - running.keys():
            gone = frame(partial(place_of(*pair), "<span hidden></span>", "innerHTML"))
            self.fanout.drop("stored", place_of(*pair))
            self._drawn.pop(("stored", place_of(*pair)), None)
            self.fanout.publish("stored", place_of(*pair), gone, keep=False)
        self._filling = set(running)

    def _plans_read(self) -> list[str]:
        return [topic for topic in self.fanout.topics if topic.startswith("plan:")]

    def _heard(self) -> bytes:
        """When the backend last answered and listed its workers: an age is no reason to draw the line anew."""
        return frame(f"{self.relay.line.answered_at or 0} {self.relay.worker_list.heard_at or 0}", "heard")

    def _loads_are_read(self) -> bool:
        return bool(self.fanout.readers("stored") or self._plans_read())

    def _put(self, topic: str, place: str, html: str, swap: str = "outerMorph") -> None:
        if self._drawn.get((topic, place)) != html:
            self._drawn[(topic, place)] = html
            self.fanout.publish(topic, place, frame(partial(place, html, swap)))

    def _forget(self, topic: str) -> None:
        self.fanout.drop(topic)
        self._timed.pop(topic, None)
        for key in [key for key in self._drawn if key[0] == topic]:
            del self._drawn[key]


LISTED = frame("1", "listed")  # something came or went: a list that stands still may say so


def told(view: dict[str, Any]) -> str:
    """An end in one line: “Training rsi_swing completed: test accuracy 61.0 %”."""
    verdict, figures = view["verdict"], view["figures"]
    name = view["kind"] if view["title"] == view["kind"] else f"{view['kind']} {view['title']}"
    said = (
        f"{figures[0].label.lower()} {figures[0].value}"
        if figures and verdict.word == "Completed"
        else verdict.headline
    )
    return f"{name} {verdict.word.lower()}: {said}"


def heartbeat() -> bytes:
    return frame(str(time.time()), "beat")
