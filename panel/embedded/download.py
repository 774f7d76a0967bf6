"""A data load: bars from the sample market into a stored file, year by year."""

import time
from datetime import UTC, datetime

import pandas as pd

from panel.embedded import market
from panel.embedded.bars import Bars
from panel.embedded.job import Failed, Job, Stopped
from panel.embedded.ledger import Row
from panel.embedded.timeframes import DAY, closing, opening

YEAR = 365 * DAY  # one segment
HISTORY = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp())  # where "all of it" begins
RECENT = 2 * YEAR  # what a first load of new bars fetches


def download(job: Job) -> Row:
    """Fetch what `mode` asks for; bars that are stored are never changed. What was fetched before a cancel
    is kept."""
    symbol, timeframe, mode = (job.request[name] for name in ("symbol", "timeframe", "mode"))
    job.runs()
    bars = Bars(job.folder / "data")
    job.report(0, f"Looking at what is stored of {symbol} {timeframe}", now=True)
    if symbol not in market.INSTRUMENTS:
        raise Failed(f"Symbol {symbol} not found. The sample market has {', '.join(market.INSTRUMENTS)}.")
    try:
        before = bars.stored(symbol, timeframe)
    except ValueError as exc:
        raise Failed(f"{exc} Nothing was changed.") from exc
    if before is not None and before.source != "sample":
        raise Failed(
            f"{symbol} {timeframe} holds data of your own. Sample data is never mixed into it; "
            "to load sample data instead, move the file away first."
        )
    stored = (int(before.start.timestamp()), int(closing(int(before.end.timestamp()), timeframe))) if before else None
    start, end = _period(job.request, stored)
    start, end = max(start, market.FIRST * DAY), min(end, int(opening(int(time.time()), timeframe)))
    fetched: list[pd.DataFrame] = []
    result = {"mode": mode, "symbol": symbol, "timeframe": timeframe, "cache_hit": before is not None}
    try:
        _fetch(job, start, end, fetched)
        job.report(95, f"Saving {symbol} {timeframe}", now=True, steps_completed=len(fetched))
    except Stopped:
        _add(bars, symbol, timeframe, fetched)
        raise
    rows, stretches = _add(bars, symbol, timeframe, fetched)
    return result | {"gaps_filled": stretches, "rows_downloaded": rows, "source": market.NAME}


def _add(bars: Bars, symbol: str, timeframe: str, fetched: list[pd.DataFrame]) -> tuple[int, int]:
    if not fetched:
        return 0, 0
    try:
        return bars.add(symbol, timeframe, pd.concat(fetched))
    except ValueError as exc:
        raise Failed(f"{exc} Nothing was changed.") from exc


def _period(request: Row, stored: tuple[int, int] | None) -> tuple[int, int]:
    """The period to fetch, in seconds. `stored`: the first stored bar's opening and the last one's end."""
    start, end = (_seconds(request.get(name)) for name in ("start_date", "end_date"))
    now = int(time.time())
    last = now if end is None else end + DAY  # the last day is included
    if request["mode"] == "tail":
        if start is None:
            start = stored[1] if stored else last - RECENT
        return start, last
    if request["mode"] == "backfill" and stored:
        return start or HISTORY, min(last, stored[0])
    return start or HISTORY, last


def _seconds(day: str | None) -> int | None:
    return int(pd.Timestamp(day, tz="UTC").timestamp()) if day else None


def _fetch(job: Job, start: int, end: int, into: list[pd.DataFrame]) -> None:
    symbol, timeframe, mode = (job.request[name] for name in ("symbol", "timeframe", "mode"))
    borders = [*range(start, max(end, start), YEAR), max(end, start)]
    total = len(borders) - 1
    name = f"Fetching {total} {'segment' if total == 1 else 'segments'} from the sample market"
    for number, (first, last) in enumerate(zip(borders, borders[1:], strict=False), 1):
        share = (number - 1) / total
        detail = f"Segment {number}/{total}: {_day(first)} to {_day(last)}"
        context = {
            "operation": f"Download {symbol} {timeframe} ({mode} mode)",
            "current_step_name": name,
            "step_current": number,
            "step_total": total,
            "step_detail": detail,
            "step_progress_ratio": share,
        }
        job.place = f"at segment {number} of {total}"
        job.report(
            5 + 85 * share,
            f"{name}: {detail}",
            now=True,
            steps_completed=number - 1,
            steps_total=total,
            context=context,
        )
        into.append(market.bars(symbol, timeframe, first, last))


def _day(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"
