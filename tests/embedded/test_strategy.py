"""Strategy files: all spellings that occur, and a sentence for each that cannot be trained."""

import pytest
import yaml

from panel.embedded import strategy
from tests.embedded.conftest import STRATEGY


@pytest.fixture
def read(tmp_path):
    """Reads the small strategy after `change` has had its way with it."""

    def read(change=lambda content: None):
        content = yaml.safe_load(STRATEGY.format(name="small", epochs=5))
        change(content)
        (tmp_path / "small.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
        return strategy.find("small", [tmp_path])

    return read


def sentence(found: strategy.Strategy) -> str:
    assert found.plan is None
    return " ".join(issue["message"] for issue in found.issues)


def test_the_starters_can_be_trained():
    starters = strategy.all_in([strategy.STARTERS])
    assert [found.stem for found in starters] == ["multi_timeframe_trend", "rsi_swing", "trend_momentum"]
    for found in starters:
        assert found.plan is not None and not found.issues and found.plan.name == found.stem
        assert found.plan.features(list(found.plan.training_data.timeframes))


@pytest.mark.parametrize(
    "symbols",
    [
        {"mode": "single", "symbol": "EURUSD"},
        {"mode": "multi_symbol", "symbols": ["EURUSD"]},
        {"mode": "multi_symbol", "list": ["EURUSD"]},
        ["EURUSD"],
        "EURUSD",
    ],
)
def test_symbols_in_every_spelling(read, symbols):
    assert read(lambda content: content["training_data"].update(symbols=symbols)).plan.training_data.symbols == (
        "EURUSD",
    )


@pytest.mark.parametrize("timeframes", [{"timeframe": "1h"}, {"timeframes": ["1h"]}, {"list": ["1h"]}, ["1h"], "1h"])
def test_timeframes_in_every_spelling(read, timeframes):
    found = read(lambda content: content["training_data"].update(timeframes=timeframes))
    assert found.plan.training_data.timeframes == ("1h",)


def test_the_base_timeframe_is_read(read):
    given = {"mode": "multi_timeframe", "timeframes": ["1d", "1h"], "base_timeframe": "1h"}
    found = read(lambda content: content["training_data"].update(timeframes=given))
    assert found.plan.training_data.base_timeframe == "1h"


def test_features_follow_the_inputs_timeframes(read):
    found = read(lambda content: content["nn_inputs"][0].update(timeframes=["4h"]))
    assert [feature["feature_id"] for feature in found.plan.features(["1h", "4h"])] == [
        "4h_momentum_low",
        "4h_momentum_high",
    ]


def test_dropout_is_a_warning(read):
    found = read(lambda content: content["model"]["architecture"].update(dropout=0.2))
    assert found.plan is not None
    assert [issue["severity"] for issue in found.issues] == ["warning"] and "dropout" in found.issues[0]["message"]


def _set(*path, to):
    def change(content):
        for key in path[:-1]:
            content = content[key]
        content[path[-1]] = to

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_set("indicators", to=[{"name": "rsi"}]), "v2 strategy"),
        (_set("indicators", to={}), "indicators"),
        (_set("indicators", "rsi_14", "type", to="magic"), "“magic” is not known"),
        (_set("indicators", "rsi_14", "length", to=3), "rsi has no parameter length; it takes period"),
        (_set("indicators", "rsi_14", "period", to="many"), "indicators.rsi_14.parameters.period"),
        (_set("fuzzy_sets", "momentum", "indicator", to="nope"), "the indicator nope, which does not exist"),
        (_set("fuzzy_sets", "momentum", "indicator", to="rsi_14.upper"), "has no output upper"),
        (_set("fuzzy_sets", "momentum", "low", "parameters", to=[50, 20, 10]), "have to ascend"),
        (_set("fuzzy_sets", "momentum", "low", "parameters", to=[1, 2]), "takes 3 parameters"),
        (_set("fuzzy_sets", "momentum", "low", "type", to="square"), "fuzzy_sets.momentum.labels.low.type"),
        (_set("nn_inputs", 0, "fuzzy_set", to="nope"), "the fuzzy set nope, which does not exist"),
        (_set("nn_inputs", to=[]), "nn_inputs"),
        (_set("model", "type", to="lstm"), "model.type"),
        (_set("model", "training", "epochs", to=0), "model.training.epochs"),
        (_set("decisions", to={"output_format": "regression"}), "decisions.output_format"),
        (_set("training", "labels", "source", to="forward_return"), "training.labels.source"),
        (_set("training", "data_split", to={"train": 0.8, "validation": 0.15, "test": 0.15}), "add up to 1"),
        (_set("training_data", "symbols", to={}), "training_data.symbols"),
        (_set("training_data", "timeframes", to=["7h"]), "training_data.timeframes"),
    ],
)
def test_what_cannot_be_trained_says_why(read, change, words):
    assert words in sentence(read(change))


@pytest.mark.parametrize(
    "text", ["", "- a\n- b", "a: [", "\x00", "x: !!python/object:os.system {}", "&a [*a]", "[" * 2000]
)
def test_a_broken_file_is_a_broken_strategy(tmp_path, text):
    (tmp_path / "broken.yaml").write_text(text)
    assert sentence(strategy.find("broken", [tmp_path]))


def test_a_huge_file_is_not_read(tmp_path):
    (tmp_path / "huge.yaml").write_text("x: " + "y" * 300_000)
    assert "256 kB" in sentence(strategy.find("huge", [tmp_path]))


@pytest.mark.parametrize("name", ["", "..", "../small", "a/b", "a\n", "x" * 300])
def test_a_name_leads_nowhere_else(tmp_path, name):
    (tmp_path / "small.yaml").write_text("")
    assert strategy.find(name, [tmp_path / "inner", tmp_path]) is None


def test_the_users_own_file_comes_before_a_starter(tmp_path):
    (tmp_path / "rsi_swing.yaml").write_text(STRATEGY.format(name="mine", epochs=5))
    listed = {found.stem: found for found in strategy.all_in([tmp_path, strategy.STARTERS])}
    assert listed["rsi_swing"].plan.name == "mine" and len(listed) == 3
