"""A backtest's result as tables: beside buying and holding, by months, and its trades by return. Pure."""

import math
from typing import Any

from panel.adapters.base import decimal, named, percent
from panel.adapters.training_tables import bars_used
from panel.domain.gaps import DAY
from panel.domain.results import ResultTable
from panel.domain.values import items, mapping, moment, number, text

FEW = 30  # days
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_RATIOS = (("Sharpe ratio", "sharpe_ratio"), ("Sortino ratio", "sortino_ratio"), ("Calmar ratio", "calmar_ratio"))
_SHARES = (
    ("Return", "total_return_pct"),
    ("Return a year", "annualized_return"),
    ("Volatility a year", "volatility"),
    ("Max drawdown", "max_drawdown_pct"),
)


def backtest_tables(result: dict[str, Any]) -> list[ResultTable]:
    """Those for which the result has the numbers; KTRDR's has none of them."""
    traded = number(named(result, "metrics").get("total_trades")) != 0
    found = (_monthly(result), _beside(result), _by_return(result)) if traded else ()
    read = bars_used(named(result, "data_summary").get("read"), "What was read, with what comes before the period.")
    return [table for table in (*found, read) if table]


def too_short(result: dict[str, Any]) -> str:
    """How few days a backtest has, where that is too few for figures of a year and for ratios; "" when it is not."""
    start, end = (moment(result.get(name)) for name in ("start_time", "end_time"))
    days = None if start is None or end is None else math.ceil((end - start) / DAY)
    return "" if days is None or not 0 <= days <= FEW else f"{max(days, 1)} day{'s' if days > 1 else ''}"


def _beside(result: dict[str, Any]) -> ResultTable | None:
    own, held = named(result, "metrics"), named(result, "buy_and_hold")
    if not own or not held:
        return None
    rows = [(name, percent(own.get(key)), percent(held.get(key))) for name, key in _SHARES]
    rows += [(name, decimal(own.get(key), 2), decimal(held.get(key), 2)) for name, key in _RATIOS]
    stake = number(named(result, "config").get("stake"))
    size = "the same stake" if stake is None else f"the same {stake * 100:.0f} % of the account"
    which = "first" if text(held.get("bought_at")) else "second"  # as earlier versions of the backend did
    sentence = f"Buying with {size} at the {which} open and selling at the last close, with the same costs."
    if few := too_short(result):
        sentence += f" Figures of a year and ratios say nothing after {few}."
    return ResultTable(
        "Beside buying and holding", sentence, ("", "This model", "Buy and hold"), tuple(rows), folded=True
    )


def _monthly(result: dict[str, Any]) -> ResultTable | None:
    """Years down, months across."""
    years: dict[str, dict[int, float]] = {}
    better = total = 0
    for entry in _entries(result.get("monthly_returns")):
        year, _, month = text(entry.get("month")).partition("-")
        own, held = number(entry.get("return")), number(entry.get("buy_and_hold"))
        if own is None or not year.isdigit() or not month.isdigit() or not 1 <= int(month) <= 12:
            continue
        years.setdefault(year, {})[int(month)] = own
        total += 1
        better += held is not None and own > held
    if not years:
        return None
    rows, tones = [], []
    most = max(abs(share) for months in years.values() for share in months.values())
    for year, months in sorted(years.items()):
        whole = 1.0
        for share in months.values():
            whole *= 1 + share
        rows.append((year, *(_signed(months.get(month)) for month in range(1, 13)), _signed(whole - 1)))
        tones.append((*(_tone(months.get(month), most) for month in range(1, 13)), 0))
    positive = sum(share > 0 for months in years.values() for share in months.values())
    sentence = f"{positive} of {total} months made money, {better} were better than buying and holding. In %."
    return ResultTable("Monthly returns", sentence, ("", *_MONTHS, "Year"), tuple(rows), tones=tuple(tones))


def _by_return(result: dict[str, Any]) -> ResultTable | None:
    bins = [
        (low, high, int(count))
        for entry in _entries(result.get("trade_distribution"))
        if (low := number(entry.get("from"))) is not None
        and (high := number(entry.get("to"))) is not None
        and (count := number(entry.get("count"))) is not None
    ]
    most = max((count for _, _, count in bins), default=0)
    if not most:
        return None
    rows = tuple((f"{_edge(low)} to {_edge(high)} %", f"{count:,}") for low, high, count in bins)
    metrics = named(result, "metrics")
    win, loss = number(metrics.get("largest_win")), number(metrics.get("largest_loss"))
    ends = [f"the best made {win:,.2f}"] if win is not None else []
    ends += [f"the worst lost {-loss:,.2f}"] if loss is not None else []
    sentence = "Trades by their return after costs" + (f"; {', '.join(ends)}." if ends else ".")
    bars = tuple(count / most for _, _, count in bins)
    return ResultTable("Trades by return", sentence, ("Return", "Trades"), rows, bars, folded=True)


def _entries(given: Any) -> list[dict[str, Any]]:
    return [entry for entry in map(mapping, items(given, 1000)) if entry]


def _signed(share: float | None) -> str:
    if share is None:
        return ""
    shown = f"{share * 100:z.1f}"
    return shown if shown == "0.0" or share < 0 else f"+{shown}"


def _tone(share: float | None, most: float) -> int:
    """From -3 to 3, beside the month that moved most; 0 for what is shown as 0.0."""
    if share is None or abs(share) < 0.0005:
        return 0
    strength = min(3, 1 + int(3 * abs(share) / most))
    return strength if share > 0 else -strength


def _edge(share: float) -> str:
    return f"{share * 100:+.10g}" if share else "0"
