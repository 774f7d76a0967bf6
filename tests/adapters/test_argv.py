"""A shown command line starts the same thing, whatever was typed into the form."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panel.adapters import KINDS, Field
from panel.adapters.command_lines import commands
from panel.cli.main import _as_typed, main
from panel.domain.strategies import Strategy
from panel.errors import InvalidForm

ODD = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp")), max_size=30
) | st.sampled_from(["--help", "-x", "$(rm -rf ~)", "a b", "it's", '"; reboot', "`id`", "a\\b", "swing"])
BY_NAME = {
    "symbol": st.sampled_from(["TSLA", "EURUSD"]),
    "start_date": st.just("2024-01-01"),
    "end_date": st.just("2025-06-30"),
}
BY_TYPE = {
    "text": ODD,
    "long": ODD,
    "date": st.just("2024-01-01"),
    "symbols": st.sampled_from(["EURUSD", "EURUSD, GBPUSD"]),
    "timeframes": st.sampled_from(["1h", "1h 4h"]),
    "switch": st.just("1"),
    "number": st.sampled_from(["1234567", "0.5"]),
    "percent": st.sampled_from(["0", "0.1", "0.00001"]),
}


def typed(field: Field) -> st.SearchStrategy[str]:
    """What somebody may type into it; empty, too, where it need not be filled in."""
    chosen = st.sampled_from([value for value, _ in field.choices]) if field.choices else BY_TYPE[field.type]
    values = BY_NAME.get(field.name, chosen)
    return values if field.required else st.just("") | values


FORMS = {
    kind: st.fixed_dictionaries({field.name: typed(field) for field in adapter.fields})
    for kind, adapter in KINDS.items()
}


@given(st.sampled_from(sorted(KINDS)).flatmap(lambda kind: st.tuples(st.just(kind), FORMS[kind])))
def test_our_own_command_line_reads_back_as_the_same_start(given):
    kind, form = given
    try:
        made = KINDS[kind].from_form(form)
    except InvalidForm:
        return
    line = commands(made, "http://127.0.0.1:8000/api/v1")[0]
    program, name, *words = shlex.split(line)
    assert program == "ktrdr-panel"
    read = main.commands[name].make_context(name, words).params
    assert read.pop("backend") == "http://127.0.0.1:8000/api/v1"
    again = KINDS[kind].from_form({key: _as_typed(value) for key, value in read.items()})
    assert again.get_start_payload() == made.get_start_payload()


@pytest.mark.parametrize(
    ("kind", "form", "line"),
    [
        (
            "training",
            {
                "strategy_name": "swing",
                "start_date": "2024-01-01",
                "end_date": "2025-06-30",
                "symbols": "EURUSD, GBPUSD",
            },
            "ktrdr train swing --start 2024-01-01 --end 2025-06-30 --symbols EURUSD,GBPUSD",
        ),
        (
            "data_load",
            {"symbol": "tsla", "timeframe": "1d", "mode": "full"},
            "ktrdr data load TSLA --timeframe 1d --mode full",
        ),
        (
            "backtesting",
            {
                "strategy_name": "swing",
                "start_date": "2024-01-01",
                "end_date": "2025-06-30",
                "model_path": "models/a b/1h_v4",
            },
            "ktrdr backtest swing --start 2024-01-01 --end 2025-06-30 --model-path 'models/a b/1h_v4'"
            " --capital 100000 --commission 0.001 --slippage 0.0005",
        ),
        (
            "backtesting",
            {
                "strategy_name": "swing",
                "start_date": "2024-01-01",
                "end_date": "2025-06-30",
                "model_path": "models/m",
                "initial_capital": "50000",
                "commission": "0.2",
                "slippage": "0",
            },
            "ktrdr backtest swing --start 2024-01-01 --end 2025-06-30 --model-path models/m"
            " --capital 50000 --commission 0.002 --slippage 0",
        ),
        (
            "agent_research",
            {"brief": "A calm one, for EURUSD", "model": "haiku"},
            "ktrdr research 'A calm one, for EURUSD' --model haiku",
        ),
    ],
)
def test_ktrdrs_own_command_line(kind, form, line):
    assert commands(KINDS[kind].from_form(form), "")[1] == line


def test_ktrdrs_backtest_says_symbol_and_timeframe_only_where_they_are_the_strategys_own():
    form = {"strategy_name": "swing", "start_date": "2024-01-01", "end_date": "2025-06-30", "model_path": "models/m"}
    made = KINDS["backtesting"].from_form(form | {"symbol": "EURUSD", "timeframe": "1h"})
    own = Strategy("swing", symbols=("EURUSD", "GBPUSD"), timeframes=("1h",))
    assert commands(made, "", own)[1].startswith("ktrdr backtest swing --start 2024-01-01")
    assert len(commands(made, "")) == 1, "whose own they are is not known"
    assert len(commands(made, "", Strategy("swing", symbols=("GBPUSD",), timeframes=("1h",)))) == 1


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        ("training", {"strategy_name": "swing", "start_date": "2024-01-01"}),  # it wants both dates
        ("training", {"strategy_name": "-h", "start_date": "2024-01-01", "end_date": "2025-06-30"}),
        ("dummy", {}),
        ("agent_research", {}),  # it wants a brief or a strategy
    ],
)
def test_what_ktrdrs_command_line_cannot_say_is_not_invented(kind, form):
    assert len(commands(KINDS[kind].from_form(form), "")) == 1
