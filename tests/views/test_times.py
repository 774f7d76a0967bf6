"""Sentences with moments in UTC, as pages show them."""

import pytest

from panel.domain.formatting import moment_at, moment_of
from panel.views.templating import timed, unbroken

NOON = 1_705_320_000.0  # 2024-01-15 12:00:00 UTC


def shown(at: str, text: str) -> str:
    return f'<time datetime="{at}+00:00" data-show="clock">{text}</time>'


@pytest.mark.parametrize(
    ("at", "iso", "words"),
    [
        (NOON - 31, "2024-01-15T11:59:29", "11:59:29 UTC"),
        (NOON - 43_201, "2024-01-14T23:59:59", "2024-01-14 at 23:59:59 UTC"),
    ],
)
def test_a_moment_in_a_sentence_is_one_that_browsers_translate(at, iso, words):
    sentence = f"Nothing has changed since {moment_of(at, NOON)}, at 0 %."
    assert words in sentence, "command line, API and notifications keep UTC"
    assert timed(sentence, NOON) == f"Nothing has changed since {shown(iso, words)}, at 0\N{NO-BREAK SPACE}%."
    assert shown(iso, words) in timed(f"It was last read {moment_at(at, NOON)}.", NOON)


def test_a_moment_without_a_day_is_the_last_one_of_its_time():
    midnight = NOON + 43_205
    assert shown("2024-01-15T23:59:58", "23:59:58 UTC") in timed("It was last read at 23:59:58 UTC.", midnight)


def test_what_a_backend_says_stays_text():
    said = "<b>99:99:99 UTC</b> at 2024-13-45 at 11:00:00 UTC & 5 %"
    assert (
        timed(said, NOON) == "&lt;b&gt;99:99:99 UTC&lt;/b&gt; at 2024-13-45 at 11:00:00 UTC &amp; 5\N{NO-BREAK SPACE}%"
    )
    assert unbroken("0.8 % of") == "0.8\N{NO-BREAK SPACE}% of"


@pytest.mark.parametrize(
    "said",
    [
        "The backend's words: IB pacing violation at 11:15:00 UTC",
        "no bars after 2024-01-14T03:15:00 UTC",
        "no bars after 2024-01-14, 03:15:00 UTC",
    ],
)
def test_a_moment_whose_day_is_not_the_panels_to_say_stays_text(said):
    assert timed(said, NOON) == said.replace("'", "&#39;")


def test_the_headline_of_a_failure_may_be_the_backends():
    assert timed("gave up at 11:15:00 UTC", NOON, "failed") == "gave up at 11:15:00 UTC"
    assert "<time" in timed("gave up at 11:15:00 UTC", NOON, "stalled")
