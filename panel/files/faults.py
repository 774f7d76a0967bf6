"""Faults of bars, and what their spacing says. Pure."""

import numpy as np

from panel.files.names import DAY, HOUR, LENGTHS, WEEK, length_text
from panel.files.values import SHOWN, Array, Bars, Count

# (kind, sentence about such bars); the place is the code in Bars.fault
KINDS = (
    ("", ""),
    ("not finite", "a price that is infinite"),
    ("not positive", "a price of zero or below"),
    ("high below low", "the high is below the low"),
    ("open or close outside", "open or close lies outside of high and low"),
    ("spacing", "opens before the bar before it has ended"),
    ("volume", "a volume below zero"),
    ("two of one time", "another bar of the same time has other prices; the first one counts"),
)
CODES = {kind: code for code, (kind, _) in enumerate(KINDS)}


def marked(bars: Bars, timeframe: str) -> Bars:
    """With the fault of each bar; the first kind that applies."""
    lowest, highest = np.minimum(bars.open, bars.close), np.maximum(bars.open, bars.close)
    crowded = _too_close(bars.times, timeframe)
    true = (bars.low > 0) & (bars.low <= lowest) & (highest <= bars.high) & (bars.high < np.inf)  # false for NaN
    if true.all() and not crowded.any() and not (bars.volume < 0).any():
        fault = np.zeros(len(bars), np.uint8)
    else:
        prices = np.stack([bars.open, bars.high, bars.low, bars.close])
        found = [
            ~np.isfinite(prices).all(axis=0),
            (prices <= 0).any(axis=0),
            bars.high < bars.low,
            (lowest < bars.low) | (highest > bars.high),
            crowded,
            bars.volume < 0,
        ]
        fault = np.select(found, [np.uint8(code) for code in range(1, 7)], np.uint8(0)).astype(np.uint8)
    return Bars(bars.times, bars.open, bars.high, bars.low, bars.close, bars.volume, bars.lines, fault)


def _too_close(times: Array, timeframe: str) -> Array:
    """Bars less than half a length after the one before: clock changes move openings by an hour, not more."""
    if timeframe not in LENGTHS or len(times) < 2:
        return np.zeros(len(times), bool)
    return np.append(False, np.diff(times) < LENGTHS[timeframe] / 2)


def counts(fault: Array, lines: Array) -> tuple[Count, ...]:
    found = []
    for code, (kind, reason) in enumerate(KINDS):
        which = fault == code
        if code and which.any():
            found.append(Count(kind, reason, int(which.sum()), tuple(map(int, lines[which][:SHOWN]))))
    return tuple(found)


def spacing(times: Array) -> float:
    """Seconds between most bars; 0 when there are fewer than two."""
    steps = np.diff(times)
    steps = steps[steps > 0]
    if not len(steps):
        return 0.0
    values, counted = np.unique(steps, return_counts=True)
    return float(values[counted.argmax()])


def timeframe_of(times: Array) -> str:
    """The timeframe whose bars are spaced like these, or ""."""
    step = spacing(times)
    if 27 * DAY < step < 32 * DAY:
        return "1M"
    if abs(step - DAY) <= HOUR:
        return "1d"
    if abs(step - WEEK) <= HOUR:
        return "1w"
    return next((timeframe for timeframe, length in LENGTHS.items() if length == step), "")


def conflict(times: Array, timeframe: str) -> str:
    """A sentence when the spacing contradicts the name: closer, or much wider throughout."""
    steps, length = np.diff(times), LENGTHS[timeframe]
    steps = steps[steps > 0]
    if not len(steps):
        return ""
    step = spacing(times)
    closer = (steps < length / 2).mean() > 0.5
    wider = len(steps) >= 10 and steps.min() >= 2 * length and timeframe != "1M" and step > length
    if not closer and not wider:
        return ""
    what = length_text(step)
    return f"The bars are {what} apart, and the name says {timeframe}."


# zone, the Sunday of March on which its clock goes forward (-1: the last), the hour that is left out
_CLOCKS = (("Europe/Berlin", -1, 2), ("America/New_York", 2, 2), ("Europe/London", -1, 1))


def summer_time(bars: Bars, timeframe: str) -> str:
    """A sentence when bars that are meant to be in UTC miss the hour that a clock leaves out in spring."""
    if LENGTHS.get(timeframe, DAY) > HOUR or len(bars) < 100:
        return ""
    ends, next_ = bars.times[:-1] + LENGTHS[timeframe], bars.times[1:]
    holes = np.flatnonzero(next_ - ends == HOUR)
    for zone, week, hour in _CLOCKS:
        for place in holes:
            start = int(ends[place])
            day = np.datetime64(start, "s").astype("datetime64[D]")
            if str(day)[5:7] != "03" or start % DAY != hour * HOUR or (start // DAY + 3) % 7 != 6:
                continue
            of_month = int(str(day)[8:])
            if (week == -1 and of_month > 24) or (week == 2 and 8 <= of_month <= 14):
                return (
                    f"line {int(bars.lines[place + 1])}: an hour is missing where clocks of {zone} go forward "
                    f"({day}): the times look like that zone's, not UTC."
                )
    return ""
