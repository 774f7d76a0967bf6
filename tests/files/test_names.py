"""Symbols and timeframes out of the names that exports have."""

import pytest

from panel.files.names import length_text, named, timeframe_of


@pytest.mark.parametrize(
    ("name", "symbol", "timeframe"),
    [
        ("EURUSD_1h.csv", "EURUSD", "1h"),
        ("EURUSD_1M.csv", "EURUSD", "1M"),
        ("BRK.B_1d.csv", "BRK.B", "1d"),
        ("EURUSD_60.csv", "EURUSD", "1h"),
        ("UPPER_1H.csv", "UPPER", "1h"),
        ("M1NAME_M1.csv", "M1NAME", "1m"),
        ("EURUSD60.csv", "EURUSD", "1h"),
        ("EURUSD1440.csv", "EURUSD", "1d"),
        ("XAUUSDH4.csv", "XAUUSD", "4h"),
        ("EURUSD_H1_202401010000_202401052300.csv", "EURUSD", "1h"),
        ("DAT_ASCII_EURUSD_M1_2023.csv", "EURUSD", "1m"),
        ("EURUSD_Candlestick_1_Hour_BID_01.01.2024-31.01.2024.csv", "EURUSD", "1h"),
        ("BTCUSDT-1h-2024-01.csv", "BTCUSDT", "1h"),
        ("EURUSD60-2024-01.csv", "EURUSD", "1h"),
        ("AAPL_2024-01-30.csv", "AAPL", ""),
        ("EURUSD_5_20240105.csv", "EURUSD", "5m"),
        ("Binance_BTCUSDT_1h.csv", "Binance_BTCUSDT", "1h"),  # as KTRDR would read it
        ("FX_EURUSD, 60.csv", "EURUSD", "1h"),
        ("BATS_AAPL, 1D.csv", "AAPL", "1d"),
        ("eurusd_d.csv", "EURUSD", "1d"),
        ("aapl_us_d.csv", "AAPL", "1d"),
        ("EUR_USD Historical Data.csv", "EURUSD", ""),
        ("AAPL.csv", "AAPL", ""),
        ("US30.csv", "US30", ""),
        ("DAX30.csv", "DAX30", ""),
        ("../../etc/passwd", "PASSWD", ""),
        ("", "", ""),
    ],
)
def test_a_name_says_symbol_and_timeframe(name, symbol, timeframe):
    found = named(name)
    assert (found.symbol, found.timeframe) == (symbol, timeframe)


def test_timeframes_have_many_spellings():
    assert [timeframe_of(word) for word in ("H1", "60", "1 hour", "daily", "MN1", "1M", "1m", "M1", "W", "7m", "x")] == [
        "1h", "1h", "1h", "1d", "1M", "1M", "1m", "1m", "1w", "", "",
    ]  # fmt: skip


def test_lengths_are_spoken():
    assert [length_text(length) for length in (60, 3600, 7200, 86_400, 604_800, 90, 180)] == [
        "1 minute", "1 hour", "2 hours", "1 day", "1 week", "90 seconds", "3 minutes",
    ]  # fmt: skip
