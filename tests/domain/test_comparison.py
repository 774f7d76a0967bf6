"""Runs beside each other: the comparison itself, the page that shows it, and what changed since the last good run."""

from dataclasses import replace

import pytest

from panel.adapters import KINDS
from panel.backend.entities import snapshot_of
from panel.domain import comparison
from panel.domain.chart import Chart, Curve, Plot
from panel.domain.results import Measure
from panel.domain.snapshot import Snapshot
from panel.domain.strategy_content import Content, FuzzySet, Indicator, Input, Membership
from tests.support.history import DAY, ended, seed
from tests.support.pages import words
from tests.support.panels import Panel, panel
from tests.support.scripted import RESULT, operation, percent

ACCURACY = Measure("Test accuracy", "test_metrics.test_accuracy", "%", better="high")
LOSS = Measure("Test loss", "test_metrics.test_loss", digits=3, better="low")
FALL = Measure("Max drawdown", "metrics.max_drawdown_pct", "%", better="small")
TRADES = Measure("Trades", "metrics.total_trades")


def run(parameters: dict | None = None, **more) -> Snapshot:
    about = {"symbol": "EURUSD", "timeframe": "1h", "parameters": parameters or {}}
    return snapshot_of(operation("op_a", metadata=about, **more), 1000.0)


def trained(accuracy: float | None, loss: float | None = 0.5) -> Snapshot:
    return run(result_summary={"test_metrics": {"test_accuracy": accuracy, "test_loss": loss}})


def backtest(fall: float, trades: object = 12) -> Snapshot:
    return run(result_summary={"metrics": {"max_drawdown_pct": fall, "total_trades": trades}})


def test_what_was_asked_for_differently_comes_first():
    rows = comparison.parameters(
        [
            run({"strategy_name": "swing", "symbols": ["EURUSD", "AAPL"], "start_date": "2024-01-01"}),
            run({"strategy_name": "swing", "symbols": ["EURUSD"], "start_date": "2024-01-01T00:00:00", "epochs": 20}),
        ]
    )
    assert [(row.name, row.values) for row in rows if row.differs] == [
        ("symbols", ("EURUSD, AAPL", "EURUSD")),
        ("epochs", ("", "20")),
    ]
    assert {row.name: row.values[0] for row in rows if not row.differs} == {
        "strategy_name": "swing",
        "start_date": "2024-01-01",
        "timeframe": "1h",
    }


def test_a_mode_that_says_the_kind_again_is_no_difference():
    """Earlier versions stored it."""
    stored = replace(run({"strategy_name": "swing"}), parameters={"strategy_name": "swing", "mode": "training"})
    rows = comparison.parameters([stored, run({"strategy_name": "swing"})])
    assert [row.name for row in rows if row.differs or row.name == "mode"] == []


def test_unrequested_values_are_no_difference():
    """The worker that took it, and the hundred characters of a strategy's file."""
    one = run({"strategy_yaml": "name: swing\ndescri", "worker_id": "w-1", "symbols": ["X"], "timeframes": ["1h"]})
    other = run({"strategy_yaml": "name: swing\nversio", "worker_id": "w-2", "symbols": ["X"], "timeframes": ["1h"]})
    assert not any(row.differs for row in comparison.parameters([one, other]))


@pytest.mark.parametrize(
    ("measure", "runs", "values", "best"),
    [
        (ACCURACY, [trained(0.612), trained(0.58), trained(0.6121)], ("61.2 %", "58.0 %", "61.2 %"), {0, 2}),
        (LOSS, [trained(0.5, 0.7), trained(0.5, 0.666)], ("0.700", "0.666"), {1}),
        (FALL, [backtest(-0.3), backtest(-0.05)], ("-30.0 %", "-5.0 %"), {1}),
        (FALL, [backtest(0.3), backtest(0.05)], ("30.0 %", "5.0 %"), {1}),
        (ACCURACY, [trained(0.5), trained(0.5)], ("50.0 %", "50.0 %"), set()),
        (ACCURACY, [trained(0.5), trained(None)], ("50.0 %", ""), set()),
        (TRADES, [backtest(0.1, 1200), backtest(0.1, 3)], ("1,200", "3"), set()),
    ],
)
def test_the_best_is_marked_where_there_is_one(measure, runs, values, best):
    [row] = comparison.results([measure], runs)
    assert row.values == values and row.best == best


