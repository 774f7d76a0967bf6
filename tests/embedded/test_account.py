"""A backtest's account against figures of another program, and what it owes."""

import numpy as np
import pandas as pd
import pytest

from panel.embedded.account import Costs, trade
from panel.embedded.job import Failed
from panel.embedded.performance import metrics


def series(seed: int, count: int) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, count)))
    opens = close * np.exp(rng.normal(0, 0.002, count))
    index = pd.date_range("2024-01-01", periods=count, freq="h", tz="UTC").as_unit("s")
    return pd.DataFrame({"open": opens, "close": close}, index=index), rng.choice([1.0, -1.0, 0.0], count, p=P)


P = [0.1, 0.1, 0.8]
# What bt 1.4.1 and ffn 1.4.1 made of the same: total return, commission, slippage (money), drawdown (a fraction), Sharpe
# and Sortino ratio (of 365.25 days a year, each with the close at its midnight).
NAMES = ("total_return", "total_commission", "total_slippage", "max_drawdown_pct", "sharpe_ratio", "sortino_ratio")
KNOWN = [
    (1, Costs(), 112, (264.9161658185203, 0, 0, 0.09295339644240541, 0.970455222972575, 1.5431322662051608)),
    (
        *(2, Costs(0.001, 0.0005), 100),
        (1.5716519531124504, 489.8445280098153, 244.92226400490765)
        + (0.09023979925271897, 0.11299777304574955, 0.17215152017208143),
    ),
    (
        *(3, Costs(0.002), 87),
        (-250.76760158382967, 882.4111090542073, 0, 0.09138143209596716, -0.7351541760228135, -1.0323193874093721),
    ),
    (
        *(4, Costs(0, 0.003), 100),
        (-1394.3761053349044, 0, 1373.0600104841594, 0.19191467073765378, -5.6934883534303085, -6.245343420567799),
    ),
]


@pytest.mark.parametrize(("seed", "costs", "count", "figures"), KNOWN)
def test_the_figures_are_those_of_another_program(seed, costs, count, figures):
    bars, signals = series(seed, 1000)
    shares: list[float] = []
    equity, trades = trade(bars, signals, "1h", 10_000.0, costs, lambda share, at: shares.append(share))
    measured = metrics(equity, trades, 10_000.0, 365.25)
    assert len(trades) == count and [measured[name] for name in NAMES] == pytest.approx(figures, rel=1e-12)
    assert len(equity) == 1001 and trades[-1].at_end and shares == sorted(shares) and shares[-1] == 1.0
    assert equity.iloc[-1] - 10_000 == pytest.approx(sum(each.gain for each in trades))


@pytest.mark.parametrize(
    ("opens", "closes", "hour"),
    [
        ([100, 100, 400, 600, 100], [100, 100, 400, 100, 100], 3),  # at an open
        ([100, 100, 400, 400, 100], [100, 100, 400, 600, 100], 3),  # at a close
        ([100, 100, 400, 400, 400], [100, 600, 400, 400, 400], 1),  # at the close of the first bar
        ([100, 100, 400, 400, 400], [100, 100, 400, 400, 600], 4),  # at the last one
    ],
)
def test_an_account_that_owes_more_than_it_has_has_no_result(opens, closes, hour):
    """Sold short at 100 for a quarter of the account: at 500 all of it is gone."""
    index = pd.date_range("2024-01-01", periods=5, freq="h", tz="UTC").as_unit("s")
    bars = pd.DataFrame({"open": opens, "close": closes}, index=index)
    with pytest.raises(Failed, match=f"At 2024-01-01 0{hour}:00:00"):
        trade(bars, np.array([-1.0, 0, 0, 0, 0]), "1h", 1000.0, Costs(), lambda share, at: None)


def test_it_owes_when_the_position_is_turned_too():
    index = pd.date_range("2024-01-01", periods=4, freq="h", tz="UTC").as_unit("s")
    bars = pd.DataFrame({"open": [100, 100, 600, 600], "close": [100, 100, 600, 600]}, index=index)
    with pytest.raises(Failed, match="At 2024-01-01 02:00:00"):
        trade(bars, np.array([-1.0, 1.0, 0, 0]), "1h", 1000.0, Costs(), lambda share, at: None)
