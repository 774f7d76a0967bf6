"""What the texts of failures mean, and what to do."""

import pytest

from panel.domain.causes import cause_of


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
        (
            '(sqlalchemy.dialects.postgresql.asyncpg.Error) database "ktrdr" is not currently accepting connections',
            "database did not answer",
            "PostgreSQL runs",
        ),
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
