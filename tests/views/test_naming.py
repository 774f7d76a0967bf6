"""What is said of runs with the same name to tell them apart."""

from panel.backend.entities import snapshot_of
from panel.views.naming import differences
from tests.support.scripted import operation, percent


def run(operation_id: str, kind: str = "training", name: str = "swing", steps: int = 50, **parameters):
    asked = {"strategy_name": name, "symbols": ["EURUSD"], "timeframes": ["1h"], **parameters}
    answer = operation(operation_id, kind, progress=percent(1, "", steps_total=steps), metadata={"parameters": asked})
    return snapshot_of(answer, 0.0)


def test_runs_are_distinguished_by_what_differs_and_by_nothing_else():
    first = run("op_a", steps=50, start_date="2023-01-01T00:00:00")
    second = run("op_b", steps=100, start_date="2024-01-01T00:00:00", detailed_analytics=True)
    assert differences([first, second]) == {
        "op_a": "epochs 50, from 2023-01-01",
        "op_b": "epochs 100, from 2024-01-01, detailed analytics",
    }


def test_the_epochs_of_a_run_that_has_not_counted_them_are_not_said():
    """KTRDR calls its first one "1/1"."""
    assert differences([run("op_a", steps=150), run("op_b", steps=1)]) == {"op_a": "", "op_b": ""}


def test_what_a_research_keeps_for_itself_is_not_said():
    brief, other = {"brief": "an RSI", "phase": "training"}, {"brief": "a MACD", "phase_start_time": 1_795_786_224.0}
    runs = [run("op_a", "agent_research", **brief), run("op_b", "agent_research", **other)]
    assert differences(runs) == {"op_a": "", "op_b": ""}, "the brief is the name of a research"


def test_what_lists_show_anyway_and_what_is_the_same_is_not_said():
    same = {"start_date": "2024-01-01"}
    runs = [run("op_a", **same), run("op_b", symbols=["AAPL"], **same), run("op_c", worker_id="w-1", **same)]
    assert set(differences(runs).values()) == {""}


def test_only_runs_of_one_kind_and_strategy_are_neighbours():
    runs = [run("op_a", steps=1), run("op_b", steps=2, name="trend"), run("op_c", "backtesting", commission=0.001)]
    assert set(differences(runs).values()) == {""} and differences([]) == {}


def test_values_are_written_as_people_write_them():
    one = run("op_a", "backtesting", model_path="/app/models/swing/1h_v1", commission=0.001, initial_capital=100_000.0)
    two = run("op_b", "backtesting", model_path="/app/models/swing/1h_v2", commission=0.0005, initial_capital=50_000.0)
    said = differences([one, two])
    assert said["op_a"] == "initial capital 100,000, commission 0.1 %"  # its model is shown anyway
    assert said["op_b"] == "initial capital 50,000, commission 0.05 %"
    late = run("op_b", end_date="2024-12-31", start_date="2024-01-01")
    assert differences([run("op_a"), late])["op_b"] == "from 2024-01-01, to 2024-12-31"


def test_at_most_three_settings_are_named():
    many = {f"knob_{n}": n for n in range(9)}
    assert differences([run("op_a", **many), run("op_b")])["op_a"] == "knob 0 0, knob 1 1, knob 2 2"


def test_a_strategy_that_was_changed_in_between_sets_runs_apart():
    """Its name is the same; what all files have comes first, and a run of which no file is known stays as it is."""
    files = {
        "op_a": {"indicators.rsi_14.period": "14", "training.learning_rate": "0.001", "training.epochs": "50"},
        "op_b": {
            "indicators.adx.period": "9",
            "indicators.rsi_14.period": "21",
            "training.learning_rate": "0.001",
            "model.architecture.hidden_layers.1": "16",
        },
    }
    runs = [run("op_a", start_date="2024-01-01"), run("op_b"), run("op_c")]
    texts = differences(runs, lambda operation_id: files.get(operation_id, {}))
    assert texts == {
        "op_a": "rsi_14 period 14, from 2024-01-01",
        "op_b": "rsi_14 period 21, adx period 9, architecture hidden_layers 1 16",
        "op_c": "",
    }
