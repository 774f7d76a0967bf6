"""What a backtest's account did, in numbers: KTRDR's names, with fractions where they say `_pct`. Pure."""

import math
from dataclasses import dataclass
from typing import Any

import ffn
import numpy as np
import pandas as pd

from panel.embedded.ledger import Row

POINTS = 500  # of the equity curve that is told
_YEAR = 365.25 * 86_400


@dataclass(slots=True)
class Trade:
    """From one fill to the one that ends it. `quantity` is below zero for a short one."""

    entry_time: pd.Timestamp
    entry_price: float
    quantity: float
    exit_time: pd.Timestamp | None = None
    exit_price: float = math.nan
    commission: float = 0.0
    slippage: float = 0.0

    def close(self, at: pd.Timestamp, price: float, commission: float, slippage: float) -> None:
        """Both fills cost their shares of what they moved."""
        self.exit_time, self.exit_price = at, price
        moved = abs(self.quantity) * (self.entry_price + price)
        self.commission, self.slippage = moved * commission, moved * slippage

    @property
    def gain(self) -> float:
        """Money, after costs."""
        return self.quantity * (self.exit_price - self.entry_price) - self.commission - self.slippage

    @property
    def hours(self) -> float:
        assert self.exit_time is not None  # noqa: S101  only closed trades are measured
        return float((self.exit_time - self.entry_time).total_seconds() / 3600)

    def told(self) -> Row:
        assert self.exit_time is not None  # noqa: S101
        times = {"entry_time": self.entry_time.isoformat(), "exit_time": self.exit_time.isoformat()}
        prices = {"entry_price": self.entry_price, "exit_price": self.exit_price, "quantity": abs(self.quantity)}
        money = {"commission": self.commission, "slippage": self.slippage, "net_pnl": self.gain}
        side = {"side": "LONG" if self.quantity > 0 else "SHORT", "holding_period_hours": self.hours}
        return side | times | prices | {name: round(value, 6) for name, value in money.items()}


def metrics(equity: pd.Series, trades: list[Trade], capital: float) -> Row:
    """`equity`: worth over time, the first as it began. What cannot be told (a Sharpe ratio of nothing) is None."""
    falls = _falls(equity)
    years = (equity.index[-1] - equity.index[0]).total_seconds() / _YEAR
    daily = equity.groupby(equity.index.normalize()).last()
    returns = pd.concat([pd.Series([capital], index=equity.index[:1]), daily]).pct_change().dropna()
    per_year = len(returns) / years if years else 0.0  # trading days, as this market has them
    varied = len(returns) > 1 and float(returns.std()) > 0
    annualized = (equity.iloc[-1] / capital) ** (1 / years) - 1 if equity.iloc[-1] > 0 and years else None
    gains = [trade.gain for trade in trades]
    won, lost = [gain for gain in gains if gain > 0], [gain for gain in gains if gain <= 0]
    deepest, deepest_money = float(-falls.min()), float((equity.cummax() - equity).max())
    total = float(equity.iloc[-1] - capital)
    told: dict[str, Any] = {
        "total_return": total,
        "total_return_pct": total / capital,
        "annualized_return": annualized,
        "volatility": returns.std() * math.sqrt(per_year) if varied else None,
        "sharpe_ratio": ffn.calc_sharpe(returns, nperiods=per_year) if varied else None,
        "sortino_ratio": ffn.calc_sortino_ratio(returns, nperiods=per_year) if varied and returns.min() < 0 else None,
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
    return {name: _plain(value) for name, value in told.items()}


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
    return {
        "time": [int(at.timestamp()) for at in equity.index[places]],
        "equity": values[places].round(2).tolist(),
        "buy_and_hold": held.to_numpy()[places].round(2).tolist(),
        "drawdown": falls[places].round(6).tolist(),
    }


def _falls(equity: pd.Series) -> pd.Series:
    return equity / equity.cummax() - 1


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, int):
        return value
    return float(value) if math.isfinite(value) else None
