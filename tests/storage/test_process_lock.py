"""One process at a time: others are refused at once, and a killed one leaves the lock."""

import subprocess
import sys

import pytest
from filelock import Timeout

from panel.storage.process_lock import process_lock

HOLD = """
import sys
from pathlib import Path
from panel.storage.process_lock import process_lock
with process_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_another_process_is_refused_until_the_first_one_is_killed(tmp_path):
    memory = tmp_path / "panel.db"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(memory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as first:
        assert first.stdout is not None and first.stdout.readline() == b"held\n"
        with pytest.raises(Timeout), process_lock(memory):
            pass
        first.kill()
        first.wait()
        with process_lock(memory):
            pass


def test_no_link_is_followed(tmp_path):
    other = tmp_path / "other"
    other.touch(mode=0o640)
    (tmp_path / "panel.turn").symlink_to(other)
    with pytest.raises(OSError, match=r"panel\.turn"), process_lock(tmp_path / "panel.db"):
        pass
    assert other.read_bytes() == b"" and other.stat().st_mode & 0o777 == 0o640


def test_a_deleted_file_is_created_again(tmp_path):
    lock = process_lock(tmp_path / "panel.db")
    for _ in range(2):
        with lock, pytest.raises(Timeout), process_lock(tmp_path / "panel.db"):
            pass
        (tmp_path / "panel.turn").unlink()
