"""Operations that the panel remembers from earlier."""

import time
from pathlib import Path

from panel.backend.entities import snapshot_of
from panel.domain.verdict import judge, observed
from panel.settings import Settings
from panel.storage.place import memory_of
from panel.storage.store import Storage
from tests.support.scripted import operation, stamp

DAY = 86_400.0


def seed(folder: Path, backend: str, *answers: dict) -> None:
    """Have a panel over this backend remember these operations."""
    store = Storage(memory_of(Settings.from_environ({}, backend=backend, data_folder=folder)))
    for answer in answers:
        at = time.time()
        observation = observed(None, snapshot_of(answer, at))
        store.memory.remember(observation, judge(observation, at), at)
    store.close()


def ended(operation_id: str, kind: str, status: str, ago: float, took: float = 60.0, name: str = "", **more) -> dict:
    at = time.time() - ago
    parameters = {"strategy_name": name, "symbols": [more.pop("symbol", "EURUSD")], "timeframes": ["1h"]}
    return operation(
        operation_id,
        kind,
        status,
        created_at=stamp(at),
        completed_at=stamp(at + took),
        metadata={"parameters": parameters | more.pop("parameters", {})},
        **more,
    )
