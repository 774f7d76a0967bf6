"""Times at which bars open."""

import time
from datetime import UTC, datetime

from panel.domain.gaps import DAY, HOUR

START = 1_704_067_200.0  # Monday, 2024-01-01


def hours(weeks: int, *, stock: bool = False) -> list[float]:
    """Openings of 1h bars: forex from Monday to Friday 22:00, or a stock's afternoons."""
    found = []
    for hour in range(weeks * 168):
        day, of_day = hour // 24 % 7, hour % 24
        open_ = 14 <= of_day < 21 and day < 5 if stock else day < 4 or (day == 4 and of_day < 22)
        if open_:
            found.append(START + hour * HOUR)
    return found


def until_now(weeks_ago: int = 0) -> list[float]:
    """Forex from the beginning to this week, or to an earlier one."""
    return hours(int((time.time() - START) / (7 * DAY)) + 1 - weeks_ago)


def without(openings: list[float], start_day: float, days: float) -> list[float]:
    return [at for at in openings if not START + start_day * DAY <= at < START + (start_day + days) * DAY]


def at(day: str) -> int:
    """Unix seconds of a UTC day or time."""
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())
