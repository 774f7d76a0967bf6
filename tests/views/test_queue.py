"""What the queue's page says a start waits for."""

import pytest

from panel.domain.requests import Entry, EntryState
from panel.domain.workers import WorkerList
from panel.views.queue import queue_page

LOAD = Entry("k" * 16, "data_load", {"symbol": "EURUSD", "timeframe": "1h"}, EntryState.WAITING, None, "", 0, "", 0.0)


@pytest.mark.parametrize(("places", "why"), [(0, "one load runs at a time"), (1, "about to start")])
def test_a_load_waits_for_another_only_while_one_runs(places, why):
    page = queue_page([LOAD], 1, {}, {}, {}, {"data_load": places}, WorkerList(), 0.0)
    assert [item.why for item in page.entries] == [why]
