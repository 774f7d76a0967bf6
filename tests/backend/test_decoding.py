"""What leaves decoding is bounded and clean, whatever came in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panel.backend import decoding
from panel.backend.decoding import MAX_DEPTH, MAX_TEXT, count, each, line, plain, seconds, shortened, text
from panel.domain.values import moment
from tests.support.extremes import CONTROLS, VALUES, improper


def test_a_long_text_keeps_its_head_and_its_tail():
    error = "Traceback\n" + "x" * 50_000 + "\nValueError: the cause"
    kept = text(error)
    assert kept.startswith("Traceback\nxxx") and " … " in kept and kept.endswith("\nValueError: the cause")
    assert len(kept) == MAX_TEXT and text(kept) == kept == shortened(kept)


def test_control_and_direction_characters_do_not_leave():
    assert text(f"a{CONTROLS}b\n\tc") == "ab\n\tc"
    assert line("x\x1b[201~\x15touch file\n\x15y") == "x[201~touch file y"
    assert text("naïve – 漢字 😀 ⚡ · é") == "naïve – 漢字 😀 ⚡ · é"


@pytest.mark.parametrize("value", [None, True, [], {}, float("nan"), float("inf"), 10**400, b"x"])
def test_what_is_no_text_is_empty(value):
    assert text(value) == line(value) == ""


@pytest.mark.parametrize(
    ("read", "value", "found"),
    [
        (count, 1e12, 10**12),
        (count, 1e12 + 1, None),
        (count, -1, None),
        (seconds, 3600, 3600.0),
        (seconds, 1e12, None),
        (moment, "1899-12-31T23:00:00Z", None),
        (moment, "1900-01-01T00:00:00Z", -2_208_988_800.0),
        (moment, "2200-01-01T00:00:00Z", None),
        (moment, "0001-01-01T00:00:00+23:59", None),
    ],
)
def test_out_of_range_is_unknown(read, value, found):
    assert read(value) == found


def test_levels_values_integers_and_names_of_a_free_form_are_bounded():
    deep: object = "bottom"
    for _ in range(900):
        deep = {"in": [deep]}
    assert depth(plain(deep)) <= MAX_DEPTH
    assert nodes(plain({"a": [[1] * 300] * 300}, 1000)) <= 1000
    assert plain({"a": 2**200, "b": -(2**200), "c": 2**63 - 1}) == {"a": None, "b": None, "c": 2**63 - 1}
    assert plain({"n\u202ex" * 200: 1}) == {("nx" * 200)[: decoding.MAX_NAME]: 1}


def test_a_bad_entry_costs_only_itself():
    def decode(item):
        if item == "bad":
            raise ValueError
        return item

    assert each(decode, ["a", "bad", None, "b"]) == ["a", "b"]
    assert each(decode, ["a"] * 50, 3) == ["a"] * 3
    assert each(decode, "text") == each(decode, None) == []


free_form = st.recursive(
    st.sampled_from(VALUES), lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)


@given(free_form)
def test_a_free_form_is_proper_and_stays_as_it_is(value):
    kept = plain(value)
    assert improper(kept) == []
    assert plain(kept) == kept


def depth(value: object) -> int:
    if not isinstance(value, dict | list):
        return 0
    return 1 + max(map(depth, value.values() if isinstance(value, dict) else value), default=0)


def nodes(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(nodes, inner))
