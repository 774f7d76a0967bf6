"""Timeframes, and which bar a moment belongs to. Times are whole seconds since 1970, UTC, as int64 arrays."""

from typing import Any

import numpy as np

MINUTE, DAY, WEEK = 60, 86_400, 604_800
MONTH = 30 * DAY  # as a length only; months are counted in the calendar
LONGEST_MONTH = 31 * DAY
BESIDE = 10 * DAY  # a month's first day of trade may be the 8th: China rests from October 1st to 7th

# id -> (name, description, length in seconds)
TIMEFRAMES: dict[str, tuple[str, str, int]] = {
    "1m": ("1 Minute", "One-minute interval data", MINUTE),
    "5m": ("5 Minutes", "Five-minute interval data", 5 * MINUTE),
    "15m": ("15 Minutes", "Fifteen-minute interval data", 15 * MINUTE),
    "30m": ("30 Minutes", "Thirty-minute interval data", 30 * MINUTE),
    "1h": ("1 Hour", "One-hour interval data", 60 * MINUTE),
    "2h": ("2 Hours", "Two-hour interval data", 120 * MINUTE),
    "4h": ("4 Hours", "Four-hour interval data", 240 * MINUTE),
    "1d": ("1 Day", "Daily interval data", DAY),
    "1w": ("1 Week", "Weekly interval data", WEEK),
    "1M": ("1 Month", "Monthly interval data", MONTH),
}

Times = np.ndarray[Any, np.dtype[np.int64]]


def seconds(timeframe: str) -> int:
    return TIMEFRAMES[timeframe][2]


def opening(times: Times | int, timeframe: str) -> Times:
    """When the bar around each time opens. Weeks open on Monday."""
    times = np.asarray(times, np.int64)
    if timeframe == "1M":
        return times.astype("datetime64[s]").astype("datetime64[M]").astype("datetime64[s]").astype(np.int64)
    shift = 3 * DAY if timeframe == "1w" else 0  # 1970 began on a Thursday
    return (times + shift) // seconds(timeframe) * seconds(timeframe) - shift


def closing(openings: Times | int, timeframe: str) -> Times:
    """When bars with these openings are complete: they must not be used before. A month may open some days beside
    its first: on the evening before or some hours later, in another zone, or on its first day of trade. One that
    opens further away is taken for a long one."""
    openings = np.asarray(openings, np.int64)
    if timeframe != "1M":
        return openings + seconds(timeframe)
    month = (openings + BESIDE).astype("datetime64[s]").astype("datetime64[M]")
    first, end = (each.astype("datetime64[s]").astype(np.int64) for each in (month, month + 1))
    after = openings - first
    end = end + np.where((after > 0) & (after < DAY), after, 0)
    return np.asarray(np.where(after <= BESIDE, end, openings + LONGEST_MONTH), np.int64)


def complete(openings: Times, timeframe: str) -> Times:
    """The same of stored bars, in order. None is complete while the next one opens a little later than its length
    says: a day has 25 hours when clocks change. A hole is none of its time."""
    openings = np.asarray(openings, np.int64)
    closes = closing(openings, timeframe)
    late = openings[1:] - closes[:-1]
    closes[:-1] += np.where((late > 0) & (late <= seconds(timeframe) // 2), late, 0)
    return closes
