"""What an adapter prints of an ended operation, with a real Rich console and a real HTTP client."""

import io

import httpx
import pytest
from rich.console import Console

from panel.adapters import (
    KINDS,
    BacktestingOperationAdapter,
    DataLoadOperationAdapter,
    DummyOperationAdapter,
    Kind,
    OperationAdapter,
    TrainingOperationAdapter,
)
from panel.backend.entities import snapshot_of
from tests.support.scripted import operation

pytestmark = pytest.mark.anyio

TEST_METRICS = {"test_accuracy": 0.61, "baseline_accuracy": 0.5, "test_loss": 0.9}


async def printed(adapter: Kind, final_status: dict, answer: httpx.Response | Exception | None = None) -> str:
    """The console's text; the paths that were asked for stand in `final_status["asked"]`."""
    final_status["asked"] = []

    def respond(request: httpx.Request) -> httpx.Response:
        final_status["asked"].append(request.url.path)
        if isinstance(answer, Exception):
            raise answer
        assert answer is not None, "nothing is to be asked for"
        return answer

    console = Console(width=120, file=io.StringIO())
    transport = httpx.MockTransport(respond)
    async with httpx.AsyncClient(base_url="http://backend/api/v1", transport=transport) as client:
        assert await adapter.display_results(final_status, console, client) is None
    return console.file.getvalue()


async def test_a_trainings_figures_are_asked_for_when_they_are_not_in_its_status():
    status = {"operation_id": "op_t", "status": "completed"}
    answer = httpx.Response(200, json={"success": True, "test_metrics": TEST_METRICS})
    shown = await printed(TrainingOperationAdapter("swing"), status, answer)
    assert status["asked"] == ["/api/v1/trainings/op_t/performance"]
    assert "Training completed." in shown and "61.0 %" in shown and "11.0 points better" in shown


async def test_a_trainings_figures_are_not_asked_for_when_they_are_known():
    status = {"operation_id": "op_t", "status": "completed", "result_summary": {"test_metrics": TEST_METRICS}}
    assert "61.0 %" in await printed(TrainingOperationAdapter("swing"), status)
    assert status["asked"] == []


async def test_without_a_client_what_is_known_is_printed():
    console = Console(width=120, file=io.StringIO())
    known = {"operation_id": "op_t", "status": "completed", "result_summary": {"test_metrics": TEST_METRICS}}
    await TrainingOperationAdapter("swing").display_results(known, console)
    await TrainingOperationAdapter("swing").display_results({"operation_id": "op_t", "status": "completed"}, console)
    await DummyOperationAdapter().display_results(known, console)
    assert "61.0 %" in console.file.getvalue() and "It has no figures." in console.file.getvalue()


@pytest.mark.parametrize(
    "answer", [httpx.ConnectError("refused"), httpx.Response(500), httpx.Response(200, text="<html>")]
)
async def test_figures_that_cannot_be_read_are_said_and_not_raised(answer):
    shown = await printed(TrainingOperationAdapter("swing"), {"operation_id": "op_t"}, answer)
    assert "Training completed." in shown and "could not be read" in shown


async def test_a_backtest_shows_its_summary():
    metrics = {"total_return_pct": 0.0123, "total_trades": 25}
    status = {"operation_id": "op_b", "status": "completed", "result_summary": {"metrics": metrics}}
    shown = await printed(BacktestingOperationAdapter("swing"), status)
    assert "1.2 %" in shown and "25" in shown
    assert "no figures" in await printed(BacktestingOperationAdapter("swing"), {"operation_id": "op_b"})


async def test_a_failure_is_printed_with_its_reason_and_cannot_drive_the_terminal():
    status = {"operation_id": "op_l", "status": "failed", "error_message": "no [bold]such[/bold] \x1b[2Jsymbol"}
    shown = await printed(DataLoadOperationAdapter("EURUSD"), status)
    assert "Data load failed. no [bold]such[/bold] [2Jsymbol" in shown and "\x1b" not in shown


async def test_a_trial_run_prints_its_steps_and_seconds():
    known = {"status": "completed", "progress": {"total_steps": 100}, "metadata": {"duration": 200}}
    assert (await printed(DummyOperationAdapter(), known)).splitlines() == [
        "Trial run completed.",
        "Steps: 100",
        "Seconds: 200",
    ]
    assert (await printed(DummyOperationAdapter(), {})).count("N/A") == 2


def test_a_script_writes_four_methods():
    assert OperationAdapter.__abstractmethods__ == {
        "get_start_endpoint",
        "get_start_payload",
        "parse_start_response",
        "display_results",
    }


