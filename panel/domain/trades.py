"""A backtest's trades, and its bars with what the model saw. Pure.

Times are Unix seconds, prices and money are in the symbol's currency, shares are fractions.
"""

from dataclasses import dataclass
from typing import Literal

from panel.domain.gaps import Candle

Values = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Trade:
    """`share`: the gain as a fraction of what was put in; `costs`: commission and slippage of both fills. `gain` is
    after costs."""

    side: Literal["long", "short"]
    opened: float
    closed: float
    entry_price: float
    exit_price: float
    quantity: float
    bars: int | None
    share: float | None
    costs: float | None
    gain: float | None
    why_in: str = ""
    why_out: str = ""


@dataclass(frozen=True, slots=True)
class TradeList:
    """In order of time. `total` is more than the length when only the newest are there."""

    trades: tuple[Trade, ...]
    total: int


@dataclass(frozen=True, slots=True)
class SeenInput:
    """One input of the model, as it was known at each bar's close: the indicator, and a line for each label of its
    fuzzy set."""

    name: str
    indicator: str
    on_prices: bool
    values: Values
    memberships: tuple[tuple[str, Values], ...] = ()


@dataclass(frozen=True, slots=True)
class SeenBars:
    """A stretch of a backtest's bars: those from the `first` of `total`."""

    bars: tuple[Candle, ...]
    inputs: tuple[SeenInput, ...]
    first: int
    total: int
