"""Files as programs write them come out as the bars that they hold."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from panel.files.reading import read
from panel.files.values import Answers, Refused
from tests.support.market_files import START, bars, ktrdr, written

DAY = timedelta(days=1)


def check(reading, rows, volume=True):
    """The reading has exactly these bars."""
    found = reading.bars
    assert found.times.tolist() == [int(row[0].timestamp()) for row in rows]
    for place, name in enumerate(("open", "high", "low", "close"), 1):
        assert getattr(found, name).tolist() == [row[place] for row in rows]
    if volume:
        assert found.volume.tolist() == [row[5] for row in rows]


def dated(pattern):
    return lambda at: at.strftime(pattern)


HOURS, DAYS = bars(), bars(90, DAY)
READ_WHOLE = {
    "ktrdr": ("EURUSD_1h.csv", ktrdr(HOURS), HOURS, "KTRDR"),
    "dukascopy": (
        "EURUSD_1h.csv",
        written(HOURS, "Gmt time,Open,High,Low,Close,Volume", dated("%d.%m.%Y %H:%M:%S.000")),
        HOURS,
        "Dukascopy",
    ),
    "binance": (
        "BTCUSDT_1h.csv",
        written(HOURS, "", lambda at: str(int(at.timestamp() * 1000)), more=",1704070799999,1.0,3,1.0,1.0,0"),
        HOURS,
        "Binance",
    ),
    "binance, microseconds": (
        "BTCUSDT_1h.csv",
        written(HOURS, "", lambda at: str(int(at.timestamp() * 1_000_000)), more=",1704070799999,1.0,3,1.0,1.0,0"),
        HOURS,
        "Binance",
    ),
    "tradingview": (
        "FX_EURUSD, 60.csv",
        written(HOURS, "time,open,high,low,close,Volume", lambda at: str(int(at.timestamp()))),
        HOURS,
        "TradingView",
    ),
    "yahoo": (
        "AAPL_1d.csv",
        written(DAYS, "Date,Open,High,Low,Close,Volume", dated("%Y-%m-%d")),
        DAYS,
        "",
    ),
    "offsets": (
        "X_1h.csv",
        written(HOURS, "Datetime,Open,High,Low,Close,Volume", lambda at: at.astimezone(ZoneInfo("America/New_York")).isoformat(" ")),
        HOURS,
        "",
    ),
    "nse": (
        "SBIN_1d.csv",
        written(DAYS, '"Date ","OPEN ","HIGH ","LOW ","close ","VOLUME "', dated("%d-%b-%Y")),
        DAYS,
        "",
    ),
    "european": (
        "DAX_1d.csv",
        written(DAYS, "Datum;Erster;Hoch;Tief;Schlusskurs;Volumen", dated("%d.%m.%Y"), ";", lambda v: f"{v:.5f}".replace(".", ",")),
        [(*row[:5], row[5]) for row in DAYS],
        "",
    ),
    "newest first": (
        "EURUSD_1h.csv",
        "\n".join([(lines := ktrdr(HOURS).splitlines())[0], *lines[:0:-1]]) + "\n",
        HOURS,
        "KTRDR",
    ),
    "month first, by its days": (
        "EURUSD_1d.csv",
        written(DAYS, "Date,Open,High,Low,Close,Volume", dated("%m/%d/%Y")),
        DAYS,
        "",
    ),
    "day first, by its midnights": (
        "EURUSD_1h.csv",
        written(HOURS, "Time (UTC),Open,High,Low,Close,Volume", dated("%d/%m/%Y %H:%M")),
        HOURS,
        "",
    ),
    "am and pm": (
        "EURUSD_1h.csv",
        written(bars(1000), "utc,Open,High,Low,Close,Volume", dated("%m/%d/%Y %I:%M %p")),
        bars(1000),
        "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", READ_WHOLE)
def test_a_file_is_read_whole_without_a_question(case):
    name, text, rows, form = READ_WHOLE[case]
    reading = read(text.encode(), name)
    check(reading, rows)
    assert reading.questions == () and reading.left_out == () and reading.faults == () and reading.whole
    assert reading.dialect.form == form
    assert reading.timeframe == ("1d" if "_1d" in name else "1h")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp1252"])
def test_an_encoding_is_recognised(encoding):
    text = written(HOURS, "Datum;Eröffnung;Hoch;Tief;Schluss;Volumen", dated("%Y-%m-%dT%H:%M:%SZ"), ";", end="\r\n")
    check(read(text.encode(encoding), "EURUSD_1h.csv"), HOURS)


def test_histdata_is_in_est_all_year():
    text = written(HOURS, "", dated("%Y%m%d %H%M%S"), ";")
    reading = read(text.encode(), "DAT_ASCII_EURUSD_M1_2024.csv")
    check(reading, [(at + timedelta(hours=5), *rest) for at, *rest in HOURS])
    assert reading.dialect.form == "HistData" and reading.dialect.zone == "Etc/GMT+5" and reading.symbol == "EURUSD"
    summer = bars(5, timedelta(minutes=1), datetime(2024, 7, 1, tzinfo=UTC))
    found = read(written(summer, "", dated("%Y%m%d %H%M%S"), ";").encode(), "DAT_ASCII_EURUSD_M1_2024.csv")
    assert found.bars.times[0] == int(summer[0][0].timestamp()) + 5 * 3600


@pytest.mark.parametrize(
    ("name", "text", "form"),
    [
        ("EURUSD60.csv", written(HOURS, "", dated("%Y.%m.%d,%H:%M")), "MetaTrader 4"),
        (
            "EURUSD_H1_202401010000_202401052300.csv",
            written(HOURS, "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>", dated("%Y.%m.%d\t%H:%M:%S"), "\t", more="\t0\t13"),
            "MetaTrader 5",
        ),
    ],
)  # fmt: skip
def test_metatrader_has_its_brokers_clock_which_is_asked(name, text, form):
    reading = read(text.encode(), name)
    (question,) = reading.questions
    assert question.key == "zone" and question.proposed == "Europe/Athens" and reading.dialect.form == form
    first = {option.value: option.rows[0][0] for option in question.options}
    assert first["UTC"] == "2024-01-01 00:00:00" and first["Europe/Athens"] == "2023-12-31 22:00:00"
    assert (reading.symbol, reading.timeframe) == ("EURUSD", "1h")
    answered = read(text.encode(), name, Answers(zone="UTC"))
    check(answered, HOURS)
    assert answered.whole


def test_yfinance_has_two_header_lines_and_columns_in_its_own_order():
    lines = ["Price,Close,High,Low,Open,Volume", "Ticker,AAPL,AAPL,AAPL,AAPL,AAPL", "Date,,,,,"]
    lines += [f"{at:%Y-%m-%d},{c!r},{h!r},{low!r},{o!r},{v!r}" for at, o, h, low, c, v in DAYS]
    reading = read("\n".join(lines).encode(), "AAPL_1d.csv")
    check(reading, DAYS)
    assert reading.dialect.form == "Yahoo" and reading.left_out == ()
    several = "\n".join([lines[0], "Ticker,AAPL,AAPL,MSFT,AAPL,AAPL", *lines[2:]])
    with pytest.raises(Refused, match="line 2: The file holds several symbols: AAPL, MSFT"):
        read(several.encode(), "X_1d.csv")


def test_stooq_names_symbol_and_period_in_columns():
    header = "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>"
    text = written(HOURS, header, lambda at: f"AAPL.US,60,{at:%Y%m%d,%H%M%S}")
    reading = read(text.encode(), "prices.txt", Answers(zone="UTC"))
    check(reading, HOURS)
    assert (reading.symbol, reading.timeframe, reading.dialect.form) == ("AAPL", "1h", "Stooq")
    with pytest.raises(Refused, match=r"several symbols: AAPL\.US, MSFT\.US"):
        read((text + text.splitlines()[-1].replace("AAPL", "MSFT")).encode(), "prices.txt")


def test_investing_has_quotes_thousands_and_millions():
    lines = ['\ufeff"Date","Price","Open","High","Low","Vol.","Change %"']
    for number in reversed(range(90)):
        at, price = START + number * DAY, 2001.5 + number
        lines.append(
            f'"{at:%m/%d/%Y}","{price:,.2f}","{price - 0.4:,.2f}","{price + 0.4:,.2f}","{price - 0.5:,.2f}","120.5M","0.76%"'
        )
    reading = read("\n".join(lines).encode(), "GOLD_1d.csv")
    assert len(reading.bars) == 90 and reading.bars.close[0] == 2001.5 and set(reading.bars.volume) == {120_500_000.0}
    assert reading.dialect.order == "newest first" and reading.dialect.time_format == "MM/DD/YYYY" and reading.whole


def test_day_or_month_first_is_asked_and_both_are_shown():
    text = written(bars(11, DAY), "Date,Open,High,Low,Close,Volume", dated("%d/%m/%Y"))
    (question,) = read(text.encode(), "EURUSD_1d.csv").questions
    shown = {option.value: [row[0] for row in option.rows] for option in question.options}
    assert question.key == "dates"
    assert shown["day-first"][:3] == ["2024-01-01", "2024-01-02", "2024-01-03"]
    assert shown["month-first"][:3] == ["2024-01-01", "2024-02-01", "2024-03-01"]
    check(read(text.encode(), "EURUSD_1d.csv", Answers(dates="day-first")), bars(11, DAY))
    other = read(text.encode(), "EURUSD_1d.csv", Answers(dates="month-first"))
    assert str(np.datetime64(int(other.bars.times[-1]), "s")) == "2024-11-01T00:00:00" and other.questions == ()


def test_a_comma_before_three_digits_is_asked():
    text = "Date;Open;High;Low;Close\n2024-01-01;1,100;1,200;1,000;1,150\n2024-01-02;1,150;1,250;1,050;1,200\n"
    (question,) = read(text.encode(), "X_1d.csv").questions
    assert question.key == "decimals" and {option.rows[0][0] for option in question.options} == {"1100", "1.1"}
    assert read(text.encode(), "X_1d.csv", Answers(decimals=",")).bars.open.tolist() == [1.1, 1.15]
    assert read(text.encode(), "X_1d.csv", Answers(decimals=".")).bars.open.tolist() == [1100, 1150]


def test_times_without_a_zone_are_asked_but_in_ktrdrs_own_folder():
    text = written(HOURS, "time,open,high,low,close,volume", dated("%Y-%m-%d %H:%M:%S")).encode()
    assert [question.key for question in read(text, "EURUSD_1h.csv").questions] == ["zone"]
    check(read(text, "EURUSD_1h.csv", trust_iso=True), HOURS)


def test_of_twin_columns_the_filled_one_is_proposed():
    text = written(HOURS, "date,Open,High,Low,Close,Volume,open", dated("%Y-%m-%dT%H:%M:%SZ"), more=",")
    reading = read(text.encode(), "EURUSD_1h.csv")
    (question,) = reading.questions
    assert question.key == "column:open" and question.proposed == "1" and not reading.whole
    check(reading, HOURS)
    assert read(text.encode(), "EURUSD_1h.csv", Answers(columns={"open": 1})).whole


def test_without_volumes_they_are_unknown():
    text = "\n".join(line.rpartition(",")[0] for line in ktrdr(HOURS).splitlines())
    reading = read(text.encode(), "EURUSD_1h.csv")
    check(reading, HOURS, volume=False)
    assert np.isnan(reading.bars.volume).all() and "no volumes" in reading.warnings[0] and reading.whole


def test_a_bad_line_is_named_and_the_others_are_read():
    lines = ktrdr(HOURS).splitlines()
    lines[70] = "garbage line, not a bar"
    reading = read("\n".join(lines).encode(), "EURUSD_1h.csv")
    assert len(reading.bars) == 119 and not reading.whole
    (left,) = reading.left_out
    assert left.lines == (71,) and left.reason == "2 fields where the others have 6"


def test_too_few_and_too_many_fields_do_not_make_up_for_each_other():
    lines = ktrdr(HOURS).splitlines()
    lines[70] = lines[70].rpartition(",")[0]
    lines[71] += ",1"
    reading = read("\n".join(lines).encode(), "EURUSD_1h.csv")
    assert [(left.kind, left.lines) for left in reading.unread] == [("fields", (71, 72))]
    assert len(reading.bars) == 118


def test_a_header_may_name_more_columns_than_there_are():
    text = ktrdr(HOURS).replace(",volume", ",volume,ticker,per")
    check(read(text.encode(), "EURUSD_1h.csv"), HOURS)
    text = "\n".join(line if not at else line.rpartition(",")[0] for at, line in enumerate(ktrdr(HOURS).splitlines()))
    check(read(text.encode(), "EURUSD_1h.csv"), HOURS, volume=False)


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ("2024-01-03T20:00:00Z,1,2,abc,1,5", "low is not a number: “abc”"),
        ("soon,1,2,1,1,5", "“soon” is not a time like the others"),
        ("2024-01-03T20:00:00Z,1,2,,1,5", "low is empty, only open, high and close has a value"),
        ("2024-01-03T20:00:00Z,1,2,1,1,5 6 x", "volume is not a number: “5 6 x”"),
        ("9024-01-03T20:00:00Z,1,2,1,1,5", "“9024-01-03T20:00:00Z” is not a time like the others"),
        ('2024-01-03T20:00:00Z,1,"2,1,1,5', "a quotation mark that is not closed"),
    ],
)
def test_what_is_wrong_with_a_line_is_said(field, reason):
    lines = ktrdr(HOURS).splitlines()
    lines[70] = field
    reading = read("\n".join(lines).encode(), "EURUSD_1h.csv")
    assert [(left.reason, left.lines) for left in reading.unread] == [(reason, (71,))]
    assert len(reading.bars) == 119


def test_impossible_bars_are_found_and_counted():
    lines = ktrdr(HOURS).splitlines()
    lines[51] = lines[51].partition(",")[0] + ",0,0,0,0,0"
    lines[52] = lines[52].partition(",")[0] + ",1.1,1.0,1.2,1.1,5"
    lines[53] = lines[53].partition(",")[0] + ",inf,inf,1e400,inf,5"
    lines[54] = lines[54].partition(",")[0] + ",1.5,1.2,1.0,1.1,5"
    lines[61] = lines[60].partition(",")[0] + ",9.9,9.9,9.9,9.9,1"
    lines[62] = lines[63]
    reading = read("\n".join(lines).encode(), "EURUSD_1h.csv")
    assert {fault.kind: fault.lines for fault in reading.faults} == {
        "not finite": (54,),
        "not positive": (52,),
        "high below low": (53,),
        "open or close outside": (55,),
        "two of one time": (62,),
    }
    assert [(left.kind, left.lines) for left in reading.left_out] == [("repeated", (64,))]
    assert len(reading.bars) == 118 and len(reading.bars.good()) == 114 and reading.whole


def test_rows_without_prices_are_counted():
    lines = ktrdr(HOURS).splitlines()
    lines[10:15] = [line.partition(",")[0] + ",,,,," for line in lines[10:15]]
    reading = read("\n".join(lines).encode(), "EURUSD_1h.csv")
    assert [(left.kind, left.count, left.lines[0]) for left in reading.left_out] == [("empty", 5, 11)]


def test_minutes_under_the_name_of_an_hour_are_found():
    reading = read(ktrdr(bars(120, timedelta(minutes=1))).encode(), "EURUSD_1h.csv")
    assert reading.conflict == "The bars are 1 minute apart, and the name says 1h." and reading.timeframe == "1m"
    assert not reading.whole
    assert read(ktrdr(bars(120, DAY)).encode(), "EURUSD_1h.csv").conflict.startswith("The bars are 1 day apart")


def test_bars_that_lie_too_close_are_found():
    rows = bars()
    rows.insert(50, (rows[49][0] + timedelta(minutes=7), *rows[49][1:]))
    reading = read(ktrdr(rows).encode(), "EURUSD_1h.csv")
    assert [(fault.kind, fault.lines) for fault in reading.faults] == [("spacing", (52,))]


@pytest.mark.parametrize("start", [datetime(1955, 1, 3, tzinfo=UTC), datetime(1874, 1, 3, tzinfo=UTC)])
def test_bars_before_1970_are_bars(start):
    rows = bars(100, DAY, start)
    check(read(written(rows, "Date,Open,High,Low,Close,Volume", dated("%Y-%m-%d")).encode(), "SPX_1d.csv"), rows)
    check(
        read(
            written(rows, "time,open,high,low,close,volume", lambda at: str(int(at.timestamp()))).encode(), "SPX_1d.csv"
        ),
        rows,
    )


def test_a_time_that_its_clock_never_showed_is_named_and_one_that_comes_twice_is_kept_twice():
    local = [datetime(2024, 10, 27, 1, 30) + number * timedelta(minutes=30) for number in range(4)]
    local = [*local[:3], *local[1:4], datetime(2024, 10, 27, 3, 30)]  # 02:00 and 02:30 come twice
    rows = [(at, 1.1, 1.2, 1.0, 1.1, 1.0) for at in local]
    text = written(rows, "date,open,high,low,close,volume", dated("%Y-%m-%d %H:%M:%S"))
    found = read(text.encode(), "X_30m.csv", Answers(zone="Europe/Berlin"))
    assert set(np.diff(found.bars.times)) == {1800} and len(found.bars) == 7 - 0
    spring = [datetime(2024, 3, 31, 1) + number * timedelta(minutes=30) for number in range(6)]
    text = written([(at, *rows[0][1:]) for at in spring], "date,open,high,low,close,volume", dated("%Y-%m-%d %H:%M:%S"))
    found = read(text.encode(), "X_30m.csv", Answers(zone="Europe/Berlin"))
    assert [(left.kind, left.lines) for left in found.left_out] == [("no such time", (4, 5))]


def test_the_hour_that_clocks_leave_out_in_spring_is_noticed():
    hours = [datetime(2024, 3, 25, tzinfo=UTC) + number * timedelta(hours=1) for number in range(300)]
    rows = [(at, *bars(1)[0][1:]) for at in hours if at != datetime(2024, 3, 31, 2, tzinfo=UTC)]
    (warning,) = read(ktrdr(rows).encode(), "BTCUSD_1h.csv").warnings
    assert "Europe/Berlin" in warning and "2024-03-31" in warning and warning.startswith("line 148:")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "The file is empty."),
        (b"\n \n", "The file is empty."),
        (b"<!DOCTYPE html><html><body>404 Not Found</body></html>", "line 1: This is a web page"),
        (b"404 Not Found\n", "line 1: No columns for time, open, high, low and close"),
        (b"PK\x03\x04....", "a zip archive or a spreadsheet"),
        (b",open,high,low,close,volume\n", "line 1: There are no lines of data"),
        (b"x\n1\n", "line 1: No columns"),
        (b"time,open,high,low,close\nnever,1,1,1,1\n", "line 2: “never” is not a time"),
        (
            "".join([",open,high,low,close,volume\n", *(f"2024-01-0{day}T00:00:00Z,,,,1.1,\n" for day in (1, 2, 3))]).encode(),
            "line 2: Open, high and low are empty, only close has a value",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_in_one_sentence(data, reason):
    with pytest.raises(Refused) as refused:
        read(data, "EURUSD_1h.csv")
    assert reason in str(refused.value) and "\n" not in str(refused.value) and str(refused.value).endswith(".")
