"""Times as programs and countries write them: finds a column's format, and reads its texts."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import polars as pl

from panel.files.values import Array, Refused

FIRST, LAST = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (1800, 2200))
_SERIAL = re.compile(r"\d{5}(?:[.,]\d+)?")  # 45292.25: the days that Excel counts; 1950 to 2099
_SERIAL_EPOCH = 25_569  # 1970-01-01
_UNITS = ((1e11, 1, "seconds"), (1e14, 1_000, "milliseconds"), (1e17, 1_000_000, "microseconds"))
_SHAPE = re.compile(
    r"(?P<date>\d{4}(?P<s1>[-./])\d{1,2}(?P=s1)\d{1,2}|\d{8}|\d{1,2}(?P<s2>[-./ ])\d{1,2}(?P=s2)(?:\d{4}|\d\d)"
    r"|\d{1,2}(?P<s3>[- ])[A-Za-z]{3}(?P=s3)\d{2,4}|[A-Za-z]{3} \d{1,2},? \d{4}|[A-Za-z]{4,9} \d{1,2},? \d{4})"
    r"(?:(?P<gap>T|,? {1,2}|_|(?<=\d{8}))(?P<clock>\d{1,2}:\d\d(?::\d\d)?|\d{6}|\d{4})(?P<part>[.]\d{1,9})?"
    r"(?P<half> ?[AaPp][Mm])?(?P<zone> ?(?:Z|(?:UTC|GMT)?[+-]\d\d:?\d\d|UTC|GMT))?)?"
)
_MIDNIGHT = re.compile(r"\d{4}-\d\d-\d\d[T ]00:00:00 ?[+-]\d\d:?\d\d")
_SINCE_MIDNIGHT = "%Y-%m-%d %H:%M:%S%z"  # yfinance writes the days of an exchange like this
DAY_FIRST, MONTH_FIRST = "day-first", "month-first"


@dataclass(frozen=True, slots=True)
class Format:
    """`pattern` is strptime's; "" for counted seconds, whose number in one second is `unit`. `order` is the
    other pattern's when day and month could be the other way round."""

    pattern: str
    letters: str
    zone: str = ""  # "UTC" when the text says so itself
    timed: bool = False  # has a time of day
    unit: int = 0
    swapped: str = ""
    iso: bool = False
    serial: bool = False  # days that a spreadsheet counts
    daily: bool = False  # the first ten signs are a day, whose midnight is all that follows

    def other(self) -> "Format":
        """With the month first."""
        sep = self.letters[2]
        letters = self.letters.replace(f"DD{sep}MM", f"MM{sep}DD")
        return replace(self, pattern=self.swapped, letters=letters)


