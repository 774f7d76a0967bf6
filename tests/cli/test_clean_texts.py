"""No text of a backend drives a terminal or a shell: in what commands print, in the log, and in what is copied."""

import json
import os
import pty
import re
import select
import subprocess
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path

import pytest

from panel.storage import backup
from tests.support.command_line import run
from tests.support.extremes import CONTROLS
from tests.support.extremes import HOSTILE as EVERYTHING
from tests.support.pages import KEY
from tests.support.panels import panel_process
from tests.support.scripted import Backend, operation, percent, served

SHELL = "a'; touch file; $(touch file) `touch file` \" & touch file #"
HOSTILE = EVERYTHING.replace("\ud800", "")  # which the scripted backend cannot send


@pytest.fixture
def hostile(backend: Backend) -> Iterator[str]:
    about = {"symbol": HOSTILE, "parameters": {"strategy_name": HOSTILE, "symbols": [HOSTILE], HOSTILE: HOSTILE}}
    running = {"progress": percent(5, HOSTILE), "metadata": about, "error_message": HOSTILE}
    backend.operations |= {
        "op_run": operation("op_run", **running),
        "op_bad": operation("op_bad", status="failed", **running),
        "op_name": operation("op_name", metadata={"parameters": {"strategy_name": HOSTILE, "symbols": ["EURUSD"]}}),
        "op_shell": operation("op_shell", metadata={"parameters": {"strategy_name": SHELL, "symbols": ["EURUSD"]}}),
    }
    backend.workers = [{"worker_id": HOSTILE, "worker_type": HOSTILE, "status": HOSTILE, "endpoint_url": HOSTILE}]
    backend.strategies = [{"name": HOSTILE, "description": HOSTILE, "symbol": HOSTILE}]
    backend.answers["GET /health"] = (200, {"status": "ok", "version": HOSTILE})
    with served(backend.app) as address:
        yield address + "/api/v1"


READS_A_LINE = "\x1b[?2004h"  # bash asks for brackets around what is pasted


def unclean(text: str) -> list[str]:
    return sorted({char for char in text if char in CONTROLS and char not in "\n\t"})


def test_commands_and_the_log_print_nothing_that_drives_a_terminal(hostile, backend, tmp_path):
    def started(_):
        backend.operations["op_t"] = backend.operations["op_bad"] | {"operation_id": "op_t"}
        return 200, {"success": True, "task_id": "op_t", "status": "training_started", "message": HOSTILE}

    backend.answers["POST /trainings/start"] = started
    done = [run(tmp_path, "doctor", backend=hostile), run(tmp_path, "train", "swing", backend=hostile)]
    backend.answers["POST /trainings/start"] = (400, {"detail": {"message": HOSTILE, "suggestion": HOSTILE}})
    done.append(run(tmp_path, "train", "swing", backend=hostile))
    printed = [each.stdout + each.stderr for each in done]
    with panel_process(tmp_path, hostile, KTRDR_PANEL_LOG_LEVEL="debug") as (here, _):
        here.get("/operations/op_run")
        here.post("/start/training", {"key": KEY, "strategy_name": "swing", "insist": "1"})
        printed.append(here.get("/api/operations/op_bad").text)
    printed.append((tmp_path / "log").read_text())
    assert [unclean(text) for text in printed] == [[]] * len(printed)
    assert sum("touch file" in text for text in printed) >= 4, "the texts are there, cleaned"


