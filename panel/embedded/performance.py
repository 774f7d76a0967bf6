"""The measures of a backtest: KTRDR's names, with fractions where they say `_pct`. Pure."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from panel.embedded.ledger import Row

POINTS = 500  # of the equity curve in the result
MONTHS = 600  # in the result
COMPARED = (  # measured for buying and holding too
    "total_return_pct",
    "annualized_return",
    "volatility",
    "sharpe_ratio",
    "sortino_ratio",
    "max_drawdown_pct",
    "calmar_ratio",
)
SHORTEST = 30.0  # days of a backtest that figures of a year are made from
_DAY = 86_400
_YEAR = 365.25 * _DAY
_MOMENT = pd.Timedelta(milliseconds=1)  # a close at midnight belongs to the day that it ends


@dataclass(slots=True)
class Trade:
    """From one fill to the one that ends it. `quantity` is below zero for a short one. Bars are counted from the first
    that is traded; `exit_bar` is the first without the position."""

    entry_time: pd.Timestamp
    entry_price: float
    quantity: float
    entry_bar: int = 0
    exit_bar: int = 0
    at_end: bool = False  # closed because the period ended
    exit_time: pd.Timestamp | None = None
    exit_price: float = math.nan
    commission: float = 0.0
    slippage: float = 0.0

    def close(self, at: pd.Timestamp, price: float, commission: float, slippage: float, bar: int) -> None:
        """The costs of both fills."""
        self.exit_time, self.exit_price, self.exit_bar = at, price, bar
        moved = abs(self.quantity) * (self.entry_price + price)
        self.commission, self.slippage = moved * commission, moved * slippage

    @property
    def gain(self) -> float:
        """Money, after costs."""
        return self.quantity * (self.exit_price - self.entry_price) - self.commission - self.slippage

    @property
    def share(self) -> float:
        """The gain as a fraction of what was put in."""
        return self.gain / (abs(self.quantity) * self.entry_price)

    @property
    def hours(self) -> float:
        assert self.exit_time is not None  # noqa: S101  only closed trades are measured
        return float((self.exit_time - self.entry_time).total_seconds() / 3600)

    def as_row(self) -> Row:
        assert self.exit_time is not None  # noqa: S101
        times = {"entry_time": self.entry_time.isoformat(), "exit_time": self.exit_time.isoformat()}
        prices = {"entry_price": self.entry_price, "exit_price": self.exit_price, "quantity": abs(self.quantity)}
        money = {"commission": self.commission, "slippage": self.slippage, "net_pnl": self.gain}
        side = {"side": "LONG" if self.quantity > 0 else "SHORT", "holding_period_hours": self.hours}
        side |= {"bars": self.exit_bar - self.entry_bar, "return_pct": round(self.share, 8)}
        return side | times | prices | {name: round(value, 6) for name, value in money.items()}


def days_a_year(closes: pd.DatetimeIndex) -> float:
    """On how many days a year bars close, as this market has them: counted in whole weeks, so that neither a weekend
    too few nor one too many makes a difference. `closes`: of all that is stored, in order."""
    days = (closes - _MOMENT).normalize().unique()
    weeks = max((int((days[-1] - days[0]).days) + 1) // 7, 1)
    counted = int((days < days[0] + pd.Timedelta(weeks=weeks)).sum())
    return counted / (7 * weeks) * _YEAR / _DAY


def metrics(equity: pd.Series, trades: list[Trade], capital: float, per_year: float) -> Row:
    """`equity`: worth over time, the first as it began, then at closes; `per_year`: as days_a_year has it. What is
    undefined (a Sharpe ratio without trades) is None, and so is what a short period says nothing about: a few days
    times the days of a year."""
    falls = _falls(equity)
    years = (equity.index[-1] - equity.index[0]).total_seconds() / _YEAR
    closes = equity.iloc[1:]
    daily = closes.groupby((closes.index - _MOMENT).normalize()).last()
    returns = pd.concat([pd.Series([capital], index=equity.index[:1]), daily]).pct_change().dropna()
    long = years >= SHORTEST * _DAY / _YEAR
    varied = long and len(returns) > 1 and float(returns.std()) > 0
    annualized = (equity.iloc[-1] / capital) ** (1 / years) - 1 if equity.iloc[-1] > 0 and long else None
    gains = [trade.gain for trade in trades]
    won, lost = [gain for gain in gains if gain > 0], [gain for gain in gains if gain <= 0]
    deepest, deepest_money = float(-falls.min()), float((equity.cummax() - equity).max())
    total = float(equity.iloc[-1] - capital)
    measures: dict[str, Any] = {
        "total_return": total,
        "total_return_pct": total / capital,
        "annualized_return": annualized,
        "volatility": returns.std() * math.sqrt(per_year) if varied else None,
        "sharpe_ratio": _sharpe(returns) * math.sqrt(per_year) if varied else None,
        "sortino_ratio": _sortino(returns) * math.sqrt(per_year) if varied and returns.min() < 0 else None,
        "max_drawdown": deepest_money,
        "max_drawdown_pct": deepest,
        "calmar_ratio": annualized / deepest if annualized is not None and deepest else None,
        "recovery_factor": total / deepest_money if deepest_money else None,
        "total_trades": len(trades),
        "winning_trades": len(won),
        "losing_trades": len(lost),
        "win_rate": len(won) / len(trades) if trades else None,
        "profit_factor": sum(won) / -sum(lost) if sum(lost) else None,
        "avg_win": _mean(won),
        "avg_loss": _mean(lost),
        "largest_win": max(won, default=None),
        "largest_loss": min(lost, default=None),
        "avg_holding_period": _mean([trade.hours for trade in trades]),
        "avg_win_holding_period": _mean([trade.hours for trade in trades if trade.gain > 0]),
        "avg_loss_holding_period": _mean([trade.hours for trade in trades if trade.gain <= 0]),
        "total_commission": sum(trade.commission for trade in trades),
        "total_slippage": sum(trade.slippage for trade in trades),
    }
    return {name: _plain(value) for name, value in measures.items()}


def curve(equity: pd.Series, held: pd.Series) -> Row:
    """Worth, worth of buying and holding, and fall from the highest so far (a fraction), at the same moments:
    at most POINTS, with the highest, the lowest and the deepest of every stretch among them."""
    falls = _falls(equity).to_numpy()
    values, places = equity.to_numpy(), np.arange(len(equity))
    if len(equity) > POINTS:
        stretches = np.array_split(places, POINTS // 3 - 1)
        kept = {0, len(equity) - 1}
        for stretch in stretches:
            kept |= {int(stretch[values[stretch].argmax()]), int(stretch[values[stretch].argmin()])}
            kept.add(int(stretch[falls[stretch].argmin()]))
        places = np.array(sorted(kept))
    # Cents are fine enough of what an account usually begins with, not of 1.
    digits = min(max(2, 5 - math.floor(math.log10(values[0]))), 15) if values[0] > 0 else 2
    return {
        "time": [int(at.timestamp()) for at in equity.index[places]],
        "equity": values[places].round(digits).tolist(),
        "buy_and_hold": held.to_numpy()[places].round(digits).tolist(),
        "drawdown": falls[places].round(6).tolist(),
    }


def exposure(trades: list[Trade], bars: int) -> float:
    """The share of the bars in which a position was held."""
    return sum(trade.exit_bar - trade.entry_bar for trade in trades) / bars


def monthly(equity: pd.Series, held: pd.Series) -> list[Row]:
    """The return of each calendar month (UTC), of the account and of buying and holding: fractions. The newest
    MONTHS of them. The first and the last month may be parts of one."""
    both = pd.DataFrame({"return": equity, "buy_and_hold": held})
    months = (both.index - _MOMENT).strftime("%Y-%m").to_numpy(copy=True)
    months[0] = both.index[0].strftime("%Y-%m")
    ends = both.groupby(months).last()
    returns = ends / ends.shift(1).fillna(both.iloc[0]) - 1
    return [{"month": month, **row} for month, row in returns.round(8).tail(MONTHS).to_dict("index").items()]


def distribution(trades: list[Trade]) -> list[Row]:
    """How many trades returned how much, in at most 13 steps of one round width: fractions."""
    shares = np.array([trade.share for trade in trades])
    if not len(shares):
        return []
    widths = (digit * 10.0**power for power in range(-6, 6) for digit in (1, 2, 5))
    width = next(width for width in widths if (shares.max() - shares.min()) / width <= 12)
    places = np.floor(shares / width).astype(int)
    return [
        {"from": round(step * width, 8), "to": round((step + 1) * width, 8), "count": int((places == step).sum())}
        for step in range(places.min(), places.max() + 1)
    ]


def _sharpe(returns: pd.Series) -> float:
    """Mean over standard deviation, for one period; no riskless rate is taken off. NaN when all returns are the same
    but for rounding."""
    highest, lowest = returns.max(), returns.min()
    same = highest - lowest <= 4 * np.finfo(float).eps * max(abs(highest), abs(lowest))
    return math.nan if same else float(returns.mean() / returns.std())


def _sortino(returns: pd.Series) -> float:
    """The same over the root mean square of the losses, gains counted as 0."""
    return float(returns.mean() / np.sqrt((np.minimum(returns, 0.0) ** 2).mean()))


def _falls(equity: pd.Series) -> pd.Series:
    return equity / equity.cummax() - 1


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, int):
        return value
    return float(value) if math.isfinite(value) else None
