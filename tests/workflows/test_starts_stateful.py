"""Started exactly once, seen to its end: whatever is pressed, broken, killed and restarted, in any order.

The whole panel runs over a line that is made bad on purpose, to a backend that counts what it begins, in virtual time.
KTRDR_PANEL_TEST_STARTS sets the number of such stories (10 unless it is set); a thousand take six minutes.
With `-s` the figures are printed.
"""

import asyncio
import os
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from panel.settings import Settings
from tests.support.lasting import Lasting
from tests.support.lives import Life
from tests.support.start_stories import ENDS, Intent, Story
from tests.support.virtual import virtual_time
from tests.support.wires import FAULTS, Line

STORIES = int(os.environ.get("KTRDR_PANEL_TEST_STARTS", "10"))
PATHS = {
    "training": "/trainings/start",
    "data_load": "/data/acquire/download",
    "backtesting": "/backtests/start",
    "dummy": "/dummy/start",
}
FIGURES: Counter[str] = Counter()
SLOWEST = {"start found": 0.0, "end shown": 0.0}


class Starts(Story, RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.runner = self.stack.enter_context(virtual_time())
        self.folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.backend = Lasting()
        self.line = Line(self.backend.app)
        self.stack.enter_context(self.line.laid())
        self.settings = Settings.from_environ({}, backend="http://backend/api/v1", data_folder=self.folder)
        self.life: Life | None = Life(self.runner, self.line, self.settings)
        self.intents: list[Intent] = []
        self.gone: set[str] = set()  # operations that the backend has forgotten
        self.stopped: set[str] = set()  # batches that were to stop
        self.ever: dict[str, Intent] = {}
        self.memory = self.settings.memory_file
        FIGURES["stories"] += 1

    @initialize(lasts=st.sampled_from((3.0, 20.0, 400.0)), latency=st.sampled_from((0.001, 0.05, 0.4)))
    def begin(self, lasts: float, latency: float) -> None:
        self.backend.lasts = dict.fromkeys(PATHS, lasts)
        self.line.latency = latency

    # What people do

    @precondition(lambda self: self.life and len(self.intents) < 12)
    @rule(
        kind=st.sampled_from(tuple(PATHS)),
        strategy=st.sampled_from(("swing", "swing", "swing", "broken", "nope")),
        symbol=st.sampled_from(("EURUSD", "GBPUSD")),
        times=st.sampled_from((1, 1, 2, 5, 50)),
        wait=st.sampled_from((0.0, 0.03, 0.1, 0.5, 4.0, 35.0)),
        fault=st.sampled_from(("", "", *FAULTS)),
        queue=st.booleans(),
    )
    def submit(
        self, kind: str, strategy: str, symbol: str, times: int, wait: float, fault: str, queue: bool = False
    ) -> None:
        number = len(self.intents)
        day = (date(1990, 1, 1) + timedelta(days=number)).isoformat()
        form = {
            "training": {"strategy_name": strategy, "symbols": symbol, "start_date": day, "insist": "1"},
            "data_load": {"symbol": symbol, "timeframe": "1h", "mode": "tail", "start_date": day, "replace": "1"},
            "backtesting": {"strategy_name": strategy, "start_date": day, "end_date": "2024-01-01", "model_path": "m"},
            "dummy": {},
        }[kind]
        if queue and kind != "dummy":
            form["wait"] = "1"
        intent = Intent(f"key-{number:012}", kind, form)
        self.intents.append(intent)
        if fault:
            self.line.faults.add(fault, "POST", PATHS[kind])
        self._press(intent, times, wait)

    @precondition(lambda self: self.life and len(self.intents) < 12)
    @rule(kinds=st.lists(st.sampled_from(tuple(PATHS)), min_size=2, max_size=4), fault=st.sampled_from(FAULTS))
    def submit_several(self, kinds: list[str], fault: str) -> None:
        for kind in kinds:
            self.submit(kind, "swing", "EURUSD", 1, 0.0, fault)

    @precondition(lambda self: self.life and len(self.intents) < 11)
    @rule(
        times=st.sampled_from((1, 2, 5)),
        wait=st.sampled_from((0.0, 0.1, 4.0)),
        fault=st.sampled_from(("", "", *FAULTS)),
    )
    def submit_batch(self, times: int, wait: float, fault: str) -> None:
        """Two trainings, each of days of its own."""
        number = len(self.intents)
        days = [(date(1990, 1, 1) + timedelta(days=number + more)).isoformat() for more in (0, 1)]
        batch = {"key": f"batch-{number:012}", "way": "grid", "strategy_name": "swing"}
        batch["periods"] = "\n".join(f"{day} to 2024-01-01" for day in days)
        for place, day in enumerate(days, 1):
            form = {"strategy_name": "swing", "start_date": day, "wait": "1"}
            self.intents.append(Intent(f"{batch['key']}-{place}", "training", form, batch=batch))
        if fault:
            self.line.faults.add(fault, "POST", PATHS["training"])
        FIGURES["batches"] += 1
        self._press(self.intents[-1], times, wait)

    @precondition(lambda self: self.life and any(intent.batch for intent in self.intents))
    @rule(data=st.data(), wait=st.sampled_from((0.0, 0.1, 4.0)))
    def stop_batch(self, data: st.DataObject, wait: float) -> None:
        batch = data.draw(st.sampled_from([intent.batch for intent in self.intents if intent.batch]))
        taken = [intent for intent in self.intents if intent.batch == batch and self.was_taken(intent)]
        for intent in taken:
            intent.dismissed |= self.one("SELECT state FROM queue WHERE key = ?", intent.key) == "unconfirmed"
        self.stopped.add(batch["key"])
        requests = self._life.post(f"/batches/{batch['key']}/stop", {}, 1, wait)
        for intent in taken:
            intent.removals += requests

    @precondition(lambda self: self.life and self.intents)
    @rule(data=st.data(), wait=st.sampled_from((0.0, 0.1, 4.0)))
    def submit_again(self, data: st.DataObject, wait: float) -> None:
        """A refresh, another tab, a page from before the restart."""
        self._press(data.draw(st.sampled_from(self.intents)), 1, wait)

    # How many are known by now may differ when a story is repeated: nothing that is drawn may depend on it.
    @precondition(lambda self: self.life and self.intents)
    @rule(number=st.integers(0, 99), wait=st.sampled_from((0.0, 0.1, 4.0)), times=st.sampled_from((1, 2)))
    def cancel(self, number: int, wait: float, times: int) -> None:
        if ids := [row[0] for row in self.rows("SELECT id FROM operations ORDER BY created_at, rowid")]:
            self._life.post(f"/operations/{ids[number % len(ids)]}/cancel", {}, times, wait)

    @precondition(lambda self: self.life and any(intent.queued for intent in self.intents))
    @rule(data=st.data(), wait=st.sampled_from((0.0, 0.1, 4.0)))
    def remove_from_queue(self, data: st.DataObject, wait: float) -> None:
        intent = data.draw(st.sampled_from([intent for intent in self.intents if intent.queued]))
        state = self.one("SELECT state FROM queue WHERE key = ?", intent.key)
        if state is None:
            return  # it is being written: nobody sees it in the queue yet
        intent.dismissed |= state == "unconfirmed"
        intent.removals += self._life.post(f"/queue/{intent.key}/cancel", {}, 1, wait)

    @precondition(lambda self: self.life and any(intent.queued for intent in self.intents))
    @rule(data=st.data(), act=st.sampled_from(("hold", "release", "move")))
    def rearrange(self, data: st.DataObject, act: str) -> None:
        intent = data.draw(st.sampled_from([intent for intent in self.intents if intent.queued]))
        self._life.post(f"/queue/{intent.key}/{act}", {"where": "top"}, 1, 0.1)

    @precondition(lambda self: self.life and self.intents)
    @rule(data=st.data(), wait=st.sampled_from((0.0, 4.0)))
    def check_again(self, data: st.DataObject, wait: float) -> None:
        key = self.key_of(data.draw(st.sampled_from(self.intents)))
        self._life.post(f"/starts/{key}/check", {}, 1, wait)

    @precondition(lambda self: self.life)
    @rule()
    def home_is_open(self) -> None:
        self._life.open("home")

    @precondition(lambda self: self.life and self.intents)
    @rule(data=st.data())
    def dismiss_what_never_arrived(self, data: st.DataObject) -> None:
        intent = data.draw(st.sampled_from(self.intents))
        never = intent.kind != "dummy" and not self.arrived(intent) and not self.line.under_way
        if never and self.state_of(intent) == "unconfirmed":
            self.until_none(lambda: self.not_dismissed(intent), 10)
            intent.dismissed = True

    def not_dismissed(self, intent: Intent) -> list[str | None]:
        """Presses the button. It does nothing until the panel has put down that the request broke."""
        self._life.post(f"/starts/{self.key_of(intent)}/dismiss", {}, 1, 0.1)
        state = self.state_of(intent)
        return [] if state == "dismissed" else [state]

    # What happens to the line and to both ends

    @rule(
        what=st.sampled_from(FAULTS),
        method=st.sampled_from(("", "GET", "POST", "DELETE")),
        times=st.sampled_from((1, 3, None)),
    )
    def break_line(self, what: str, method: str, times: int | None) -> None:
        if what != "late" or method == "POST":  # what else comes late does no harm
            self.line.faults.add(what, method, times=times)

    @rule()
    def mend_line(self) -> None:
        self.line.faults.clear()

    @rule(seconds=st.sampled_from((0.02, 0.3, 1.0, 5.0, 20.0, 70.0)))
    def time_passes(self, seconds: float) -> None:
        self.runner.run(asyncio.sleep(seconds))

    @rule(
        what=st.sampled_from(("panel killed", "panel killed", "panel stopped", "backend restarted", "backend forgot")),
        back=st.booleans(),
    )
    def something_dies(self, what: str, back: bool) -> None:
        """`back`: a panel that died is started again at once."""
        FIGURES[what] += 1
        if what == "backend restarted":
            self.backend.restart()
        elif what == "backend forgot":
            self.gone |= self.backend.rows.keys()
            self.backend.forget()
        elif self.life is not None:
            self.life.kill() if what == "panel killed" else self.life.stop()
            self.life = Life(self.runner, self.line, self.settings) if back else None

    @precondition(lambda self: not self.life)
    @rule()
    def panel_starts(self) -> None:
        self.life = Life(self.runner, self.line, self.settings)

    # What always holds

    @invariant()
    def nothing_happens_twice(self) -> None:
        FIGURES["steps"] += 1
        for intent in self.intents:
            if intent.kind != "dummy":
                assert self.arrived(intent) <= 1, f"sent twice: {intent}"
        trials = sum(kind == "dummy" for kind, _ in self.backend.arrived)
        assert trials <= sum(intent.kind == "dummy" for intent in self.intents)
        assert self.backend.together == [], "two loads at once"

    @invariant()
    def nothing_is_called_what_it_is_not(self) -> None:
        for operation_id, state in self.known().items():
            row = self.backend.rows.get(operation_id)
            if row is None:
                assert state == "forgotten" or operation_id in self.gone, f"{operation_id} is {state}"
            elif state in ENDS:
                assert state == self.backend.status(row), f"{operation_id} is {state}"
        for intent in self.intents:
            state = self.state_of(intent)
            if state == "refused" and not self.line.faults.happened["missing"]:  # by the backend itself
                assert intent.form.get("strategy_name") == "nope" and self.arrived(intent)
            if state == "refused" and intent.kind != "dummy":
                assert not self.arrived(intent) or intent.form.get("strategy_name") == "nope"
            if state == "unsent" and intent.kind != "dummy":
                assert not self.arrived(intent)

    @invariant()
    def every_answer_is_a_page(self) -> None:
        for answer in self.life.answers() if self.life else ():
            assert answer.status in (200, 303, 404, 409, 422, 502), answer.text

    def teardown(self) -> None:
        try:
            self.all_comes_right()
        finally:
            FIGURES["POSTs"] += len(self.backend.arrived)
            FIGURES["submits"] += len(self.intents)
            FIGURES["faults"] += self.line.faults.happened.total()
            if self.life:
                self.life.kill()
            self.stack.close()

    def all_comes_right(self) -> None:
        """The line is good, both ends are there; and then nothing is missing."""
        self.line.faults.clear()
        if self.life is None:
            self.life = Life(self.runner, self.line, self.settings)
        self.until_none(lambda: list(self.line.under_way), 60)  # nobody decides about what is still on its way
        self.until_none(lambda: [task for task in self._life.requests if not task.done()], 60)
        for (key,) in self.rows(
            "SELECT key FROM batches WHERE stopped"
        ):  # some were just being made when they were to stop
            for intent in self.intents:
                intent.removed_with_batch |= key in self.stopped and intent.batch.get("key") == key
        SLOWEST["start found"] = max(SLOWEST["start found"], self.until_none(self.unclear_starts, 130))
        self.removed_ones_do_not_run()
        for (key,) in self.rows("SELECT key FROM queue WHERE held = 1 AND state = 'waiting'"):
            self._life.post(f"/queue/{key}/release", {}, 1, 0.1)
        for number, row in enumerate(self.backend.rows.values()):  # no two at the same moment: lists are in order
            row["lasts"] = min(row["lasts"], time.time() - row["created"] - number / 1000)
        self.backend.lasts = dict.fromkeys(PATHS, 1.0)
        SLOWEST["end shown"] = max(SLOWEST["end shown"], self.until_none(self.unknown_ends, 60))
        self.a_person_decides()
        self.until_none(lambda: self.rows("SELECT * FROM queue WHERE state IN ('waiting', 'starting', 'running')"), 200)
        self.until_none(lambda: self.rows("SELECT key, state FROM batch_runs WHERE state IN ('waiting', 'queued')"), 60)
        for intent in self.intents:
            if intent.queued and not intent.may_be_removed and not intent.dismissed and self.was_taken(intent):
                nowhere = intent.form.get("strategy_name") == "nope"
                if self.state_of(intent) == "refused" and (nowhere or self.line.faults.happened["missing"]):
                    continue  # said at once, with the reason, and nothing was begun
                assert self.arrived(intent) == 1, f"lost: {intent}, {self.state_of(intent)}"
        self.nothing_happens_twice()
        self.until_none(self.unknown_ends, 60)
        self.nothing_is_called_what_it_is_not()
        self.every_page_is_there()
        self.open_home_shows_the_same()

    def open_home_shows_the_same(self) -> None:
        """What a page that was open all the time shows is what one shows that is opened now."""
        if "home" in self._life.streams:
            FIGURES["open pages compared"] += 1
            self.until_none(self._home_differs, 10)


def test_any_story_of_starts_ends_well() -> None:
    from hypothesis.stateful import run_state_machine_as_test

    try:
        run_state_machine_as_test(
            Starts,
            settings=settings(
                max_examples=STORIES,
                stateful_step_count=20,
                deadline=None,
                database=None,
                derandomize="KTRDR_PANEL_TEST_STARTS" not in os.environ,
                suppress_health_check=list(HealthCheck),
                phases=(Phase.generate, Phase.shrink) if STORIES > 50 else (Phase.generate,),
            ),
        )
    finally:
        print({**FIGURES, **SLOWEST})