def test_between_different_markets_or_days_only_the_lead_over_the_baseline_has_a_best():
    def on(symbol: str, accuracy: float, baseline: float, loss: float) -> Snapshot:
        tested = {"test_accuracy": accuracy, "baseline_accuracy": baseline, "test_loss": loss}
        about = {"symbol": symbol, "timeframe": "1h", "parameters": {}}
        return snapshot_of(
            operation(metadata=about, operation_id="op", result_summary={"test_metrics": tested}), 1000.0
        )

    eur, gbp = on("EURUSD", 0.5, 0.4, 0.9), on("GBPUSD", 0.6, 0.62, 0.8)
    rows = {row.name: row.best for row in comparison.results(KINDS["training"].measures, [eur, gbp])}
    assert rows == {"Test accuracy": set(), "Baseline": set(), "Over the baseline": {0}, "Test loss": set()}
    found = comparison.changes(KINDS["training"].measures, eur, gbp)
    assert {each.name: each.effect for each in found.results} == {
        "Test accuracy": "",
        "Baseline": "",
        "Over the baseline": "worse",
        "Test loss": "",
    }


def test_a_measure_that_no_run_has_is_left_out():
    assert comparison.results([ACCURACY, TRADES], [run(), trained(None)]) == []


def test_changes_are_described_in_sentences():
    changes = comparison.changes([ACCURACY, LOSS], trained(0.612, 0.666), trained(0.58, 0.666))
    [change] = changes.results
    assert f"{change.name} {change.before} → {change.now}, {change.by}" == (
        "Test accuracy 61.2 % → 58.0 %, 3.2 points lower"
    )
    assert change.effect == "worse" and changes.unchanged == ("Test loss",) and changes.parameters == ()


@pytest.mark.parametrize(
    ("measure", "before", "now", "by", "effect"),
    [
        (ACCURACY, trained(0.5), trained(0.65), "15.0 points higher", "better"),
        (LOSS, trained(0, 0.6), trained(0, 0.701), "0.101 higher", "worse"),
        (FALL, backtest(-0.3), backtest(-0.1), "20.0 points less deep", "better"),
        (FALL, backtest(-0.1), backtest(-0.3), "20.0 points deeper", "worse"),
        (TRADES, backtest(0, 5), backtest(0, 1005), "1,000 higher", ""),
    ],
)
def test_a_change_says_how_much_and_what_it_is_worth(measure, before, now, by, effect):
    [change] = comparison.changes([measure], before, now).results
    assert (change.by, change.effect) == (by, effect)


def test_a_run_without_a_result_yet_shows_only_what_was_asked_for():
    changes = comparison.changes([ACCURACY], trained(0.5), run({"symbols": ["AAPL"]}))
    assert changes.results == () and changes.unchanged == ()
    assert ("symbols", ("", "AAPL")) in [(row.name, row.values) for row in changes.parameters]


def test_the_data_that_was_used_and_whether_a_market_made_it():
    summary = {"source": "sample", "start_date": "2024-01-01T05:00:00", "end_date": None, "total_samples": 3118}
    summary |= {"test_start_date": "2024-06-01"}
    sample, own = run(result_summary={"data_summary": summary}), run(result_summary={"source": "own"})
    assert [(row.name, row.values) for row in comparison.used([sample, own])] == [
        ("Source", ("Sample data", "Own files")),
        ("From", ("2024-01-01", "")),
        ("Samples", ("3,118", "")),
    ]
    assert comparison.on_sample(sample) and not comparison.on_sample(own) and not comparison.on_sample(run())


def test_dates_that_the_backend_filled_in_are_not_called_chosen():
    """KTRDR's result of a training without dates names 2020-01-01 and the day of its start."""
    filled = {"data_summary": {"start_date": "2020-01-01", "end_date": "2026-11-27", "total_samples": 27603}}
    runs = [run(result_summary=filled), run({"start_date": "2020-01-01"}, result_summary=filled)]
    assert [(row.name, row.values) for row in comparison.used(runs)][:2] == [
        ("From", ("not chosen", "2020-01-01")),
        ("To", ("not chosen", "2026-11-27")),
    ]


