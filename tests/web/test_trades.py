"""A backtest's trades: page, CSV and the chart's bars, through the real gateway."""

import csv
import io

from tests.support.pages import words
from tests.support.scripted import operation, stamp

T0 = 1_735_689_600  # 2025-01-01

TRADES = [
    {
        "side": "LONG",
        "entry_time": stamp(T0 + 3600),
        "exit_time": stamp(T0 + 10800),
        "entry_price": 100,
        "exit_price": 120,
    }
    | {"quantity": 2.5, "bars": 2, "return_pct": 0.2, "commission": 1, "slippage": 0.5, "net_pnl": 48.5}
    | {"entry_reason": "BUY: 71 % sure", "exit_reason": "=1+1"},
    {"side": "SHORT", "entry_time": stamp(T0 + 10800), "exit_time": stamp(T0 + 14400), "entry_price": 120}
    | {"exit_price": 130, "quantity": 1, "net_pnl": -10},
    {"side": "UP"},
    "<b>",
]
BARS = {
    "bars": [[T0 + 3600 * n, 100, 101, 99, 100, 5] for n in range(4)] + [[1, "x", None, 1, 1, 1], "no"],
    "sets": [
        {"name": "momentum", "indicator": "rsi_14", "on_prices": False, "values": [30, None, 50, 60]}
        | {"labels": ["low"], "memberships": [[1, 0.5, 0, 0]]},
        7,
    ],
    "first": 10,
    "total": 14,
}


def finished(backend, **answers):
    result = {"metrics": {"total_return_pct": 0.1, "total_trades": 2}, "trades_recorded": 2}
    backend.operations["op_b"] = operation(
        "op_b", "backtesting", "completed", result_summary=result, completed_at=stamp()
    )
    backend.answers |= {
        f"GET /operations/op_b/{name}": (200, {"success": True, "data": data}) for name, data in answers.items()
    }


def test_the_page_lists_them_and_the_csv_has_them_all(here, backend):
    finished(backend, trades={"trades": TRADES, "total": 2})
    read = words(here.get("/operations/op_b/trades").text)
    assert "2 trades on EURUSD 1h" in read and "All together: +38.50 after 1.50 of costs" in read
    assert "▲ long 2025-01-01 01:00 100.00 2025-01-01 03:00 120.00 2 +20.00 % 1.50 +48.50 BUY: 71 % sure" in read
    assert "▼ short 2025-01-01 03:00 120.00 2025-01-01 04:00 130.00 – – – -10.00" in read
    answer = here.get("/operations/op_b/trades.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["side"], row["net_gain"], row["costs"]) for row in rows] == [
        ("long", "48.5", "1.5"),
        ("short", "-10.0", ""),
    ]
    assert {row["data"] for row in rows} == {""}, "a KTRDR's bars are of a market"
    assert rows[0]["return_pct"] == "20.0" and rows[0]["exit_reason"] == "'=1+1", "no formula for a spreadsheet"
    assert 'href="/operations/op_b/trades"' in here.get("/operations/op_b").text


def test_trades_on_made_up_bars_say_so_in_the_file_too(here, backend):
    finished(backend, trades={"trades": TRADES, "total": 2})
    backend.operations["op_b"]["result_summary"]["data_summary"] = {"source": "sample"}
    rows = list(csv.DictReader(io.StringIO(here.get("/operations/op_b/trades.csv").text)))
    assert [row["data"] for row in rows] == ["sample", "sample"]


def test_bars_come_with_marks_and_inputs(here, backend):
    finished(backend, trades={"trades": TRADES, "total": 2}, bars=BARS)
    body = here.get("/operations/op_b/trades/bars").json()
    assert (len(body["bars"]), body["first"], body["total"]) == (4, 10, 14), "what is no bar is left out"
    (seen,) = body["inputs"]
    assert seen["values"] == [30, None, 50, 60] and seen["memberships"] == [["low", [1, 0.5, 0, 0]]]
    marks = [((mark["time"] - T0) // 3600, mark["what"], mark["side"]) for mark in body["marks"]]
    # The last exit is filled at the close of the last bar.
    assert marks == [(1, "in", "long"), (3, "out", "long"), (3, "in", "short"), (3, "out", "short")]


def test_a_backend_that_keeps_no_trades(here, backend):
    """KTRDR: no link, and a page that says so to whoever asks for it."""
    backend.operations["op_b"] = operation(
        "op_b", "backtesting", "completed", result_summary={"metrics": {"total_trades": 2}}, completed_at=stamp()
    )
    assert "/trades" not in here.get("/operations/op_b").text
    answer = here.get("/operations/op_b/trades")
    assert answer.status_code == 404 and "keeps no list" in words(answer.text)
    assert here.get("/operations/op_b/trades.csv").status_code == 404
    assert here.get("/operations/op_b/trades/bars").status_code == 404
    assert here.get("/operations/op_b/trades/bars?at=nan").status_code == 422
