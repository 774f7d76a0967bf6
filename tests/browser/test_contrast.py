"""Every colour that says something stands out from every ground it is used on, in both themes (WCAG AA)."""

import re
from pathlib import Path

import pytest

CSS = (Path(__file__).parents[2] / "static" / "panel.css").read_text("utf-8")
TEXT = ("ink", "quiet", "link", "ok", "warning", "failed")
GROUNDS = ("paper", "raised", "wash-warning", "wash-failed")


def theme(selector: str) -> dict[str, str]:
    block = CSS.partition(f"{selector} {{")[2].partition("}")[0]
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))


THEMES = {
    "light": theme("\n:root"),
    "dark, chosen": theme(':root[data-theme="dark"]'),
    "dark, the system's": theme(':root:not([data-theme="light"])'),
}


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_measure_is_the_one_of_the_standard():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_dark_is_the_same_whether_chosen_or_the_system_s():
    assert THEMES["dark, chosen"] == THEMES["dark, the system's"]


@pytest.mark.parametrize("name", THEMES)
def test_text_and_states_are_readable(name):
    colours = THEMES[name]
    pairs = [(text, ground) for text in TEXT for ground in GROUNDS] + [("on-link", "link"), ("paper", "failed")]
    pairs += [(line, "paper") for line in ("train", "validation")]
    weak = {pair: round(ratio, 2) for pair in pairs if (ratio := contrast(*(colours[c] for c in pair))) < 4.5}
    assert weak == {}
