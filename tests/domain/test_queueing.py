"""Which entries of the queue may start, and when the others probably do."""

import itertools

import pytest

from panel.domain.queueing import due, free_workers, means_later, starts_at
from panel.domain.requests import Entry, EntryState
from panel.domain.workers import Worker, WorkerList

KEYS = itertools.count()
NOW = 1_800_000_000.0


def entry(kind: str, state: str = "waiting", *, held: bool = False, strategy: str = "") -> Entry:
    return Entry(
        f"{kind}-{next(KEYS)}", kind, {"strategy_name": strategy}, EntryState(state), None, "", 0, "", 0.0, held=held
    )


def started(entries: list[Entry], free: dict[str, int], blocked: tuple[str, ...] = ()) -> list[int]:
    return [entries.index(each) for each in due(entries, free, blocked)]


@pytest.mark.parametrize(
    ("entries", "free", "blocked", "expected"),
    [
        ([entry("training"), entry("training")], {"training": 1}, (), [0]),
        ([entry("training"), entry("training")], {"training": 0}, (), []),
        ([entry("training"), entry("training"), entry("training")], {"training": 2}, (), [0, 1]),
        ([entry("data_load"), entry("data_load")], {}, (), [0]),
        ([entry("data_load")], {}, ("data_load",), []),
        ([entry("data_load", "running"), entry("data_load"), entry("training")], {"training": 1}, (), [2]),
        ([entry("data_load", "unconfirmed"), entry("data_load"), entry("dummy")], {}, (), [2]),
        ([entry("training", "unconfirmed"), entry("training")], {"training": 1}, (), [1]),
        ([entry("training", held=True), entry("training")], {"training": 1}, (), [1]),
        (
            [entry("training"), entry("backtesting"), entry("data_load"), entry("dummy")],
            {"backtesting": 1},
            (),
            [1, 2, 3],
        ),
    ],
)
def test_each_waits_for_what_it_needs_and_for_nothing_else(entries, free, blocked, expected):
    assert started(entries, free, blocked) == expected


def listed(*statuses: str, kind: str = "training", heard_at: float = NOW) -> WorkerList:
    return WorkerList(tuple(Worker(f"w{at}", kind, status) for at, status in enumerate(statuses)), heard_at)


@pytest.mark.parametrize(
    ("workers", "sent", "expected"),
    [
        (listed("available", "busy"), 0, 1),
        (listed("available", "available"), 1, 1),
        (listed("available"), 2, 0),
        (listed("temporarily_unavailable"), 0, 0),
        (listed("available", kind="backtesting"), 0, 0),
        (listed("available", kind="gpu_host"), 0, 1),
        (listed("available", heard_at=NOW - 100), 0, 0),
        (listed("available", heard_at=NOW + 10), 0, 0),  # of before the clock was set back
        (WorkerList(), 0, 0),
    ],
)
def test_a_worker_is_free_when_a_fresh_list_says_so_and_nothing_is_on_its_way(workers, sent, expected):
    assert free_workers(workers, "training", sent, NOW) == expected


def test_when_an_entry_starts_follows_from_those_before_it():
    entries = [entry("training", strategy=name) for name in ("a", "b", "a", "new", "a")]
    lasts = {"a": 60.0, "b": 100.0}
    found = starts_at(entries, {"training": [0.0, 30.0]}, lambda each: lasts.get(each.form["strategy_name"]), NOW)
    begins = [found.get(each.key) for each in entries]
    assert begins == [NOW, NOW + 30, NOW + 60, NOW + 120, None], "after one of unknown length nothing is said"


@pytest.mark.parametrize("busy", [{}, {"training": []}, {"training": [None]}, {"training": [5.0, None]}])
def test_where_it_cannot_be_said_nothing_is_said(busy):
    assert starts_at([entry("training")], busy, lambda _: 1.0, NOW) == {}


def test_what_is_held_or_needs_nothing_has_no_time():
    assert starts_at([entry("training", held=True), entry("dummy")], {"training": [0.0]}, lambda _: 1.0, NOW) == {}


@pytest.mark.parametrize(
    ("refusal", "later"),
    [
        ("No training workers available. Workers auto-register after startup; check the logs.", True),
        ("Another training is running; the embedded backend runs one at a time", True),
        ("The data source is busy", True),
        ("Strategy 'busybee' not found", False),
        ("The symbol is not traded", False),
    ],
)
def test_a_refusal_that_only_means_later(refusal, later):
    assert means_later(refusal) is later
