"""Times and counts as people write them. Total: what was stored out of range is shown as unknown. Pure."""

from panel.domain.values import utc

UNKNOWN = "–"
LONGEST = 1e11  # seconds


def duration(seconds: float | None) -> str:
    """45 s, 3 min 20 s, 2 h 5 min, 3 days."""
    if seconds is None or not -LONGEST < seconds < LONGEST:
        return UNKNOWN
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    if whole < 86400:
        return f"{whole // 3600} h" + (f" {whole % 3600 // 60} min" if whole % 3600 // 60 else "")
    return f"{whole // 86400} day{'s' if whole >= 172800 else ''}"


def rough(seconds: float | None) -> str:
    """45 s, 3 min, 2 h 5 min, 3 days: of an estimate, which is not that exact."""
    known = seconds is not None and 59.5 <= abs(seconds) < LONGEST
    return duration(round(seconds / 60) * 60 if seconds is not None and known else seconds)


def ago(at: float, now: float) -> str:
    """How long ago a moment was, in one unit: the seconds of an hour say nothing. The browser counts on from `<time>`,
    this text does not change."""
    since = max(now - at, 0.0)
    unit = next((unit for unit in (86_400, 3600, 60) if since >= unit), 1)
    return f"{duration(since // unit * unit)} ago"


def many(count: int, one: str, more: str = "") -> str:
    """1 epoch, 1,200 epochs."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def volume(traded: float | None) -> str:
    """1,234,568; 12.35; 0.0405: of crypto a part of one is much."""
    if traded is None:
        return UNKNOWN
    return f"{traded:,.0f}" if abs(traded) >= 1000 else f"{traded:.4g}"


def minute(at: float | None) -> str:
    """2024-01-31 14:05, in UTC."""
    moment = utc(at)
    return UNKNOWN if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def clock(at: float | None) -> str:
    """14:05:09, in UTC."""
    moment = utc(at)
    return UNKNOWN if moment is None else f"{moment:%H:%M:%S}"


def moment_at(at: float, now: float) -> str:
    """“at 14:05:09 UTC”, with its day when that is another one. For sentences that are kept or stand on a page without
    being drawn again: an age in them would stand still."""
    return f"{'at' if day(at) == day(now) else 'on'} {moment_of(at, now)}"


def moment_of(at: float, now: float) -> str:
    """The same without a preposition. Pages show these moments in the reader's own zone (`views.templating.timed`)."""
    when = f"{clock(at)} UTC"
    return when if day(at) == day(now) else f"{day(at)} at {when}"


def per_cent(percentage: float) -> str:
    """Progress as every page shows it: whole per cents, rounded down."""
    return f"{int(percentage)} %"


def day(at: float | None) -> str:
    """The UTC day, 2024-01-31."""
    return minute(at)[:10]