def test_what_the_copy_buttons_take_runs_nothing_in_a_shell(hostile, tmp_path):
    """In a real interactive bash, pasted as a terminal does that brackets what is pasted, and as one that does not."""
    with panel_process(tmp_path, hostile) as (here, _):
        pages = [here.get(f"/operations/{name}").text for name in ("op_run", "op_bad", "op_name", "op_shell")]
        typed = {"key": KEY, "strategy_name": SHELL, "symbols": "EURUSD", "insist": "1"}
        pages.append(here.get(here.post("/start/training", typed).headers["location"]).text)
    found = [
        unescape(text)
        for page in pages
        for text in re.findall(r'<pre id="(?:command-\d+|report)"[^>]*>(.*?)</pre>', page, re.S)
    ]
    assert len(found) >= 3 and [unclean(text) for text in found] == [[]] * len(found)
    commands = [text for text in found if text.startswith("ktrdr")]
    assert commands and not any("\n" in text or "\t" in text for text in commands)
    folder = tmp_path / "shell"
    folder.mkdir()
    with shell(folder) as paste:
        for text in commands:
            paste(text, bracketed=True)
            paste(text, bracketed=False)
            paste(f"{text}\n", bracketed=False)  # sent off, it is one program with words, and there is no such program
        assert os.listdir(folder) == []
        paste("touch file\n", bracketed=True)
        assert os.listdir(folder) == []
        paste("\x1b[201~\x15touch file\n", bracketed=True)
        assert os.listdir(folder) == ["file"], "it would have been seen"


@contextmanager
def shell(folder: Path) -> Iterator:
    """An interactive bash; yields what pastes a text, discards the line, and waits until bash is done."""
    ours, theirs = pty.openpty()
    environ = {"PATH": "/usr/bin:/bin", "PS1": "", "TERM": "xterm", "HOME": str(folder), "HISTFILE": ""}
    command = ["bash", "--norc", "--noprofile", "-i"]
    process = subprocess.Popen(
        command, cwd=folder, env=environ, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    pasted = 0

    def paste(text: str, *, bracketed: bool) -> None:
        nonlocal pasted
        pasted += 1
        end = f"end-{pasted}"
        os.write(ours, (f"\x1b[200~{text}\x1b[201~" if bracketed else text).encode())
        # The line ends first: after a command that ran, the end of a bracketed paste may have left a ~ on it.
        os.write(ours, f"\x15\necho en''d-{pasted}\n".encode())
        wait_for_line(end)

    def wait_for_line(printed: str = "") -> None:
        """Until that was printed, and bash reads a line again: before, a terminal hands pastes over in pieces."""
        got, deadline = "", time.monotonic() + 120
        while READS_A_LINE not in got[got.find(printed) :] or printed not in got:
            assert select.select([ours], [], [], max(deadline - time.monotonic(), 0))[0], got
            got += os.read(ours, 65536).decode("utf-8", "replace")

    try:
        wait_for_line()
        yield paste
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_names_of_files_and_of_what_is_in_them_drive_no_terminal(tmp_path):
    name = HOSTILE.replace("/", "").replace("\0", "")
    row = "2024-01-01T00:00:00Z,1,2,0.5,1.5,10\n"
    (tmp_path / f"{name}.csv").write_text(f"a{HOSTILE},b\n{HOSTILE},2\n".replace("\0", ""))
    with zipfile.ZipFile(tmp_path / "several.zip", "w") as archive:
        archive.writestr(f"{name}bad.csv", "x,y\n1,2\n")
        archive.writestr(f"{name}EURUSD_1d.csv", "date,open,high,low,close,volume\n" + row)
    for file, about in (
        ("of-another.zip", {"backend": f"http://x{HOSTILE}", "files": {}}),
        ("of-nobody.zip", {"backend": "", "files": {f"panel/{name}": "0" * 64}}),
    ):
        with zipfile.ZipFile(tmp_path / file, "w") as archive:
            archive.writestr(
                backup.CONTENTS, json.dumps(about | {"format": backup.FORMAT, "version": "1", "made_at": 0.0})
            )
            archive.writestr(f"panel/{name}", "not as it was")
    done = [
        run(tmp_path, "import", str(tmp_path / f"{name}.csv"), "--dry-run"),
        run(tmp_path, "import", str(tmp_path / "several.zip"), "--dry-run"),
        run(tmp_path, "restore", str(tmp_path / "of-another.zip")),
        run(tmp_path, "restore", str(tmp_path / "of-nobody.zip")),
        run(tmp_path, "queue", "cancel", name),
        run(tmp_path, f"--{name}"),
    ]
    printed = [each.stdout + each.stderr for each in done]
    assert [unclean(text) for text in printed] == [[]] * len(printed)
    assert ["touch file" in text for text in printed] == [True] * len(printed), "the names are there, cleaned"
