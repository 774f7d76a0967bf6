"""A backtest's trades as a page, a CSV file and a chart show them. Pure."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from panel.domain.gaps import Candle
from panel.domain.trades import Trade, TradeList
from panel.domain.values import utc

SHOWN = 250  # rows of a page; the CSV file has all
COLUMNS = (
    "side",
    "entry_time",
    "exit_time",
    "entry_price",
    "exit_price",
    "quantity",
    "bars",
    "return_pct",
    "costs",
    "net_gain",
    "entry_reason",
    "exit_reason",
    "data",
)


@dataclass(frozen=True, slots=True)
class TradesView:
    """`trades`: the newest first, at most SHOWN. `gain` and `costs` are sums of all that are known."""

    trades: Sequence[Trade]
    total: int
    known: int
    gain: float
    costs: float


def trades_view(found: TradeList) -> TradesView:
    gain = sum(trade.gain or 0.0 for trade in found.trades)
    costs = sum(trade.costs or 0.0 for trade in found.trades)
    return TradesView(found.trades[: -SHOWN - 1 : -1], found.total, len(found.trades), gain, costs)


def csv_row(trade: Trade, source: str) -> Sequence[Any]:
    """`source`: of the backtest's bars. Texts that a spreadsheet could take for a formula are quoted by a leading
    apostrophe."""
    share = None if trade.share is None else round(trade.share * 100, 6)
    times = (moment.isoformat() if (moment := utc(at)) else "" for at in (trade.opened, trade.closed))
    prices = (trade.entry_price, trade.exit_price, trade.quantity)
    reasons = (f"'{why}" if why[:1] in tuple("=+-@") else why for why in (trade.why_in, trade.why_out))
    return (trade.side, *times, *prices, trade.bars, share, trade.costs, trade.gain, *reasons, source)


def marks(trades: Sequence[Trade], bars: Sequence[Candle]) -> list[dict[str, Any]]:
    """Entries and exits on the bars in which they were filled, in order of time."""
    opens = [bar[0] for bar in bars]

    def fills() -> Iterator[dict[str, Any]]:
        for trade in trades:
            for at, what, price in ((trade.opened, "in", trade.entry_price), (trade.closed, "out", trade.exit_price)):
                # An exit at the very end is filled at the close of the last bar.
                place = bisect_right(opens, at) - 1
                if place >= 0 and (place < len(opens) - 1 or at - opens[-1] <= _length(opens)):
                    gain = trade.gain if what == "out" else None
                    yield {"time": opens[place], "what": what, "side": trade.side, "price": price, "gain": gain}

    return sorted(fills(), key=lambda mark: float(mark["time"]))


def _length(opens: Sequence[float]) -> float:
    """The usual distance of bars, in seconds."""
    return min((after - before for before, after in zip(opens, opens[1:], strict=False)), default=0.0)
