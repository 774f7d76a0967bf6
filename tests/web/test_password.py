"""The hash of a password: of one word only, and slow to guess."""

import subprocess
import sys

import pytest

from panel.accounts import password
from panel.errors import UnsafeSettings
from panel.settings import Settings
from tests.support.passwords import HASH, WORD


def test_a_hash_is_of_one_word_only_and_never_the_same_twice():
    known = password.hashed(WORD)
    assert password.is_hash(known) and known != password.hashed(WORD) and "$" not in known
    assert password.matches(WORD, known) and not password.matches(WORD + " ", known)
    assert password.matches("corre\u0301ct horse 8", known), "the same letters, typed on another keyboard"
    assert known.startswith("scrypt:15:8:3:"), "as slow as it is said to be"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "scrypt:",
        "scrypt:99:8:1:" + HASH[14:],
        HASH[:-1],
        HASH + "A",
        HASH.replace(":8:", ":0:"),
        "bcrypt" + HASH[6:],
    ]
    + [HASH.replace("scrypt:10:8:1", f"scrypt:{cost}") for cost in ("9:8:1", "19:8:1", "10:9:1", "10:8:9", "10:8:0")],
)
def test_what_is_no_hash_is_not_taken_for_one(text):
    assert not password.is_hash(text)
    if text:
        with pytest.raises(UnsafeSettings):
            Settings.from_environ({"KTRDR_PANEL_PASSWORD": text if text.startswith("scrypt:") else "short"})


def test_hash_password_prints_what_the_panel_takes():
    command = [sys.executable, "-c", "from panel.cli.main import main; main()", "hash-password"]
    done = subprocess.run(command, input=f"{WORD}\n{WORD}\n", capture_output=True, text=True, check=True)
    known = done.stdout.split()[-1]
    assert password.matches(WORD, known) and WORD not in done.stdout + done.stderr
    assert Settings.from_environ({"KTRDR_PANEL_PASSWORD": known}).password == known
    short = subprocess.run([*command, "--password", "short"], capture_output=True, text=True, check=False)
    assert short.returncode == 1 and "needs 8 characters" in short.stderr
