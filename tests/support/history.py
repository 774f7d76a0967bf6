"""Operations that the panel remembers from earlier."""

import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from panel.backend.entities import snapshot_of
from panel.domain.labels import Label
from panel.domain.observation import observed
from panel.domain.verdict import judge
from panel.settings import Settings
from panel.storage.store import Storage
from tests.support.scripted import operation, stamp

DAY = 86_400.0


def seed(folder: Path, backend: str, *answers: dict, labels: Mapping[str, dict] | None = None) -> None:
    """Have a panel over this backend remember these operations; `labels` are fields of a Label by operation. They are written first: with an operation that is
    remembered, each costs one more write."""
    settings = Settings.from_environ({}, backend=backend, data_folder=folder)
    with closing(Storage(settings.memory_file)) as store:
        for operation_id, fields in (labels or {}).items():
            store.labels.edit(operation_id, Label(**fields), "the test", time.time())
        entries = []
        for answer in answers:
            at = time.time()
            observation = observed(None, snapshot_of(answer, at))
            entries.append((observation, judge(observation, at), at))
        store.remember(entries)


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
