"""A backtest's whole result as the embedded backend tells it, small; its trades and bars."""

from typing import Any

from tests.support.scripted import stamp

T0 = 1_735_689_600  # 2025-01-01
_HOURS = [T0 + 3600 * n for n in range(60)]
_METRICS = {"total_return_pct": -0.012, "buy_and_hold_return_pct": 0.03, "max_drawdown_pct": -0.05, "sharpe_ratio": 0.4}

BACKTEST: dict[str, Any] = {
    "metrics": _METRICS | {"total_trades": 2, "win_rate": 0.5, "exposure": 0.8, "largest_win": 48.5},
    "buy_and_hold": _METRICS | {"total_return_pct": 0.03},
    "monthly_returns": [
        {"month": f"2025-{n:02}", "return": 0.01 * n - 0.03, "buy_and_hold": 0.01} for n in range(1, 8)
    ],
    "trade_distribution": [{"from": -0.01, "to": 0, "count": 1}, {"from": 0, "to": 0.01, "count": 1}],
    "equity_curve": {
        "time": _HOURS,
        "equity": [100_000 - 20 * n for n in range(60)],
        "buy_and_hold": [100_000 + 50 * n for n in range(60)],
        "drawdown": [-0.0002 * n for n in range(60)],
    },
    "data_summary": {"source": "sample"},
    "trades_recorded": 2,
}


def _trade(side: str, opened: int, closed: int, gain: float) -> dict[str, Any]:
    trade = {"side": side, "entry_time": stamp(T0 + 3600 * opened), "exit_time": stamp(T0 + 3600 * closed)}
    trade |= {
        "entry_price": 1.1,
        "exit_price": 1.2,
        "quantity": 1.0,
        "bars": closed - opened,
        "return_pct": gain / 1000,
    }
    trade |= {"commission": 1, "slippage": 0.5, "net_pnl": gain}
    return trade | {"entry_reason": "BUY: 71 % sure", "exit_reason": "end of the period"}


TRADES = {"trades": [_trade("LONG", 5, 20, 48.5), _trade("SHORT", 30, 50, -10.0)], "total": 2}
BARS = {
    "bars": [[at, 1.1, 1.2, 1.0, 1.15, 5] for at in _HOURS],
    "sets": [
        {"name": "momentum", "indicator": "rsi_14", "on_prices": False, "values": [50] * 60}
        | {"labels": ["low", "high"], "memberships": [[0.2] * 60, [0.8] * 60]}
    ],
    "first": 0,
    "total": 60,
}
