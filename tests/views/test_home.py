"""What home says of the queue."""

from panel.domain.requests import Entry, EntryState
from panel.views.home import queued_names


def _waiting(*forms):
    return [
        Entry(f"key-{n}", "training", form, EntryState.WAITING, None, "", 0, "", 0.0) for n, form in enumerate(forms)
    ]


def test_equal_names_are_counted_in_the_order_of_the_queue():
    one, load = {"strategy_name": "swing"}, {"symbol": "eurusd", "timeframe": "1h"}
    assert queued_names(_waiting(one, load, one, one)) == "3 × swing, EURUSD 1h"


def test_more_names_than_have_room_end_with_dots():
    assert queued_names(_waiting(*({"strategy_name": f"s{n}"} for n in range(4))), most=2) == "s0, s1, …"
    assert queued_names([]) == ""
