"""The installed command. Imports the rest of the panel itself, so that Ctrl-C during the imports is no traceback."""

import os
import signal
from typing import Any


def main() -> None:
    signal.signal(signal.SIGINT, _leave)
    from panel.cli.main import main as commands

    signal.signal(signal.SIGINT, signal.default_int_handler)
    commands(prog_name="ktrdr-panel")


def _leave(*_: Any) -> None:
    os._exit(130)  # nothing has begun; a module being imported could swallow an exception
