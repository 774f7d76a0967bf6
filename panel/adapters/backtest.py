"""Backtesting a trained model. `model_path` is optional to the backend's schema and needed by its worker."""

from typing import Any

from panel.adapters.base import Field, Figure, OperationAdapter, chosen, count, decimal, named, percent
from panel.operations import Snapshot


class BacktestingOperationAdapter(OperationAdapter):
    """Without a symbol and timeframe the strategy's own are used."""

    kind = "backtesting"
    title = "Backtest"
    action = "Start backtest"
    command = "backtest"
    summary = "Try a trained model on past data it was not trained on."
    fields = (
        Field("strategy_name", "Strategy", required=True, help="The name of its file, without .yaml"),
        Field("start_date", "From", "date", option="--start", required=True),
        Field("end_date", "To", "date", option="--end", required=True),
        Field("model_path", "Model", option="--model", required=True, help="Like models/my_strategy/1h_v1"),
        Field("symbol", "Symbol", option="--symbol", help="Empty: the strategy's own"),
        Field("timeframe", "Timeframe", option="--timeframe", help="Empty: the strategy's own"),
        Field("initial_capital", "Initial capital", "number", option="--capital", help="Empty: 100,000"),
    )

    def __init__(
        self,
        strategy_name: str,
        start_date: str,
        end_date: str,
        model_path: str | None = None,
        symbol: str | None = None,
        timeframe: str | None = None,
        initial_capital: float | None = None,
        commission: float | None = None,
        slippage: float | None = None,
    ) -> None:
        self.strategy_name = strategy_name
        self.start_date = start_date
        self.end_date = end_date
        self.model_path = model_path
        self.symbol = symbol
        self.timeframe = timeframe
        self.initial_capital = initial_capital
        self.commission = commission
        self.slippage = slippage

    def get_start_endpoint(self) -> str:
        return "/backtests/start"

    def get_start_payload(self) -> dict[str, Any]:
        return chosen(**vars(self))

    @classmethod
    def name(cls, snapshot: Snapshot) -> str:
        return snapshot.strategy or snapshot.symbol or cls.title

    @classmethod
    def figures(cls, snapshot: Snapshot) -> list[Figure]:
        metrics = named(snapshot.result, "metrics")
        if not metrics:
            return []
        return [
            # Named …_pct, and fractions all the same: -0.0444 is -4.4 %.
            Figure("Return", percent(metrics.get("total_return_pct")), "over the whole period", lead=True),
            Figure("Max drawdown", percent(metrics.get("max_drawdown_pct")), "deepest fall from a high", lead=True),
            Figure("Sharpe ratio", decimal(metrics.get("sharpe_ratio"), 2), "return for the risk taken", lead=True),
            Figure("Trades", count(metrics.get("total_trades"))),
            Figure("Win rate", percent(metrics.get("win_rate")), "trades that made money"),
            Figure("Profit factor", decimal(metrics.get("profit_factor"), 2), "money won for each unit lost"),
        ]