def test_curves_of_one_name_are_laid_over_each_other():
    def chart(*curves: Curve) -> Chart:
        return Chart("Learning", "epoch", (1.0, 2.0), (Plot("Loss", curves),))

    train, other = Curve("train", "Train loss", (1.0, 0.5)), Curve("validation", "Validation loss", (1.1, None))
    found = comparison.overlays([chart(train), None, chart(train, other)])
    assert [(one.title, one.curves) for one in found] == [
        ("Train loss", ((1.0, 0.5), None, (1.0, 0.5))),
        ("Validation loss", (None, None, (1.1, None))),
    ]


def test_a_measure_can_be_over_another():
    over = Measure("Over", "a.accuracy", "points", better="high", over="a.baseline")
    results = ({"accuracy": 0.447, "baseline": 0.412}, {"accuracy": 0.9, "baseline": 0.91}, {"accuracy": 0.5})
    runs = [run(result_summary={"a": each}) for each in results]
    (row,) = comparison.results([over], runs)
    assert row.values == ("+3.5 points", "-1.0 points", "") and row.best == {0}


def test_the_strategies_that_runs_used_are_compared_setting_by_setting():
    def content(epochs: str, period: str, *labels: Membership) -> Content:
        rsi = Indicator("rsi_14", "rsi", (("Period", period),))
        fuzzy = FuzzySet("momentum", "rsi_14", labels)
        return Content((rsi,), (fuzzy,), (Input("momentum", False, "all"),), training=(("Epochs", epochs),))

    low, lower = Membership("low", "triangular", (0, 20, 45)), Membership("low", "triangular", (0, 10, 45))
    found = comparison.settings([content("50", "14", low), content("50", "7", lower)])
    assert [(row.name, row.values) for row in found] == [
        ("Indicator rsi_14", ("rsi, period 14", "rsi, period 7")),
        ("momentum low", ("triangular 0 20 45", "triangular 0 10 45")),
    ]
    assert comparison.settings([content("50", "14", low)] * 2) == []


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_measure_of_a_kind_has_its_own_name(kind):
    labels = [measure.label for measure in KINDS[kind].measures]
    assert len(labels) == len(set(labels))


# The pages

BETTER = RESULT | {"test_metrics": RESULT["test_metrics"] | {"test_accuracy": 0.9}}
ON_SAMPLE = RESULT | {"data_summary": RESULT["data_summary"] | {"source": "sample"}}
LABELLED = BETTER | {"data_summary": RESULT["data_summary"] | {"labels": {"threshold": 0.0025}}}
COARSER = RESULT | {"data_summary": RESULT["data_summary"] | {"labels": {"threshold": 0.05}}}
TWO_DAYS = {"metrics": {"total_return_pct": -0.009, "sharpe_ratio": 9.0}, "data_summary": {"bars": 48}}
BACKTEST = {"metrics": {"total_return_pct": 0.12, "max_drawdown_pct": -0.05, "sharpe_ratio": 1.1}}


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """A panel over a backend that is not there: comparing needs only what is remembered."""
    folder, backend = tmp_path_factory.mktemp("compared"), "http://127.0.0.1:9/api/v1"
    other = {"parameters": {"start_date": "2023-01-01"}}
    seed(
        folder,
        backend,
        ended("op_a", "training", "completed", 3 * DAY, 500, "swing", result_summary=RESULT),
        ended("op_b", "training", "completed", 2 * DAY, 100, "swing", result_summary=BETTER, **other),
        ended("op_c", "training", "failed", DAY, 1, "swing", error_message="No data found in cache for X 1h"),
        ended("op_d", "training", "completed", 600, 60, "swing", result_summary=ON_SAMPLE),
        ended("op_e", "training", "completed", 600, 60, "alone", result_summary=RESULT),
        ended("op_f", "training", "completed", DAY, 60, "again", result_summary=RESULT),
        ended("op_g", "training", "completed", 600, 60, "again", result_summary=BETTER),
        ended("op_load", "data_load", "completed", 600, 9, result_summary={"rows_downloaded": 362, "gaps_filled": 1}),
        ended("op_load2", "data_load", "completed", 900, 9, result_summary={"rows_downloaded": 5, "gaps_filled": 1}),
        ended("op_test", "backtesting", "completed", 800, 9, "swing", result_summary=BACKTEST),
        ended(
            "op_test2",
            "backtesting",
            "completed",
            700,
            9,
            "swing",
            result_summary={"metrics": BACKTEST["metrics"] | {"sharpe_ratio": 0.7}, "data_summary": {"bars": 6100}},
        ),
        ended("op_days", "backtesting", "completed", 700, 9, "swing", result_summary=TWO_DAYS),
        ended("op_label", "training", "completed", 500, 60, "swing", result_summary=LABELLED),
        ended("op_label2", "training", "completed", 500, 60, "swing", result_summary=COARSER),
    )
    with panel(folder, backend) as here:
        yield here


