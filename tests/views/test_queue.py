"""What is said of a start in the queue, and offered."""

from dataclasses import replace

import pytest

from panel.backend.entities import snapshot_of
from panel.domain.requests import Entry, EntryState
from panel.domain.workers import Worker, WorkerList
from panel.views.data import QueuedLoad, QueueView
from panel.views.queue import queue_page
from panel.views.templating import draw
from tests.support.pages import words
from tests.support.scripted import operation, percent, stamp

LOAD = Entry("k" * 16, "data_load", {"symbol": "EURUSD", "timeframe": "1h"}, EntryState.WAITING, None, "", 0, "", 0.0)


@pytest.mark.parametrize(("places", "why"), [(0, "one load runs at a time"), (1, "about to start")])
def test_a_load_waits_for_another_only_while_one_runs(places, why):
    page = queue_page([LOAD], 1, {}, {}, {}, {"data_load": places}, WorkerList(), {}, (), 0.0)
    assert [item.why for item in page.entries] == [why]


@pytest.mark.parametrize(
    ("ended", "why"),
    [
        ({}, "every worker is busy"),
        ({"op_a": "has just ended"}, "the backend still lists w1 as busy, whose work has just ended"),
    ],
)
def test_a_worker_whose_work_has_ended_is_not_called_busy(ended, why):
    """The backend's list is up to ten seconds late."""
    training = replace(LOAD, kind="training", form={"strategy_name": "swing"})
    listed = WorkerList().heard([Worker("w1", "training", "busy", "op_a")], 10.0)
    page = queue_page([training], 1, {}, {}, {}, {}, listed, ended, (), 12.0)
    assert [item.why for item in page.entries] == [why]


@pytest.mark.parametrize("own", [True, False])
def test_a_load_whose_bars_are_looked_through_has_ended_and_is_not_cancelled(own):
    data = operation("op_l", "data_load", progress=percent(100, "Saved 55,685 bars"), metadata={"symbol": "EURUSD"})
    running = words(shown(data, own))
    assert "99 % · Saved 55,685 bars" in running and "Cancel" in running
    ended = words(shown(data | {"status": "completed", "completed_at": stamp()}, own))
    assert "ended; the stored bars are being looked through" in ended and "Cancel" not in ended


def shown(data: dict, own: bool) -> str:
    queued = QueuedLoad(LOAD if own else None, snapshot_of(data, 0.0), None)
    return draw("fragments/queue.html", QueueView([queued], False))
