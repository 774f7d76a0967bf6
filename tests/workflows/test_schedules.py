"""Schedules put starts into the queue at their time, once each, also when the panel was killed or did not run."""

import asyncio
import time
from contextlib import suppress

import pytest

from panel.client import AsyncCLIClient
from panel.domain.schedules import shown
from panel.errors import InvalidForm
from panel.storage.store import Storage
from panel.workflows.schedules import Schedules
from tests.support.parts import batches_of, queue_of
from tests.support.virtual import virtual_time

HOUR, DAY = 3600.0, 86_400.0
KEY = "schedule-key-0001"
LOAD = {"symbol": "EURUSD", "timeframe": "1h"}
DAILY = range(7)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a function in virtual time, given the store and the schedules; these run for so many seconds after it."""
    monkeypatch.setattr("panel.workflows.schedules.ROUND", HOUR)  # of many rounds in which nothing is due, fewer
    with virtual_time() as runner:

        def ran(action=None, seconds=0.0):
            async def main():
                store = Storage(tmp_path / "memory.db")
                async with AsyncCLIClient("http://127.0.0.1:9/api/v1", max_retries=0) as client:
                    _, queue = queue_of(client, store)
                    schedules = Schedules(store, queue, batches_of(client, store, queue))
                    task = asyncio.create_task(schedules.run())
                    try:
                        if action:
                            await action(store, schedules)
                        await asyncio.sleep(seconds)
                        return [entry.key for entry in store.queue.open()], store.schedules.last_run(KEY)
                    finally:
                        task.cancel()
                        with suppress(asyncio.CancelledError):
                            await task
                        store.close()

            return runner.run(main())

        ran.pause = lambda seconds: runner.run(asyncio.sleep(seconds))  # no panel runs
        yield ran


def daily():
    async def add(_, schedules):
        await schedules.add(KEY, "data_load", LOAD, DAILY, "18:30", "Europe/Berlin", "a test")
        await schedules.add(KEY, "data_load", LOAD, DAILY, "18:30", "Europe/Berlin", "a test")

    return add


async def taken(store, _):
    """What the queue would do: the entry is through."""
    for entry in store.queue.open():
        store.queue.settle(entry.key, "done")


def test_it_is_queued_at_its_time_and_not_before(run):
    async def until_shortly_before(store, schedules):
        await daily()(store, schedules)
        await asyncio.sleep(store.schedules.next_at() - time.time() - 60)
        assert store.queue.open() == []

    entries, last = run(until_shortly_before, 120)
    assert len(entries) == 1 and last.entry == entries[0] and last.note == "" and last.queued_at - last.due < 2
    run(taken)
    entries, last = run(seconds=DAY)
    assert len(entries) == 1 and last.note == ""


def test_a_panel_that_is_killed_in_between_queues_it_once(run):
    async def killed(store, schedules):
        await daily()(store, schedules)
        due = store.schedules.next_at()
        await asyncio.sleep(due - time.time() - 1)
        await schedules._queue.add("data_load", f"schedule-{KEY}-{int(due)}", LOAD)  # and no further

    entries, last = run(killed, 120)
    assert len(entries) == 1 and last.entry == entries[0]


def test_what_was_missed_is_made_up_for_once_and_says_so(run):
    run(daily())
    run.pause(3 * DAY + HOUR)
    entries, last = run(seconds=5)
    assert len(entries) == 1 and last.missed >= 2 and "Queued once" in last.note
    run(taken)
    assert run(seconds=60)[0] == []


def test_while_one_still_waits_no_other_is_queued(run):
    entries, last = run(daily(), 3 * DAY)
    assert len(entries) == 1 and "still waits" in last.note and last.entry == ""


def test_off_is_off_and_on_begins_with_the_next_one(run):
    async def off(store, schedules):
        await daily()(store, schedules)
        await schedules.switch(KEY, False)

    assert run(off, 3 * DAY) == ([], None)

    async def on(store, schedules):
        await schedules.switch(KEY, True)
        assert store.schedules.next_at() > time.time()

    entries, last = run(on, DAY)
    assert len(entries) == 1 and last.note == ""

    async def delete(store, schedules):
        await schedules.delete(KEY)
        assert store.schedules.all() == []

    run(delete)


def test_a_form_that_makes_no_sense_is_refused_with_every_reason(run):
    async def wrong(_, schedules):
        with pytest.raises(InvalidForm) as refused:
            await schedules.add(KEY, "data_load", {"symbol": "", "timeframe": "1h"}, (), "noon", "Mars", "a test")
        assert set(refused.value.errors) == {"symbol", "days", "at", "zone"}

    run(wrong)


def test_a_changed_schedule_runs_at_its_new_time_only(run):
    async def changed(store, schedules):
        await daily()(store, schedules)
        await schedules.change(KEY, LOAD | {"symbol": "AAPL"}, DAILY, "19:30", "Europe/Berlin")
        await asyncio.sleep(store.schedules.next_at() - time.time() - HOUR / 2)
        assert store.queue.open() == []

    entries, last = run(changed, HOUR)
    assert len(entries) == 1 and last.note == "" and shown(last.due, "Europe/Berlin").endswith(" 19:30")

    async def switched_off_and_changed(store, schedules):
        await taken(store, schedules)
        await schedules.switch(KEY, False)
        await schedules.change(KEY, LOAD, DAILY, "20:30", "Europe/Berlin")
        with pytest.raises(InvalidForm) as refused:
            await schedules.change(KEY, LOAD | {"symbol": ""}, [], "20:30", "Mars")
        assert refused.value.errors.keys() == {"symbol", "days", "zone"}
        assert store.schedules.get(KEY).at == "20:30"

    assert run(switched_off_and_changed, 2 * DAY)[0] == []


def test_a_batch_is_repeated_once_each_time_and_left_out_while_the_last_one_runs(run):
    batch = {"strategy_name": "swing", "symbols": "AAA BBB", "way": "grid"}

    async def add(_, schedules):
        await schedules.add(KEY, "batch", batch, DAILY, "18:30", "Europe/Berlin", "a test")
        with pytest.raises(InvalidForm):
            await schedules.add(
                "another-key-0001", "batch", batch | {"symbols": "AAA"}, DAILY, "18:30", "UTC", "a test"
            )

    _, last = run(add, DAY)
    assert last.entry.startswith("schedule-") and last.note == ""
    _, later = run(seconds=DAY)
    assert later.entry == "" and "still waits" in later.note

    async def ended(store, _):
        ((batch, runs, unfinished),) = store.batches.latest()
        assert (batch.key, batch.actor, runs, unfinished) == (last.entry, "a schedule", 2, 2)
        store.batches.stop(batch.key)

    _, after = run(ended, DAY)
    assert after.entry.startswith("schedule-") and after.entry != last.entry
