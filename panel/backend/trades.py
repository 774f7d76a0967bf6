"""JSON of a backtest's trades and bars -> domain values. Pure."""

from typing import Any

from panel.backend.decoding import bounded, count, each, items, line
from panel.domain.trades import SeenBars, SeenInput, Trade, TradeList, Values
from panel.domain.values import mapping, moment

MAX_TRADES = 20_000
MAX_BARS = 2000
MAX_INPUTS = 100
MAX_LABELS = 20


def trades_of(data: Any) -> TradeList:
    found = tuple(each(_trade, mapping(data).get("trades"), MAX_TRADES))
    return TradeList(found, max(count(mapping(data).get("total")) or 0, len(found)))


def _trade(item: Any) -> Trade | None:
    """None for what has no side, times or prices."""
    fields = mapping(item)
    side = {"LONG": "long", "SHORT": "short"}.get(line(fields.get("side"), 10).upper())
    opened, closed = moment(fields.get("entry_time")), moment(fields.get("exit_time"))
    entry, left, quantity = (bounded(fields.get(name)) for name in ("entry_price", "exit_price", "quantity"))
    if side is None or opened is None or closed is None or entry is None or left is None or quantity is None:
        return None
    commission, slippage = bounded(fields.get("commission")), bounded(fields.get("slippage"))
    return Trade(
        "long" if side == "long" else "short",
        opened,
        closed,
        entry,
        left,
        quantity,
        count(fields.get("bars")),
        bounded(fields.get("return_pct")),
        None if commission is None and slippage is None else (commission or 0.0) + (slippage or 0.0),
        bounded(fields.get("net_pnl")),
        line(fields.get("entry_reason"), 200),
        line(fields.get("exit_reason"), 200),
    )


def seen_bars_of(data: Any) -> SeenBars:
    fields = mapping(data)
    bars = [[bounded(value) for value in items(row, 6)] for row in items(fields.get("bars"), MAX_BARS)]
    whole = [place for place, row in enumerate(bars) if len(row) == 6 and None not in row[:5]]
    kept = tuple(bars[place] for place in whole)

    def values(given: Any) -> Values:
        numbers = [bounded(value) for value in items(given, MAX_BARS)]
        return tuple(numbers[place] if place < len(numbers) else None for place in whole)

    def seen(item: Any) -> SeenInput | None:
        each_of = mapping(item)
        if not each_of:
            return None
        labels = items(each_of.get("labels"), MAX_LABELS)
        lines = zip(labels, items(each_of.get("memberships"), MAX_LABELS), strict=False)
        return SeenInput(
            line(each_of.get("name"), 100),
            line(each_of.get("indicator"), 100),
            each_of.get("on_prices") is True,
            values(each_of.get("values")),
            tuple((line(label, 100), values(given)) for label, given in lines),
        )

    first, total = count(fields.get("first")) or 0, count(fields.get("total")) or 0
    return SeenBars(kept, tuple(each(seen, fields.get("sets"), MAX_INPUTS)), first, max(total, len(kept)))