def test_trainings_beside_each_other(compared: Panel):
    page = compared.get("/operations/compare?id=op_a&id=op_b&id=op_d")
    read = words(page.text)
    assert page.status_code == 200 and "Compare 3 trainings" in read
    assert "Different A B C From – 2023-01-01 –" in read
    assert "Test accuracy 87.2 % 90.0 % 87.2 %" in read and "Took 8 min 20 s 1 min 40 s 1 min" in read
    assert "They worked on different bars." in read
    assert "3 the same" in read and "Strategy swing swing swing" in read
    assert "C ran on sample data, wholly or partly" in read and "Data: source – – Sample data" in read
    assert "not kept the strategy of each of these runs" in read
    assert "Validation loss" in page.text and 'class="stroke run-3"' in page.text


def test_loads_and_backtests_too(compared: Panel):
    read = words(compared.get("/operations/compare?id=op_load&id=op_load2").text)
    assert "Bars fetched 362 5" in read and "No difference is known" in read and "Its file" not in read
    read = words(compared.get("/operations/compare?id=op_test&id=op_test2").text)
    assert "Sharpe ratio 1.10 best 0.70" in read and "Max drawdown -5.0 % -5.0 %" in read


def test_runs_that_cannot_be_compared_have_no_best_and_the_page_says_why(compared: Panel):
    page = compared.get("/operations/compare?id=op_days&id=op_test2").text
    assert "They worked on different bars. Returns, falls, rates and ratios of such runs" in words(page)
    assert 'class="best"' not in page
    page = compared.get("/operations/compare?id=op_label&id=op_label2").text
    assert "They learned different labels, so other answers were right. Accuracies and losses" in words(page)
    assert 'class="best"' not in page


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        (
            "id=op_a&id=op_load",
            "Only operations of one kind can be compared, and these are 1 training and 1 data load.",
        ),
        ("", "Choose two or more operations; none is chosen."),
        ("id=op_a&id=op_a", "Choose two or more operations; 1 is chosen."),
        ("&".join(f"id=op_{n}" for n in range(7)), "Choose two or more operations; none is chosen."),
        ("&".join(f"id=op_{n}" for n in range(501)), "At most 500 operations can be chosen; 501 are."),
    ],
)
def test_what_cannot_be_compared_is_said(compared: Panel, query, sentence):
    page = compared.get(f"/operations/compare?{query}")
    assert page.status_code == 422 and sentence in words(page.text)


@pytest.mark.parametrize("query", ["id=..&id=op_a", "id=op_a&id=a%2Fb", "id=op_a&id="])
def test_a_comparison_takes_only_ids(compared: Panel, query):
    assert compared.get(f"/operations/compare?{query}").status_code == 404


def test_what_changed_since_the_last_good_run(compared: Panel):
    page = compared.get("/operations/op_d").text
    read = words(page)
    assert "Since the last good run" in read and 'href="/operations/op_b"' in page, "the failed one is no measure"
    assert "Test accuracy 90.0 % → 87.2 % , 2.8 points lower The same" in read
    assert "The two worked on different bars: what depends on them is called neither better nor worse." in read
    assert "From 2023-01-01 → not given" in read and "Compare the two with their strategies" in read
    assert 'href="/operations/compare?id=op_b&amp;id=op_d"' in page
    read = words(compared.get("/operations/op_g").text)
    assert "Test accuracy 87.2 % → 90.0 % , 2.8 points higher better" in read and "different bars" not in read


@pytest.mark.parametrize("first", ["op_a", "op_e", "op_load"])
def test_without_an_earlier_good_run_nothing_is_said(compared: Panel, first):
    assert "<h2>Since the last good run" not in compared.get(f"/operations/{first}").text


def test_a_run_that_goes_on_is_compared_as_of_now(here: Panel, backend):
    backend.operations["op_a"] = operation("op_a", progress=percent(20, "Epoch 1/9"))
    backend.operations["op_b"] = operation("op_b", status="completed", result_summary=RESULT)
    read = words(here.get("/operations/compare?id=op_a&id=op_b").text)
    assert "Still running: A." in read and "Took still running" in read
