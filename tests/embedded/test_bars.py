"""Stored bars: never lost, never changed, and told apart by what they are."""

import pandas as pd
import pytest

from panel.embedded import market
from panel.embedded.bars import Bars
from tests.support.bars import at


def made(start: str, end: str, symbol: str = "EURUSD", timeframe: str = "1h") -> pd.DataFrame:
    return market.bars(symbol, timeframe, at(start), at(end))


@pytest.fixture
def bars(tmp_path):
    return Bars(tmp_path)


def test_what_is_added_comes_back(bars):
    new = made("2024-03-01", "2024-03-08")
    assert bars.add("EURUSD", "1h", new) == (len(new), 1)
    pd.testing.assert_frame_equal(bars.read("EURUSD", "1h"), new, check_index_type=False, check_freq=False)


def test_the_file_is_ktrdrs(bars):
    bars.add("EURUSD", "1h", made("2024-03-01", "2024-03-02"))
    lines = bars.file("EURUSD", "1h").read_text().splitlines()
    assert lines[0] == ",open,high,low,close,volume" or lines[0] == '"",open,high,low,close,volume'
    assert lines[1].startswith("2024-03-01T00:00:00Z,")


def test_adding_keeps_every_stored_bar_as_it_was(bars):
    first = made("2024-03-01", "2024-03-08")
    first.iloc[3, 3] = 99.0
    bars.add("EURUSD", "1h", first)
    rows, stretches = bars.add("EURUSD", "1h", made("2024-02-26", "2024-03-12"))
    after = bars.read("EURUSD", "1h")
    assert stretches == 2 and rows == len(after) - len(first)
    pd.testing.assert_frame_equal(
        after.loc[first.index[0] : first.index[-1]], first, check_index_type=False, check_freq=False
    )


def test_adding_nothing_new_writes_nothing(bars):
    bars.add("EURUSD", "1h", made("2024-03-01", "2024-03-08"))
    before = bars.file("EURUSD", "1h").stat().st_mtime_ns
    assert bars.add("EURUSD", "1h", made("2024-03-02", "2024-03-05")) == (0, 0)
    assert bars.file("EURUSD", "1h").stat().st_mtime_ns == before


def test_sample_data_own_data_and_a_mixture_are_distinguished(bars):
    sample = made("2024-03-01", "2024-06-01")
    own = sample * 1.01
    for name, frame in (("EURUSD", sample), ("GBPUSD", own), ("MYCOIN", sample)):
        bars.add(name, "1h", frame)
    bars.add("USDJPY", "1h", pd.concat([made("2024-03-01", "2024-05-20", "USDJPY"), own.loc["2024-05-21":]]))
    sources = {name: bars.stored(name, "1h").source for name in ("EURUSD", "GBPUSD", "MYCOIN", "USDJPY")}
    assert sources == {"EURUSD": "sample", "GBPUSD": "own", "MYCOIN": "own", "USDJPY": "mixed"}


@pytest.mark.parametrize(
    ("symbol", "timeframe", "days", "shift"),
    [
        ("EURUSD", "1d", pd.date_range("2021-01-02", periods=4), 7.0),  # weekends among them
        ("EURUSD", "1d", pd.DatetimeIndex(["2021-03-10"]), 1.002),
        ("EURUSD", "1d", pd.DatetimeIndex(["2021-03-13"]), 1.0),  # a Saturday
        ("AAPL", "1h", pd.date_range("2021-03-10T13:30", periods=8, freq="h"), 1.002),  # not on the hour
        ("AAPL", "1h", pd.date_range("2021-03-10T14:00", periods=7, freq="h"), 1.002),
        ("BTCUSD", "4h", pd.DatetimeIndex(["2021-03-10T12:00"]), 1.3),
        ("EURUSD", "1w", pd.DatetimeIndex(["2021-03-08"]), 1.002),
        ("EURUSD", "1M", pd.DatetimeIndex(["2021-03-01"]), 1.002),
        ("EURUSD", "1d", pd.DatetimeIndex(["2009-03-10"]), 1.0),
    ],
)
def test_a_few_own_bars_among_many_of_the_sample_market_are_found(bars, symbol, timeframe, days, shift):
    """They are seen wherever they are, and no load adds to the file."""
    sample = made("2020-06-01", "2022-03-01", symbol, timeframe)
    bars.add(symbol, timeframe, sample)
    assert bars.stored(symbol, timeframe).source == "sample"
    own = days.tz_localize("UTC")
    price = sample["close"].iloc[min(sample.index.searchsorted(own[0]), len(sample) - 1)] * shift
    columns = dict.fromkeys(("open", "high", "low", "close", "volume"), price)
    bars.file(symbol, timeframe).unlink()
    bars.add(symbol, timeframe, pd.concat([sample.drop(own, errors="ignore"), pd.DataFrame(columns, own)]))
    assert bars.stored(symbol, timeframe).source == "mixed"


