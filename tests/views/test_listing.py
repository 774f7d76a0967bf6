"""Columns of the list of runs, and its rows in a CSV file."""

import pytest

from panel.adapters import KINDS
from panel.backend.entities import snapshot_of
from panel.domain.labels import Label
from panel.domain.observation import observed
from panel.domain.verdict import judge
from panel.views.listing import COLUMNS, PLAIN, USUAL, chosen, csv_head, csv_row, harmless
from panel.views.operation import operation_view
from tests.support.scripted import RESULT, operation

AT = "2024-01-01T00:00:00Z"


def test_every_measure_is_a_column_of_its_own():
    measures = [measure for adapter in KINDS.values() for measure in adapter.measures]
    assert len(COLUMNS) == len(PLAIN) + len(measures), "two measures share a key"


def test_columns_come_in_the_order_of_the_list_and_unknown_ones_not_at_all():
    assert chosen(["took", "test_accuracy", "took", "; drop"]) == ("took", "test_accuracy")
    assert chosen([""]) == chosen(["nothing"]) == USUAL


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-x", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_a_spreadsheet_takes_no_text_for_a_formula(text):
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "-0.044", "+3", "-1e-9", "swing", "a=b"])
def test_numbers_and_plain_texts_stay_as_they_are(text):
    assert harmless(text) == text


def test_a_row_has_the_numbers_of_the_chosen_columns():
    done = operation("op_a", status="completed", result_summary=RESULT, created_at=AT, completed_at=AT)
    observation = observed(None, snapshot_of(done, 0.0))
    label = Label("=cmd", "one\ntwo", ("a", "b"))
    view = operation_view(observation, judge(observation, 0.0), 0.0, embedded=False, label=label)
    keys = ("started", "tags", "note", "test_accuracy", "total_return_pct")
    row = dict(zip(csv_head(keys), csv_row(view, keys), strict=True))
    assert row["name"] == "'=cmd" and row["state"] == "completed" and row["strategy"] == "swing"
    assert row["started"] == "2024-01-01T00:00:00+00:00" and row["tags"] == "a b" and row["note"] == "one\ntwo"
    assert row["test_accuracy"] == "0.872" and row["total_return_pct"] == ""


@pytest.mark.parametrize(
    ("kind", "result", "data"),
    [
        ("training", RESULT, ""),  # a KTRDR does not say, and no generator is in it
        ("training", {"data_summary": {"source": "sample"}}, "sample"),
        ("backtesting", {"data_summary": {"source": "mixed"}}, "mixed"),
        ("backtesting", {"data_summary": {"source": "own"}}, "own"),
        ("data_load", {"source": "sample market generator"}, "sample"),
        ("data_load", {"source": "Interactive Brokers"}, ""),
        ("data_load", {"source": ["sample"]}, ""),
    ],
)
def test_a_row_says_whether_a_market_made_its_data(kind, result, data):
    observation = observed(None, snapshot_of(operation("op_a", kind, "completed", result_summary=result), 0.0))
    view = operation_view(observation, judge(observation, 0.0), 0.0, embedded=False)
    assert dict(zip(csv_head(USUAL), csv_row(view, USUAL), strict=True))["data"] == data
