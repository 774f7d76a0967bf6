"""Which runs have a best: those tested on the same bars with the same right answers, as far as that is known."""

import pytest

from panel.adapters import KINDS
from panel.backend.entities import snapshot_of
from panel.domain import comparable, comparison
from panel.domain.snapshot import Snapshot
from panel.domain.strategy_content import Content
from tests.support.scripted import operation

YEAR = {"start_date": "2023-01-01", "end_date": "2023-12-31"}
ZIGZAG = {"source": "zigzag", "threshold": 0.0025, "horizon": 24}
EMBEDDED = {
    "source": "sample", "start_date": "2023-01-03", "end_date": "2023-12-29", "test_start_date": "2023-11-01",
    "samples": {"test": 915}, "total_samples": 6100, "labels": ZIGZAG,
}  # fmt: skip
KTRDR = {"start_date": "2020-01-01", "end_date": "2026-11-27", "total_samples": 27603}


def training(accuracy: float, used: dict, asked: dict | None = None, strategy: str = "swing", **more) -> Snapshot:
    tested = {"test_accuracy": accuracy, "test_loss": 1 - accuracy, "baseline_accuracy": 0.4}
    about = {"symbol": "EURUSD", "timeframe": "1h", "parameters": {"strategy_name": strategy} | (asked or {})}
    return snapshot_of(
        operation("op_a", metadata=about, result_summary={"test_metrics": tested, "data_summary": used}, **more), 0.0
    )


def backtest(gain: float, asked: dict | None = None, **result) -> Snapshot:
    metrics = {"total_return_pct": gain, "buy_and_hold_return_pct": 0.0, "max_drawdown_pct": gain / 2}
    metrics |= {"sharpe_ratio": gain, "win_rate": gain, "profit_factor": gain, "total_trades": 9}
    about = {"symbol": "EURUSD", "timeframe": "1h", "parameters": asked or YEAR}
    return snapshot_of(
        operation("op_b", "backtesting", metadata=about, result_summary={"metrics": metrics} | result), 0.0
    )


def judged(*runs: Snapshot, contents: tuple = ()) -> bool:
    """Whether a best is marked, and whether the last is called better or worse than the first."""
    measures = [each for each in KINDS[runs[0].kind].measures if not each.over]
    marked = any(row.best for row in comparison.results(measures, runs, *([contents] if contents else [])))
    if not contents:
        told = any(each.effect for each in comparison.changes(measures, runs[0], runs[-1]).results)
        assert told == marked or len(runs) > 2
    return marked


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"samples": {"test": 900}, "start_date": "2023-01-09"}, True),  # it looks back further
        ({"samples": {"test": 109}}, False),
        ({"end_date": "2023-12-30"}, False),
        ({"source": "own"}, False),
        ({"labels": ZIGZAG | {"threshold": 0.05}}, False),
        ({"labels": ZIGZAG | {"source": "triple_barrier"}}, False),
    ],
)
@pytest.mark.parametrize("asked", [{}, YEAR])
def test_trainings_whose_results_say_what_they_were_tested_on(change, same, asked):
    assert judged(training(0.5, EMBEDDED, asked), training(0.6, EMBEDDED | change, asked)) is same


@pytest.mark.parametrize(
    ("used", "asked", "same"),
    [
        (KTRDR, YEAR, True),
        ({}, YEAR, True),
        (
            KTRDR | {"total_samples": 27003},
            YEAR,
            True,
        ),  # of the same days; a strategy that looks back further has fewer
        (KTRDR, YEAR | {"end_date": "2024-01-31"}, False),
        (KTRDR, {}, False),
    ],
)
def test_of_a_ktrdr_what_was_asked_for_counts(used, asked, same):
    assert judged(training(0.5, KTRDR, YEAR), training(0.6, used, asked)) is same


@pytest.mark.parametrize(
    ("used", "same"),
    [
        (KTRDR, True),
        (KTRDR | {"end_date": "2026-11-28"}, True),  # the day of its start
        (KTRDR | {"total_samples": 26103}, False),  # more was stored in between
        ({"end_date": "2026-11-28"}, False),
    ],
)
def test_without_dates_a_ktrdr_tells_by_the_number_of_samples(used, same):
    assert judged(training(0.5, KTRDR), training(0.6, used)) is same


