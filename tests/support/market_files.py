"""Files of market data as programs write them, made from bars."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

Bar = tuple[datetime, float, float, float, float, float]
START = datetime(2024, 1, 1, tzinfo=UTC)


def bars(
    count: int = 120, step: timedelta = timedelta(hours=1), start: datetime = START, price: float = 1.1
) -> list[Bar]:
    """A price that wanders a little, the same each time."""
    made, close, digits = [], price, 5 if price < 10 else 2
    for number in range(count):
        opened = close
        close = round(opened * (1 + 0.0005 * ((number * 7919) % 11 - 5) / 5), digits)
        high, low = round(max(opened, close) * 1.0002, digits), round(min(opened, close) * 0.9998, digits)
        made.append((start + number * step, opened, high, low, close, float(50 + (number * 31) % 900)))
    return made


def ktrdr(rows: Sequence[Bar]) -> str:
    return written(rows, ",open,high,low,close,volume", lambda at: f"{at:%Y-%m-%dT%H:%M:%SZ}")


def written(
    rows: Sequence[Bar],
    header: str,
    time: Callable[[datetime], str],
    sep: str = ",",
    number: Callable[[float], str] = repr,
    end: str = "\n",
    more: str = "",
) -> str:
    lines = [header] if header else []
    for at, *values in rows:
        lines.append(sep.join([time(at), *map(number, values)]) + more)
    return end.join(lines) + end
