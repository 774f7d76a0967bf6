"""Strategy files: what KTRDR takes is taken the same way, and a sentence says why for everything else."""

import pytest
import yaml

from panel.embedded import strategy
from panel.embedded.indicators import NAMES
from panel.embedded.plan import ForwardReturn, Reference, TripleBarrier, ZigZag
from tests.support.small_strategy import STRATEGY


@pytest.fixture
def read(tmp_path):
    """Reads the small strategy with one change."""

    def read(change=lambda content: None):
        content = yaml.safe_load(STRATEGY.format(name="small", epochs=5))
        change(content)
        (tmp_path / "small.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
        return strategy.find("small", [tmp_path])

    return read


def _set(*path, to):
    def change(content):
        for key in path[:-1]:
            content = content[key]
        content[path[-1]] = to

    return change


def messages(found: strategy.Strategy) -> str:
    return " ".join(issue.message for issue in found.issues)


def test_the_starters_can_be_trained_without_a_remark():
    starters = strategy.all_in([strategy.STARTERS])
    assert [found.stem for found in starters] == ["multi_timeframe_trend", "rsi_swing", "trend_momentum"]
    for found in starters:
        assert found.trainable and not found.issues and found.plan.name == found.stem
        assert found.plan.features(list(found.plan.data.timeframes))


@pytest.mark.parametrize(
    ("symbols", "warned"),
    [
        ({"mode": "single", "symbol": "EURUSD"}, False),
        ({"mode": "multi_symbol", "symbols": ["EURUSD"]}, False),
        ({"mode": "multi_symbol", "list": ["EURUSD"]}, False),
        (["EURUSD"], True),
        ("EURUSD", True),
    ],
)
def test_symbols_in_every_spelling(read, symbols, warned):
    found = read(_set("training_data", "symbols", to=symbols))
    assert found.plan.data.symbols == ("EURUSD",)
    assert ("a KTRDR wants" in messages(found)) is warned


@pytest.mark.parametrize("timeframes", [{"timeframe": "1h"}, {"timeframes": ["1h"]}, {"list": ["1h"]}, ["1h"], "1h"])
def test_timeframes_in_every_spelling(read, timeframes):
    assert read(_set("training_data", "timeframes", to=timeframes)).plan.data.timeframes == ("1h",)


def test_the_base_timeframe_is_read(read):
    given = {"mode": "multi_timeframe", "timeframes": ["1d", "1h"], "base_timeframe": "1h"}
    plan = read(_set("training_data", "timeframes", to=given)).plan
    assert plan.data.base_timeframe == "1h" and plan.base(["1d", "1h"]) == "1h" and plan.base(["1d"]) == "1d"


def test_features_keep_the_order_of_the_inputs_own_timeframes(read):
    def change(content):
        given = {"mode": "multi_timeframe", "timeframes": ["1h", "4h"], "base_timeframe": "1h"}
        content["training_data"]["timeframes"] = given
        content["nn_inputs"] = [
            {"fuzzy_set": "momentum", "timeframes": ["4h", "1h"]},
            {"raw_indicator": "rsi_14", "timeframes": ["4h"], "normalization": "zscore"},
        ]

    features = read(change).plan.features(["1h", "4h"])
    ids = [feature["feature_id"] for feature in features]
    assert ids[:4] == ["4h_momentum_low", "4h_momentum_high", "1h_momentum_low", "1h_momentum_high"]
    assert ids[4:] == ["4h_rsi_14_raw"] and (features[4]["fuzzy_set"], features[4]["membership"]) == ("__raw__", "raw")


def test_a_list_is_a_triangle(read):
    found = read(_set("fuzzy_sets", "momentum", "low", to=[0, 20, "45"]))
    low = found.plan.fuzzy_sets["momentum"].labels["low"]
    assert (low.shape, low.parameters) == ("triangular", (0.0, 20.0, 45.0))


def test_one_timeframe_needs_no_list(read):
    found = read(_set("nn_inputs", 0, "timeframes", to="1h"))
    assert found.trainable and found.plan.inputs[0].timeframes == ("1h",)
    assert "a KTRDR takes it, and finds no data: write [1h]" in messages(found)


def test_the_top_level_training_section_counts(read):
    def change(content):
        content["training"] |= {"epochs": 3, "batch_size": 256, "learning_rate": 0.05}
        content["model"]["training"] = {"epochs": 60, "batch_size": 8, "learning_rate": 0.5}

    found = read(change)
    learning = found.plan.learning
    assert (learning.epochs, learning.batch_size, learning.learning_rate) == (3, 256, 0.05) and not found.issues


def test_settings_below_the_model_count_here_with_a_warning_for_ktrdr(read):
    def change(content):
        for name in ("epochs", "batch_size", "learning_rate"):
            del content["training"][name]
        content["model"]["training"] = {"epochs": 60, "batch_size": 32, "early_stopping": {"enabled": True}}

    found = read(change)
    learned = found.plan.learning
    assert (learned.epochs, learned.batch_size, learned.early_stopping.enabled) == (60, 32, True)
    (issue,) = found.issues
    assert issue.category == "differs" and "epochs 60, early stopping counts here" in issue.message


@pytest.mark.parametrize(
    ("definition", "kind", "parameters"),
    [
        ({"type": "SMA"}, "simplemovingaverage", {"period": 20, "source": "close"}),
        ({"type": "ema"}, "exponentialmovingaverage", {"period": 20, "source": "close", "adjust": True}),
        ({"type": "wma", "period": 9}, "weightedmovingaverage", {"period": 9, "source": "close"}),
        ({"type": "stochastic"}, "stochastic", {"k_period": 14, "d_period": 3, "smooth_k": 3}),
        ({"type": "cci"}, "cci", {"period": 20}),
        ({"type": "RSIIndicator"}, "rsi", {"period": 14, "source": "close"}),
        ({"type": "bbands", "multiplier": "1.5"}, "bollingerbands", {"period": 20, "multiplier": 1.5}),
        ({"type": "macd", "source": "open"}, "macd", {"fast_period": 12, "slow_period": 26, "source": "open"}),
    ],
)
def test_indicators_have_ktrdrs_names_and_defaults(read, definition, kind, parameters):
    found = read(_set("indicators", "rsi_14", to=definition))
    used = found.plan.indicators["rsi_14"]
    assert NAMES[used.kind] == kind and parameters.items() <= used.parameters.items()


def test_a_bare_name_is_the_first_output_and_a_dot_names_another(read):
    def change(content):
        content["indicators"]["i.1"] = {"type": "rsi"}
        content["indicators"]["up"] = {"type": "aroon"}
        content["fuzzy_sets"]["a"] = {"indicator": "up", "x": [0, 1, 2]}
        content["fuzzy_sets"]["b"] = {"indicator": "up.oscillator", "x": [0, 1, 2]}

    sets = read(change).plan.fuzzy_sets
    assert (sets["a"].indicator, sets["b"].indicator) == (Reference("up"), Reference("up", "oscillator"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_set("indicators", "rsi_14", "length", to=3), "length is not used; rsi takes period, source"),
        (_set("indicators", "rsi_14", to={"type": "macd", "period": 3, "fast": 1}), "period, fast are not used; macd"),
        (_set("model", "architecture", "dropout", to=0.2), "Not used here: model.architecture.dropout."),
        (_set("risk_management", to={}), "Not used here: risk_management."),
        (_set("decisions", "filters", to={}), "Not used here: decisions.filters."),
        (_set("training", "labels", "zigzag", to=3), "Not used here: training.labels.zigzag."),
        (_set("indicators", "spare", to={"type": "obv"}), "Not used here: indicators.spare."),
        (_set("training", "data_split", to={"train": 0.8, "validation": 0.15, "test": 0.15}), "do not add up to 1"),
    ],
)
def test_what_is_not_used_is_named(read, change, words):
    found = read(change)
    assert found.trainable and words in messages(found)
    assert {issue.severity for issue in found.issues} == {"warning"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_set("indicators", to=[{"name": "rsi"}]), "v2 strategy: its indicators are a list. KTRDR makes a v3 file"),
        (_set("indicators", to=None), "not a strategy: it has no indicators"),
        (_set("indicators", "rsi_14", "type", to="magic"), "the indicator type magic is not known; there are rsi,"),
        (_set("indicators", "rsi_14", "type", to="williams_r"), "williams_r is not known; it is called williamsr"),
        (_set("indicators", "rsi_14", "type", to="rsy"), "the indicator type rsy is not known; perhaps rsi is meant"),
        (_set("indicators", "rsi_14", "period", to="many"), "whole number from 2 to 100, not many"),
        (_set("indicators", "rsi_14", "period", to=14.5), "whole number from 2 to 100, not 14.5"),
        (_set("indicators", "rsi_14", "period", to=101), "whole number from 2 to 100, not 101"),
        (_set("indicators", "rsi_14", "data_source", to="fred_DGS10"), "context_data has no source fred_DGS10"),
        (_set("fuzzy_sets", to={}), "fuzzy_sets: there is none"),
        (_set("fuzzy_sets", "momentum", "indicator", to="nope"), "there is no indicator nope"),
        (_set("fuzzy_sets", "momentum", "indicator", to="rsi_14.upper"), "write rsi_14 without .upper"),
        (_set("fuzzy_sets", "momentum", to={"indicator": "rsi_14"}), "it has no membership function"),
        (_set("fuzzy_sets", "momentum", "low", to=[50, 20, 10]), "its numbers have to ascend"),
        (_set("fuzzy_sets", "momentum", "low", to=[1, 2]), "triangular takes 3 numbers"),
        (_set("fuzzy_sets", "momentum", "low", to=[1, 2, 3, 4]), "four make {type: trapezoidal"),
        (_set("fuzzy_sets", "momentum", "low", to={"type": "sigmoid", "parameters": [1, 2]}), "sigmoid is not known"),
        (_set("fuzzy_sets", "momentum", "low", to={"parameters": [1, 2, 3]}), "[a, b, c], a triangle, or"),
        (_set("fuzzy_sets", "momentum", "low", to={"type": "gaussian", "parameters": [1, 0]}), "its width"),
        (_set("fuzzy_sets", "momentum", True, to=[1, 2, 3]), "its name has to be text; put it in quotes"),
        (_set("nn_inputs", 0, "fuzzy_set", to="nope"), "nn_inputs, number 1: there is no fuzzy set nope"),
        (_set("nn_inputs", 0, "timeframes", to=["4h"]), "4h is not among training_data.timeframes (1h)"),
        (_set("nn_inputs", 0, "timeframes", to=None), 'it needs timeframes: "all"'),
        (_set("nn_inputs", 0, "raw_indicator", to="rsi_14"), "either a fuzzy_set or a raw_indicator"),
        (_set("nn_inputs", 0, "normalization", to="minmax"), "only of a raw_indicator"),
        (_set("nn_inputs", 0, to={"raw_indicator": "rsi_14.x", "timeframes": "all"}), "rsi has one output only"),
        (_set("name", to=7), "name: a strategy needs a name"),
        (_set("version", to=3.0), 'it has to be text: "3.0", in quotes'),
        (_set("training_data", "history_required", to=20), "a whole number of at least 50 bars"),
        (_set("training_data", "symbols", to={"mode": "many"}), "the mode many is not known"),
        (
            _set("training_data", "timeframes", to={"mode": "multi_timeframe", "timeframes": ["1h"]}),
            "the mode multi_timeframe needs at least 2",
        ),
        (_set("decisions", to=None), "decisions: this section is missing"),
        (_set("decisions", "output_format", to="ranking"), "classification or regression, not ranking"),
        (_set("decisions", "output_format", to="regression"), "cost_model.round_trip_cost: a regression needs it"),
        (_set("deployment", to={"target_symbols": {"mode": "all"}}), "universal, group_restricted, training_only"),
        (_set("context_data", to=[{"series": "DGS10"}]), "it needs a provider"),
        (_set(True, to=1), "the key True is not text"),
    ],
)
def test_what_ktrdr_refuses_is_not_valid_and_says_why(read, change, words):
    found = read(change)
    assert not found.valid and not found.trainable and not found.needs_ktrdr and found.plan is None
    assert words in messages(found)
    for schema in ("Input should", "Field required", "validation error", "NoneType", "Traceback"):
        assert schema not in messages(found)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_set("model", "type", to="LSTM"), "has no models of the type lstm"),
        (_set("model", "type", to="gru"), "has no models of the type gru"),
        (_set("model", "architecture", "activation", to="leaky_relu"), "has no leaky_relu"),
        (_set("model", "architecture", "hidden_layers", to=[4096]), "hidden layers of 1,024 neurons"),
        (_set("training", "labels", to={"source": "regime"}), "has no labels from the source regime"),
        (_set("training", "labels", to={"source": "context"}), "has no labels from the source context"),
        (
            _set("training", "labels", to={"source": "triple_barrier", "compute_weights": True}),
            "does not weigh samples",
        ),
        (_set("training", "labels", to={"source": "triple_barrier", "cusum_threshold": 0}), "cusum_threshold"),
        (_set("training_data", "timeframes", to={"mode": "single", "timeframe": "7h"}), "no bars of the timeframe 7h"),
        (_set("context_data", to=[{"provider": "fred", "series": "DGS10"}]), "reads no data from outside"),
        (_set("indicators", "rsi_14", to={"type": "zigzag"}), "lets no input know the future"),
        (_set("indicators", "rsi_14", to={"type": "williamsr", "period": 1}), "from 2 bars on"),
    ],
)
def test_what_only_a_ktrdr_can_train_is_valid_and_says_so(read, change, words):
    found = read(change)
    assert found.valid and found.needs_ktrdr and not found.trainable and found.plan is not None
    assert found.problem.startswith("This strategy needs a KTRDR: the embedded backend ") and words in found.problem
    assert {issue.severity for issue in found.issues} == {"warning"}


