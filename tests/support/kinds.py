"""Files as people have them, small, and what has to come of each, whichever way it is taken in."""

from dataclasses import dataclass, field
from datetime import timedelta

from tests.support.market_files import bars, ktrdr, written

HOURS, DAYS = bars(), bars(90, timedelta(days=1))


@dataclass(frozen=True)
class Kind:
    """`asked`: the question it brings up, with the answer to give on the page and the option of the command line.
    `needs`: decisions on the page, and the option. `bars`: that are stored in the end; 0: it is refused, with `reason`.
    `folder`: what the data folder says of it; "" when it is used as it is."""

    file: str
    content: bytes
    bars: int = 120
    asked: tuple[str, str, str] = ("", "", "")
    needs: dict[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    reason: str = ""
    folder: str = ""
    stored_as: str = "EURUSD_1h.csv"


def _line(number: int, text: str, content: str = ktrdr(HOURS)) -> bytes:
    lines = content.split("\n")
    lines[number - 1] = text
    return "\n".join(lines).encode()


def _impossible() -> bytes:
    lines = ktrdr(HOURS).split("\n")
    at = [line.partition(",")[0] for line in lines]
    lines[51], lines[52], lines[53] = f"{at[51]},0,0,0,0,1", f"{at[52]},1,0.5,2,1,1", f"{at[53]},inf,inf,inf,inf,1"
    return "\n".join([*lines[:61], f"{at[60]},2,2,2,2,1", *lines[61:]]).encode()


_TWIN = written(HOURS, "date,open,high,low,close,volume,Open", lambda at: f"{at:%Y-%m-%dT%H:%M:%SZ}", more=",")
_MT4 = written(HOURS, "", lambda at: f"{at:%Y.%m.%d,%H:%M}")
_ZONE = ("Which zone", "zone", "--timezone")
_INVESTING = written(
    DAYS[::-1], '"Date","Open","High","Low","Price","Vol.","Change %"', lambda at: f'"{at:%m/%d/%Y}"',
    number=lambda value: f'"{value * 1000:,.2f}"' if value < 10 else f'"{value / 1e3:.3f}K"', more=',"0.1%"',
)  # fmt: skip
_TWO_HEADERS = "Price,Open,High,Low,Close,Volume\nTicker,AAPL,AAPL,AAPL,AAPL,AAPL\nDate,,,,,\n" + written(
    DAYS, "", lambda at: f"{at:%Y-%m-%d}"
)

KINDS = {
    "good": Kind("EURUSD_1h.csv", ktrdr(HOURS).encode()),
    "minutes in the name": Kind("EURUSD_60.csv", ktrdr(HOURS).encode()),
    "utf-16": Kind("EURUSD_1h.csv", ktrdr(HOURS).encode("utf-16")),
    "no volume": Kind("EURUSD_1h.csv", written([row[:5] for row in HOURS], "time,open,high,low,close", lambda at: f"{at:%Y-%m-%dT%H:%M:%SZ}").encode()),
    "epoch seconds": Kind("EURUSD_1h.csv", written(HOURS, "time,open,high,low,close,volume", lambda at: str(int(at.timestamp()))).encode()),
    "binance": Kind("EURUSD_1h.csv", written(HOURS, "", lambda at: str(int(at.timestamp() * 1000)), more=",1704070799999,1.0,3,1.0,1.0,0").encode()),
    "dukascopy": Kind("EURUSD_1h.csv", written(HOURS, "Gmt time,Open,High,Low,Close,Volume", lambda at: f"{at:%d.%m.%Y %H:%M:%S.000}").encode()),
    "histdata": Kind("EURUSD_1h.csv", written(HOURS, "", lambda at: f"{at:%Y%m%d %H%M%S}", ";").encode()),
    "metatrader 4": Kind("EURUSD60.csv", _MT4.encode(), asked=_ZONE, options=("UTC",), folder="Which zone"),
    "metatrader 5": Kind("EURUSD_H1.csv", written(HOURS, "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>", lambda at: f"{at:%Y.%m.%d\t%H:%M:%S}", "\t").encode(),
                         asked=_ZONE, options=("UTC",), folder="Which zone"),
    "investing": Kind("EURUSD_1d.csv", _INVESTING.encode(), 90, stored_as="EURUSD_1d.csv"),
    "two headers": Kind("AAPL_1d.csv", _TWO_HEADERS.encode(), 90, stored_as="AAPL_1d.csv"),
    "day or month": Kind("EURUSD_1d.csv", written(bars(11, timedelta(days=1)), "Date,Open,High,Low,Close,Volume", lambda at: f"{at:%d/%m/%Y}").encode(), 11,
                         asked=("the day or the month", "dates", "--dates"), options=("day-first",), folder="the day or the month", stored_as="EURUSD_1d.csv"),
    "twin columns": Kind("EURUSD_1h.csv", _TWIN.encode(), asked=("Two columns are named", "column-open", "--column"), options=("1",), folder="Two columns are named"),
    "one bad line": Kind("EURUSD_1h.csv", _line(71, "oops,1"), 119, needs={"leave_out": "1"}, options=("--leave-out",), reason="line 71", folder="2 fields where the others have 6"),
    "impossible bars": Kind("EURUSD_1h.csv", _impossible(), 117, needs={"bad_bars": "leave"}, options=("--leave-out",), reason="the high is below the low"),
    "wrong timeframe": Kind("EURUSD_1h.csv", ktrdr(bars(120, timedelta(minutes=1))).encode(), options=("--timeframe", "1m"), reason="The bars are 1 minute apart, and the name says 1h",
                            folder="The bars are 1 minute apart", stored_as="EURUSD_1m.csv"),
    "only closes": Kind("EURUSD_1h.csv", "\n".join([",open,high,low,close,volume", *(f"{row[0]:%Y-%m-%dT%H:%M:%SZ},,,,{row[4]}," for row in HOURS)]).encode(), 0,
                        reason="only close has a value", folder="only close has a value"),
    "web page": Kind("EURUSD_1h.csv", b"<!DOCTYPE html><html><body>502</body></html>", 0, reason="web page", folder="web page"),
    "empty": Kind("EURUSD_1h.csv", b"", 0, reason="The file is empty", folder="The file is empty"),
}  # fmt: skip
