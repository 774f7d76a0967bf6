"""Which program wrote a file, as far as its layout shows, and which zone its clock is in. Pure."""

import numpy as np

from panel.files.layout import Layout
from panel.files.names import DAY
from panel.files.times import Format
from panel.files.values import Array

EST = "Etc/GMT+5"  # IANA's sign is the other way round: five hours behind UTC all year
EASTERN_EUROPE = "Europe/Athens"
ZONES = (
    ("UTC", "UTC"),
    (EASTERN_EUROPE, "Eastern Europe, with daylight saving: most MetaTrader brokers"),
    ("America/New_York", "New York, with daylight saving: exchanges of the USA"),
    (EST, "EST without daylight saving: HistData"),
    ("Europe/Berlin", "Central Europe, with daylight saving"),
    ("Europe/London", "London, with daylight saving"),
    ("Asia/Tokyo", "Tokyo"),
    ("Asia/Kolkata", "India"),
)


def form(layout: Layout, how: Format) -> str:
    names = [name.lower() for name in layout.names]
    if names[:5] == ["", "open", "high", "low", "close"] and how.pattern == "%Y-%m-%dT%H:%M:%SZ":
        return "KTRDR"
    if "<per>" in names:
        return "Stooq"
    if "<tickvol>" in names or "<spread>" in names:
        return "MetaTrader 5"
    if "gmt time" in names:
        return "Dukascopy"
    if "change %" in names and "price" in names:
        return "Investing.com"
    if "adj close" in names or names[:1] == ["price"]:
        return "Yahoo"
    if "latest" in names or "%chg" in names:
        return "Barchart"
    if "prev. close" in names or "52w h" in names:
        return "NSE"
    if names:
        return "TradingView" if names[0] == "time" and (how.unit == 1 or "%z" in how.pattern) else ""
    if how.pattern.startswith("%Y.%m.%d"):
        return "MetaTrader 4"
    if how.pattern == "%Y%m%d %H%M%S" and layout.delimiter == ";":
        return "HistData"
    return "Binance" if how.unit >= 1000 and len(layout.body.split(b"\n", 1)[0].split(b",")) >= 11 else ""


def zone(layout: Layout, how: Format, program: str, times: Array, trust_iso: bool) -> tuple[str, bool]:
    """The zone of the file's clock, and whether that is certain."""
    header = layout.names[layout.columns.time].lower() if layout.names else ""
    if how.zone or program == "Dukascopy" or "utc" in header or "gmt" in header:
        return "UTC", True
    if program == "HistData":
        return EST, True
    if not how.timed or not (times % DAY).any():
        return "UTC", True  # days have no time of day to be moved
    if how.iso and trust_iso:
        return "UTC", True
    if program.startswith("MetaTrader"):
        return EASTERN_EUROPE, False
    clock = times % DAY
    if np.ptp(clock) > 0 and clock.min() >= 9.5 * 3600 and clock.max() <= 16 * 3600:
        return "America/New_York", False
    return "UTC", False