def test_an_ensemble_needs_a_ktrdr(tmp_path):
    (tmp_path / "both.yaml").write_text("name: both\nmodels: {a: {model_path: x}}\ncomposition: {type: regime_route}\n")
    found = strategy.find("both", [tmp_path])
    assert found.valid and found.needs_ktrdr and found.plan is None and "ensemble of models" in found.problem


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_set("model", "type", to="forest"), "KTRDR knows mlp, lstm and gru"),
        (_set("training", "labels", "source", to="magic"), "training.labels.source is magic; there are zigzag,"),
        (_set("training", "labels", "source", to={}), "training.labels.source is {}"),
        (_set("training", "labels", to={"source": "forward_return", "horizon": 5}), "need decisions.output_format"),
        (_set("training", "epochs", to=0), "epochs is a whole number above 0 and up to 5,000, not 0"),
        (_set("training", "learning_rate", to="1e-3"), "learning_rate is text for YAML; write 0.001"),
        (_set("training", "data_split", to={"train": 0.9, "validation": 0.1, "test": 0}), "less than 0.05"),
        (_set("training_data", "symbols", to={"mode": "single"}), "no symbol is named"),
        (_set("nn_inputs", to=[]), "its network would see nothing"),
        (_set("indicators", "rsi_14", "source", to="hl2"), "bars have only open, high, low, close, volume"),
    ],
)
def test_what_no_backend_can_train_is_valid_and_says_why(read, change, words):
    found = read(change)
    assert (found.valid, found.trainable, found.needs_ktrdr) == (True, False, False)
    assert found.problem.startswith("This strategy cannot be trained: ") and words in found.problem


