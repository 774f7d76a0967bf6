"""Backtesting a trained model. `model_path` is optional to the backend's schema and needed by its worker."""

from dataclasses import dataclass, field
from typing import Any

from panel.adapters.backtest_tables import backtest_tables, too_short
from panel.adapters.base import Kind, chosen, count, decimal, named, percent
from panel.adapters.fields import LEAVE_OUT, asked, written
from panel.domain.chart import Chart, Curve, Plot
from panel.domain.kinds import Traits
from panel.domain.results import NO_LOSSES, Figure, Measure, ResultTable, lost_nothing
from panel.domain.snapshot import Snapshot
from panel.domain.strategies import Strategy
from panel.domain.values import items, mapping, number

MAX_POINTS = 5000  # of an equity curve that are drawn


@dataclass
class BacktestingOperationAdapter(Kind):
    """Without a symbol and timeframe the strategy's own are used."""

    kind = "backtesting"
    title = "Backtest"
    action = "Start backtest"
    command = "backtest"
    endpoint = "/backtests/start"
    summary = "Try a trained model on past data it was not trained on."
    menu = "Backtest"
    traits = Traits(worker="backtesting", tries_model=True)
    measures = (
        Measure("Return", "metrics.total_return_pct", "%", better="high", same_data=True),
        Measure("Buy and hold", "metrics.buy_and_hold_return_pct", "%"),
        Measure(
            "Over buying and holding",
            "metrics.total_return_pct",
            "points",
            0,
            "high",
            "metrics.buy_and_hold_return_pct",
        ),
        Measure("Max drawdown", "metrics.max_drawdown_pct", "%", better="small", same_data=True),
        Measure("Sharpe ratio", "metrics.sharpe_ratio", digits=2, better="high", same_data=True),
        Measure("Trades", "metrics.total_trades"),
        Measure("Win rate", "metrics.win_rate", "%", better="high", same_data=True),
        Measure("Profit factor", "metrics.profit_factor", digits=2, better="high", same_data=True, over_losses=True),
        Measure("Commission paid", "metrics.total_commission", digits=2),
        Measure("Slippage paid", "metrics.total_slippage", digits=2),
    )

    # In the order of KTRDR's own client, for scripts that pass them by position; so are the defaults.
    strategy_name: str = field(
        metadata=asked("Strategy", required=True, help="The one that the model was trained with")
    )
    symbol: str | None = field(
        default=None, metadata=asked("Symbol", option="--symbol", help="Empty: the strategy's own")
    )
    timeframe: str | None = field(
        default=None, metadata=asked("Timeframe", option="--timeframe", help="Empty: the strategy's own")
    )
    start_date: str = field(default="", metadata=asked("From", "date", option="--start", required=True))
    end_date: str = field(default="", metadata=asked("To", "date", option="--end", required=True))
    initial_capital: float = field(
        default=100_000.0, metadata=asked("Initial capital", "number", option="--capital", help="Empty: 100,000")
    )
    commission: float = field(
        default=0.001,
        metadata=asked("Commission in %", "percent", option="--commission", help="Of each fill. Empty: 0.1"),
    )
    slippage: float = field(
        default=0.0005,
        metadata=asked("Slippage in %", "percent", option="--slippage", help="Of each fill. Empty: 0.05"),
    )
    model_path: str | None = field(
        default=None,
        metadata=asked("Model", option="--model", required=True, help="Like models/my_strategy/1h_v1"),
    )
    leave_out_bad_bars: bool = field(default=False, metadata=LEAVE_OUT)

    def get_start_payload(self) -> dict[str, Any]:
        return chosen(**vars(self))

    def ktrdr_argv(self, own: Strategy | None = None) -> list[str]:
        """KTRDR's command line takes symbol and timeframe from the strategy only."""
        symbols, timeframes = (own.symbols[:1], own.timeframes[:1]) if own else ((), ())
        others = (self.symbol and self.symbol not in symbols) or (self.timeframe and self.timeframe not in timeframes)
        if others or self.strategy_name.startswith("-") or (self.model_path or "-")[0] == "-":
            return []
        argv = ["ktrdr", "backtest", self.strategy_name, "--start", self.start_date, "--end", self.end_date]
        argv += ["--model-path", self.model_path] if self.model_path else []
        costs = (("--capital", "initial_capital"), ("--commission", "commission"), ("--slippage", "slippage"))
        return argv + [word for option, name in costs for word in (option, written(getattr(self, name)))]

    @classmethod
    def figures(cls, snapshot: Snapshot) -> list[Figure]:
        metrics = named(snapshot.result, "metrics")
        if not metrics:
            return []
        held = number(metrics.get("buy_and_hold_return_pct"))
        total, idle = number(metrics.get("total_return_pct")), _idle(metrics, named(snapshot.result, "config"))
        ahead = None if total is None or held is None else (total - held) * 100
        figures = [
            # Named …_pct, and fractions all the same: -0.0444 is -4.4 %.
            Figure("Return", percent(total), _against(metrics, held), lead=True, ahead=ahead),
            Figure("Max drawdown", percent(metrics.get("max_drawdown_pct")), "deepest fall from a high", lead=True),
            Figure("Sharpe ratio", decimal(metrics.get("sharpe_ratio"), 2), _risk(snapshot.result), lead=True),
            Figure("Trades", count(metrics.get("total_trades")), idle, lead=True),
            Figure("Buy and hold", percent(held), "return of the same stake, bought once and kept"),
            Figure("Sortino ratio", decimal(metrics.get("sortino_ratio"), 2), "return for the risk of losses"),
            Figure("Calmar ratio", decimal(metrics.get("calmar_ratio"), 2), "yearly return for the deepest fall"),
            Figure("Exposure", percent(metrics.get("exposure")), "of the bars with an open position"),
            Figure("Win rate", percent(metrics.get("win_rate")), "trades that made money"),
            _profit_factor(metrics),
            Figure("Average win", decimal(metrics.get("avg_win"), 2), "money, after costs"),
            Figure("Average loss", decimal(metrics.get("avg_loss"), 2), "money, after costs"),
            Figure("Commission paid", decimal(metrics.get("total_commission"), 2)),
            Figure("Slippage paid", decimal(metrics.get("total_slippage"), 2)),
        ]
        return [figure for figure in figures if figure.lead or figure.value != "–"]

    @classmethod
    def tables(cls, snapshot: Snapshot) -> list[ResultTable]:
        return backtest_tables(mapping(snapshot.result))

    @classmethod
    def chart(cls, snapshot: Snapshot) -> Chart | None:
        """KTRDR does not return its equity curve; the embedded backend does."""
        curve = named(snapshot.result, "equity_curve")
        times, worth, held, falls = (_numbers(curve.get(n)) for n in ("time", "equity", "buy_and_hold", "drawdown"))
        if not times or None in times or not len(times) == len(worth) == len(held) == len(falls):
            return None
        account = (Curve("this model", "Account", worth), Curve("buy and hold", "Buy and hold", held))
        drawdown = (Curve("", "Drawdown", falls),)
        x = tuple(at for at in times if at is not None)
        plots = (Plot("Account", account, "money"), Plot("Drawdown", drawdown, "%"))
        return Chart("Over time", "point", x, plots, times=True)


