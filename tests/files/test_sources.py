"""Exports with a spelling of their own, and files that are none: what they hold, or one sentence."""

import io
import zipfile
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from panel.files.archive import unpacked
from panel.files.importing import Refused, read
from panel.files.names import Named, named
from tests.support.market_files import bars, ktrdr, written

NEW_YORK = ZoneInfo("America/New_York")
DAYS = bars(40, timedelta(days=1), datetime(2024, 3, 1, tzinfo=UTC), 190.0)  # over the change of the clocks


def test_days_of_an_exchange_keep_their_day_whatever_their_offset():
    """yfinance writes midnight in New York; as an instant that is 5:00 UTC in winter and 4:00 in summer."""
    rows = written(
        DAYS, "Date,Open,High,Low,Close,Volume,Dividends",
        lambda at: f"{at.replace(tzinfo=NEW_YORK).isoformat(sep=' ')}", more=",0.0",
    )  # fmt: skip
    assert "-05:00" in rows and "-04:00" in rows
    reading = read(rows.encode(), "AAPL.csv")
    assert reading.bars.times.tolist() == [int(at.timestamp()) for at, *_ in DAYS]
    assert reading.timeframe == "1d" and not reading.questions
    odd = read(rows.replace("2024-03-05 00:00", "2024-03-05 09:30").encode(), "AAPL.csv")
    assert [(count.kind, count.lines) for count in odd.unread] == [("time", (6,))]


@pytest.mark.parametrize(
    ("header", "time", "first"),
    [
        ("Local time,Open,High,Low,Close,Volume", "%d.%m.%Y %H:%M:%S.000 GMT+0100", "2023-12-31T23:00"),  # Dukascopy
        ("date,open,high,low,close,volume", "%Y%m%d  %H:%M:%S", "2024-01-01T00:00"),  # Interactive Brokers
        ("Datum,Zuletzt,Eröffn.,Hoch,Tief,Vol.", "%Y-%m-%dT%H:%M:%SZ", "2024-01-01T00:00"),  # Investing.com
    ],
)
def test_spellings_of_single_programs(header, time, first):
    rows = [
        (at, low, low, high, low, 1.0) if "Zuletzt" in header else (at, low, high, low, low, 1.0)
        for at, low, high, *_ in bars()
    ]
    reading = read(written(rows, header, lambda at: at.strftime(time)).encode(), "EURUSD_1h.csv")
    assert len(reading.bars) == 120 and not reading.faults and not reading.unread
    assert reading.bars.times[0] == datetime.fromisoformat(f"{first}Z").timestamp()


def test_dates_and_markets_in_names_are_neither_timeframes_nor_symbols():
    assert named("Quote-Equity-RELIANCE-EQ-01-01-2024-to-31-12-2024.csv") == Named("RELIANCE", "")
    assert named("EURUSD_Candlestick_5_m_BID_01.01.2024-31.01.2024.csv") == Named("EURUSD", "5m")
    assert named("aapl.us.txt") == Named("AAPL", "") and named("DAX Historische Daten.csv") == Named("DAX", "")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"BZh91AY" + b"\1" * 90, "bzip2 archive"),
        (b"\xfd7zXZ\0" + b"\1" * 90, "xz archive"),
        (b"\x1f\x8b\x08" + b"\1" * 90, "Unpack it"),
        (bytes(range(256)) * 20, "no text file"),
        (b'[{"time": 1, "open": 1.1}]', "JSON"),
        (b"timestamp,bid,ask\n2024-01-01 00:00:00,1.1,1.2\n", "ticks"),
    ],
)
def test_what_is_no_table_of_bars_is_called_what_it_is(data, reason):
    with pytest.raises(Refused, match=reason) as caught:
        read(data, "EURUSD_1h.csv")
    assert caught.value.line == 1


def test_an_archive_in_an_archive_is_said_to_be_one():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("inner.zip", ktrdr(bars(3)))
    with pytest.raises(Refused, match="holds other archives"):
        unpacked(out.getvalue(), "all.zip")


def test_fields_in_single_quotes():
    rows = written(bars(), "'date','open','high','low','close','volume'", lambda at: f"'{at:%Y-%m-%d %H:%M:%S}'",
                   sep="','", number=repr, more="'").replace("''", "'")  # fmt: skip
    assert "'2024-01-01 00:00:00','" in rows
    reading = read(rows.encode(), "EURUSD_1h.csv", trust_iso=True)
    assert len(reading.bars) == 120 and not reading.unread and reading.timeframe == "1h"
    swiss = read(rows.replace("'", "").replace("1.1", "1'101.1").encode(), "DAX_1h.csv", trust_iso=True)
    assert len(swiss.bars) == 120 and swiss.bars.open[0] > 1_000, "within a number it separates thousands"


@pytest.mark.parametrize("step", [timedelta(hours=1), timedelta(days=1)])
@pytest.mark.parametrize("mark", [".", ","])
def test_days_as_a_spreadsheet_counts_them(step, mark):
    def counted(at: datetime) -> str:
        days = 25_569 + at.timestamp() / 86_400
        return (f"{days:.9f}" if step.days == 0 else f"{days:.0f}").replace(".", mark)

    rows = written(bars(60, step), "Date;Open;High;Low;Close;Volume", counted, sep=";")
    reading = read(rows.encode(), "EURUSD.csv")
    assert reading.bars.times.tolist() == [int(at.timestamp()) for at, *_ in bars(60, step)]
    assert reading.timeframe == ("1d" if step.days else "1h") and not reading.unread
    assert [question.key for question in reading.questions] == ([] if step.days else ["zone"])


def test_the_source_of_an_export_is_no_part_of_its_symbol():
    data = ktrdr(bars()).encode()
    assert read(data, "Binance_BTCUSDT_1h.csv").symbol == "BTCUSDT"
    assert read(data, "Binance_BTCUSDT_1h.csv", trust_iso=True).symbol == "Binance_BTCUSDT", "in a KTRDR's own folder"
    assert read(data, "BRK_B_1h.csv").symbol == "BRK_B"