def test_arguments_by_position_mean_what_they_mean_to_ktrdrs_client():
    made = BacktestingOperationAdapter(
        "s", "EURUSD", "1h", "2024-01-01", "2024-02-01", 5000.0, 0.002, 0.001, "models/m"
    )
    assert made.get_start_payload() == {
        "strategy_name": "s",
        "symbol": "EURUSD",
        "timeframe": "1h",
        "start_date": "2024-01-01",
        "end_date": "2024-02-01",
        "initial_capital": 5000.0,
        "commission": 0.002,
        "slippage": 0.001,
        "model_path": "models/m",
    }
    training = TrainingOperationAdapter("s", ["EURUSD"], ["1h"], "2024-01-01", "2024-02-01", 0.3, True)
    assert (training.validation_split, training.detailed_analytics) == (0.3, True)
    assert "validation_split" not in training.get_start_payload()


def test_a_backtests_costs_have_the_backends_defaults():
    made = BacktestingOperationAdapter("s", start_date="2024-01-01", end_date="2024-02-01")
    assert (made.commission, made.slippage, made.initial_capital) == (0.001, 0.0005, 100_000.0)


def test_a_recall_that_is_the_accuracy_under_another_name_is_left_out():
    """KTRDR averages it over all answers."""
    test = {"test_accuracy": 0.503, "test_loss": 0.775, "precision": 0.739, "recall": 0.50300001, "f1_score": 0.51}
    read = snapshot_of(operation("op_a", status="completed", result_summary={"test_metrics": test}), 0.0)
    shown = {figure.label: figure.note for figure in KINDS["training"].figures(read)}
    assert "Recall" not in shown and shown["Precision"] == "average over all answers, Hold included"
    own = test | {"baseline_accuracy": 0.4, "recall": 0.503}  # the embedded backend's, alike by chance
    read = snapshot_of(operation("op_a", status="completed", result_summary={"test_metrics": own}), 0.0)
    shown = {figure.label: figure.note for figure in KINDS["training"].figures(read)}
    assert shown["Recall"] and shown["Precision"] == "of its signals, how many were right"


@pytest.mark.parametrize(
    ("accuracy", "rows", "note"),
    [
        (0.184, (165, 650, 185), "1.9 points above always answering BUY, the commonest in training"
         "; always answering HOLD would have reached 65.0 %"),
        (0.67, (165, 650, 185), "50.5 points better than always answering BUY, the commonest in training"
         "; always answering HOLD would have reached 65.0 %"),
        (0.164, (165, 650, 185), "no better than always answering BUY, the commonest in training"
         "; always answering HOLD would have reached 65.0 %"),
        (0.1, (165, 100, 735), "6.5 points worse than always answering BUY, the commonest in training"
         "; always answering SELL would have reached 73.5 %"),
        (0.184, (), "1.9 points better than always answering BUY, the commonest in training"),
    ],
)  # fmt: skip
def test_an_accuracy_is_held_against_the_answer_that_was_commonest_in_the_test_too(accuracy, rows, note):
    test = {"test_accuracy": accuracy, "baseline_accuracy": 0.165, "baseline_class": "BUY"}
    artifacts = {"classes": ["BUY", "HOLD", "SELL"], "confusion_matrix": [[right, 0, 0] for right in rows]}
    result = {"test_metrics": test, "artifacts": artifacts if rows else {}}
    figures = KINDS["training"].figures(snapshot_of(operation("op_a", result_summary=result), 0.0))
    assert figures[0].note == note


def test_a_regressions_direction_is_held_against_the_one_that_was_commoner_in_the_test():
    test = {"test_accuracy": 0.45, "baseline_accuracy": 0.42, "baseline_class": "BUY"}
    test |= {"commonest_accuracy": 0.57, "commonest_class": "SELL"}
    figures = KINDS["training"].figures(snapshot_of(operation("op_a", result_summary={"test_metrics": test}), 0.0))
    assert figures[0].note == (
        "3.0 points above always answering BUY, the commonest in training"
        "; always answering SELL would have reached 57.0 %"
    )


@pytest.mark.parametrize(
    ("kind", "result", "ahead"),
    [
        ("training", {"test_metrics": {"test_accuracy": 0.61, "baseline_accuracy": 0.5}}, 11.0),
        (  # a constant answer would have reached more in the test
            "training",
            {
                "test_metrics": {"test_accuracy": 0.61, "baseline_accuracy": 0.5, "baseline_class": "BUY"},
                "artifacts": {"confusion_matrix": [[10, 0, 0], [0, 70, 0], [0, 0, 20]]},
            },
            -9.0,
        ),
        ("training", {"test_metrics": {"test_accuracy": 0.61}}, None),
        ("backtesting", {"metrics": {"total_return_pct": -0.01, "buy_and_hold_return_pct": -0.05}}, 4.0),
        ("backtesting", {"metrics": {"total_return_pct": 0.0, "buy_and_hold_return_pct": 0.02}}, -2.0),
        ("backtesting", {"metrics": {"total_return_pct": 0.1}}, None),
    ],
)
def test_a_leading_number_says_how_far_it_is_ahead_of_what_needs_no_skill(kind, result, ahead):
    figures = KINDS[kind].figures(snapshot_of(operation("op_a", kind, "completed", result_summary=result), 0.0))
    assert figures[0].ahead == (None if ahead is None else pytest.approx(ahead))
    assert all(figure.ahead is None for figure in figures[1:])
