"""Schedules put starts into the queue at their time, once each, also when the panel was killed or did not run."""

import asyncio
import sqlite3
import time
from contextlib import closing, suppress

import pytest

from panel.client import AsyncCLIClient
from panel.domain.schedules import shown
from panel.errors import InvalidForm
from panel.storage.store import Storage
from panel.workflows.schedules import Schedules
from tests.support.parts import batches_of, queue_of
from tests.support.virtual import clock_set, virtual_time

HOUR, DAY = 3600.0, 86_400.0
KEY = "schedule-key-0001"
LOAD = {"symbol": "EURUSD", "timeframe": "1h"}
DAILY = range(7)


YEARS = 3 * 365 * DAY


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


def test_a_run_that_was_queued_and_never_written_down_is_known_again_a_minute_later(run, tmp_path):
    """The memory took the entry and, until the panel was killed, not the run."""
    memory = tmp_path / "memory.db"

    def change_memory(statement):
        with closing(sqlite3.connect(memory)) as other, other:
            other.execute(statement)

    async def half(store, schedules):
        await daily()(store, schedules)
        await until_due(store, 1)
        refusal = "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        change_memory(f"CREATE TRIGGER full BEFORE INSERT ON schedule_runs {refusal}")

    entries, last = run(half, 5)  # it is tried again every second
    assert len(entries) == 1 and last is None
    run.pause(60)
    change_memory("DROP TRIGGER full")
    assert run(seconds=5)[0] == entries and run(taken, 120)[0] == []


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


@pytest.mark.parametrize("change", ["active = 0, next_at = NULL, deleted_at = 1.0", "next_at = next_at + 864000"])
def test_one_that_is_changed_while_another_of_its_minute_is_queued_is_not_run(run, change):
    other = "schedule-key-0002"

    async def both(store, schedules):
        for key, at in ((KEY, "18:30"), (other, "18:31")):
            await schedules.add(key, "data_load", LOAD, DAILY, at, "Europe/Berlin", "a test")
        with closing(sqlite3.connect(store.path, isolation_level=None)) as somebody:
            here = f"UPDATE schedules SET {change} WHERE key = '{other}'"
            somebody.execute(f"CREATE TRIGGER meanwhile AFTER INSERT ON queue BEGIN {here}; END")

    run(both)
    run.pause(DAY)
    entries, _ = run(seconds=600)
    assert [key.rpartition("-")[0] for key in entries] == [f"schedule-{KEY}"]


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


@pytest.fixture
def usual_rounds(run, monkeypatch):
    monkeypatch.setattr("panel.workflows.schedules.ROUND", 30.0)


async def until_due(store, before: float) -> float:
    """Sleep until so many seconds before the next run; returns its moment."""
    due = store.schedules.next_at()
    await asyncio.sleep(due - time.time() - before)
    return due


@pytest.mark.usefixtures("usual_rounds")
@pytest.mark.parametrize("seconds", [YEARS, -YEARS, DAY, HOUR])
def test_a_clock_that_is_wrong_for_a_moment_runs_nothing_and_puts_nothing_off(run, seconds):
    async def woke(store, schedules):
        await daily()(store, schedules)
        due = await until_due(store, 1200)
        with clock_set(seconds):
            await asyncio.sleep(36)
        await asyncio.sleep(300)
        assert (store.queue.open(), store.schedules.next_at()) == ([], due)

    entries, last = run(woke, 1200)
    assert len(entries) == 1 and (last.note, last.missed) == ("", 0) and last.queued_at - last.due < 2


@pytest.mark.usefixtures("usual_rounds")
@pytest.mark.parametrize("restarted", [False, True])
def test_what_a_clock_that_was_wrong_for_long_has_put_off_comes_at_its_time(run, restarted):
    async def wrong(store, schedules):
        await daily()(store, schedules)
        await until_due(store, 1200)
        with clock_set(YEARS):
            await asyncio.sleep(600)  # nobody can tell that it is wrong
        assert len(store.queue.open()) == 1 and store.schedules.next_at() > time.time() + YEARS / 2
        assert "the panel did not run" not in store.schedules.last_run(KEY).note
        await taken(store, schedules)

    if restarted:
        run(wrong)
    entries, last = run(None if restarted else wrong, DAY + HOUR)  # today's was sent then, early
    assert len(entries) == 1 and (last.note, last.missed) == ("", 0) and last.queued_at - last.due < 2
    run(taken)
    assert len(run(seconds=DAY)[0]) == 1


@pytest.mark.usefixtures("usual_rounds")
def test_what_was_missed_in_sleep_is_made_up_for_minutes_later_and_says_so(run):
    async def slept(store, schedules):
        await daily()(store, schedules)
        due = await until_due(store, 1200)
        with clock_set(8 * HOUR):
            await asyncio.sleep(100)
            assert store.queue.open() == [], "the clock may be wrong"
            await asyncio.sleep(200)
            last = store.schedules.last_run(KEY)
            assert len(store.queue.open()) == 1 and last.due == due and "Queued once, 7 h" in last.note
            assert "asleep" in last.note and "panel" not in last.note
            await taken(store, schedules)
            await asyncio.sleep(DAY)
            assert len(store.queue.open()) == 1 and store.schedules.last_run(KEY).note == ""

    run(slept)


@pytest.mark.usefixtures("usual_rounds")
def test_a_clock_that_is_set_back_after_a_run_does_not_repeat_it(run):
    async def back(store, schedules):
        await daily()(store, schedules)
        due = await until_due(store, -60)
        await taken(store, schedules)
        with clock_set(-HOUR):
            await asyncio.sleep(3 * HOUR)
            assert store.queue.open() == [] and store.schedules.next_at() > due

    run(back)


@pytest.mark.usefixtures("usual_rounds")
def test_a_run_that_could_not_be_written_down_for_a_while_is_not_put_down_to_the_panel(run, monkeypatch, tmp_path):
    monkeypatch.setattr("panel.storage.store.WRITE_LOCK_TIMEOUT", 0.0)

    async def unwritable(store, schedules):
        await daily()(store, schedules)
        await until_due(store, 60)
        with closing(sqlite3.connect(tmp_path / "memory.db")) as other:
            other.execute("BEGIN IMMEDIATE")
            await asyncio.sleep(500)

    _, last = run(unwritable, 60)
    assert last.note.startswith("Missed 1 time. Queued once, ")
