"""The command line, run as a process."""

import os
import subprocess
from pathlib import Path

from tests.support.panels import COMMAND


def environment(folder: Path, backend: str = "") -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "COLUMNS": "120",
        "KTRDR_PANEL_DATA_DIR": str(folder),
        "KTRDR_API_CLIENT_BASE_URL": backend,
    }


def run(folder: Path, *arguments: str | bytes, backend: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environment(folder, backend),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