def test_labels_are_read_with_ktrdrs_defaults(read):
    for empty in ({}, None):
        assert read(_set("training", "labels", to=empty)).plan.labels == ZigZag(0.02, 10)
    barrier = {"source": "triple_barrier", "pt_multiplier": 1, "vol_method": "close"}
    assert read(_set("training", "labels", to=barrier)).plan.labels == TripleBarrier(1.0, 1.5, 50, 50, "close")


def test_a_regression_is_read(read):
    def change(content):
        costs = {"round_trip_cost": 0.002, "min_edge_multiplier": 1.5}
        content["decisions"] = {"output_format": "regression", "cost_model": costs}
        content["training"] |= {"labels": {"source": "forward_return", "horizon": 7}, "loss": "mse"}

    found = read(change)
    assert found.trainable and not found.issues and found.plan.regression
    assert found.plan.labels == ForwardReturn(7) and found.plan.learning.loss == "mse"
    assert found.plan.decisions.trade_threshold == pytest.approx(0.003)


def test_a_name_with_control_characters_is_never_sent_raw(read):
    found = read(_set("name", to="x\x1b[201~\x15touch pwned\n\x15y"))
    assert found.plan.name.isprintable() and "touch pwned" in found.plan.name
    assert "\x1b" not in messages(read(_set("nn_inputs", 0, "fuzzy_set", to="\x1b[2J")))


def test_no_timeframe_is_valid_as_at_ktrdr_and_cannot_be_trained(read):
    found = read(_set("training_data", "timeframes", to={"mode": "single"}))
    assert found.valid and not found.trainable


@pytest.mark.parametrize(
    ("given", "valid"), [(True, True), (0, True), ("on", True), (5, False), ("x", False), (None, False)]
)
def test_a_truth_value_is_what_ktrdr_accepts_as_one(read, given, valid):
    indicator = {"type": "donchianchannels", "include_middle": given}
    assert read(lambda content: content["indicators"].update(band=indicator)).valid == valid
