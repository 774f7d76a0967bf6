"""Single values of a strategy file: found by their paths, and set without touching anything else."""

import pytest

from panel.files.strategy_settings import SEED, settings_of, with_seed_line, with_settings
from panel.files.strategy_yaml import Refused, parse

TEXT = """\
# A comment: äöü 漢字 🎉
name: swing
indicators:
  rsi: {type: rsi, period: 14}   # the usual
  macd:
    type: macd
    fast: &fast 12
    slow: *fast
training:
  epochs: 50
  layers: [16, 8]
  note: "14"
"""


def test_values_are_found_by_their_paths():
    found = {each.path: each.value for each in settings_of(TEXT)}
    assert found["indicators.rsi.period"] == "14" and found["training.layers.2"] == "8"
    assert "name" not in found and "indicators.macd.fast" not in found, "what an alias repeats cannot be set alone"


def test_only_the_value_changes():
    changed = with_settings(TEXT, {"indicators.rsi.period": "21", "training.layers.2": "4"}, "other")
    before, after = TEXT.splitlines(), changed.splitlines()
    assert [at for at, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]] == [1, 3, 10]
    assert after[3] == "  rsi: {type: rsi, period: 21}   # the usual" and parse(changed)["name"] == "other"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("indicators.rsi.period", "fourteen"),
        ("indicators.rsi.period", "21, extra: 1"),
        ("indicators.rsi.period", ""),
        ("indicators.rsi.type", "{a: b}"),
        ("indicators.macd.fast", "3"),
        ("nowhere", "1"),
    ],
)
def test_what_is_no_plain_value_or_no_path_is_refused(path, value):
    with pytest.raises(Refused):
        with_settings(TEXT, {path: value})


@pytest.mark.parametrize("text", [TEXT, "training: {epochs: 5}\n"])
def test_a_seed_finds_its_place(text):
    seeded = with_settings(with_seed_line(text), {SEED: "7"})
    assert parse(seeded)["training"] == {"random_seed": 7} | parse(text)["training"]
    assert with_seed_line(seeded) == seeded


def test_without_a_training_part_there_is_no_place_for_a_seed():
    with pytest.raises(Refused):
        with_seed_line("name: x\n")
