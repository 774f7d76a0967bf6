"""What the texts of failures mean, and what to do."""

import pytest

from panel.domain.causes import cause_of, database_down


@pytest.mark.parametrize(
    ("text", "meaning", "advice"),
    [
        (
            "'<=' not supported between instances of 'float' and 'str'",
            "has to be a number is a text",
            "1.0e-3 a number",
        ),
        (
            "Data acquisition failed: [Errno 111] Connect call failed ('127.0.0.1', 5432)",
            "database did not answer",
            "PostgreSQL runs",
        ),
        ("Data acquisition failed: [Errno 111] Connect call failed ('127.0.0.1', 5439)", "database", "PostgreSQL runs"),
        (
            '(sqlalchemy.dialects.postgresql.asyncpg.Error) database "ktrdr" is not currently accepting connections',
            "database did not answer",
            "PostgreSQL runs",
        ),
        (
            "Failed to create IB connection: "
            "ConnectionRefusedError [Errno 111] Connect call failed ('127.0.0.1', 4002)",
            "Gateway does not answer",
            "log in to it",
        ),
        ("[Errno 111] Connect call failed ('127.0.0.1', 7497)", "Gateway does not answer", "log in to it"),
        ("Host service connection failed: Connect call failed ('::1', 5001, 0, 0)", "fetches market data", "Start it"),
        ("Multiple exceptions: [Errno 111] Connect call failed ('::1', 5432, 0, 0)", "database", "PostgreSQL runs"),
        ("Symbol  not found", "", "does not know this symbol"),
        ("Symbol ../x not found", "", "does not know this symbol"),
        (
            "Error(s) in loading state_dict for Sequential:\n\tsize mismatch for 0.weight: …\n\tsize mismatch for 3.bias: …",
            "weights of its saved model do not fit",
            "Train it again",
        ),
        ("Traceback\n  …\nMemoryError", "ran out of memory", "shorter period"),
    ],
)
def test_a_text_names_its_cause_with_advice(text, meaning, advice):
    cause = cause_of(text)
    assert cause is not None and meaning in cause.meaning and advice in cause.advice


def test_a_text_that_is_not_known_has_none():
    assert cause_of("something else") is None
    assert cause_of("[Errno 111] Connect call failed ('10.0.0.7', 9999)") is None, "whose port that is is not known"


def test_whose_port_it_is_the_words_about_its_own_operations_tell():
    said = "Failed to get operation status for op_a: [Errno 111] Connect call failed ('{}', {})"
    assert database_down(said.format("127.0.0.1", 5439)) and database_down(said.format("::1", "9999, 0, 0"))
    assert not database_down(said.format("127.0.0.1", 4002)) and not database_down("Operation not found: op_a")