def test_labels_that_no_result_tells_are_those_of_the_kept_strategies():
    runs = training(0.5, KTRDR, YEAR), training(0.6, KTRDR, YEAR, "other")
    assert not judged(*runs), "two strategies, and what each learned is not known"
    ours = Content(training=(("Epochs", "50"), ("Labels: zigzag threshold", "0.0025"), ("Data split: test", "0.15")))
    longer = Content(training=(("Epochs", "90"), *ours.training[1:]))
    coarser = Content(training=(*ours.training[:1], ("Labels: zigzag threshold", "0.05"), *ours.training[2:]))
    assert judged(*runs, contents=(ours, longer)) and not judged(*runs, contents=(ours, coarser))
    assert not judged(*runs, contents=(ours, None))


def test_runs_without_a_result_do_not_count():
    running = snapshot_of(operation("op_c", metadata={"symbol": "GBPUSD", "timeframe": "1h", "parameters": {}}), 0.0)
    assert judged(training(0.5, EMBEDDED), running, training(0.6, EMBEDDED))


@pytest.mark.parametrize(
    ("asked", "result", "same"),
    [
        (YEAR, {}, True),
        (YEAR, {"equity_curve_length": 6090}, True),  # a KTRDR's
        (YEAR | {"start_date": "2023-12-28"}, {}, False),
        (YEAR, {"data_summary": {"source": "sample", "end_date": "2023-12-29", "bars": 6100}}, False),
        (YEAR, {"equity_curve_length": 3000}, False),
    ],
)
def test_backtests_of_other_bars_have_no_best(asked, result, same):
    assert judged(backtest(-0.818, equity_curve_length=6100), backtest(-0.009, asked, **result)) is same


def test_backtests_of_the_embedded_backend_are_told_by_their_bars():
    used = {"source": "sample", "start_date": "2023-01-01", "end_date": "2023-12-29", "bars": 6100}
    assert judged(backtest(0.1, data_summary=used), backtest(0.2, data_summary=used))
    assert not judged(backtest(0.1, data_summary=used), backtest(0.2, data_summary=used | {"end_date": "2023-06-30"}))
    leads = [each for each in KINDS["backtesting"].measures if each.over]
    [row] = comparison.results(leads, [backtest(0.1), backtest(0.2, YEAR | {"end_date": "2023-01-02"})])
    assert row.best == {1}, "the lead over buying and holding has its own measure for each period"


# Where nothing was lost


def winning(trades: int = 1, **metrics) -> Snapshot:
    given = {"total_trades": trades, "win_rate": 1.0, "losing_trades": 0, "profit_factor": None} | metrics
    return snapshot_of(operation("op_w", "backtesting", result_summary={"metrics": given}), 0.0)


@pytest.mark.parametrize("metrics", [{}, {"losing_trades": None}, {"profit_factor": 0.0}])
def test_a_run_that_lost_nothing_has_no_profit_factor_and_no_rival(metrics):
    measures = [each for each in KINDS["backtesting"].measures if each.label == "Profit factor"]
    poor, poorer = (winning(20, win_rate=0.3, losing_trades=14, profit_factor=value) for value in (0.07, 0.01))
    [row] = comparison.results(measures, [winning(**metrics), poorer, poor])
    assert row.values == ("no losses", "0.01", "0.07") and not row.best
    [change] = comparison.changes(measures, poor, winning(**metrics)).results
    assert (change.before, change.now, change.by, change.effect) == ("0.07", "no losses", "", "")
    assert comparison.changes(measures, winning(), winning(**metrics)).unchanged == ("Profit factor",)
    figures = {figure.label: figure.value for figure in KINDS["backtesting"].figures(winning(**metrics))}
    assert figures["Profit factor"] == "no losses"


@pytest.mark.parametrize(
    "metrics", [{"total_trades": 0}, {"win_rate": 0.5, "losing_trades": 1}, {"win_rate": None, "losing_trades": None}]
)
def test_other_runs_without_a_profit_factor_have_none(metrics):
    run = winning(**metrics)
    assert comparison.results([each for each in KINDS["backtesting"].measures if each.over_losses], [run, run]) == []
    assert "Profit factor" not in {figure.label for figure in KINDS["backtesting"].figures(run)}


# Whether a market made the bars


@pytest.mark.parametrize(
    ("sources", "whole"),
    [((), ""), (("", ""), ""), (("sample", "", "sample"), "sample"), (("sample", "own"), "mixed"), (("own",), "own")],
)
def test_of_runs_on_several_sources_the_whole_is_mixed(sources, whole):
    assert comparable.source_of_all(training(0.5, {"source": source}) for source in sources) == whole