def _numbers(given: Any) -> tuple[float | None, ...]:
    return tuple(number(value) for value in items(given, MAX_POINTS))


def _against(metrics: dict[str, Any], held: float | None) -> str:
    """How good the return is: whether it beats buying and holding."""
    total = number(metrics.get("total_return_pct"))
    if total is None or held is None:
        return "over the whole period"
    points = (total - held) * 100
    if abs(points) < 0.05:
        return "as much as buying and holding"
    return f"{abs(points):.1f} points {'more' if points > 0 else 'less'} than buying and holding"


def _profit_factor(metrics: dict[str, Any]) -> Figure:
    if lost_nothing(metrics):
        return Figure("Profit factor", NO_LOSSES, "no trade lost money")
    return Figure("Profit factor", decimal(metrics.get("profit_factor"), 2), "money won for each unit lost")


def _risk(result: Any) -> str:
    few = too_short(mapping(result))
    return f"says nothing after {few}" if few else "return for the risk taken"


def _idle(metrics: dict[str, Any], config: dict[str, Any]) -> str:
    """Why there were no trades, as far as the backend says so."""
    if number(metrics.get("total_trades")) != 0:
        return ""
    threshold = number(config.get("confidence_threshold", config.get("trade_threshold")))
    why = "no signal led to a trade"
    return why if threshold is None else f"{why}; the strategy asks for a threshold of {written(threshold)}"
