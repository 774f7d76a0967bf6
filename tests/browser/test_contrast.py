"""Every colour that says something stands out from every ground it is used on, in both themes (WCAG AA)."""

import re
from pathlib import Path

import pytest

CSS = (Path(__file__).parents[2] / "static" / "panel.css").read_text("utf-8")
TEXT = ("ink", "quiet", "link", "ok", "warning", "failed")
GROUNDS = ("paper", "raised", "wash-warning", "wash-failed")


def theme(at: int) -> dict[str, str]:
    """Every `--name: light-dark(#…, #…)`: 0 for the light theme's colours, 1 for the dark one's."""
    found = re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", CSS)
    return {name: colours[at] for name, *colours in found}


THEMES = {"light": theme(0), "dark": theme(1)}


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


@pytest.mark.parametrize("name", THEMES)
def test_text_and_states_are_readable(name):
    colours = THEMES[name]
    pairs = [(text, ground) for text in TEXT for ground in GROUNDS] + [("on-link", "link"), ("paper", "failed")]
    pairs += [(line, "raised") for line in ("validation", *(f"run-{run}" for run in range(1, 7)))]
    weak = {pair: round(ratio, 2) for pair in pairs if (ratio := contrast(*(colours[c] for c in pair))) < 4.5}
    assert weak == {}


@pytest.mark.parametrize("name", THEMES)
def test_the_edges_of_controls_are_seen(name):
    """WCAG 1.4.11: 3 to 1 for what shows that something is a control."""
    colours = THEMES[name]
    assert all(contrast(colours["edge"], colours[ground]) >= 3 for ground in ("paper", "raised"))