@pytest.mark.parametrize("timeframe", ["5m", "1h", "4h", "1d", "1w", "1M"])
@pytest.mark.parametrize("symbol", ["SPY", "EURUSD", "BTCUSD"])
def test_sample_data_is_known_by_every_bar(bars, symbol, timeframe):
    """Missing minutes at a day's end and days that go far raise no doubt that stays."""
    bars.add(
        symbol, timeframe, made("2018-01-01", "2018-04-01" if timeframe == "5m" else "2019-07-01", symbol, timeframe)
    )
    assert bars.stored(symbol, timeframe).source == "sample"


def test_sample_data_stays_sample_data_when_a_stretch_is_deleted(bars):
    sample = made("2024-03-01", "2024-06-01")
    bars.add("EURUSD", "1h", sample.drop(sample.loc["2024-04-01":"2024-04-20"].index))
    assert bars.stored("EURUSD", "1h").source == "sample"


def test_a_file_of_the_users_own_is_read_as_it_is(bars):
    text = (
        "Date,Open,High,Low,Close,Volume\n2024-01-03,2,3,1,2.5,10\n2024-01-02,1,2,0.5,1.5,7\n2024-01-02,1,2,0.5,1.5,7\n"
    )
    bars.file("MINE", "1d").write_text(text)
    frame = bars.read("MINE", "1d")
    assert frame["close"].tolist() == [1.5, 2.5]
    stored = bars.stored("MINE", "1d")
    assert (stored.bars, stored.source, f"{stored.start:%Y-%m-%d}") == (2, "own", "2024-01-02")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a,b\n1,2\n", "line 1: No columns for time, open, high, low and close"),
        ("time,open,high,low,close,volume\nnever,1,1,1,1,1\n", "line 2: “never” is not a time"),
        ("x\n", "line 1: No columns"),
        ("\x00\x01", "line 1: This is no text file"),
    ],
)
def test_a_file_that_is_no_market_data_says_so(bars, text, reason):
    bars.file("MINE", "1d").write_text(text)
    with pytest.raises(ValueError, match=r"MINE_1d\.csv: " + reason):
        bars.read("MINE", "1d")


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",open,high,low,close,volume\n2024-01-02T00:00:00Z,,,,1.5,\n",
        "date,Open,High,Low,Close,Volume,open\n2024-01-02T00:00:00Z,1,2,0.5,1.5,7,\n",
        ",open,high,low,close,volume\n2024-01-02T00:00:00Z,1,2,0.5,1.5,7\n2024-01-03T00:00:00Z,,,,,\n",
    ],
    ids=["empty", "only closes", "twin columns", "a row without a bar"],
)
def test_a_file_that_is_not_wholly_understood_is_never_written_to(bars, text):
    bars.file("EURUSD", "1h").write_text(text)
    with pytest.raises(ValueError, match=r"EURUSD_1h\.csv"):
        bars.add("EURUSD", "1h", made("2024-03-01", "2024-03-02"))
    assert bars.file("EURUSD", "1h").read_text() == text


@pytest.mark.parametrize("symbol", ["", "..", "../x", "a/b", "x" * 30, "A\n"])
def test_a_symbol_leads_nowhere_else(bars, symbol):
    with pytest.raises(ValueError, match="not a symbol"):
        bars.file(symbol, "1h")


def test_a_changed_file_is_read_again(bars):
    bars.add("EURUSD", "1h", made("2024-03-01", "2024-03-02"))
    before = bars.stored("EURUSD", "1h").bars
    bars.add("EURUSD", "1h", made("2024-03-04", "2024-03-05"))
    assert bars.stored("EURUSD", "1h").bars > before


def test_files_are_listed_by_symbol(bars):
    for symbol, timeframe in (("EURUSD", "1d"), ("EURUSD", "1h"), ("BRK.B", "1d")):
        bars.file(symbol, timeframe).write_text("time,open,high,low,close\n2024-01-02,1,2,0.5,1.5\n")
    (bars.folder / "notes.csv").write_text("")
    assert bars.all() == {"EURUSD": ["1h", "1d"], "BRK.B": ["1d"]}
