"""A password whose hash is cheap to compute."""

from panel.accounts import password

WORD = "corréct horse 8"

CHEAP = "scrypt:10:8:1:c2FsdHNhbHRzYWx0c2FsdA:{key}"


def cheap(word: str) -> str:
    return CHEAP.format(key=password._text(password._key(word, b"saltsaltsaltsalt", 10, 8, 1)))


HASH = cheap(WORD)
