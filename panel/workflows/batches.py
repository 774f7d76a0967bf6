"""Batches of trainings: plans them, hands each run to the queue, follows them to their ends, and
starts the backtests that come after.

A batch and all of its runs are on disk before the first one begins. A run's key is its key in the queue, so handing it
over twice is one start.
"""

import asyncio
import hashlib
import json
import logging
import re
import sqlite3
import time
from collections.abc import Mapping, Sequence
from statistics import median

from panel.adapters import BacktestingOperationAdapter, TrainingOperationAdapter
from panel.domain.batches import MAX_RUNS, Batch, BatchRun, Role, RunState
from panel.domain.events import BatchChanged, EventBus, OperationEnded, QueueChanged
from panel.domain.history import OperationQuery
from panel.domain.labels import Shelf
from panel.domain.outcomes import ended_well
from panel.domain.state import State
from panel.errors import CLIClientError, InvalidForm
from panel.files.strategy_yaml import Refused
from panel.monitoring.poller import Monitor
from panel.monitoring.unreported import RESULT_WITHIN
from panel.observability.rounds import until_set
from panel.storage.store import Storage
from panel.workflows.backtest_preflight import as_found
from panel.workflows.batch_form import PlannedBatch, plan_batch
from panel.workflows.batch_steps import in_turn, model_of, why_no_model
from panel.workflows.batch_strategies import BatchStrategies
from panel.workflows.queue import Queue, QueueFull
from panel.workflows.retries import Retries
from panel.workflows.strategy_library import StrategyLibrary

ROUND = 5.0  # seconds between rounds, besides those after an event
MAX_OPEN = 50  # batches that may be under way
_TRAINING, _BACKTEST = TrainingOperationAdapter.kind, BacktestingOperationAdapter.kind

log = logging.getLogger(__name__)


class FormSpent(Exception):
    """A form's key made a batch that was deleted since."""


