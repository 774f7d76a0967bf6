"""A stop is a stop, whatever happens in the very turn in which it is asked for."""

import asyncio
import tempfile
from pathlib import Path

import pytest

from panel.settings import Settings
from tests.support.lasting import Lasting
from tests.support.lives import Life
from tests.support.virtual import virtual_time
from tests.support.wires import Line

LOAD = {"symbol": "EURUSD", "timeframe": "1h", "mode": "tail", "replace": "1"}


@pytest.mark.parametrize("silent", [False, True])
def test_whoever_is_woken_while_the_panel_stops_stops_too(silent: bool) -> None:
    """In each turn of the loop around the stop once: a wait that ends just then must not hide it."""
    for turns in range(12):
        with virtual_time() as runner, tempfile.TemporaryDirectory() as folder:
            backend = Lasting(lasts=600.0)
            line = Line(backend.app)
            with line.laid():
                settings = Settings.from_environ({}, backend="http://backend/api/v1", data_folder=Path(folder))
                life = Life(runner, line, settings)
                life.post("/start/training", {"key": f"key-{1:012}", "strategy_name": "swing", "insist": "1"}, 1, 3.0)
                life.post("/start/data_load", {"key": f"key-{2:012}", **LOAD}, 1, 3.0)
                assert len(backend.rows) == 2
                if silent:
                    line.faults.add("refused", times=None)
                    runner.run(asyncio.sleep(30))
                life.stop(turns)
