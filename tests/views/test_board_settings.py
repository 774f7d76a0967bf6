"""How much a batch's settings had to do with its results."""

import pytest

from panel.domain.batches import BatchRun, Role
from panel.views.board_settings import WIDTH, strips


def _ended(*runs):
    """Each run: its settings, and its lead over the baseline in points."""
    return [
        (BatchRun(f"k-{number}", "k", number, Role.TRAINING, "training", {}, settings), over)
        for number, (settings, over) in enumerate(runs, 1)
    ]


def test_a_setting_shows_each_run_by_its_value_and_their_middle():
    ended = _ended(
        ({"period": "7", "symbol": "EURUSD"}, 1.0),
        ({"period": "14", "symbol": "EURUSD"}, -2.0),
        ({"period": "7", "symbol": "GBPUSD"}, 3.0),
        ({"period": "14", "symbol": "GBPUSD"}, -1.0),
    )
    found = strips(["period", "symbol"], ended)
    (period, values), (symbol, _) = found.settings
    assert (period, symbol) == ("period", "symbol")
    assert [(each.value, each.middle, len(each.dots)) for each in values] == [("7", 2.0, 2), ("14", -1.5, 2)]
    low, high = values[1], values[0]
    assert 0 < min(low.dots) < low.at < found.zero < min(high.dots) < high.at < max(high.dots) < WIDTH


@pytest.mark.parametrize(
    "ended",
    [
        [],
        _ended(({"period": "7"}, 1.0), ({"period": "14"}, 2.0), ({"period": "21"}, 2.0)),
        _ended(({"period": "7"}, 1.0), ({"period": "7"}, 2.0), ({"period": "14"}, 2.0)),
        _ended(*(({"period": period}, 0.01) for period in ("7", "7", "14", "14"))),
    ],
    ids=["nothing ended", "one run each", "only one value with two runs", "the same leads"],
)
def test_where_nothing_is_to_be_compared_the_leaderboard_says_it_all(ended):
    assert strips(["period"], ended) is None