class BatchWorkflow:
    """Start with `run` in a task."""

    def __init__(
        self,
        storage: Storage,
        queue: Queue,
        monitor: Monitor,
        library: StrategyLibrary,
        strategies: BatchStrategies,
        events: EventBus,
    ) -> None:
        self._storage = storage
        self._queue = queue
        self._monitor = monitor
        self._library = library
        self._strategies = strategies
        self._making = asyncio.Lock()  # held while the files of a batch are made or removed
        self._events = events
        self._due = asyncio.Event()
        self._stopping = Retries(monitor)  # by batch
        events.subscribe(QueueChanged, lambda _: self._due.set())
        events.subscribe(OperationEnded, lambda _: self._due.set())

    async def text_of(self, strategy: str) -> str | None:
        """The strategy's file; None when it cannot be read."""
        try:
            found = await self._library.find(strategy) if strategy else None
        except (Refused, CLIClientError):
            return None
        return found.text if found else None

    async def plan(self, form: Mapping[str, str]) -> PlannedBatch:
        """What the form asks for. Raises InvalidForm."""
        text = await self.text_of(form.get("strategy_name", "").strip())
        return await asyncio.to_thread(plan_batch, form, text)

    def seconds(self, form: Mapping[str, str]) -> float | None:
        """How long a training of this strategy takes from its request to its end, by those that completed: on the
        form's markets, where there are any. None without any."""
        strategy, symbols, timeframes = (form.get(name, "") for name in ("strategy_name", "symbols", "timeframes"))
        query = OperationQuery(kind=_TRAINING, strategy=strategy.strip(), states=(State.COMPLETED,), limit=50)
        took, alike = [], []
        for each in self._storage.memory.page(query):
            run = each.snapshot
            if run.completed_at is None or (begun := run.created_at or run.started_at) is None:
                continue
            took.append(run.completed_at - begun)
            if _among(run.symbol, symbols) and _among(run.timeframe, timeframes):
                alike.append(took[-1])
        latest = (alike or took)[:10]
        return median(latest) if latest else None

    def workers(self) -> int | None:
        """Workers that can train now; None while they are not known."""
        if self._monitor.worker_list.heard_at is None:
            return None
        return sum(each.reachable for each in self._monitor.worker_list.trainers())

    async def begin(self, key: str, form: Mapping[str, str], actor: str) -> Batch:
        """Make it, once for each key. Raises InvalidForm, and then nothing was started."""
        async with self._making:
            return await self._begin(key, form, actor)

    async def _begin(self, key: str, form: Mapping[str, str], actor: str) -> Batch:
        if (before := self._storage.batches.batch(key)) is not None:
            return before
        if len({run.batch for run in self._storage.batches.open_runs()}) >= MAX_OPEN:
            raise InvalidForm({"": f"{MAX_OPEN} batches are under way already."})
        planned = await self.plan(form)
        strategy = form["strategy_name"].strip()
        title = f"{len(planned.runs)} × {strategy}"
        if form.get("way") == "walk":
            title = f"Walk-forward of {strategy}, {len(planned.runs)} steps"
        batch = Batch(key, title, {name: value for name, value in form.items() if value}, time.time(), actor)
        runs = []
        for number, each in enumerate(planned.runs, 1):
            trained = f"{key}-{number}"
            runs.append(BatchRun(trained, key, number, Role.TRAINING, _TRAINING, each.form, each.settings))
            if each.test:
                test = BatchRun(f"{trained}-test", key, number, Role.TEST, _BACKTEST, each.test, each.settings, trained)
                runs.append(test)
        await self._strategies.make(key, strategy, await self.text_of(strategy) or "", planned)
        try:
            await self._storage.write(lambda store: store.batches.add(batch, runs))
        except sqlite3.Error:
            await self._strategies.take_back(key)
            raise
        self._due.set()
        return batch

    async def begin_form(self, key: str, form: Mapping[str, str], actor: str) -> Batch:
        """As `begin`, but other values under a form's key make a batch of their own, once for these values: somebody
        came back to the form. Raises FormSpent as well."""
        made = await self.begin(key, form, actor)
        if made.shelf is Shelf.DELETED:
            raise FormSpent
        values = {name: value for name, value in form.items() if value}
        if made.form == values:
            return made
        another = hashlib.sha256(f"{key} {json.dumps(values)}".encode()).hexdigest()[:40]
        return await self.begin_form(another, form, actor)

    async def backtest_best(self, key: str, numbers: Sequence[int], start: str, end: str) -> None:
        """Backtest these trainings' models from `start` to `end` (ISO dates); each once for each period."""
        runs = []
        for run in self._storage.batches.runs(key):
            if run.role is Role.TRAINING and run.number in numbers and run.state is RunState.DONE:
                form = {"strategy_name": run.form["strategy_name"], "start_date": start, "end_date": end}
                symbol = run.form.get("symbols", "")
                form |= {"symbol": symbol} if symbol and "," not in symbol else {}
                name = f"{run.key}-{start}-{end}"
                runs.append(BatchRun(name, key, run.number, Role.UNSEEN, _BACKTEST, form, run.settings, run.key))
        await self._storage.write(lambda store: store.batches.extend(runs[:MAX_RUNS]))
        self._due.set()

    async def put(self, key: str, shelf: Shelf) -> bool:
        """Archive a batch, delete it, or bring it back; its runs stay where they are. False when some of its runs have
        not ended."""
        batch = self._storage.batches.batch(key)
        if batch is None or batch.shelf is shelf:
            return True
        return await self._storage.write(lambda store: store.batches.put(key, shelf, time.time()))

    async def put_back(self, key: str) -> bool:
        """Take the last `put` back; False when it is too late."""
        return await self._storage.write(lambda store: store.batches.put_back(key, time.time()))

    async def stop(self, key: str) -> None:
        """Begin no further run, and cancel those that are under way. Raises CLIClientError when one of them could not
        be cancelled; the others were, and it is tried again."""
        self._stopping.hold(key)
        try:  # also one that is just being queued
            await self._storage.write(lambda store: store.batches.stop(key))
            await self._queue.cancel_all([run.key for run in self._storage.batches.runs(key)])
        finally:
            self._stopping.tried(key)
            self._due.set()

    async def run(self) -> None:
        """Until cancelled. What was under way when the panel stopped goes on."""
        while True:
            self._due.clear()
            try:
                idle = not await self._round()
            except (CLIClientError, sqlite3.Error) as exc:
                idle = False
                log.info("batches wait: %s", exc)
            await until_set(self._due, None if idle else ROUND)

    async def _round(self) -> bool:
        """Whether anything is under way."""
        runs = self._storage.batches.open_runs()
        changed, full = set(), False
        await self._stop_again({run.batch for run in runs})
        try:
            for run in in_turn(runs):
                if full and run.state is RunState.WAITING and not run.waits_for:
                    continue
                try:
                    moved = await (self._hand_over(run) if run.state is RunState.WAITING else self._follow(run))
                except InvalidForm as exc:
                    moved = await self._settle(run, RunState.FAILED, " ".join(exc.errors.values()))
                except CLIClientError as exc:  # it holds up no other
                    log.info("a run of a batch waits: %s", exc.message)
                    full = full or isinstance(exc, QueueFull)
                    continue
                if moved:
                    changed.add(run.batch)
        finally:
            for batch in changed:
                self._events.publish(BatchChanged(batch))
            if changed:
                self._due.set()  # what waited for it
        return await self._tidy() or bool(runs)

    async def _tidy(self) -> bool:
        """Remove the files of batches none of whose runs was started; whether that is to be tried again."""
        if self._making.locked() or not self._monitor.connection.listed:  # what runs at the backend may use them
            return self._strategies.untidy
        async with self._making:
            tidied, left = await self._strategies.tidy()
        for key in tidied:
            self._events.publish(BatchChanged(key))
        return left

    async def removed(self, key: str) -> list[str]:
        """The strategies whose files were made for this batch and removed again."""
        return await self._strategies.removed(key)

    async def _stop_again(self, keys: set[str]) -> None:
        """Cancel what still runs of stopped batches: the panel was killed while it did that, or a cancel failed."""
        for key in keys:
            batch = self._storage.batches.batch(key)
            if batch is None or not batch.stopped or not self._stopping.due(key):
                continue
            try:
                await self._queue.cancel_all([run.key for run in self._storage.batches.runs(key)])
            except CLIClientError as exc:
                log.info("a run of a stopped batch is not cancelled yet: %s", exc.message)

    async def _hand_over(self, run: BatchRun) -> bool:
        form = run.form
        if run.waits_for:
            before = self._storage.batches.run(run.waits_for)
            if before is None or before.open:
                return False
            model = model_of(self._monitor, before)
            if model is None:
                return await self._settle(run, RunState.FAILED, why_no_model(self._monitor, before))
            model = as_found(self._storage, model)
            form = form | {"model_path": model.path} | ({"timeframe": model.timeframe} if model.timeframe else {})
        if (now := self._storage.batches.run(run.key)) is None or not now.open:
            return False  # it was stopped since the round began
        await self._queue.add(run.kind, run.key, form, "a batch")
        if not await self._settle(run, RunState.QUEUED):  # … or in between
            await self._queue.cancel(run.key)
        return True

    async def _follow(self, run: BatchRun) -> bool:
        entry = self._queue.entry(run.key)
        if entry is None:  # the panel stopped in between
            return await self._settle(run, RunState.WAITING)
        if entry.operation_id is None:
            return not entry.open and await self._settle(
                run, RunState.FAILED if entry.message else RunState.CANCELLED, entry.message
            )
        observation = self._monitor.known(entry.operation_id)
        if run.operation_id is None:
            await self._settle(run, RunState.QUEUED, "", entry.operation_id)
        if observation is None or (verdict := self._monitor.verdict(observation)).live:
            return run.operation_id is None
        if observation.concluded and time.time() - (observation.model_at or 0.0) < RESULT_WITHIN:
            return run.operation_id is None  # its result comes later
        good = ended_well(observation, verdict)
        ended = RunState.CANCELLED if verdict.state is State.CANCELLED else RunState.FAILED
        return await self._settle(run, RunState.DONE if good else ended, "" if good else verdict.headline)

    async def _settle(self, run: BatchRun, state: RunState, message: str = "", operation_id: str | None = None) -> bool:
        return await self._storage.write(lambda store: store.batches.settle(run.key, state, message, operation_id))


def _among(value: str | None, typed: str) -> bool:
    """Whether it is one of those in a form's field; nothing typed is the strategy's own."""
    return not typed.strip() or (value or "").upper() in re.split(r"[\s,;]+", typed.upper())
