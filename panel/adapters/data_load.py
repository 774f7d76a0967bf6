"""Fetching market data into the backend's store. The mode is always sent: the backend refuses its own default."""

from dataclasses import dataclass, field
from typing import Any

from panel.adapters.base import Kind, chosen, count
from panel.adapters.fields import TIMEFRAMES, asked
from panel.domain.formatting import many
from panel.domain.kinds import Traits
from panel.domain.results import Figure, Measure
from panel.domain.snapshot import Snapshot
from panel.domain.strategies import Strategy
from panel.domain.values import number, text


@dataclass
class DataLoadOperationAdapter(Kind):
    """Symbol and timeframe are needed; dates bound what is fetched."""

    kind = "data_load"
    title = "Data load"
    action = "Load data"
    command = "load"
    endpoint = "/data/acquire/download"
    summary = "Fetch market data for one symbol and timeframe."
    menu = "Data load"
    traits = Traits(alone=True, inside=True, loads=True)
    measures = (
        Measure("Bars fetched", "rows_downloaded"),
        Measure("Gaps worked on", "gaps_filled"),
    )

    symbol: str = field(metadata=asked("Symbol", required=True, help="Like EURUSD or AAPL"))
    timeframe: str = field(
        default="1h", metadata=asked("Timeframe", "choice", required=True, choices=tuple((t, t) for t in TIMEFRAMES))
    )
    mode: str = field(
        default="tail",
        metadata=asked(
            "What to fetch",
            "choice",
            option="--mode",
            choices=(
                ("tail", "New bars: from the last stored bar up to now"),
                ("backfill", "History: bars older than the first stored one"),
                ("full", "History and new bars: both of these"),
            ),
        ),
    )
    start_date: str | None = field(
        default=None,
        metadata=asked(
            "From", "date", option="--start", help="Empty: as far as the source goes. Of new bars: from the last one on"
        ),
    )
    end_date: str | None = field(default=None, metadata=asked("To", "date", option="--end", help="Empty: now"))

    def get_start_payload(self) -> dict[str, Any]:
        return chosen(**vars(self))

    def ktrdr_argv(self, own: Strategy | None = None) -> list[str]:
        argv = ["ktrdr", "data", "load", self.symbol, "--timeframe", self.timeframe, "--mode", self.mode]
        argv += ["--start", self.start_date] if self.start_date else []
        return argv + (["--end", self.end_date] if self.end_date else [])

    @classmethod
    def figures(cls, snapshot: Snapshot) -> list[Figure]:
        result = snapshot.result
        if not result:
            return []
        rows, gaps = number(result.get("rows_downloaded")), number(result.get("gaps_filled"))
        # The embedded backend counts where bars were added, a KTRDR the gaps that it tried to fill: neither is the
        # number of segments that the timeline names.
        stretches = many(int(gaps or 0), "stretch", "stretches")
        note = (f"in {stretches}" if result.get("source") else f"{many(int(gaps), 'gap')} worked on") if gaps else ""
        figures = [] if rows is None else [Figure("Bars fetched", count(rows), note, lead=True)]
        if result.get("source"):
            figures.append(Figure("Source", text(result["source"])))
        return figures