def recognised(samples: list[str]) -> Format:
    """The format of most of these texts. Raises Refused with one of them when it is none that is known."""
    serials = [text for text in samples if _SERIAL.fullmatch(text.strip()) and "18264" <= text.strip() < "73051"]
    if samples and len(serials) > 0.9 * len(samples):
        timed = any(re.search(r"[.,]0*[1-9]", text) for text in serials)
        return Format("", "days as a spreadsheet counts them", timed=timed, serial=True)
    counted: dict[Format, int] = {}
    for text in samples:
        found = _format(text.strip())
        if found is not None:
            counted[found] = counted.get(found, 0) + 1
    numbers = [abs(value) for text in samples if (value := _number(text)) is not None]
    dated = sum(counted.values())
    if len(numbers) > dated and len(numbers) >= len(samples) / 2:
        middle = sorted(numbers)[len(numbers) // 2]
        unit, name = next(((unit, name) for top, unit, name in _UNITS if middle < top), (10**9, "nanoseconds"))
        return Format("", f"{name} since 1970", zone="UTC", timed=True, unit=unit)
    if dated < max(len(samples) / 2, 1):
        odd = next((text for text in samples if _format(text.strip()) is None), "")
        raise Refused(f"“{odd[:40]}” is not a time in a format that is known here.")
    best = max(counted, key=lambda found: counted[found])
    at_midnight = sum(bool(_MIDNIGHT.fullmatch(text.strip())) for text in samples)
    if _SINCE_MIDNIGHT in best.pattern and at_midnight > 0.9 * len(samples):
        return Format("%Y-%m-%d", "YYYY-MM-DD", "UTC", iso=True, daily=True)
    parts = any(".%f" in found.pattern for found in counted)
    return _with_fraction(best) if parts else best


def _with_fraction(found: Format) -> Format:
    """Some programs leave out a fraction that is zero."""
    if "%.f" in found.pattern or "%S" not in found.pattern:
        return found
    return replace(found, pattern=found.pattern.replace("%S", "%S%.f"), swapped=found.swapped.replace("%S", "%S%.f"))


def _number(text: str) -> float | None:
    """A count since 1970, unless it reads better as YYYYMMDD or YYYYMMDDHHMM."""
    text = text.strip()
    if not re.fullmatch(r"-?\d+(\.\d+)?([eE]\+?\d+)?", text):
        return None
    if len(text) in (8, 12, 14) and text.isdigit() and _format(text):
        return None
    value = float(text)
    return value if abs(value) >= 1e7 or value <= 0 or "." in text else None


def _format(text: str) -> Format | None:
    found = _SHAPE.fullmatch(text)
    if found is None:
        return None
    date, letters, swapped, iso = _date(found)
    if found["date"].isdigit() and not ("1800" <= text[:4] < "2200" and "01" <= text[4:6] <= "12" and text[6:8] < "32"):
        return None
    clock, zone = found["clock"], (found["zone"] or "")
    if not clock:
        return Format(date, letters, swapped=swapped, iso=iso)
    pattern = (
        {4: "%H%M", 6: "%H%M%S"}[len(clock)] if clock.isdigit() else "%H:%M:%S" if clock.count(":") == 2 else "%H:%M"
    )
    if found["half"]:
        pattern = pattern.replace("%H", "%I") + (" %p" if found["half"].startswith(" ") else "%p")
    words = (
        pattern.replace("%H", "HH").replace("%I", "HH").replace("%M", "MM").replace("%S", "SS").replace("%p", "AM/PM")
    )
    if found["part"]:
        pattern = pattern.replace("%S", "%S%.f")
    stated = zone.strip()
    ending = re.sub(r"[+-]\d\d:?\d\d", "%z", zone)
    tail = found["gap"] + pattern + ending
    gap = found["gap"] + words + ending.replace("%z", "±HH:MM")
    return Format(date + tail, letters + gap, "UTC" if stated else "", True, 0, swapped and swapped + tail, iso)


def _date(found: re.Match[str]) -> tuple[str, str, str, bool]:
    """Pattern, the same for people, the pattern with day and month swapped if they may be, whether it is ISO's."""
    date, sep = found["date"], found["s1"] or found["s2"] or found["s3"] or ""
    if found["s1"]:
        return sep.join(("%Y", "%m", "%d")), sep.join(("YYYY", "MM", "DD")), "", sep == "-"
    if date.isdigit():
        return "%Y%m%d", "YYYYMMDD", "", False
    if found["s2"]:
        year, letters = ("%Y", "YYYY") if len(date.rpartition(sep)[2]) == 4 else ("%y", "YY")
        swapped = "" if sep == "." else sep.join(("%m", "%d", year))  # with dots the day comes first everywhere
        return sep.join(("%d", "%m", year)), sep.join(("DD", "MM", letters)), swapped, False
    if found["s3"]:
        year = "%Y" if len(date.rpartition(sep)[2]) == 4 else "%y"
        return sep.join(("%d", "%b", year)), sep.join(("DD", "Mon", "YYYY")), "", False
    comma = "," if "," in date else ""
    name = "%b" if len(date.split()[0]) == 3 else "%B"
    return f"{name} %d{comma} %Y", f"Month DD{comma} YYYY", "", False


def parsed(texts: pl.Series, how: Format) -> tuple[Array, Array]:
    """Seconds since 1970 (of the clock that the file goes by, unless `how.zone`), and which texts are no time."""
    texts = texts.fill_null("")
    if how.daily:  # its offset changes with the season, the day does not
        midnight = texts.str.strip_chars().str.contains(f"^{_MIDNIGHT.pattern}$")
        texts = texts.str.strip_chars().str.head(10).zip_with(midnight, pl.Series([""]).new_from_index(0, len(texts)))
    if how.serial:
        days = texts.str.strip_chars().str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
        seconds = np.rint((days.fill_null(float("nan")).to_numpy() - _SERIAL_EPOCH) * 86_400)
        fits = np.isfinite(seconds)
    elif how.unit:
        values = texts.str.strip_chars().cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
        units = np.full(len(values), float(how.unit))
        if how.unit > 1:  # a file may go from milliseconds to microseconds, as Binance's do in 2025
            units = np.select([np.abs(values) < 1e14, np.abs(values) < 1e17], [1e3, 1e6], 1e9)
        seconds, fits = values / units, np.isfinite(values)
    else:
        found = _strptime(texts, how.pattern)
        if found.null_count():
            retry = found.is_null()
            found = found.scatter(retry.arg_true(), _strptime(texts.filter(retry).str.strip_chars(), how.pattern))
        fits = found.is_not_null().to_numpy()
        seconds = found.dt.epoch("ms").fill_null(0).to_numpy() / 1000
    fits = fits & (np.nan_to_num(seconds, nan=-1e18) >= FIRST) & (np.nan_to_num(seconds, nan=1e18) < LAST)
    return np.floor(np.where(fits, seconds, 0)).astype(np.int64), ~fits


def _strptime(texts: pl.Series, pattern: str) -> pl.Series:
    if not re.search(r"%[HI]", pattern):
        return texts.str.to_date(pattern, strict=False).cast(pl.Datetime("ms"))
    found = texts.str.to_datetime(pattern, strict=False, time_unit="ms")
    return found.dt.replace_time_zone(None) if "%z" in pattern else found


def in_utc(seconds: Array, zone: str) -> tuple[Array, Array]:
    """Times of a zone's clock as UTC, and which of them the clock never showed. A time that comes twice in
    autumn is the earlier one first, and the later one when the file has it again."""
    if zone == "UTC":
        return seconds, np.zeros(len(seconds), bool)
    local = pl.Series(seconds * 1000).cast(pl.Datetime("ms"))
    try:
        first = local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
        second = local.dt.replace_time_zone(zone, ambiguous="latest", non_existent="null")
    except (pl.exceptions.PolarsError, ValueError) as exc:
        raise Refused(f"There is no time zone {zone[:40]}.") from exc
    early, late = (_seconds(found.dt.convert_time_zone("UTC")) for found in (first, second))
    twice = early != late
    if twice.any():
        again = np.zeros(len(seconds), bool)
        seen: set[int] = set()
        places = np.flatnonzero(twice)
        for place in places if seconds[0] <= seconds[-1] else places[::-1]:
            again[place] = int(seconds[place]) in seen
            seen.add(int(seconds[place]))
        early = np.where(again, late, early)
    return early, first.is_null().to_numpy()


def _seconds(moments: pl.Series) -> Array:
    return moments.dt.epoch("ms").fill_null(0).to_numpy() // 1000
