"""The bars that a training or backtest works on, and what its result says about them."""

import pandas as pd

from panel.embedded.bars import Bars
from panel.embedded.job import Failed
from panel.embedded.ledger import Row


class UsedBars:
    """Reads stored bars. `leave_out`: without those that cannot be true; else they count like any other, and
    prices that are infinite, with which nothing can be computed, end the operation."""

    def __init__(self, bars: Bars, leave_out: bool) -> None:
        self.rows: list[Row] = []  # for each symbol and timeframe: bars used; by kind, what is not or cannot be true
        self.sources: set[str] = set()
        self._bars = bars
        self._leave_out = leave_out

    @property
    def source(self) -> str:
        return next(iter(self.sources)) if len(self.sources) == 1 else "mixed"

    def load(self, symbol: str, timeframe: str) -> pd.DataFrame | None:
        """OHLCV indexed by opening, or None when nothing is stored. Raises Failed with a sentence."""
        try:
            stored = self._bars.stored(symbol, timeframe)
            frame = self._bars.read(symbol, timeframe, good=self._leave_out)
        except ValueError as exc:
            raise Failed(str(exc)) from exc
        if stored is None or frame is None:
            return None
        bad = {count.kind: count.count for count in stored.faults}
        infinite = next((count for count in stored.faults if count.kind == "not finite"), None)
        if infinite and not self._leave_out:
            raise Failed(
                f"{symbol} {timeframe}: line {infinite.lines[0]} has {infinite.reason}. Nothing can be computed with "
                "it: leave out bars that cannot be true, or correct the file."
            )
        row: Row = {"symbol": symbol, "timeframe": timeframe, "bars": len(frame)}
        row |= {"left_out": bad, "bad_bars_used": {}} if self._leave_out else {"left_out": {}, "bad_bars_used": bad}
        if "two of one time" in bad and not self._leave_out:  # the second one is never used
            row["left_out"] = {"two of one time": bad.pop("two of one time")}
        row["left_out"] = {count.kind: count.count for count in stored.left_out} | row["left_out"]  # they hold no bar
        self.rows.append(row)
        self.sources.add(stored.source)
        return frame
