"""A backtest's account: the costs of its fills, and its worth over time. Pure.

An order is filled at the open of the bar after the one that asked for it. A BUY turns the account long, a SELL short,
each with STAKE of what it is worth; a HOLD keeps what is there. What is open at the end is closed at the last close.
Money borrowed for a short position costs nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from panel.embedded.computing import Array
from panel.embedded.job import Failed
from panel.embedded.performance import Trade
from panel.embedded.timeframes import complete

STAKE = 0.25  # of the account in each position, as KTRDR's backtests have it


@dataclass(frozen=True, slots=True)
class Costs:
    """Shares of each fill's value: 0.001 is 0.1 %."""

    commission: float = 0.0
    slippage: float = 0.0

    def paid(self, quantity: float, price: float) -> float:
        """Cash that this fill takes; negative when it adds some."""
        amount = abs(quantity)
        return quantity * price + amount * (price * self.slippage) + amount * price * self.commission


def trade(
    bars: pd.DataFrame,
    signals: Array,
    timeframe: str,
    capital: float,
    costs: Costs,
    progress: Callable[[float, pd.Timestamp], None],
) -> tuple[pd.Series, list[Trade]]:
    """The account's worth, first as it began and then at every close, and the trades. `signals`: 1, -1 or 0 at each
    bar's close. Between two fills nothing but the price changes, so only fills are taken one by one. Raises Failed when
    the account owes more than it has."""
    return _filled(bars, *_fills(signals), timeframe, capital, costs, progress)


def hold(bars: pd.DataFrame, timeframe: str, capital: float, costs: Costs) -> tuple[pd.Series, list[Trade]]:
    """The same for buying once, at the first open, and keeping it."""
    return _filled(bars, [0], [1.0], timeframe, capital, costs, lambda share, at: None)


def _filled(
    bars: pd.DataFrame,
    places: list[int],
    sides: list[float],
    timeframe: str,
    capital: float,
    costs: Costs,
    progress: Callable[[float, pd.Timestamp], None],
) -> tuple[pd.Series, list[Trade]]:
    """`places`: the bars at whose opens the position turns to the `sides`."""
    closes_at = pd.to_datetime(complete(bars.index.as_unit("s").asi8, timeframe), unit="s", utc=True).as_unit("ms")
    opens, closes = bars["open"].to_numpy(np.float64), bars["close"].to_numpy(np.float64)
    worth, trades, cash, quantity = np.full(len(bars), float(capital)), list[Trade](), float(capital), 0.0
    for place, until, side in zip(places, [*places, len(bars)][1:], sides, strict=True):
        price = float(opens[place])
        if quantity:
            cash -= costs.paid(-quantity, price)
            trades[-1].close(bars.index[place], price, costs.commission, costs.slippage, place)
        quantity = side * STAKE * cash / price
        cash -= costs.paid(quantity, price)
        trades.append(Trade(bars.index[place], price, quantity, place))
        worth[place:until] = cash + quantity * closes[place:until]
        lowest = np.minimum(worth[place:until], cash + quantity * opens[place:until])
        lowest[0] = worth[place]  # negative at the fill's open: it stays so at that bar's close
        if (lowest < 0).any():
            raise _overdrawn(bars, place + int((lowest < 0).argmax()))
        progress(until / len(bars), bars.index[until - 1])
    if quantity:
        worth[-1] = cash - costs.paid(-quantity, float(closes[-1]))
        trades[-1].close(closes_at[-1], float(closes[-1]), costs.commission, costs.slippage, len(bars))
        trades[-1].at_end = True
        if worth[-1] < 0:
            raise _overdrawn(bars, len(bars) - 1)
    else:
        progress(1.0, bars.index[-1])
    return pd.Series(np.append(capital, worth), index=closes_at.insert(0, bars.index[0])), trades


def _fills(signals: Array) -> tuple[list[int], list[float]]:
    """The bars at whose opens the position changes, and its new side."""
    asked = np.flatnonzero(signals[:-1])
    sides = signals[asked]
    turns = np.flatnonzero(np.append(True, sides[1:] != sides[:-1])[: len(asked)])
    return (asked[turns] + 1).tolist(), sides[turns].tolist()


def _overdrawn(bars: pd.DataFrame, place: int) -> Failed:
    return Failed(f"At {bars.index[place]} the account owed more than it had; there is no result.")
