"""Fetching market data into the backend's store. The mode is always sent: the backend refuses its own default."""

from typing import Any

from panel.adapters.base import TIMEFRAMES, Field, OperationAdapter, chosen, count, text
from panel.domain.results import Figure, Measure
from panel.domain.snapshot import Snapshot
from panel.domain.values import number


class DataLoadOperationAdapter(OperationAdapter):
    """Symbol and timeframe are needed; dates bound what is fetched."""

    kind = "data_load"
    title = "Data load"
    action = "Load data"
    command = "load"
    summary = "Fetch market data for one symbol and timeframe."
    fields = (
        Field("symbol", "Symbol", required=True, help="Like EURUSD or AAPL"),
        Field(
            "timeframe", "Timeframe", "choice", required=True, default="1h", choices=tuple((t, t) for t in TIMEFRAMES)
        ),
        Field(
            "mode",
            "What to fetch",
            "choice",
            option="--mode",
            default="tail",
            choices=(
                ("tail", "New bars: from the last stored bar up to now"),
                ("backfill", "History: bars older than the first stored one"),
                ("full", "Both: history and new bars"),
            ),
        ),
        Field("start_date", "From", "date", option="--start", help="Empty: as far as the source goes"),
        Field("end_date", "To", "date", option="--end", help="Empty: now"),
    )
    measures = (
        Measure("Bars fetched", "rows_downloaded"),
        Measure("Missing stretches loaded", "gaps_filled"),
    )

    def __init__(
        self,
        symbol: str,
        timeframe: str,
        mode: str | None = "tail",
        start_date: str | None = None,
        end_date: str | None = None,
    ) -> None:
        self.symbol = symbol
        self.timeframe = timeframe
        self.mode = mode or "tail"
        self.start_date = start_date
        self.end_date = end_date

    def get_start_endpoint(self) -> str:
        return "/data/acquire/download"

    def get_start_payload(self) -> dict[str, Any]:
        return chosen(
            symbol=self.symbol,
            timeframe=self.timeframe,
            mode=self.mode,
            start_date=self.start_date,
            end_date=self.end_date,
        )

    def ktrdr_argv(self) -> list[str]:
        words = ["ktrdr", "data", "load", self.symbol, "--timeframe", self.timeframe, "--mode", self.mode]
        words += ["--start", self.start_date] if self.start_date else []
        return words + (["--end", self.end_date] if self.end_date else [])

    @classmethod
    def figures(cls, snapshot: Snapshot) -> list[Figure]:
        result = snapshot.result
        if not result:
            return []
        rows, gaps = number(result.get("rows_downloaded")), number(result.get("gaps_filled"))
        figures = [Figure("Bars fetched", count(rows), lead=True)]
        if gaps is not None:
            figures.append(Figure("Missing stretches loaded", count(gaps), lead=True))
        if result.get("source"):
            figures.append(Figure("Source", text(result["source"])))
        return figures
